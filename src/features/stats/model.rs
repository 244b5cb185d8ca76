//! What is counted.

mod figures;

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::generations::Quota;
use crate::features::users::StoredUser;

pub use figures::{Figures, Sales};

/// A user's ended jobs, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JobTotals {
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    pub(super) canceled: i64,
    /// Placed, whatever became of them.
    pub(super) orders: i64,
}

impl JobTotals {
    /// Of the ended jobs, 0 to 1; 0 when none has ended.
    pub(super) fn success_rate(&self) -> f64 {
        let ended = self.succeeded.saturating_add(self.failed).saturating_add(self.canceled);
        match (u32::try_from(self.succeeded), u32::try_from(ended)) {
            (Ok(succeeded), Ok(ended)) if ended > 0 => f64::from(succeeded) / f64::from(ended),
            _ => 0.0,
        }
    }
}

/// Days, as text, at which the current week and month of Asia/Shanghai begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) today: String,
    /// The last Monday.
    pub(super) week: String,
    pub(super) month: String,
}

impl Calendar {
    pub(super) fn at(now: UnixMillis) -> Self {
        let today = now.shanghai_date();
        let since_monday = today.weekday().to_monday_zero_offset();
        // Only the first days of the calendar have no Monday before them.
        let monday = today.checked_sub(i64::from(since_monday).days()).unwrap_or(today);
        let text = |date: Date| date.to_string();
        Self { today: text(today), week: text(monday), month: text(today.first_of_month()) }
    }
}

/// A user's succeeded jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    pub(super) week: i64,
    pub(super) month: i64,
}

/// A user, and what he has done.
#[derive(Clone, Debug)]
pub(super) struct Personal {
    pub(super) user: StoredUser,
    pub(super) totals: JobTotals,
    pub(super) recent: Recent,
}

/// What a user has in all, and his quota of today.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: StoredUser,
    pub(super) totals: JobTotals,
    pub(super) favorites: i64,
    pub(super) quota: Quota,
}

/// The caller's overview.
#[derive(Clone, Debug)]
pub(super) struct Overview {
    pub(super) totals: JobTotals,
    pub(super) recent: Recent,
    pub(super) favorites: i64,
    /// Names of categories of the gallery with the caller's public pictures, the most first.
    pub(super) categories: Vec<(String, i64)>,
}

/// The whole service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Global {
    pub(super) users: i64,
    pub(super) jobs_succeeded: i64,
    pub(super) images: i64,
    pub(super) templates: i64,
}

/// A day of the whole service. Money in fen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayStats {
    /// `YYYY-MM-DD` in Asia/Shanghai.
    pub day: String,
    pub new_users: i64,
    pub active_users: i64,
    /// By the day they ended.
    pub jobs_succeeded: i64,
    pub jobs_failed: i64,
    pub jobs_canceled: i64,
    pub points_earned: i64,
    pub points_spent: i64,
    pub points_refunded: i64,
    pub orders_paid: i64,
    pub revenue: i64,
    /// By the day of the refund.
    pub refunded: i64,
}

impl DayStats {
    /// Its counters, named as the columns are.
    pub(super) fn counters(&self) -> [(&'static str, i64); 11] {
        [
            ("new_users", self.new_users),
            ("active_users", self.active_users),
            ("jobs_succeeded", self.jobs_succeeded),
            ("jobs_failed", self.jobs_failed),
            ("jobs_canceled", self.jobs_canceled),
            ("points_earned", self.points_earned),
            ("points_spent", self.points_spent),
            ("points_refunded", self.points_refunded),
            ("orders_paid", self.orders_paid),
            ("revenue", self.revenue),
            ("refunded", self.refunded),
        ]
    }
}

/// A counter that is not what the rows come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsDifference {
    /// Table and column: `daily_stats.revenue`.
    pub counter: String,
    /// Of which day, user or order.
    pub of: String,
    pub stored: i64,
    pub counted: i64,
}

impl fmt::Display for StatsDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counter, of, stored, counted } = self;
        write!(f, "{counter} of {of} is {stored}, the rows come to {counted}")
    }
}

/// Why there are no statistics.
#[derive(Debug, thiserror::Error)]
pub enum StatsError {
    /// Deleted between the check of the token and now.
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the quota cannot be read")]
    Quota(#[from] crate::features::generations::GenerationError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_ended_jobs() {
        assert!(JobTotals::default().success_rate().abs() < f64::EPSILON);
        let some = JobTotals { succeeded: 3, failed: 1, canceled: 0, orders: 9 };
        assert!((some.success_rate() - 0.75).abs() < f64::EPSILON);
        let all = JobTotals { succeeded: 3, ..JobTotals::default() };
        assert!((all.success_rate() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_week_begins_on_monday_in_shanghai() {
        // 2026-02-01 is a Sunday there from 16:00 UTC of the day before.
        let sunday = UnixMillis(1_769_875_200_000);
        let calendar = Calendar::at(sunday);
        assert_eq!(
            (calendar.today.as_str(), calendar.week.as_str(), calendar.month.as_str()),
            ("2026-02-01", "2026-01-26", "2026-02-01")
        );
        assert_eq!(Calendar::at(sunday.plus_millis(-1)).month, "2026-01-01");
        let monday = Calendar::at(sunday.plus_seconds(86_400));
        assert_eq!((monday.today.as_str(), monday.week.as_str()), ("2026-02-02", "2026-02-02"));
    }
}
