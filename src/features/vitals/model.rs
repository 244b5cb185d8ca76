//! The numbers.

use crate::base::time::UnixMillis;

/// How the business is doing at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// When it was looked at.
    pub at: UnixMillis,
    /// Jobs that have not ended, by status in lower case.
    pub jobs: Vec<(String, i64)>,
    /// When the job was handed in that has waited longest.
    pub oldest_job: Option<UnixMillis>,
    /// Orders that wait for their payment.
    pub orders_pending: i64,
    /// What WeChat has told and nobody has processed yet.
    pub events_open: Waiting,
    /// What WeChat has told and somebody must look at.
    pub events_flagged: i64,
    /// Differences between WeChat's bills and ours that nobody has resolved, by kind.
    pub differences: Vec<(String, i64)>,
    /// Paid orders whose money is to go back, and has not been asked for.
    pub refunds_due: Waiting,
    /// Refunds that have not ended.
    pub refunds_open: i64,
    /// The last check of everybody's points.
    pub points_check: Option<Check>,
    /// The last check of orders, memberships and refunds against each other.
    pub money_check: Option<Check>,
    pub today: Today,
}

/// How many of something there are, and since when the oldest has been there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub count: i64,
    pub since: Option<UnixMillis>,
}

/// A check of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    pub at: UnixMillis,
    /// Users, payments or refunds that do not balance.
    pub wrong: i64,
}

/// The day so far (Asia/Shanghai).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Today {
    pub new_users: i64,
    pub active_users: i64,
    pub jobs_succeeded: i64,
    pub jobs_failed: i64,
    pub jobs_canceled: i64,
    pub orders_paid: i64,
    /// In fen.
    pub revenue: i64,
    /// In fen.
    pub refunded: i64,
}

impl Vitals {
    /// Payments that WeChat's bill has and we have not credited.
    pub fn not_credited(&self) -> i64 {
        self.differences
            .iter()
            .filter(|(kind, _)| kind == "not_credited" || kind == "unknown_order")
            .map(|(_, count)| *count)
            .sum()
    }

    /// Differences of any kind that nobody has resolved.
    pub fn differences_open(&self) -> i64 {
        self.differences.iter().map(|(_, count)| *count).sum()
    }
}
