//! Asking WeChat what became of an order, and taking the step that follows.
//!
//! Nothing here trusts what was true before a question: every change is guarded by the state that it
//! starts from, and a payment that comes in between wins.

use std::sync::Arc;

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::clients::wechat::VirtualPayError;
use crate::clients::wechat_pay::PayErrorKind;
use crate::db::DbError;
use crate::features::orders::model::{
    Asked, Confirmed, Method, Mismatch, Order, OrderError, OrderId, OrderPayment, Paid, Settled,
    Status, next_aftercare, next_ask,
};
use crate::features::orders::service::settle::settle_paid;
use crate::features::orders::store;
use crate::features::settings;

/// So many questions may fail after an order's time is over (about half an hour) before it ends here
/// without an answer. A payment that is told later is still taken.
const FAILED_MAX: i64 = 10;

/// After it was closed there, WeChat is asked once more, so many seconds later.
const ONCE_MORE_S: i64 = 60;

/// What closing an order at WeChat came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It cannot be paid there any more.
    Closed,
    /// It is paid.
    Paid,
    /// It may still be open there.
    Unknown,
}

/// Looks at an order and takes the step that is due: asks about it, ends it when its time is over,
/// closes it at WeChat when it ended here. Notes when it is to be looked at next.
///
/// # Errors
/// What the database fails with. WeChat's silence is no error: it will be asked again.
pub async fn check(app: &Arc<App>, id: &OrderId) -> Result<Asked, OrderError> {
    let Some((order, payment)) = read(app, id)? else { return Ok(Asked::Nothing) };
    match order.status {
        Status::Pending if order.is_payable(app.clock.now()) => {
            pending(app, &order, &payment).await
        }
        Status::Pending => overdue(app, &order, &payment).await,
        Status::Cancelled | Status::Expired => ended(app, &order, &payment).await,
        Status::Paid | Status::Refunding | Status::Refunded | Status::PartiallyRefunded => {
            schedule(app, id, None, false).await?;
            Ok(Asked::Paid)
        }
    }
}

/// Asks WeChat about an order, and settles it when it is paid.
///
/// # Errors
/// What the database fails with.
pub(super) async fn ask(
    app: &Arc<App>,
    order: &Order,
    payment: &OrderPayment,
) -> Result<Asked, OrderError> {
    let Some(confirmed) = confirmed(app, order, payment).await else { return Ok(Asked::Unknown) };
    match confirmed {
        Ok(None) => Ok(Asked::Unpaid),
        // An answer about another order than was asked about would credit that one.
        Ok(Some(paid)) if paid.order != order.id => Ok(Asked::Mismatch(Mismatch::UnknownOrder)),
        Ok(Some(paid)) => Ok(match settle_paid(app, paid).await? {
            Settled::Now(_) | Settled::Already => Asked::Paid,
            Settled::Mismatch(why) => Asked::Mismatch(why),
        }),
        Err(why) => {
            tracing::error!(order.id = %order.id, problem = %why, "WeChat's answer does not fit");
            Ok(Asked::Mismatch(why))
        }
    }
}

/// Closes an order at WeChat, so that nobody can pay it any more. Virtual payment cannot be closed.
pub(super) async fn close(app: &App, order: &Order) -> Closing {
    let (Method::Wechat, Some(pay)) = (order.method, &app.wechat_pay) else {
        return Closing::Closed;
    };
    let Err(err) = pay.close_order(order.id.as_str()).await else { return Closing::Closed };
    match err.kind() {
        // Never arrived there, or closed before: either way nobody can pay it.
        PayErrorKind::OrderNotExist | PayErrorKind::OrderClosed => Closing::Closed,
        PayErrorKind::OrderPaid => Closing::Paid,
        _ => {
            tracing::warn!(order.id = %order.id, error = %err, "an order cannot be closed");
            Closing::Unknown
        }
    }
}

/// The order with its payment; `None` when there is no such order.
pub(super) fn read(app: &App, id: &OrderId) -> Result<Option<(Order, OrderPayment)>, DbError> {
    app.db.read_inline("orders.read", |tx| {
        let order = store::reads::by_id(tx, id)?;
        Ok::<_, DbError>(order.zip(store::payments::of(tx, id)?))
    })
}

async fn pending(
    app: &Arc<App>,
    order: &Order,
    payment: &OrderPayment,
) -> Result<Asked, OrderError> {
    let asked = ask(app, order, payment).await?;
    let now = app.clock.now();
    let steps = &settings::service::current(app).payment.ask_after_s;
    let started_at = payment.started_at.unwrap_or(order.created_at);
    let next = |failed| next_ask(started_at, steps, order.expires_at, failed, now);
    match &asked {
        Asked::Paid | Asked::Nothing => {}
        Asked::Unpaid => schedule(app, &order.id, Some(next(0)), false).await?,
        // Somebody must look; asking again would only say the same.
        Asked::Mismatch(_) => schedule(app, &order.id, Some(order.expires_at), false).await?,
        Asked::Unknown => {
            let failed = payment.failed_asks.saturating_add(1);
            schedule(app, &order.id, Some(next(failed)), true).await?;
        }
    }
    Ok(asked)
}

