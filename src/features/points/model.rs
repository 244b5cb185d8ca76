//! Bookings, check-ins, codes: what they are, and the rules that need no database.

mod batch;
mod codes;
mod pack_record;

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use batch::{BatchRecord, CodeRecord};
pub(super) use codes::{draw_invite_code, draw_redeem_code, normal_code};
pub use pack_record::PackRecord;

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::idempotency::IdempotencyError;

/// The most points that one booking may move: far above any price, far below any overflow.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// The direction of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionType {
    Earn,
    Spend,
    /// Gives back what a spend took.
    Refund,
}

impl TransactionType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Earn => "EARN",
            Self::Spend => "SPEND",
            Self::Refund => "REFUND",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "SPEND" => Self::Spend,
            "REFUND" => Self::Refund,
            _ => Self::Earn,
        }
    }
}

/// What a booking is for. Together with its reference it names one booking, so a thing that is booked
/// in several directions has a reason for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A new user. Reference: the user.
    SignUp,
    /// A daily check-in. Reference: user and day.
    CheckIn,
    /// Bringing a user. Reference: the invited user.
    Invite,
    /// A redeem code. Reference: the code.
    Redeem,
    /// Bought. Reference: the order.
    Order,
    /// Taken back for money given back. Reference: the refund.
    OrderRefund,
    /// Given again because the money did not go back after all. Reference: the refund.
    OrderRefundFailed,
    /// The points of a month of membership. Reference: user and day.
    VipGrant,
    /// The price of a job. Reference: the job.
    Job,
    /// A job that was not delivered. Reference: the job.
    JobRefund,
    /// The price of a job that was given back and delivered late after all. Reference: the job.
    JobLate,
    /// The price of a call through the proxy. Reference: our id of the call.
    Proxy,
    /// A call through the proxy that failed. Reference: our id of the call.
    ProxyRefund,
    /// By hand. Reference: who did it, and the name of his request.
    Admin,
}

impl Reason {
    /// As it is stored and sent; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::CheckIn => "check_in",
            Self::Invite => "invite",
            Self::Redeem => "redeem",
            Self::Order => "order",
            Self::OrderRefund => "order_refund",
            Self::OrderRefundFailed => "order_refund_failed",
            Self::VipGrant => "vip_grant",
            Self::Job => "job",
            Self::JobRefund => "job_refund",
            Self::JobLate => "job_late",
            Self::Proxy => "proxy",
            Self::ProxyRefund => "proxy_refund",
            Self::Admin => "admin",
        }
    }
}

/// A booking to be made.
#[derive(Clone, Debug)]
pub struct Entry {
    pub user: UserId,
    /// Points, from 1; the direction says whether they come or go.
    pub amount: i64,
    pub reason: Reason,
    /// What it is for, unique within the reason.
    pub reference: String,
    /// For the user to read.
    pub description: String,
}

/// Whether so many points may be moved at once.
pub(super) fn check_amount(amount: i64) -> Result<(), PointsError> {
    if (1..=AMOUNT_MAX).contains(&amount) { Ok(()) } else { Err(PointsError::Amount(amount)) }
}

/// A row of the ledger.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub id: i64,
    pub kind: TransactionType,
    pub amount: i64,
    pub description: String,
    pub balance_after: i64,
    pub reason: String,
    pub reference: Option<String>,
    pub created_at: UnixMillis,
}

/// What a user has, and what his ledger comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub balance: i64,
    pub earned: i64,
    pub spent: i64,
    pub refunded: i64,
    pub earn_count: i64,
    pub spend_count: i64,
    pub refund_count: i64,
}

impl Totals {
    /// Rows of one direction, or all.
    pub(super) fn count(&self, kind: Option<TransactionType>) -> i64 {
        match kind {
            None => {
                self.earn_count.saturating_add(self.spend_count).saturating_add(self.refund_count)
            }
            Some(TransactionType::Earn) => self.earn_count,
            Some(TransactionType::Spend) => self.spend_count,
            Some(TransactionType::Refund) => self.refund_count,
        }
    }
}

/// Points for sale. Prices in fen.
#[derive(Clone, Debug)]
pub struct Pack {
    pub id: String,
    pub name: String,
    pub points: i64,
    /// On top of `points`.
    pub bonus_points: i64,
    pub original_price: i64,
    pub current_price: i64,
    pub is_popular: bool,
}

/// A check-in that counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedIn {
    pub(super) balance: i64,
    pub(super) earned: i64,
    pub(super) streak: i64,
}

/// The last check-in of a user.
#[derive(Clone, Debug)]
pub(super) struct LastCheckIn {
    pub(super) day: String,
    pub(super) streak: i64,
}

