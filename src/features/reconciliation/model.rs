//! Bills against orders and refunds: what may differ, and what is compared when.

mod compare;
mod report;

use std::fmt;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};

pub(super) use self::compare::{OurPayment, OurRefund, Ours, compare};
pub use self::report::{ComparedDay, Earned};

use crate::base::time::UnixMillis;
use crate::clients::wechat_pay::PayError;
use crate::db::DbError;
use crate::features::orders::OrderError;
use crate::features::refunds::RefundError;

/// The bill of a day is there from 10:00 (Asia/Shanghai) of the next; a little later, nobody waits.
const READY_S: i64 = 10 * 3600 + 600;

/// WeChat keeps bills for three months, which may be as short as 89 days.
const KEPT_DAYS: i64 = 88;

/// Whose bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Wechat,
    /// Virtual payment: its orders are asked about one by one.
    Virtual,
}

impl Channel {
    /// As it is stored; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Virtual => "virtual",
        }
    }

    /// The tables' CHECKs admit no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "virtual" => Self::Virtual,
            _ => Self::Wechat,
        }
    }
}

/// In what way WeChat says otherwise than we.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// They were paid for an order that we never had.
    UnknownOrder,
    /// They were paid, we did not credit.
    NotCredited,
    /// We credited, they were not paid.
    NotPaid,
    /// The amounts differ.
    Amount,
    /// Another payment than the one we know paid the order; perhaps it was paid twice.
    Payment,
    /// They gave back what we know nothing of.
    UnknownRefund,
    /// We hold that it went back, they do not know it.
    RefundMissing,
    /// What went back differs.
    RefundAmount,
    /// It went back there and failed here, or the reverse.
    RefundState,
}

impl DifferenceKind {
    const ALL: [Self; 9] = [
        Self::UnknownOrder,
        Self::NotCredited,
        Self::NotPaid,
        Self::Amount,
        Self::Payment,
        Self::UnknownRefund,
        Self::RefundMissing,
        Self::RefundAmount,
        Self::RefundState,
    ];

    /// As it is stored and shown; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownOrder => "unknown_order",
            Self::NotCredited => "not_credited",
            Self::NotPaid => "not_paid",
            Self::Amount => "amount",
            Self::Payment => "payment",
            Self::UnknownRefund => "unknown_refund",
            Self::RefundMissing => "refund_missing",
            Self::RefundAmount => "refund_amount",
            Self::RefundState => "refund_state",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::UnknownOrder)
    }
}

/// A difference as it is found. Amounts in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: DifferenceKind,
    /// The order, or the refund when it is about one.
    pub(super) reference: String,
    pub(super) order: String,
    pub(super) ours: Option<i64>,
    pub(super) theirs: Option<i64>,
}

/// The number of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifferenceId(pub i64);

/// Whether somebody has still to see to a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceState {
    Open,
    Resolved,
}

/// A difference as stored. Amounts in fen.
#[derive(Clone, Debug)]
pub struct Difference {
    pub id: DifferenceId,
    pub channel: Channel,
    /// Of the bill: `2026-01-29`.
    pub day: String,
    pub kind: DifferenceKind,
    /// The order, or the refund when it is about one.
    pub reference: String,
    pub order: String,
    pub ours: Option<i64>,
    pub theirs: Option<i64>,
    pub found_at: UnixMillis,
    pub state: DifferenceState,
    pub resolution: Option<String>,
    pub resolved_by: Option<String>,
    pub resolved_at: Option<UnixMillis>,
}

/// The comparison of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub channel: Channel,
    pub day: Date,
    /// What WeChat lists.
    pub listed: i64,
    /// What differs, noted before or not.
    pub differing: i64,
}

/// What a repair came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The difference is resolved; how.
    Resolved(String),
    /// It stays: somebody must decide; why.
    Open(String),
}

/// Something in our own books of money that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What should hold and does not.
    pub rule: String,
    /// The order, grant, ledger row or refund.
    pub reference: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reference, self.rule)
    }
}

