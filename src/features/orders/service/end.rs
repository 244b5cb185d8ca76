//! Ending an order that was not paid: at its user's word, or because another takes its place.

use std::sync::Arc;
use std::time::Duration;

use super::ask::{self, Closing};
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::orders::model::{
    Asked, Method, Order, OrderError, OrderId, OrderPayment, Status,
};
use crate::features::orders::store;

/// How long somebody who cancels waits for WeChat; closing it there goes on without him.
const PATIENCE: Duration = Duration::from_secs(3);

/// A job looks at the order again so many seconds later, and closes it there when this call did not get
/// to it.
const LOOK_AGAIN_S: i64 = 10;

/// What ending an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Ended,
    /// It was paid, or turned out to be.
    Paid,
}

/// Cancels a user's order and gives it as it is then. Cancelling what is cancelled changes nothing.
///
/// # Errors
/// `NotFound`; `AlreadyPaid`, also when WeChat says so now; `Expired`; `NotPayable` (refunded); what the
/// database fails with.
pub(in crate::features::orders) async fn cancel(
    app: &Arc<App>,
    user: UserId,
    id: &OrderId,
) -> Result<Order, OrderError> {
    let order = super::of_user(app, user, id)?;
    if order.status == Status::Pending {
        end(app, id).await?;
    }
    let order = super::of_user(app, user, id)?;
    match order.status {
        Status::Cancelled => Ok(order),
        Status::Expired => Err(OrderError::Expired),
        Status::Paid => Err(OrderError::AlreadyPaid),
        Status::Pending | Status::Refunding | Status::Refunded | Status::PartiallyRefunded => {
            Err(OrderError::NotPayable)
        }
    }
}

/// Cancels all orders of a user that wait for payment, because he is banned or goes. A payment that is
/// made all the same is taken in as of any cancelled order.
///
/// # Errors
/// What the database fails with; some may be cancelled then.
pub async fn cancel_all(app: &Arc<App>, user: UserId) -> Result<(), OrderError> {
    let pending =
        app.db.read_inline("orders.pending", |tx| store::reads::pending_of_user(tx, user))?;
    for id in pending {
        mark_ended(app, &id).await?;
    }
    Ok(())
}

/// Ends a pending order here, and at WeChat as far as that is to be had now. It is over here first, so
/// that neither WeChat's silence nor a crash leaves it open.
pub(super) async fn end(app: &Arc<App>, id: &OrderId) -> Result<Ended, OrderError> {
    let Some((order, payment)) = ask::read(app, id)? else { return Err(OrderError::NotFound) };
    // Virtual payment cannot be closed, so it is asked before.
    if order.method == Method::Virtual && payment.started_at.is_some() {
        let asked = tokio::time::timeout(PATIENCE, ask::ask(app, &order, &payment)).await;
        if matches!(asked, Ok(Ok(Asked::Paid))) {
            return Ok(Ended::Paid);
        }
    }
    if !mark_ended(app, id).await? {
        let now = ask::read(app, id)?.map(|(order, _)| order.status);
        return Ok(if now.is_some_and(Status::is_unpaid) { Ended::Ended } else { Ended::Paid });
    }
    if order.method == Method::Virtual {
        return Ok(Ended::Ended);
    }
    match tokio::time::timeout(PATIENCE, close(app, &order, &payment)).await {
        Ok(ended) => ended,
        Err(_) => Ok(Ended::Ended),
    }
}

async fn close(app: &Arc<App>, order: &Order, payment: &OrderPayment) -> Result<Ended, OrderError> {
    match ask::close(app, order).await {
        Closing::Closed => {
            ask::set_closed(app, &order.id).await?;
            Ok(Ended::Ended)
        }
        Closing::Unknown => Ok(Ended::Ended),
        Closing::Paid => match ask::ask(app, order, payment).await? {
            Asked::Paid => Ok(Ended::Paid),
            Asked::Unpaid | Asked::Mismatch(_) | Asked::Unknown | Asked::Nothing => {
                Ok(Ended::Ended)
            }
        },
    }
}

/// Ends it here; `false` when it was not pending any more.
async fn mark_ended(app: &App, id: &OrderId) -> Result<bool, OrderError> {
    let (id, now) = (id.clone(), app.clock.now());
    let ended = app
        .db
        .write("orders.end", move |tx| {
            let Some(order) = store::reads::by_id(tx, &id)? else { return Ok(None) };
            // What is over by itself is not cancelled by anybody.
            let end = if store::expire(tx, &id, now)? {
                "expired"
            } else if store::cancel(tx, &id, now)? {
                "cancelled"
            } else {
                return Ok(None);
            };
            let is_wechat = order.method == Method::Wechat;
            // Virtual payment is asked once more soon as well: the question before may have gone
            // unanswered, and its user may be paying just now.
            let next = Some(now.plus_seconds(LOOK_AGAIN_S));
            store::payments::ended(tx, &id, is_wechat, next, now)?;
            Ok::<_, OrderError>(Some(end))
        })
        .await?;
    if let Some(end) = ended {
        app.events.orders.add(end);
    }
    Ok(ended.is_some())
}
