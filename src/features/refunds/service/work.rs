//! What refunds do by themselves: what is due is asked for, what is under way is looked at.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};

use super::look::look;
use super::request::request_due;
use crate::app::App;
use crate::db::DbError;
use crate::features::orders::{self, OrderId};
use crate::features::refunds::model::RefundError;
use crate::features::refunds::store;
use crate::features::{payments, settings};

/// Refunds taken up in one run; the rest has its turn at the next.
const BATCH: i64 = 200;

/// Asks for the refunds that are due, and looks at those whose time has come.
///
/// # Errors
/// What the database fails with, after the rest was looked at. WeChat's silence is no error.
pub async fn work(app: &Arc<App>) -> Result<(), RefundError> {
    let due =
        app.db.read_inline("refunds.due_orders", |tx| orders::service::refunds_due(tx, BATCH))?;
    let mut failed = None;
    for due in due {
        // One that fails keeps no other from its turn.
        if let Err(err) = take_up(app, due.order.clone(), &due.why).await {
            tracing::error!(order.id = %due.order, error = %err, "a due refund is not taken up");
            failed = Some(err);
        }
    }
    let now = app.clock.now();
    let looks = app.db.read_inline("refunds.due", |tx| store::due(tx, now, BATCH))?;
    let at_once =
        usize::try_from(settings::service::current(app).payment.ask_concurrency).unwrap_or(1);
    let mut looking = stream::iter(looks)
        .map(|id| async move { (look(app, &id).await, id) })
        .buffer_unordered(at_once);
    while let Some((done, id)) = looking.next().await {
        if let Err(err) = done {
            tracing::error!(refund.id = %id, error = %err, "a refund cannot be looked at");
            failed = Some(err);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The whole payment of somebody who is gone.
async fn take_up(app: &Arc<App>, order: OrderId, why: &str) -> Result<(), RefundError> {
    match request_due(app, order.clone(), why).await {
        Ok(_) => Ok(()),
        // Another refund of it is under way; this one afterwards.
        Err(RefundError::UnderWay | RefundError::TooSoon | RefundError::NotConfigured) => Ok(()),
        // Nothing that comes by itself: somebody must see to it.
        Err(
            err @ (RefundError::NoSuchOrder
            | RefundError::NotPaid
            | RefundError::NothingLeft
            | RefundError::TooMany(_)
            | RefundError::TooOld
            | RefundError::AppleOnly
            | RefundError::NoPayer),
        ) => {
            tracing::error!(order.id = %order, error = %err, "a payment cannot be given back");
            let now = app.clock.now();
            let problem = format!("it is to go back in full ({why}): {err}");
            payments::service::events::flag(app, order.as_str(), problem).await?;
            app.db
                .write("refunds.hand_over", move |tx| {
                    orders::service::refund_taken_up(tx, &order, now)
                })
                .await
                .map_err(|err: DbError| err.into())
        }
        Err(err) => Err(err),
    }
}
