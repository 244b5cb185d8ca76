//! What closing an account is made of, and what can go wrong.

use std::fs::File;
use std::io;

use crate::app::keys::KeyError;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::gallery::GalleryError;
use crate::features::generations::GenerationError;
use crate::features::orders::OrderError;

/// A closure is looked at for so long, in seconds, for what requests that were under way leave behind.
const SETTLE_S: i64 = 60;

/// Why an account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosureKind {
    /// Until the ban is lifted.
    Ban,
    /// For good.
    Deletion,
}

impl ClosureKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "BAN",
            Self::Deletion => "DELETION",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "BAN" => Self::Ban,
            _ => Self::Deletion,
        }
    }
}

/// An account that is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closure {
    pub(super) user: UserId,
    pub(super) kind: ClosureKind,
    pub(super) begun_at: UnixMillis,
}

impl Closure {
    /// Whether every request that began before it has ended by now.
    pub(super) fn has_settled(&self, now: UnixMillis) -> bool {
        self.begun_at.plus_seconds(SETTLE_S) <= now
    }
}

/// What is left of a deleted account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remains {
    /// More goes with the next step.
    pub(super) has_more: bool,
    /// Something has to end first: a job that runs, a refund.
    pub(super) is_waiting: bool,
}

/// Everything that is held of a user, as JSON.
#[derive(Debug)]
pub struct Export {
    /// Has no name any more: it goes when it is closed.
    pub file: File,
    pub bytes: u64,
}

/// Why an account cannot be exported, banned or deleted.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no such user")]
    NotFound,
    /// As many exports are being made as may be at once.
    #[error("too many exports at once")]
    Busy,
    #[error("the export cannot be written")]
    File(#[from] io::Error),
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A task of ours was ended before its time.
    #[error("the work was cut short")]
    CutShort,
    #[error(transparent)]
    Jobs(#[from] GenerationError),
    #[error(transparent)]
    Orders(#[from] OrderError),
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_comes_back_as_it_went() {
        for kind in [ClosureKind::Ban, ClosureKind::Deletion] {
            assert_eq!(ClosureKind::from_stored(kind.as_str()), kind);
        }
    }

    #[test]
    fn a_closure_waits_for_requests_under_way() {
        let begun_at = UnixMillis(5000);
        let closure = Closure { user: UserId(1), kind: ClosureKind::Ban, begun_at };
        assert!(!closure.has_settled(begun_at.plus_millis(59_999)));
        assert!(closure.has_settled(begun_at.plus_seconds(60)));
    }
}
