//! What was earned, and which days were compared.

use super::Channel;
use crate::base::time::UnixMillis;

/// What was paid of one product through one channel on one day, in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earned {
    /// `2026-01-29`, Asia/Shanghai.
    pub day: String,
    pub channel: Channel,
    /// What was sold, such as `plan:vip_month`.
    pub product: String,
    /// Its name when it was sold last.
    pub name: String,
    /// Orders that were paid on the day.
    pub orders: i64,
    /// What they cost.
    pub paid: i64,
    /// What went back on the day, of whatever day's orders.
    pub refunded: i64,
}

/// A day of a channel as it was compared last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedDay {
    pub channel: Channel,
    pub day: String,
    pub tried_at: UnixMillis,
    pub compared_at: Option<UnixMillis>,
    /// What WeChat lists, and what of it differed.
    pub listed: i64,
    pub differing: i64,
    /// Why it could not be compared.
    pub problem: Option<String>,
    /// What WeChat keeps, in fen; `None` where no bill says.
    pub fee: Option<i64>,
}