/// The result of the money check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyReport {
    /// Orders that are or were paid.
    pub orders: i64,
    /// How much is wrong.
    pub wrong: i64,
    /// What is wrong: the first of it.
    pub findings: Vec<Finding>,
}

impl MoneyReport {
    /// Whether everything holds.
    pub const fn is_balanced(&self) -> bool {
        self.wrong == 0
    }
}

/// Why something cannot be compared or repaired.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    #[error("there is no such difference")]
    NotFound,
    #[error("the difference is resolved")]
    AlreadyResolved,
    #[error("a resolution says how, in at most 500 characters")]
    Note,
    #[error("the payment channel is not configured")]
    NotConfigured,
    /// The bill is not to be had now, or WeChat does not answer.
    #[error("WeChat cannot be asked: {0}")]
    Unavailable(String),
    #[error("the bill cannot be had")]
    Bill(#[source] PayError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Refund(#[from] RefundError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The last day whose bill is there.
pub(super) fn last_ready(now: UnixMillis) -> Option<Date> {
    now.plus_seconds(READY_S.saturating_neg()).shanghai_date().yesterday().ok()
}

/// The days to be compared, oldest first: from the first payment on, those that are not done, as far
/// back as there are bills.
pub(super) fn days_due(
    first_payment: Option<UnixMillis>,
    done: impl Fn(&str) -> bool,
    now: UnixMillis,
) -> Vec<Date> {
    let (Some(first), Some(last)) = (first_payment, last_ready(now)) else { return Vec::new() };
    let oldest = last.checked_sub(KEPT_DAYS.days()).unwrap_or(last);
    let mut day = first.shanghai_date().max(oldest);
    let mut due = Vec::new();
    while day <= last {
        if !done(&day.to_string()) {
            due.push(day);
        }
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => break,
        }
    }
    due
}

/// Begin and end of a day in Asia/Shanghai.
pub(super) fn bounds(day: Date) -> (UnixMillis, UnixMillis) {
    let begin = |day: Date| {
        let zoned = day.to_zoned(TimeZone::fixed(tz::offset(8)));
        UnixMillis(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond()))
    };
    (begin(day), begin(day.tomorrow().unwrap_or(day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-29T00:00 in Shanghai.
    const MIDNIGHT: UnixMillis = UnixMillis(1_769_616_000_000);

    #[test]
    fn a_bill_is_there_the_next_day_at_ten_past_ten() {
        let at =
            |minutes: i64| last_ready(MIDNIGHT.plus_seconds(minutes * 60)).unwrap().to_string();
        assert_eq!(at(10 * 60 + 9), "2026-01-27");
        assert_eq!(at(10 * 60 + 10), "2026-01-28");
    }

    #[test]
    fn missed_days_are_caught_up_in_their_order() {
        let now = MIDNIGHT.plus_seconds(12 * 3600);
        let days = |first: i64, done: &str| {
            let first = MIDNIGHT.plus_seconds(first * 86_400);
            let due = days_due(Some(first), |day| day == done, now);
            due.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(days(-3, "2026-01-27"), ["2026-01-26", "2026-01-28"]);
        assert_eq!(days(0, ""), Vec::<String>::new(), "today has no bill yet");
        assert_eq!(days(-500, "").len(), 89, "only what WeChat keeps");
        assert_eq!(days_due(None, |_| false, now), Vec::new());
    }

    #[test]
    fn a_day_is_one_of_shanghai() {
        let (begin, end) = bounds("2026-01-29".parse().unwrap());
        assert_eq!((begin, end), (MIDNIGHT, MIDNIGHT.plus_seconds(86_400)));
    }

    #[test]
    fn every_kind_comes_back_as_it_went() {
        for kind in DifferenceKind::ALL {
            assert_eq!(DifferenceKind::from_stored(kind.as_str()), kind);
        }
    }
}
