//! Plans, grants, memberships: what they are, and the rules that need no database.

pub(super) mod fold;
pub(super) mod monthly;
mod plan;

pub use self::fold::Change;
pub(super) use self::fold::{LiveGrant, Rate, fold};
pub use self::plan::Plan;
pub(super) use self::plan::{cheapest, checked};

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::points::PointsError;
use crate::features::users::VipLevel;

/// A day, in milliseconds: durations are counted in these, not by the calendar.
pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;

/// The longest grant, in days: a plan "for life".
pub(super) const DAYS_MAX: i64 = 36_500;

/// The highest price, in fen. With it no conversion can overflow.
pub(super) const PRICE_MAX: i64 = 100_000_000;

/// What a user is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub level: VipLevel,
    /// `None` exactly when the level is `Normal`.
    pub expires_at: Option<UnixMillis>,
}

impl Membership {
    /// No membership.
    pub const NONE: Self = Self { level: VipLevel::Normal, expires_at: None };
}

/// The level as it is stored.
pub(super) const fn level_text(level: VipLevel) -> &'static str {
    match level {
        VipLevel::Normal => "NORMAL",
        VipLevel::Vip => "VIP",
        VipLevel::Svip => "SVIP",
    }
}

/// The reverse; the tables' CHECKs admit no other text.
pub(super) fn level_of(text: &str) -> VipLevel {
    match text {
        "VIP" => VipLevel::Vip,
        "SVIP" => VipLevel::Svip,
        _ => VipLevel::Normal,
    }
}

/// Where a grant comes from. Each grants once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantSource {
    /// A paid order: its `order_id`.
    Order(String),
    /// By hand: who did it, and the name of his request.
    Admin(String),
    /// A redeem code.
    Code(String),
}

impl GrantSource {
    /// As it is stored: kind and reference.
    pub(super) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Order(order) => ("order", order),
            Self::Admin(entry) => ("admin", entry),
            Self::Code(code) => ("code", code),
        }
    }

    /// The reverse; the table's CHECK admits no other kind.
    pub(super) fn from_stored(kind: &str, reference: String) -> Self {
        match kind {
            "order" => Self::Order(reference),
            "code" => Self::Code(reference),
            _ => Self::Admin(reference),
        }
    }
}

/// A membership to be granted.
#[derive(Clone, Debug)]
pub struct Grant {
    pub user: UserId,
    pub source: GrantSource,
    /// What was bought, for the record; level and days below are what counts.
    pub plan_id: Option<String>,
    /// Not `Normal`.
    pub level: VipLevel,
    /// 1–36 500.
    pub days: i64,
    /// What was paid, in fen, 1–100 000 000; `None` for a gift.
    pub price_fen: Option<i64>,
}

impl Grant {
    /// What a paid order for `plan` grants. `paid_fen` is what the user paid, which may differ from
    /// the price of today.
    pub fn of_order(order_id: &str, user: UserId, plan: &Plan, paid_fen: i64) -> Self {
        Self {
            user,
            source: GrantSource::Order(order_id.to_owned()),
            plan_id: Some(plan.id.clone()),
            level: plan.level,
            days: plan.days,
            price_fen: Some(paid_fen),
        }
    }

    /// The first field that is out of range.
    pub(super) fn check(&self) -> Result<(), VipError> {
        if self.level == VipLevel::Normal {
            return Err(VipError::Invalid("level"));
        }
        if !(1..=DAYS_MAX).contains(&self.days) {
            return Err(VipError::Invalid("days"));
        }
        let is_paid = matches!(self.source, GrantSource::Order(_));
        match self.price_fen {
            None if is_paid => Err(VipError::Invalid("priceFen")),
            Some(price) if !(1..=PRICE_MAX).contains(&price) => Err(VipError::Invalid("priceFen")),
            _ => Ok(()),
        }
    }
}

/// The number of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantId(pub i64);

/// A grant as it is on record.
#[derive(Clone, Debug)]
pub struct StoredGrant {
    pub id: GrantId,
    pub user: UserId,
    pub source: GrantSource,
    pub plan_id: Option<String>,
    pub level: VipLevel,
    /// As granted, in milliseconds.
    pub duration_ms: i64,
    /// What was paid, in fen; `None` for a gift.
    pub price_fen: Option<i64>,
    pub granted_at: UnixMillis,
    /// How much of the duration was taken back, in milliseconds.
    pub revoked_ms: i64,
    /// When something was last taken back.
    pub revoked_at: Option<UnixMillis>,
    /// What its time is worth.
    pub(super) rate: Rate,
}

