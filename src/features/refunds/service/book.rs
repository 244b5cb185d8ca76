//! What refunds do to points, memberships and orders: each function is one step of the state machine,
//! within the caller's transaction.

use serde_json::json;

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::orders::{self, Order, OrderError, OrderId};
use crate::features::points::{self, Entry, Reason};
use crate::features::refunds::model::{
    IfSpent, Origin, Refund, RefundError, RefundId, RefundStatus, share,
};
use crate::features::refunds::store;
use crate::features::vip::{self, RevokeDays};

/// What a refund takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takes {
    /// `None`: all days that are left.
    pub(super) days: Option<i64>,
    pub(super) points: i64,
}

/// What a refund of `fen` takes back: with the last fen everything, else what was asked for, or in
/// proportion to all that has gone back, rounded down.
pub(super) fn takes(
    tx: &Tx<'_>,
    order: &Order,
    fen: i64,
    (days, points): (Option<i64>, Option<i64>),
) -> Result<Takes, RefundError> {
    let refunded = order.refunded_amount.saturating_add(fen);
    let is_all = refunded >= order.amount;
    if is_all && days.is_some() {
        return Err(RefundError::Invalid("days"));
    }
    if is_all && points.is_some() {
        return Err(RefundError::Invalid("points"));
    }
    let days = match (vip::service::of_order(tx, order.id.as_str())?, days) {
        (None, None) => Some(0),
        (Some(grant), Some(days)) => {
            let live_ms = grant.duration_ms.saturating_sub(grant.revoked_ms);
            let most = live_ms.checked_div(24 * 3600 * 1000).unwrap_or(0);
            if !(0..=most).contains(&days) {
                return Err(RefundError::Invalid("days"));
            }
            Some(days)
        }
        (None, Some(_)) => return Err(RefundError::Invalid("days")),
        (Some(_), None) => match vip::service::days_to_revoke(tx, order.id.as_str(), refunded)? {
            RevokeDays::All => None,
            RevokeDays::Days(days) => Some(days),
        },
    };
    let left = points_left(tx, &order.id)?;
    let points = match points {
        None if is_all => left,
        None => {
            let credited = store::points_credited(tx, &order.id)?;
            let before = credited.saturating_sub(left);
            share(credited, refunded, order.amount).saturating_sub(before).max(0)
        }
        Some(points) if (0..=left).contains(&points) => points,
        Some(_) => return Err(RefundError::Invalid("points")),
    };
    Ok(Takes { days, points })
}

/// The points of an order that no refund takes back, those under way included.
pub(super) fn points_left(tx: &Tx<'_>, order: &OrderId) -> Result<i64, DbError> {
    let credited = store::points_credited(tx, order)?;
    let taken = store::earlier(tx, order)?
        .iter()
        .filter(|refund| refund.status != RefundStatus::Failed)
        .fold(0_i64, |sum, refund| sum.saturating_add(refund.points));
    Ok(credited.saturating_sub(taken).max(0))
}

/// Takes points, as far as there are any when that is what is wanted. Gives how many.
pub(super) fn take_points(
    tx: &Tx<'_>,
    order: &Order,
    refund: &RefundId,
    points: i64,
    if_spent: IfSpent,
    now: UnixMillis,
) -> Result<i64, RefundError> {
    let balance = store::balance(tx, order.user)?;
    if balance < points && if_spent == IfSpent::Refuse {
        return Err(RefundError::PointsSpent { points, balance });
    }
    let taken = points.min(balance);
    if taken > 0 {
        let entry =
            entry(order.user, taken, Reason::OrderRefund, refund, format!("{}退款", order.name));
        points::service::spend(tx, &entry, now)?;
    }
    Ok(taken)
}

/// The money of a refund of ours has gone back. Changes nothing when it has ended before.
pub(super) fn succeed(
    tx: &Tx<'_>,
    refund: &Refund,
    wechat_id: Option<&str>,
    now: UnixMillis,
) -> Result<bool, OrderError> {
    let ends = (RefundStatus::Refunding, RefundStatus::Refunded);
    if !store::end(tx, &refund.id, ends, None, now)? {
        return Ok(false);
    }
    if let Some(wechat_id) = wechat_id {
        store::set_wechat_id(tx, &refund.id, wechat_id)?;
    }
    orders::service::end_refund(tx, &refund.order, refund.amount, now)?;
    revoke(tx, &refund.order, refund.vip_days, now)?;
    note(tx, refund, Actor::Wechat, "refund.succeeded", json!({ "status": "REFUNDING" }), now)?;
    Ok(true)
}

