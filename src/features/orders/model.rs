//! Orders: what they are, what they may become, and the rules that need no database.

mod browse;
mod channel;
mod payment;
mod rhythm;

use std::fmt;

pub use self::browse::{OrderFilter, PaymentProgress, Spent};
pub(super) use self::channel::{ChannelRefusal, choose};
pub use self::channel::{Method, Platform};
pub(super) use self::payment::Confirmed;
pub use self::payment::{Mismatch, Paid, Settled, Settlement};
pub(super) use self::rhythm::{next_aftercare, next_ask, next_ship};

use crate::base::ids::UserId;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::idempotency::IdempotencyError;
use crate::features::points::PointsError;
use crate::features::users::VipLevel;
use crate::features::vip::VipError;

/// The least and the most that a free amount of points may cost, in fen.
pub(super) const AMOUNT_MIN: i64 = 1;
pub(super) const AMOUNT_MAX: i64 = 1_000_000;

/// WeChat gives a payment back within so many seconds of it: a year.
pub const REFUNDABLE_S: i64 = 365 * 24 * 3600;

/// A little longer than virtual payment is asked about an order after its end, in seconds, and than it
/// goes on telling of it.
pub(super) const PAYER_ASKED_S: i64 = 25 * 3600;

/// The number that both payment channels know an order by: 32 lower hexadecimal digits. The first
/// twelve are its time, the rest is random: WeChat wants numbers that nobody can derive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(String);

impl OrderId {
    /// A new one.
    pub fn generate(now: UnixMillis, rng: &Rng) -> Self {
        let random: String = rng.bytes::<10>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{:012x}{random}", now.0 & 0xffff_ffff_ffff))
    }

    /// `None` for what no order of ours is called.
    pub fn parse(text: &str) -> Option<Self> {
        let is_possible =
            (20..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_possible.then(|| Self(text.to_owned()))
    }

    /// As stored by us.
    pub(super) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vip,
    Points,
}

impl Kind {
    /// As it is stored and sent; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vip => "VIP",
            Self::Points => "POINTS",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "VIP" => Self::Vip,
            _ => Self::Points,
        }
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Paid,
    Cancelled,
    Expired,
    Refunding,
    Refunded,
    PartiallyRefunded,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Paid,
        Self::Cancelled,
        Self::Expired,
        Self::Refunding,
        Self::Refunded,
        Self::PartiallyRefunded,
    ];

    /// As it is stored and sent; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Paid => "PAID",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
            Self::PartiallyRefunded => "PARTIALLY_REFUNDED",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Expired)
    }

    /// Whether a payment that is told now would be news.
    pub const fn is_unpaid(self) -> bool {
        matches!(self, Self::Pending | Self::Cancelled | Self::Expired)
    }
}

/// What somebody wants to buy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Plan(String),
    Pack(String),
    /// Points for so many fen.
    Amount(i64),
}

impl Wanted {
    /// Its name among a user's pending orders.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Plan(id) => format!("plan:{id}"),
            Self::Pack(id) => format!("pack:{id}"),
            Self::Amount(fen) => format!("amount:{fen}"),
        }
    }
}

/// A request to buy.
#[derive(Clone, Debug)]
pub(super) struct Purchase {
    pub(super) wanted: Wanted,
    pub(super) method: Option<Method>,
    pub(super) platform: Platform,
}

/// Something for sale, as our tables have it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) key: String,
    pub(super) plan: Option<PlanTerms>,
    pub(super) pack_id: Option<String>,
    pub(super) name: String,
    /// In fen.
    pub(super) price: i64,
    pub(super) points: i64,
}

impl Product {
    pub(super) const fn kind(&self) -> Kind {
        if self.plan.is_some() { Kind::Vip } else { Kind::Points }
    }
}

/// What a plan gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTerms {
    pub id: String,
    pub level: VipLevel,
    pub days: i64,
}

/// Points for a free amount: so many a yuan, rounded down, but never none for money.
pub(super) fn points_for(fen: i64, per_yuan: i64) -> i64 {
    fen.saturating_mul(per_yuan).div_euclid(100).max(1)
}

/// An order as stored.
#[derive(Clone, Debug)]
pub struct Order {
    /// The order of placing.
    pub(super) seq: i64,
    pub id: OrderId,
    pub user: UserId,
    pub kind: Kind,
    pub plan: Option<PlanTerms>,
    pub pack_id: Option<String>,
    /// The plan's or the pack's.
    pub name: String,
    pub status: Status,
    pub method: Method,
    /// In fen.
    pub amount: i64,
    /// In fen.
    pub refunded_amount: i64,
    /// What it gives when paid.
    pub points: i64,
    pub transaction_id: Option<String>,
    pub paid_at: Option<UnixMillis>,
    /// The membership's end as this order left it.
    pub vip_expire_at: Option<UnixMillis>,
    pub expires_at: UnixMillis,
    pub created_at: UnixMillis,
}