/// How many days in a row it is with `today`; `None` when `today` has counted already (or a later day
/// has, by a clock that was set back).
pub(super) fn streak(last: Option<&LastCheckIn>, today: Date) -> Option<i64> {
    let Some(last) = last else { return Some(1) };
    // The form YYYY-MM-DD sorts as the days do.
    if last.day >= today.to_string() {
        return None;
    }
    let continues = today.yesterday().is_ok_and(|yesterday| last.day == yesterday.to_string());
    Some(if continues { last.streak.saturating_add(1) } else { 1 })
}

/// A code that was redeemed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redeemed {
    pub(super) balance: i64,
    pub(super) earned: i64,
}

/// A batch of redeem codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchId(pub i64);

/// A batch of redeem codes to be made.
#[derive(Clone, Debug)]
pub struct Batch {
    /// For the admin.
    pub name: String,
    /// What each code gives.
    pub points: i64,
    /// How many codes, 1–10 000.
    pub count: u32,
    /// From then on the codes are worth nothing.
    pub expires_at: Option<UnixMillis>,
    /// Who made it.
    pub created_by: String,
}

/// What a user sees of those he brought.
#[derive(Clone, Debug)]
pub(super) struct Invites {
    pub(super) code: String,
    pub(super) invited_count: i64,
    pub(super) earned: i64,
    /// The newest first.
    pub(super) items: Vec<Invited>,
}

/// Somebody who was brought.
#[derive(Clone, Debug)]
pub(super) struct Invited {
    pub(super) nick_name: Option<String>,
    /// What the inviter got for him.
    pub(super) points: Option<i64>,
    pub(super) created_at: UnixMillis,
}

/// What the books check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BooksReport {
    /// Users that were looked at.
    pub users: i64,
    /// Users whose books do not balance.
    pub wrong_users: i64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

impl BooksReport {
    /// Whether every user's books balance.
    pub fn is_balanced(&self) -> bool {
        self.wrong_users == 0
    }
}

/// A user whose books do not balance. In order, all amounts are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub user_id: i64,
    /// `users.points_balance`.
    pub balance: i64,
    /// The ledger, added up.
    pub sum: i64,
    /// `balance_after` of the last row.
    pub last_balance_after: i64,
    /// The running totals, added up.
    pub totals: i64,
    /// Rows whose `balance_after` is not the sum of the rows up to them; 0 in order.
    pub broken_rows: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "user {}: balance {}, ledger {}, last balance after {}, totals {}, broken rows {}",
            self.user_id,
            self.balance,
            self.sum,
            self.last_balance_after,
            self.totals,
            self.broken_rows
        )
    }
}

/// Why points did not move.
#[derive(Debug, thiserror::Error)]
pub enum PointsError {
    /// The balance does not cover the spend.
    #[error("the balance does not cover it")]
    Insufficient,
    /// The same reason and reference were booked before. Nothing happened now.
    #[error("this was booked before")]
    AlreadyBooked,
    #[error("there is no such user")]
    NoSuchUser,
    /// A bug of the caller: not from 1 to a billion.
    #[error("{0} is no amount of points")]
    Amount(i64),
    #[error("today's check-in is done")]
    CheckedIn,
    #[error("there is no such code")]
    CodeNotFound,
    #[error("the code was used or has expired")]
    CodeSpent,
    /// A pack is refused: the name of the wrong field.
    #[error("the pack's {0} is out of range")]
    Pack(&'static str),
    #[error("there is a pack of this id already")]
    PackExists,
    #[error("there is no such pack")]
    PackNotFound,
    #[error("there is no such batch of codes")]
    BatchNotFound,
    /// Somebody else changed it since the caller read it.
    #[error("it was changed meanwhile")]
    Outdated,
    /// A batch is refused: the name of the wrong field.
    #[error("the batch's {0} is out of range")]
    Batch(&'static str),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(day: &str, streak: i64) -> LastCheckIn {
        LastCheckIn { day: day.to_owned(), streak }
    }

    #[test]
    fn a_streak_goes_on_from_yesterday_only() {
        let today: Date = "2026-03-01".parse().unwrap();
        assert_eq!(streak(None, today), Some(1));
        assert_eq!(streak(Some(&last("2026-02-28", 3)), today), Some(4));
        assert_eq!(streak(Some(&last("2026-02-27", 3)), today), Some(1));
        assert_eq!(streak(Some(&last("2025-12-31", 9)), "2026-01-01".parse().unwrap()), Some(10));
    }

    #[test]
    fn a_day_counts_once_even_when_the_clock_goes_back() {
        let today: Date = "2026-03-01".parse().unwrap();
        assert_eq!(streak(Some(&last("2026-03-01", 3)), today), None);
        assert_eq!(streak(Some(&last("2026-03-02", 3)), today), None);
    }
}
