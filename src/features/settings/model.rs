//! All settings together, their sections, and how a section is changed.

mod alerts;
mod announcement;
mod describe;
mod economy;
mod entitlements;
mod gallery;
mod jobs;
mod label;
mod limits;
mod membership;
mod messages;
mod moderation;
mod payment;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use alerts::{Alerts, Hook as AlertHook};
pub use announcement::{Announcement, AnnouncementLevel};
pub use describe::{Field, FieldKind, describe};
pub use economy::{Economy, Invite, InviteEvent, Mode, PriceTable, Resolution, ResolutionPrices};
pub use entitlements::{Entitlement, Entitlements};
pub use gallery::Gallery;
pub use jobs::{Jobs, Retry};
pub use label::Label;
pub use limits::RateLimits;
pub use membership::{Membership, MonthlyPoints};
pub use messages::{MessageField, MessageState, MessageTemplate, Messages};
pub use moderation::{Checker, Moderation, WhenUnavailable};
pub use payment::{ChannelRule, Channels, PaymentRules, PlatformChannels};

use crate::base::content_version::content_version;
use crate::db::DbError;

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub economy: Economy,
    pub entitlements: Entitlements,
    pub jobs: Jobs,
    pub label: Label,
    pub membership: Membership,
    pub payment: PaymentRules,
    pub gallery: Gallery,
    pub moderation: Moderation,
    pub messages: Messages,
    pub announcement: Announcement,
    pub alerts: Alerts,
    pub limits: RateLimits,
}

/// What is changed and stored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Economy,
    Entitlements,
    Jobs,
    Label,
    Membership,
    Payment,
    Gallery,
    Moderation,
    Messages,
    Announcement,
    Alerts,
    Limits,
}

/// A section before and after a change, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsChange {
    pub section: Section,
    pub before: Value,
    pub after: Value,
}

/// Why settings cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Names the field with its path inside the section, and says what is wrong.
    #[error("{field}: {problem}")]
    Invalid { field: String, problem: String },
    /// Somebody else changed the section since the caller read it.
    #[error("the section was changed meanwhile")]
    Outdated,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl SettingsError {
    pub(super) fn invalid(field: &str, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.to_owned(), problem: problem.into() }
    }
}

impl Section {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Economy,
        Self::Entitlements,
        Self::Jobs,
        Self::Label,
        Self::Membership,
        Self::Payment,
        Self::Gallery,
        Self::Moderation,
        Self::Messages,
        Self::Announcement,
        Self::Alerts,
        Self::Limits,
    ];

    /// As it is stored; never renamed.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Economy => "economy",
            Self::Entitlements => "entitlements",
            Self::Jobs => "jobs",
            Self::Label => "label",
            Self::Membership => "membership",
            Self::Payment => "payment",
            Self::Gallery => "gallery",
            Self::Moderation => "moderation",
            Self::Messages => "messages",
            Self::Announcement => "announcement",
            Self::Alerts => "alerts",
            Self::Limits => "limits",
        }
    }

    /// The section of this name.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|section| section.key() == key)
    }
}

/// Names a section as it is.
pub fn section_version(section: &Value) -> String {
    content_version(&section.to_string())
}

/// A section knows what is wrong with it.
pub(super) trait Checked: Default + Serialize + DeserializeOwned {
    /// The first thing that is wrong.
    fn check(&self) -> Result<(), SettingsError>;
}

impl Settings {
    /// One section as JSON, to be shown: what is secret in it is covered.
    pub fn section(&self, section: Section) -> Value {
        match section {
            Section::Alerts => alerts::covered(self.stored(section)),
            _ => self.stored(section),
        }
    }

    /// One section as JSON, to be stored.
    pub(super) fn stored(&self, section: Section) -> Value {
        match section {
            Section::Economy => to_json(&self.economy),
            Section::Entitlements => to_json(&self.entitlements),
            Section::Jobs => to_json(&self.jobs),
            Section::Label => to_json(&self.label),
            Section::Membership => to_json(&self.membership),
            Section::Payment => to_json(&self.payment),
            Section::Gallery => to_json(&self.gallery),
            Section::Moderation => to_json(&self.moderation),
            Section::Messages => to_json(&self.messages),
            Section::Announcement => to_json(&self.announcement),
            Section::Alerts => to_json(&self.alerts),
            Section::Limits => to_json(&self.limits),
        }
    }

