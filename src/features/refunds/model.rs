//! Refunds: what they are, and the rules that need no database.

mod rules;

use std::fmt;

pub(super) use self::rules::{
    Earlier, NEAR_FULL_LOOKS, check, next_look, share, stuck_look, unused,
};

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::audit::Actor;
use crate::features::orders::{OrderError, OrderId};
use crate::features::points::PointsError;
use crate::features::vip::VipError;

/// How the numbers of refunds begin that have none, as far as is known.
const FOUND: &str = "found-";

/// What WeChat knows a refund by. Ours are 32 lower hexadecimal digits, which both channels take; those
/// made in the merchant's console are what was typed there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefundId(String);

impl RefundId {
    /// A new one: its time and a random rest.
    pub(super) fn generate(now: UnixMillis, rng: &Rng) -> Self {
        let random: String = rng.bytes::<10>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{:012x}{random}", now.0 & 0xffff_ffff_ffff))
    }

    /// `None` for what no refund is called.
    pub fn parse(text: &str) -> Option<Self> {
        let is_possible =
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_possible.then(|| Self(text.to_owned()))
    }

    /// For a refund of virtual payment of which only the order tells: `gone_back` fen of it are back. The
    /// same again is the same refund.
    pub fn found(order: &str, gone_back: i64) -> Self {
        Self(format!("{FOUND}{order}-{gone_back}"))
    }

    /// Whether it is [`found`](Self::found), so that its notice may still come.
    pub(super) fn is_found(&self) -> bool {
        self.0.starts_with(FOUND)
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

impl fmt::Display for RefundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// It went back without us, and is not booked yet.
    Told,
    /// Asked for, or about to be.
    Refunding,
    Refunded,
    Failed,
}

impl RefundStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Told, Self::Refunding, Self::Refunded, Self::Failed];

    /// As it is stored; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "TOLD",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
            Self::Failed => "FAILED",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// Which refunds a list of all shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundFilter {
    All,
    Of(RefundStatus),
    /// Something is wrong with it, and it has not gone back.
    WithProblem,
}

/// Why there is a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody asked for it.
    Asked,
    /// Nobody is left to give anything for the payment.
    Due,
    /// WeChat told of it.
    Told,
}

impl Origin {
    /// As it is stored; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Due => "due",
            Self::Told => "told",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "asked" => Self::Asked,
            "due" => Self::Due,
            _ => Self::Told,
        }
    }
}

/// How much goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundAmount {
    /// All that has not gone back yet.
    All,
    /// So many fen.
    Fen(i64),
}

/// What is done when points that are to be taken back are spent. There is no default: somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfSpent {
    /// No refund.
    Refuse,
    /// Refund anyway, and take what is left; the rest is forgiven.
    TakeWhatIsLeft,
}

/// A refund that somebody wants made.
#[derive(Clone, Debug)]
pub struct RefundWish {
    pub order: OrderId,
    pub amount: RefundAmount,
    /// Days of membership to take back with a part of the amount; `None`: in proportion, rounded down.
    pub days: Option<i64>,
    /// The same for points.
    pub points: Option<i64>,
    pub if_spent: IfSpent,
    /// Shown to the payer; at most 80 characters.
    pub reason: String,
    pub actor: Actor,
}

/// A refund to be stored.
#[derive(Clone, Debug)]
pub(super) struct NewRefund {
    pub(super) id: RefundId,
    pub(super) order: OrderId,
    pub(super) origin: Origin,
    pub(super) actor: String,
    pub(super) reason: String,
    pub(super) amount: i64,
    pub(super) total: i64,
    pub(super) vip_days: Option<i64>,
    pub(super) points: i64,
    pub(super) points_taken: i64,
    pub(super) wechat_id: Option<String>,
    pub(super) status: RefundStatus,
    pub(super) next_look_at: UnixMillis,
}

/// A refund as stored. Amounts in fen.
#[derive(Clone, Debug)]
pub struct Refund {
    pub id: RefundId,
    pub order: OrderId,
    pub origin: Origin,
    /// Who wanted it, as the audit log has it.
    pub actor: String,
    pub reason: String,
    pub amount: i64,
    /// What the order cost.
    pub total: i64,
    /// Days of membership that it takes back; `None`: all that is left.
    pub vip_days: Option<i64>,
    /// Points that it was to take back, and those that it took.
    pub points: i64,
    pub points_taken: i64,
    pub status: RefundStatus,
    /// WeChat's number of it.
    pub wechat_id: Option<String>,
    pub accepted_at: Option<UnixMillis>,
    pub(super) left_fen: Option<i64>,
    pub(super) had_failed: bool,
    /// What is wrong with it, or was last.
    pub problem: Option<String>,
    pub(super) looks: i64,
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
}

/// What of an order is not used up: what an admin may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusedValue {
    /// What can go back at most, in fen.
    pub left_fen: i64,
    /// What is not used up of it, in fen: in proportion to days, or to points when there are none.
    pub unused_fen: i64,
    /// Whole days of membership ahead.
    pub unused_days: i64,
    /// Points of the order that are not spent, so far as one can tell.
    pub unused_points: i64,
}

/// What WeChat says of a refund, whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldRefund {
    /// The number it was asked for under; none at Apple.
    pub number: Option<RefundId>,
    /// WeChat's own number.
    pub wechat_id: Option<String>,
    /// Of the order, as WeChat has it.
    pub order: String,
    pub amount: i64,
    pub state: ToldState,
}

/// How WeChat says that a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldState {
    UnderWay,
    Success,
    Failed,
    /// Somebody must act in the merchant's console.
    Abnormal,
}

/// What asking WeChat about a refund of ours came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Succeeded {
        wechat_id: Option<String>,
    },
    /// For good: no money went.
    Failed(String),
    /// WeChat is at it.
    Accepted {
        wechat_id: Option<String>,
    },
    /// It does not go on without a person.
    Stuck(String),
    /// Not known; the same again later.
    Unclear(String),
}

/// Why there is no refund.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    #[error("there is no such order")]
    NoSuchOrder,
    #[error("there is no such refund")]
    NoSuchRefund,
    #[error("the order is not paid")]
    NotPaid,
    #[error("another refund of the order is under way")]
    UnderWay,
    #[error("all of it has gone back")]
    NothingLeft,
    #[error("only {left} fen of the order have not gone back")]
    TooMuch { left: i64 },
    #[error("an order has at most {0} refunds")]
    TooMany(usize),
    #[error("refunds of one order are a minute apart")]
    TooSoon,
    #[error("a payment goes back within a year")]
    TooOld,
    #[error("it was paid through Apple, who alone can give it back, at the user's request")]
    AppleOnly,
    #[error("it is not known any more who paid")]
    NoPayer,
    #[error("the channel of the order is not configured")]
    NotConfigured,
    #[error("of {points} points to take back the user has {balance} left")]
    PointsSpent { points: i64, balance: i64 },
    /// The name of the field that is wrong.
    #[error("{0} is missing or wrong")]
    Invalid(&'static str),
    /// A task of ours was ended before its time.
    #[error("the work was cut short")]
    CutShort,
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Vip(#[from] VipError),
    #[error(transparent)]
    Db(#[from] DbError),
}