/// A refund of ours has failed: the order is what it was, and the points are given again. Changes
/// nothing when it has ended before.
pub(super) fn fail(
    tx: &Tx<'_>,
    refund: &Refund,
    order: &Order,
    why: &str,
    now: UnixMillis,
) -> Result<bool, OrderError> {
    let ends = (RefundStatus::Refunding, RefundStatus::Failed);
    if !store::end(tx, &refund.id, ends, Some(why), now)? {
        return Ok(false);
    }
    orders::service::end_refund(tx, &refund.order, 0, now)?;
    if refund.points_taken > 0 {
        let text = format!("{}退款失败，积分退回", order.name);
        let entry =
            entry(order.user, refund.points_taken, Reason::OrderRefundFailed, &refund.id, text);
        points::service::refund(tx, &entry, now)?;
    }
    note(tx, refund, Actor::Wechat, "refund.failed", json!({ "status": "REFUNDING" }), now)?;
    Ok(true)
}

/// What came of booking a refund that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Booked {
    /// It is booked, now or before.
    Done,
    /// The order is not paid yet, or another refund of it is under way.
    NotYet,
    /// It does not fit; somebody must look at it.
    Misfit(String),
}

/// Books a refund that was told: what the order gave is taken back as for one of ours, points as far as
/// there are any.
pub(super) fn book_told(
    tx: &Tx<'_>,
    id: &RefundId,
    now: UnixMillis,
) -> Result<Booked, RefundError> {
    let refund = store::by_id(tx, id)?.ok_or(RefundError::NoSuchRefund)?;
    if refund.status != RefundStatus::Told {
        return Ok(Booked::Done);
    }
    let order = orders::service::by_id(tx, &refund.order)?.ok_or(RefundError::NoSuchOrder)?;
    if order.status.is_unpaid() || order.status == orders::Status::Refunding {
        return Ok(Booked::NotYet);
    }
    let left = order.amount.saturating_sub(order.refunded_amount);
    if refund.amount > left {
        let why = format!("{} fen are told to have gone back, of {left} left", refund.amount);
        store::end(tx, id, (RefundStatus::Told, RefundStatus::Failed), Some(&why), now)?;
        return Ok(Booked::Misfit(why));
    }
    let takes = takes(tx, &order, refund.amount, (None, None))?;
    orders::service::begin_refund(tx, &order.id, now)?;
    let taken = take_points(tx, &order, id, takes.points, IfSpent::TakeWhatIsLeft, now)?;
    store::set_takes(tx, id, takes.days, takes.points, taken)?;
    store::end(tx, id, (RefundStatus::Told, RefundStatus::Refunded), None, now)?;
    orders::service::end_refund(tx, &order.id, refund.amount, now)?;
    revoke(tx, &order.id, takes.days, now)?;
    if refund.amount == left {
        // If all of it was to go back: it has.
        orders::service::refund_taken_up(tx, &order.id, now)?;
    }
    let before = json!({ "status": order.status.as_str() });
    let refund =
        Refund { points: takes.points, points_taken: taken, vip_days: takes.days, ..refund };
    note(tx, &refund, Actor::Wechat, "refund.told", before, now)?;
    Ok(Booked::Done)
}

/// Notes a step of a refund in the audit log.
pub(super) fn note(
    tx: &Tx<'_>,
    refund: &Refund,
    actor: Actor,
    action: &'static str,
    before: serde_json::Value,
    now: UnixMillis,
) -> Result<(), DbError> {
    let is_full = refund.vip_days.is_none();
    let entry = AuditEntry {
        actor,
        action,
        object: format!("order:{}", refund.order),
        before,
        after: json!({
            "refundId": refund.id.as_str(),
            "amount": refund.amount,
            "reason": refund.reason,
            "origin": refund.origin.as_str(),
            "vipDays": if is_full { json!("all") } else { json!(refund.vip_days) },
            "points": refund.points,
            "pointsTaken": refund.points_taken,
        }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}

/// To be called after a commit that moved points or membership.
pub(super) fn changed(app: &App, user: UserId) {
    points::service::changed(app, user);
    vip::service::changed(app, user);
}

fn revoke(
    tx: &Tx<'_>,
    order: &OrderId,
    days: Option<i64>,
    now: UnixMillis,
) -> Result<(), OrderError> {
    let days = match days {
        None => RevokeDays::All,
        Some(0) => return Ok(()),
        Some(days) => RevokeDays::Days(days),
    };
    vip::service::revoke(tx, order.as_str(), days, now)?;
    Ok(())
}

fn entry(
    user: UserId,
    amount: i64,
    reason: Reason,
    refund: &RefundId,
    description: String,
) -> Entry {
    Entry { user, amount, reason, reference: refund.as_str().to_owned(), description }
}

/// Whether a refund is one of ours, that is: whether WeChat heard of it from us.
pub(super) fn is_ours(refund: &Refund) -> bool {
    matches!(refund.origin, Origin::Asked | Origin::Due)
}