    /// Puts a stored section in its place. Fields that are not there (of an older program) have their
    /// default, unknown ones (of a newer one) are ignored.
    ///
    /// # Errors
    /// `Invalid`; nothing has changed then.
    pub(super) fn load(&mut self, section: Section, stored: &Value) -> Result<(), SettingsError> {
        let mut value = Self::default().stored(section);
        merge(&mut value, stored, "", Unknown::Ignored)?;
        self.put(section, value)
    }

    /// Changes a section: objects member by member, all else (lists too) as a whole.
    ///
    /// # Errors
    /// `Invalid`, also for a field that the section does not have; nothing has changed then.
    pub(super) fn change(
        &mut self,
        section: Section,
        change: &Value,
    ) -> Result<SettingsChange, SettingsError> {
        let before = self.section(section);
        let mut wanted = self.stored(section);
        match section {
            Section::Alerts => {
                merge(&mut wanted, &alerts::uncovered(change), "", Unknown::Refused)?;
            }
            _ => merge(&mut wanted, change, "", Unknown::Refused)?,
        }
        self.put(section, wanted)?;
        Ok(SettingsChange { section, before, after: self.section(section) })
    }

    fn put(&mut self, section: Section, value: Value) -> Result<(), SettingsError> {
        match section {
            Section::Economy => self.economy = checked(value)?,
            Section::Entitlements => self.entitlements = checked(value)?,
            Section::Jobs => self.jobs = checked(value)?,
            Section::Label => self.label = checked(value)?,
            Section::Membership => self.membership = checked(value)?,
            Section::Payment => self.payment = checked(value)?,
            Section::Gallery => self.gallery = checked(value)?,
            Section::Moderation => self.moderation = checked(value)?,
            Section::Messages => self.messages = checked(value)?,
            Section::Announcement => self.announcement = checked(value)?,
            Section::Alerts => self.alerts = checked(value)?,
            Section::Limits => self.limits = checked(value)?,
        }
        Ok(())
    }
}

/// Sections are plain data with text keys, which always serialises.
fn to_json(section: &impl Serialize) -> Value {
    serde_json::to_value(section).unwrap_or_default()
}

fn checked<T: Checked>(value: Value) -> Result<T, SettingsError> {
    let section: T = serde_json::from_value(value)
        .map_err(|err| SettingsError::invalid("section", err.to_string()))?;
    section.check()?;
    Ok(section)
}

/// What to do with a field that a section does not have.
#[derive(Clone, Copy)]
enum Unknown {
    Ignored,
    Refused,
}

/// `at` is where we are, for the error. Every field of a section is always there when it is written
/// out, so a name that is not there is of another version, or a slip.
fn merge(
    into: &mut Value,
    change: &Value,
    at: &str,
    unknown: Unknown,
) -> Result<(), SettingsError> {
    let Value::Object(members) = into else {
        *into = change.clone();
        return Ok(());
    };
    let Value::Object(change) = change else {
        let field = if at.is_empty() { "section" } else { at };
        return Err(SettingsError::invalid(field, "must be an object"));
    };
    for (name, change) in change {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match (members.get_mut(name), unknown) {
            (Some(place), _) => merge(place, change, &path, unknown)?,
            (None, Unknown::Ignored) => {}
            (None, Unknown::Refused) => {
                return Err(SettingsError::invalid(&path, "there is no such setting"));
            }
        }
    }
    Ok(())
}

