//! What can be kept, and what goes wrong.

use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::gallery::MarkedImage;
use crate::features::idempotency::IdempotencyError;
use crate::features::templates::Template;

/// What kind of thing is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Prompt,
}

impl Kind {
    /// As it is stored and sent.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Prompt => "prompt",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        if text == "prompt" { Self::Prompt } else { Self::Image }
    }
}

/// A thing to keep: its id has its one form, `7` and not `+07`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: Kind,
    pub(super) id: String,
}

impl Resource {
    /// `None` for an id that nothing of this kind has.
    pub(super) fn named(kind: Kind, id: String) -> Option<Self> {
        let is_ours = match kind {
            Kind::Image => id.parse::<i64>().is_ok_and(|number| number.to_string() == id),
            Kind::Prompt => !id.is_empty(),
        };
        is_ours.then_some(Self { kind, id })
    }

    /// The picture it is.
    pub(super) fn image(&self) -> Option<i64> {
        match self.kind {
            Kind::Image => self.id.parse().ok(),
            Kind::Prompt => None,
        }
    }
}

/// A thing that is kept.
#[derive(Clone, Debug)]
pub(super) struct Favorite {
    pub(super) id: i64,
    pub(super) resource: Resource,
    pub(super) created_at: UnixMillis,
}

/// A favorite with what it is, if that is still there.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) favorite: Favorite,
    pub(super) image: Option<MarkedImage>,
    pub(super) template: Option<Template>,
}

/// Why a favorite was not made or found.
#[derive(Debug, thiserror::Error)]
pub enum FavoriteError {
    #[error("there is no such favorite of this user")]
    NotFound,
    #[error("there is no such public picture")]
    ImageNotFound,
    #[error("there is no such template")]
    TemplateNotFound,
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let named = |kind, id: &str| Resource::named(kind, id.to_owned());
        assert_eq!(named(Kind::Image, "7").and_then(|found| found.image()), Some(7));
        for odd in ["", "+7", "07", "7 ", "x", "9223372036854775808"] {
            assert_eq!(named(Kind::Image, odd), None, "{odd}");
        }
        assert_eq!(named(Kind::Prompt, ""), None);
        assert_eq!(named(Kind::Prompt, "07").and_then(|found| found.image()), None);
        for kind in [Kind::Image, Kind::Prompt] {
            assert_eq!(Kind::from_stored(kind.as_str()), kind);
        }
    }
}
