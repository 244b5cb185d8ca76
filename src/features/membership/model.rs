//! What a member sees of his membership.

use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::generations::{GenerationError, Quota};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// A membership and what is left of its quota, at one moment.
#[derive(Clone, Debug)]
pub(super) struct Info {
    /// `None` without a membership.
    pub(super) expires_at: Option<UnixMillis>,
    pub(super) remaining_days: i64,
    pub(super) quota: Quota,
    pub(super) benefits: Vec<String>,
}

/// Days until `end`, a day begun counted whole: a membership that still runs has at least one.
pub(super) fn remaining_days(end: UnixMillis, now: UnixMillis) -> i64 {
    let left = end.0.saturating_sub(now.0).max(0);
    left.div_euclid(DAY_MS).saturating_add(i64::from(left.rem_euclid(DAY_MS) > 0))
}

/// Why a membership cannot be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum InfoError {
    /// Deleted between the check of the token and now.
    #[error("there is no such user")]
    NoSuchUser,
    #[error(transparent)]
    Quota(#[from] GenerationError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begun_counts_whole() {
        let days = |left| remaining_days(UnixMillis(left), UnixMillis(0));
        assert_eq!([-1, 0, 1, DAY_MS, DAY_MS + 1].map(days), [0, 0, 1, 1, 2]);
    }
}