/// Fails when `value` is outside the range.
pub(super) fn within<T: PartialOrd + std::fmt::Display>(
    field: &str,
    value: T,
    from: T,
    to: T,
) -> Result<(), SettingsError> {
    if value >= from && value <= to {
        Ok(())
    } else {
        Err(SettingsError::invalid(field, format!("{value} is not from {from} to {to}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(section: Section, change: Value) -> String {
        let mut settings = Settings::default();
        let err = settings.change(section, &change).unwrap_err();
        assert_eq!(settings, Settings::default(), "a refused change changes nothing");
        match err {
            SettingsError::Invalid { field, .. } => field,
            SettingsError::Outdated | SettingsError::Db(_) => panic!("{err}"),
        }
    }

    #[test]
    fn the_defaults_are_valid_and_survive_a_round_trip() {
        for &section in Section::ALL {
            let mut settings = Settings::default();
            settings.load(section, &Settings::default().section(section)).unwrap();
            assert_eq!(settings, Settings::default());
            assert_eq!(Section::by_key(section.key()), Some(section));
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_tells_both_sides() {
        let mut settings = Settings::default();
        let change = json!({ "signUpBonus": 0, "prices": { "final": { "4K": 9 } } });
        let done = settings.change(Section::Economy, &change).unwrap();
        assert_eq!(
            (&done.before["signUpBonus"], &done.after["signUpBonus"]),
            (&json!(10), &json!(0))
        );
        assert_eq!(settings.economy.prices.price(Mode::Final, Resolution::K4, 2), 18);
        assert_eq!(settings.economy.prices.price(Mode::Final, Resolution::K2, 1), 4);
        assert_eq!(settings.economy.check_in, [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn null_takes_a_limit_away() {
        let mut settings = Settings::default();
        let change = json!({ "NORMAL": { "freePerDay": null, "historyDays": 7 } });
        settings.change(Section::Entitlements, &change).unwrap();
        assert_eq!(settings.entitlements.normal.free_per_day, None);
        assert_eq!(settings.entitlements.normal.history_days, Some(7));
    }

    #[test]
    fn slips_are_refused_and_named() {
        assert_eq!(refused(Section::Economy, json!({ "signupBonus": 1 })), "signupBonus");
        assert_eq!(refused(Section::Economy, json!({ "signUpBonus": -1 })), "signUpBonus");
        assert_eq!(refused(Section::Economy, json!({ "checkIn": [] })), "checkIn");
        assert_eq!(refused(Section::Economy, json!({ "checkIn": [1, -2] })), "checkIn");
        assert_eq!(refused(Section::Economy, json!({ "prices": { "8K": 1 } })), "prices.8K");
        assert_eq!(refused(Section::Economy, json!({ "prices": 3 })), "prices");
        assert_eq!(refused(Section::Economy, json!([])), "section");
        assert_eq!(refused(Section::Entitlements, json!({ "VIP": { "weight": 0 } })), "VIP.weight");
        assert_eq!(refused(Section::Jobs, json!({ "deadlineS": 0 })), "deadlineS");
        assert_eq!(refused(Section::Jobs, json!({ "deadlineS": "600" })), "section");
        assert_eq!(refused(Section::Label, json!({ "text": "" })), "text");
        let negative = json!({ "monthlyPoints": { "SVIP": -1 } });
        assert_eq!(refused(Section::Membership, negative), "monthlyPoints.SVIP");
        assert_eq!(refused(Section::Membership, json!({ "reminderDays": 31 })), "reminderDays");
        assert_eq!(refused(Section::Payment, json!({ "askAfterS": [5, 5] })), "askAfterS");
        assert_eq!(refused(Section::Payment, json!({ "orderMinutes": 0 })), "orderMinutes");
        let rule = json!({ "channels": { "vip": { "ios": "apple" } } });
        assert_eq!(refused(Section::Payment, rule), "section");
        assert_eq!(refused(Section::Gallery, json!({ "reportsToHide": 1001 })), "reportsToHide");
        assert_eq!(refused(Section::Moderation, json!({ "checker": "none" })), "section");
        assert_eq!(refused(Section::Moderation, json!({ "verdictMinutes": 0 })), "verdictMinutes");
        let fields = json!([{ "name": "thing1", "value": "{prompts}" }]);
        let unknown = json!({ "imageReady": { "templateId": "t", "fields": fields } });
        assert_eq!(refused(Section::Messages, unknown), "imageReady.fields");
        assert_eq!(refused(Section::Limits, json!({ "perIp": 59 })), "perIp");
        assert_eq!(refused(Section::Limits, json!({ "perUser": 1_000_001 })), "perUser");
        let empty = json!({ "imageReady": { "templateId": "t", "fields": [] } });
        assert_eq!(refused(Section::Messages, empty), "imageReady.fields");
    }

    #[test]
    fn a_section_of_another_version_is_read_as_far_as_it_goes() {
        let mut settings = Settings::default();
        let stored = json!({ "signUpBonus": 3, "ofTheFuture": true });
        settings.load(Section::Economy, &stored).unwrap();
        assert_eq!(settings.economy, Economy { sign_up_bonus: 3, ..Economy::default() });
    }
}
