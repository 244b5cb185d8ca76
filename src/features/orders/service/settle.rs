//! A payment comes in: the one place where an order becomes paid.

use std::sync::Arc;

use serde_json::json;

use super::payers::keep_payer;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::orders::model::{
    Method, Mismatch, Order, OrderError, OrderId, Paid, Settled, Settlement,
};
use crate::features::orders::store;
use crate::features::points::{self, Entry, Reason};
use crate::features::settings::{self, InviteEvent, Settings};
use crate::features::users;
use crate::features::vip::{self, Grant, GrantSource};

/// Why all of a payment goes back: nobody is left to give anything to.
const USER_DELETED: &str = "user_deleted";

/// Marks the order as paid and gives what it sells, with the ledger row and the audit entry, all within
/// the caller's transaction. Told again, by whomever, it changes nothing. After the commit the caller
/// calls [`settled`].
///
/// An order that was cancelled or has expired is paid all the same: the money came. A deleted user gets
/// nothing, and his money is marked to go back.
///
/// # Errors
/// What the database and the ledger fail with. A payment that does not fit is no error: see
/// [`Settled::Mismatch`].
pub fn settle(
    tx: &Tx<'_>,
    settings: &Settings,
    paid: &Paid,
    now: UnixMillis,
) -> Result<Settled, OrderError> {
    let Some(order) = store::reads::by_id(tx, &paid.order)? else {
        return Ok(Settled::Mismatch(Mismatch::UnknownOrder));
    };
    if let Some(mismatch) = mismatch(tx, &order, paid)? {
        return Ok(Settled::Mismatch(mismatch));
    }
    if !store::mark_paid(tx, paid, now)? {
        return Ok(Settled::Already);
    }
    let payment = store::payments::of(tx, &order.id)?;
    let expected = payment.and_then(|payment| payment.payer_openid);
    let is_wrong_payer = match (&expected, &paid.payer_openid) {
        (Some(expected), Some(told)) => expected != told,
        _ => false,
    };
    let is_there = users::service::find(tx, order.user)?.is_some();
    let inviter = if is_there { give(tx, settings, &order, now)? } else { None };
    let refund_due = (!is_there).then_some(USER_DELETED);
    let is_shipped = order.method == Method::Wechat && settings.payment.report_shipping;
    // WeChat does not take the report of a payment of this very moment.
    let next_ship_at = (is_shipped && refund_due.is_none()).then(|| now.plus_seconds(10));
    store::payments::paid(tx, &order.id, next_ship_at, refund_due, now)?;
    // Apple's payments have no number, and only Apple gives them back.
    let is_refundable = order.method == Method::Virtual && paid.transaction_id.is_some();
    if refund_due.is_some() && is_refundable {
        keep_payer(tx, &order.id, paid.payer_openid.as_deref(), paid.paid_at)?;
    }
    note(tx, &order, paid, refund_due, now)?;
    Ok(Settled::Now(Settlement {
        order: order.id,
        user: order.user,
        inviter,
        is_refund_due: refund_due.is_some(),
        is_wrong_payer,
    }))
}

/// [`settle`] in a transaction of its own, with all that follows. Runs to its end even when the caller
/// leaves.
///
/// # Errors
/// As [`settle`].
pub async fn settle_paid(app: &Arc<App>, paid: Paid) -> Result<Settled, OrderError> {
    let app = Arc::clone(app);
    let task = tokio::spawn(async move {
        let now = app.clock.now();
        let settings = settings::service::current(&app);
        let order = paid.order.clone();
        let done =
            app.db.write("orders.settle", move |tx| settle(tx, &settings, &paid, now)).await?;
        settled(&app, &order, &done);
        Ok(done)
    });
    task.await.map_err(|_| OrderError::CutShort)?
}

/// To be called after the commit of [`settle`]: what is kept of the users in memory has changed, and
/// somebody may have to look.
pub fn settled(app: &App, order: &OrderId, done: &Settled) {
    match done {
        Settled::Now(done) => {
            app.events.orders.add("paid");
            for user in std::iter::once(done.user).chain(done.inviter) {
                points::service::changed(app, user);
                vip::service::changed(app, user);
            }
            tracing::info!(order.id = %order, user.id = %done.user, "an order is paid");
            if done.is_wrong_payer {
                tracing::error!(
                    order.id = %order,
                    "an order was paid by another WeChat user than the one who placed it; \
                     it was credited to the one who placed it"
                );
            }
            if done.is_refund_due {
                tracing::warn!(order.id = %order, "a deleted user has paid; all of it goes back");
            }
        }
        Settled::Already => {}
        Settled::Mismatch(why) => {
            app.events.orders.add("mismatch");
            tracing::error!(order.id = %order, problem = %why, "a payment does not fit its order");
        }
    }
}

/// What keeps `paid` from paying `order`, if anything.
fn mismatch(tx: &Tx<'_>, order: &Order, paid: &Paid) -> Result<Option<Mismatch>, OrderError> {
    if order.method != paid.method {
        return Ok(Some(Mismatch::Method));
    }
    if order.amount != paid.amount_fen {
        let (expected, told) = (order.amount, paid.amount_fen);
        return Ok(Some(Mismatch::Amount { expected, told }));
    }
    let Some(told) = &paid.transaction_id else { return Ok(None) };
    match &order.transaction_id {
        Some(first) if first != told => {
            return Ok(Some(Mismatch::PaidTwice { first: first.clone() }));
        }
        Some(_) => return Ok(None),
        None => {}
    }
    let taken = store::paid_by(tx, paid.method, told)?.filter(|other| *other != order.id);
    Ok(taken.map(Mismatch::TransactionTaken))
}

/// What the order sells. Gives whoever had brought the user, when he is rewarded for it.
fn give(
    tx: &Tx<'_>,
    settings: &Settings,
    order: &Order,
    now: UnixMillis,
) -> Result<Option<UserId>, OrderError> {
    if let Some(plan) = &order.plan {
        let grant = Grant {
            user: order.user,
            source: GrantSource::Order(order.id.as_str().to_owned()),
            plan_id: Some(plan.id.clone()),
            level: plan.level,
            days: plan.days,
            price_fen: Some(order.amount),
        };
        let membership = vip::service::grant(tx, &grant, now)?;
        if let Some(end) = membership.expires_at {
            store::set_vip_expire_at(tx, &order.id, end)?;
        }
    }
    if order.points > 0 {
        let entry = Entry {
            user: order.user,
            amount: order.points,
            reason: Reason::Order,
            reference: order.id.as_str().to_owned(),
            description: format!("购买{}", order.name),
        };
        points::service::earn(tx, &entry, now)?;
    }
    let rule = &settings.economy.invite;
    let event = InviteEvent::FirstPayment;
    Ok(points::service::invites::reward_inviter(tx, rule, order.user, event, now)?)
}

fn note(
    tx: &Tx<'_>,
    order: &Order,
    paid: &Paid,
    refund_due: Option<&str>,
    now: UnixMillis,
) -> Result<(), OrderError> {
    let entry = AuditEntry {
        actor: Actor::Wechat,
        action: "order.paid",
        object: format!("order:{}", order.id),
        before: json!({ "status": order.status.as_str() }),
        after: json!({
            "status": "PAID",
            "amount": paid.amount_fen,
            "method": paid.method.as_str(),
            "transactionId": paid.transaction_id,
            "paidAt": paid.paid_at.rfc3339(),
            "toldBy": paid.told_by,
            "refundDue": refund_due,
        }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}
