//! What everybody is told who opens the mini-program.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};
use crate::base::time::UnixMillis;

/// Something to be told, as long as it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    pub is_on: bool,
    pub title: String,
    pub text: String,
    pub level: AnnouncementLevel,
    /// A page of the mini-program that it opens; none when empty.
    pub page: String,
    /// RFC 3339; at once when there is none.
    pub starts_at: Option<String>,
    /// RFC 3339; for good when there is none.
    pub ends_at: Option<String>,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnouncementLevel {
    #[default]
    Info,
    Warning,
}

impl Announcement {
    /// Whether it is told at `now`.
    pub fn holds(&self, now: UnixMillis) -> bool {
        let has_begun = self.starts_at.as_deref().and_then(time).is_none_or(|from| from <= now);
        let has_ended = self.ends_at.as_deref().and_then(time).is_some_and(|end| end <= now);
        self.is_on && has_begun && !has_ended
    }
}

impl Checked for Announcement {
    fn check(&self) -> Result<(), SettingsError> {
        for (field, text, max) in
            [("title", &self.title, 40), ("text", &self.text, 1000), ("page", &self.page, 200)]
        {
            within(field, text.chars().count(), 0, max).map_err(|_| {
                SettingsError::invalid(field, format!("must have at most {max} characters"))
            })?;
        }
        if self.is_on && (self.title.trim().is_empty() && self.text.trim().is_empty()) {
            return Err(SettingsError::invalid("text", "must say something to be shown"));
        }
        for (field, text) in [("startsAt", &self.starts_at), ("endsAt", &self.ends_at)] {
            if text.as_deref().is_some_and(|text| time(text).is_none()) {
                return Err(SettingsError::invalid(
                    field,
                    "must be a time such as \
                    2026-01-29T12:00:00Z",
                ));
            }
        }
        let [from, to] =
            [&self.starts_at, &self.ends_at].map(|text| text.as_deref().and_then(time));
        match (from, to) {
            (Some(from), Some(to)) if to <= from => {
                Err(SettingsError::invalid("endsAt", "must be after startsAt"))
            }
            _ => Ok(()),
        }
    }
}

fn time(text: &str) -> Option<UnixMillis> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(UnixMillis(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_from_its_beginning_to_its_end() {
        let announcement = Announcement {
            is_on: true,
            text: "维护".to_owned(),
            starts_at: Some("1970-01-01T00:00:01Z".to_owned()),
            ends_at: Some("1970-01-01T00:00:02Z".to_owned()),
            ..Announcement::default()
        };
        announcement.check().unwrap();
        let holds = |ms| announcement.holds(UnixMillis(ms));
        assert_eq!([holds(999), holds(1000), holds(1999), holds(2000)], [false, true, true, false]);
        assert!(!Announcement { is_on: false, ..announcement.clone() }.holds(UnixMillis(1500)));
        let ends_at = Some("1970-01-01T00:00:01Z".to_owned());
        assert!(Announcement { ends_at, ..announcement.clone() }.check().is_err());
        assert!(Announcement { text: " ".to_owned(), ..announcement }.check().is_err());
    }
}