impl Order {
    /// Whether it can still be paid.
    pub fn is_payable(&self, now: UnixMillis) -> bool {
        self.status == Status::Pending && self.expires_at > now
    }

    /// Whether it still sells `product` as it is sold now.
    pub(super) fn still_sells(&self, product: &Product) -> bool {
        self.amount == product.price && self.points == product.points && self.plan == product.plan
    }
}

/// Which orders a list shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) user: UserId,
    pub(super) kind: Option<Kind>,
    pub(super) status: Option<Status>,
}

/// How an order is being paid.
#[derive(Clone, Debug)]
pub(super) struct OrderPayment {
    pub(super) payer_openid: Option<String>,
    pub(super) prepay_request: Option<String>,
    pub(super) prepay_id: Option<String>,
    pub(super) virtual_product: Option<String>,
    pub(super) started_at: Option<UnixMillis>,
    pub(super) failed_asks: i64,
    pub(super) is_close_pending: bool,
}

/// Who paid an order of a user who is gone.
#[derive(Clone, PartialEq, Eq)]
pub struct FormerPayer {
    pub order: OrderId,
    pub user: UserId,
    /// `None` when it was forgotten before.
    pub openid: Option<String>,
}

/// An order to be placed.
#[derive(Clone, Debug)]
pub(super) struct NewOrder {
    pub(super) id: OrderId,
    pub(super) user: UserId,
    pub(super) product: Product,
    pub(super) method: Method,
    pub(super) platform: Platform,
    pub(super) payer_openid: String,
    pub(super) prepay_request: Option<String>,
    /// The request that makes it.
    pub(super) request_id: Option<std::sync::Arc<str>>,
    pub(super) now: UnixMillis,
    pub(super) expires_at: UnixMillis,
}

/// What asking WeChat about an order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is paid, by this answer or before.
    Paid,
    /// It is not paid (yet).
    Unpaid,
    /// WeChat tells of a payment that does not fit: somebody must look at it.
    Mismatch(Mismatch),
    /// WeChat could not be asked; it will be again.
    Unknown,
    /// There is no such order, or nothing to ask about it.
    Nothing,
}

/// An order whose payment must go back in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundDue {
    pub order: OrderId,
    /// Such as `user_deleted`.
    pub why: String,
}

/// Why an order cannot be placed, paid, cancelled or read.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("there is no such order")]
    NotFound,
    #[error("there is no such plan for sale")]
    PlanNotFound,
    #[error("there is no such pack for sale")]
    PackNotFound,
    /// The name of the field that is wrong.
    #[error("{0} is missing or wrong")]
    Invalid(&'static str),
    /// Of virtual payment, which sells published goods only.
    #[error("a free amount cannot be paid this way")]
    AmountNeedsWechat,
    #[error("the order is paid")]
    AlreadyPaid,
    #[error("the order was cancelled or refunded")]
    NotPayable,
    #[error("the order's time to pay is over")]
    Expired,
    #[error("too many orders of this user wait for payment")]
    TooManyPending,
    /// Not configured, not reachable, or refusing what only an operator can mend.
    #[error("payment is not available: {0}")]
    Unavailable(String),
    #[error("the user's WeChat session key is gone")]
    SessionExpired,
    #[error("the user is gone")]
    NoSuchUser,
    /// A task of ours was ended before its time.
    #[error("the work was cut short")]
    CutShort,
    #[error(transparent)]
    Vip(#[from] VipError),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_both_channels_take() {
        let rng = Rng::seeded(1);
        let id = OrderId::generate(UnixMillis(1_769_688_000_000), &rng);
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(OrderId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(OrderId::generate(UnixMillis(1_769_688_000_000), &rng), id);
        for bad in ["", "short", &"a".repeat(33), "0123456789-0123456789", "梦梦梦梦梦梦梦"]
        {
            assert_eq!(OrderId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_free_amount_buys_whole_points() {
        assert_eq!(points_for(1000, 10), 100);
        assert_eq!(points_for(1999, 10), 199);
        assert_eq!(points_for(1, 10), 1, "money never buys nothing");
        assert_eq!(points_for(AMOUNT_MAX, 1_000_000), 10_000_000_000);
    }

    #[test]
    fn every_status_comes_back_as_it_went() {
        for status in Status::ALL {
            assert_eq!(Status::from_stored(status.as_str()), status);
        }
    }
}