impl StoredGrant {
    /// What is left of it to be folded, if anything.
    pub(super) fn live(&self) -> Option<LiveGrant> {
        let live_ms = self.duration_ms.saturating_sub(self.revoked_ms);
        (live_ms > 0).then_some(LiveGrant {
            level: self.level,
            granted_at: self.granted_at,
            live_ms,
            rate: self.rate,
        })
    }
}

/// How much of a grant is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeDays {
    /// All that is left of it.
    All,
    /// So many days, besides those that were taken back before; at most all that is left.
    Days(i64),
}

/// What buying a plan now would come to.
#[derive(Clone, Debug)]
pub struct Quote {
    pub plan: Plan,
    /// What the user is now.
    pub current: Membership,
    /// What paying does to it.
    pub change: Change,
    /// What the user would be.
    pub after: Membership,
}

/// A membership that is about to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiring {
    pub(super) expires_at: UnixMillis,
    pub(super) user: UserId,
}

/// The number of a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReminderId(pub i64);

/// Somebody to be told that his membership is about to end.
#[derive(Clone, Debug)]
pub struct Reminder {
    pub id: ReminderId,
    pub user: UserId,
    /// Whom WeChat is to tell.
    pub openid: String,
    pub level: VipLevel,
    pub expires_at: UnixMillis,
}

/// The days that refunds take back of a plan, rounded down: `refunded_fen` is all that was refunded of
/// an order of `price_fen`, several refunds together, so that their roundings do not add up. A full
/// refund takes all days. 0 when there is no such price.
pub fn days_for_refund(days: i64, price_fen: i64, refunded_fen: i64) -> i64 {
    if refunded_fen >= price_fen {
        return days;
    }
    let share = i128::from(days).saturating_mul(i128::from(refunded_fen.max(0)));
    let whole = share.checked_div(i128::from(price_fen)).unwrap_or(0);
    i64::try_from(whole).unwrap_or(days)
}

/// Why a membership is not granted, taken back or sold, or a plan is not kept.
#[derive(Debug, thiserror::Error)]
pub enum VipError {
    /// Unknown, or not for sale where that matters.
    #[error("there is no such plan")]
    PlanNotFound,
    #[error("there is a plan of this id already")]
    PlanExists,
    /// Somebody else changed it since the caller read it.
    #[error("the plan was changed meanwhile")]
    Outdated,
    /// A higher level runs: the lower one cannot be bought.
    #[error("{running:?} runs until {until}: a lower level cannot be bought")]
    LowerLevel { running: VipLevel, until: UnixMillis },
    /// The membership would end later than can be written down.
    #[error("the membership lasts long enough")]
    LongEnough,
    #[error("there is no such grant")]
    GrantNotFound,
    #[error("there is no such user")]
    NoSuchUser,
    /// The name of the field that is out of range.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refunded_days_are_in_proportion_and_rounded_down() {
        assert_eq!(days_for_refund(30, 1999, 0), 0);
        assert_eq!(days_for_refund(30, 1999, 66), 0);
        assert_eq!(days_for_refund(30, 1999, 67), 1);
        assert_eq!(days_for_refund(30, 1999, 1000), 15);
        assert_eq!(days_for_refund(30, 1999, 1998), 29);
        assert_eq!(days_for_refund(30, 1999, 1999), 30);
        assert_eq!(days_for_refund(36_500, PRICE_MAX, PRICE_MAX - 1), 36_499);
        assert_eq!(days_for_refund(30, 1999, -5), 0);
    }

    #[test]
    fn a_grant_is_checked() {
        let plan = Plan {
            id: "p".into(),
            name: "P".into(),
            level: VipLevel::Vip,
            days: 30,
            original_price: 2999,
            current_price: 1999,
            benefits: vec![],
            is_popular: false,
            points: 0,
            is_on_sale: true,
            sort: 0,
        };
        let good = Grant::of_order("o", UserId(1), &plan, 1999);
        good.check().unwrap();
        let blamed = |grant: Grant| match grant.check() {
            Err(VipError::Invalid(field)) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(blamed(Grant { level: VipLevel::Normal, ..good.clone() }), "level");
        assert_eq!(blamed(Grant { days: 0, ..good.clone() }), "days");
        assert_eq!(blamed(Grant { days: 36_501, ..good.clone() }), "days");
        assert_eq!(blamed(Grant { price_fen: None, ..good.clone() }), "priceFen");
        assert_eq!(blamed(Grant { price_fen: Some(0), ..good.clone() }), "priceFen");
        let gift = Grant { source: GrantSource::Admin("a".into()), price_fen: None, ..good };
        gift.check().unwrap();
    }
}
