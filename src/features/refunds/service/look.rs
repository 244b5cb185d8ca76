//! Looking at a refund and taking the step that is due.

use std::sync::Arc;

use super::book::{self, Booked};
use super::{read, virtual_payment, wechat_pay};
use crate::app::App;
use crate::features::orders::{self, Method, Order, OrderError};
use crate::features::payments;
use crate::features::refunds::model::{
    NEAR_FULL_LOOKS, Progress, Refund, RefundError, RefundId, RefundStatus, next_look, stuck_look,
};
use crate::features::refunds::store;

/// Sends what is not sent, asks about what is under way, books what was told. What has ended is left.
///
/// # Errors
/// `NoSuchRefund`, and what the database fails with. WeChat's silence is no error: it is asked again.
pub async fn look(app: &Arc<App>, id: &RefundId) -> Result<(), RefundError> {
    let (refund, order) = read(app, id)?.ok_or(RefundError::NoSuchRefund)?;
    match refund.status {
        RefundStatus::Refunded | RefundStatus::Failed => Ok(()),
        RefundStatus::Told => told(app, &refund, &order).await,
        RefundStatus::Refunding => {
            let progress = match order.method {
                Method::Wechat => wechat_pay::progress(app, &refund).await,
                Method::Virtual => virtual_payment::progress(app, &refund).await?,
            };
            take(app, refund, order, progress).await
        }
    }
}

/// What WeChat said, in one transaction.
async fn take(
    app: &Arc<App>,
    refund: Refund,
    order: Order,
    progress: Progress,
) -> Result<(), RefundError> {
    let now = app.clock.now();
    let (id, user, looks) = (refund.id.clone(), order.user, refund.looks);
    let problem = match &progress {
        Progress::Stuck(why) | Progress::Failed(why) => Some(why.clone()),
        Progress::Unclear(why) if looks == NEAR_FULL_LOOKS => Some(why.clone()),
        _ => None,
    };
    log(&id, &progress);
    app.db
        .write("refunds.progress", move |tx| {
            match progress {
                Progress::Succeeded { wechat_id } => {
                    book::succeed(tx, &refund, wechat_id.as_deref(), now)?;
                }
                Progress::Failed(why) => {
                    book::fail(tx, &refund, &order, &why, now)?;
                }
                Progress::Accepted { wechat_id } => {
                    let next = next_look(looks, now);
                    store::accepted(tx, &refund.id, wechat_id.as_deref(), next, now)?;
                }
                Progress::Stuck(why) => store::waits(tx, &refund.id, &why, stuck_look(now))?,
                Progress::Unclear(why) => {
                    store::waits(tx, &refund.id, &why, next_look(looks, now))?;
                }
            }
            Ok::<_, OrderError>(())
        })
        .await?;
    book::changed(app, user);
    if let Some(problem) = problem {
        payments::service::events::flag(app, id.as_str(), problem).await?;
    }
    Ok(())
}

/// Books what went back without us. When its payment is not credited yet, WeChat is asked about that
/// first.
async fn told(app: &Arc<App>, refund: &Refund, order: &Order) -> Result<(), RefundError> {
    if order.status.is_unpaid() {
        orders::service::check(app, &order.id).await?;
    }
    let now = app.clock.now();
    let (id, looks) = (refund.id.clone(), refund.looks);
    let booked = app
        .db
        .write("refunds.book", move |tx| {
            let booked = book::book_told(tx, &id, now)?;
            if booked == Booked::NotYet {
                store::waits(tx, &id, "its order is not ready for it", next_look(looks, now))?;
            }
            Ok::<_, RefundError>(booked)
        })
        .await?;
    book::changed(app, order.user);
    match booked {
        Booked::Done => {}
        Booked::NotYet if looks == NEAR_FULL_LOOKS => {
            let why = "it went back, and its order is not paid here".to_owned();
            payments::service::events::flag(app, refund.id.as_str(), why).await?;
        }
        Booked::NotYet => {}
        Booked::Misfit(why) => {
            tracing::error!(refund.id = %refund.id, problem = why, "a told refund does not fit");
            payments::service::events::flag(app, refund.id.as_str(), why).await?;
        }
    }
    Ok(())
}

fn log(id: &RefundId, progress: &Progress) {
    match progress {
        Progress::Succeeded { .. } => tracing::info!(refund.id = %id, "a refund went back"),
        Progress::Failed(why) => {
            tracing::error!(refund.id = %id, problem = why, "a refund has failed");
        }
        Progress::Accepted { .. } => {}
        Progress::Stuck(why) => {
            tracing::error!(refund.id = %id, problem = why, "a refund waits for somebody");
        }
        Progress::Unclear(why) => {
            tracing::warn!(refund.id = %id, problem = why, "a refund is asked about again later");
        }
    }
}