/// The time to pay is over: ask, close there, then end it here.
async fn overdue(
    app: &Arc<App>,
    order: &Order,
    payment: &OrderPayment,
) -> Result<Asked, OrderError> {
    let asked = ask(app, order, payment).await?;
    let is_closed = match &asked {
        Asked::Paid | Asked::Nothing => return Ok(asked),
        Asked::Unpaid => match close(app, order).await {
            Closing::Closed => true,
            // Paid between the question and the closing.
            Closing::Paid => return ask(app, order, payment).await,
            Closing::Unknown => false,
        },
        // What is flagged does not keep the order open.
        Asked::Mismatch(_) => close(app, order).await == Closing::Closed,
        Asked::Unknown => false,
    };
    let now = app.clock.now();
    if !is_closed && payment.failed_asks < FAILED_MAX {
        let failed = payment.failed_asks.saturating_add(1);
        let next = next_ask(order.created_at, &[], order.expires_at, failed, now);
        schedule(app, &order.id, Some(next), true).await?;
        return Ok(Asked::Unknown);
    }
    let next = match order.method {
        Method::Wechat => Some(now.plus_seconds(ONCE_MORE_S)),
        Method::Virtual => next_aftercare(order.expires_at, now),
    };
    let id = order.id.clone();
    let has_expired = app
        .db
        .write("orders.expire", move |tx| {
            let has_expired = store::expire(tx, &id, now)?;
            if has_expired {
                store::payments::ended(tx, &id, !is_closed, next, now)?;
            }
            Ok::<_, OrderError>(has_expired)
        })
        .await?;
    if has_expired {
        app.events.orders.add("expired");
    }
    Ok(asked)
}

/// The order has ended here unpaid: see to it that it has there, and that nothing came after all.
async fn ended(app: &Arc<App>, order: &Order, payment: &OrderPayment) -> Result<Asked, OrderError> {
    let now = app.clock.now();
    if payment.is_close_pending {
        match close(app, order).await {
            Closing::Closed => {
                set_closed(app, &order.id).await?;
                return Ok(Asked::Unpaid);
            }
            Closing::Paid => {}
            Closing::Unknown => {
                retry(app, order, payment, now).await?;
                return Ok(Asked::Unknown);
            }
        }
    }
    let asked = ask(app, order, payment).await?;
    match &asked {
        Asked::Paid | Asked::Nothing => {}
        Asked::Unpaid | Asked::Mismatch(_) => {
            let next = match order.method {
                Method::Virtual => next_aftercare(order.expires_at, now),
                // It says "paid" to the one question and "not paid" to the other: once more later.
                Method::Wechat if payment.is_close_pending => Some(now.plus_seconds(ONCE_MORE_S)),
                Method::Wechat => None,
            };
            schedule(app, &order.id, next, false).await?;
        }
        Asked::Unknown if payment.is_close_pending || payment.failed_asks < FAILED_MAX => {
            retry(app, order, payment, now).await?;
        }
        Asked::Unknown => schedule(app, &order.id, None, false).await?,
    }
    Ok(asked)
}

/// It is closed at WeChat too.
pub(super) async fn set_closed(app: &App, order: &OrderId) -> Result<(), OrderError> {
    let (id, now) = (order.clone(), app.clock.now());
    app.db
        .write("orders.closed", move |tx| {
            Ok::<_, OrderError>(store::payments::closed(tx, &id, now)?)
        })
        .await
}

async fn retry(
    app: &App,
    order: &Order,
    payment: &OrderPayment,
    now: UnixMillis,
) -> Result<(), OrderError> {
    let failed = payment.failed_asks.saturating_add(1);
    // Its end is behind us: what is left are the pauses of the retries.
    let next = next_ask(order.created_at, &[], now, failed, now);
    schedule(app, &order.id, Some(next), true).await
}

async fn schedule(
    app: &App,
    order: &OrderId,
    next: Option<UnixMillis>,
    has_failed: bool,
) -> Result<(), OrderError> {
    let (id, now) = (order.clone(), app.clock.now());
    app.db
        .write("orders.schedule", move |tx| {
            Ok::<_, OrderError>(store::payments::schedule(tx, &id, next, has_failed, now)?)
        })
        .await
}

/// What WeChat says; `None` when it does not. An order it does not know is not paid.
async fn confirmed(app: &App, order: &Order, payment: &OrderPayment) -> Option<Confirmed> {
    match order.method {
        Method::Wechat => {
            let pay = app.wechat_pay.as_ref()?;
            match pay.query_order(order.id.as_str()).await {
                Ok(told) => Some(Paid::of_transaction(&told, pay.appid(), pay.mchid(), "query")),
                Err(err) if err.kind() == PayErrorKind::OrderNotExist => Some(Ok(None)),
                Err(err) => {
                    tracing::warn!(order.id = %order.id, error = %err, "WeChat Pay does not say");
                    None
                }
            }
        }
        Method::Virtual => {
            let shop = app.virtual_payment.as_ref()?;
            // Without an openid, which a deletion takes, there is nobody to ask about.
            let Some(openid) = payment.payer_openid.as_deref() else { return Some(Ok(None)) };
            match shop.query_order(openid, order.id.as_str()).await {
                Ok(told) => Some(Paid::of_virtual(&told, Some(openid), app.clock.now())),
                Err(VirtualPayError::NotFound) => Some(Ok(None)),
                Err(err) => {
                    tracing::warn!(order.id = %order.id, error = %err, "virtual payment does not say");
                    None
                }
            }
        }
    }
}
