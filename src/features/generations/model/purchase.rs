//! What is paid for, what was paid, and how the ledger names it.

use crate::base::ids::UserId;
use crate::features::points::Reason;
use crate::features::settings::{Entitlement, Mode, PriceTable, Resolution};

/// What a user may have, and at which prices, when he asks.
#[derive(Clone, Copy, Debug)]
pub struct Tariff {
    pub(in crate::features::generations) may: Entitlement,
    pub(in crate::features::generations) prices: PriceTable,
    pub(in crate::features::generations) balance: i64,
}

/// Pictures as the price list knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pictures {
    pub mode: Mode,
    pub resolution: Resolution,
    pub count: u32,
}

/// A line of the ledger: what points went or came for.
#[derive(Clone, Debug)]
pub struct Booking {
    pub reason: Reason,
    /// Unique within the reason.
    pub reference: String,
    /// For the user to read.
    pub description: String,
}

/// What was paid for pictures: free ones of a day, or points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub user: UserId,
    /// `YYYY-MM-DD` in Asia/Shanghai: the day whose quota it is.
    pub day: String,
    pub pictures: i64,
    /// Of these so many came out of the free quota.
    pub free: i64,
    pub points: i64,
}
