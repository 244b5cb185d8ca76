//! A virtual payment is told: deliver, if it is for an order of ours exactly as that was placed.

use std::sync::Arc;

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::clients::wechat::push::GoodsDelivery;
use crate::clients::wechat::{VirtualEnv, VirtualPayment};
use crate::db::Tx;
use crate::features::orders::{self, Method, OrderId, Paid, Settled};
use crate::features::payments::{self, EventId, EventOutcome};
use crate::features::push::model::PushFailure;
use crate::features::{settings, users};

/// Why a told payment is not believed to be for an order of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Misfit {
    #[error("virtual payment is not configured")]
    NotConfigured,
    #[error("it is of another environment")]
    Environment,
    #[error("there is no such order")]
    UnknownOrder,
    #[error("it is for other goods")]
    Goods,
    #[error("it is not for one piece")]
    Quantity,
    #[error("it was paid by another user than the one who placed the order")]
    Payer,
}

/// Settles the order and notes what became of the event, in one transaction. Says whether WeChat may
/// count it as delivered; when it was delivered before, it may.
///
/// # Errors
/// What the database and the ledger fail with: WeChat must repeat it.
pub(super) async fn deliver(
    app: &Arc<App>,
    id: EventId,
    told: GoodsDelivery,
) -> Result<bool, PushFailure> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let env = app.virtual_payment.as_ref().map(VirtualPayment::env);
    let (order, done) = app
        .db
        .write("push.deliver", move |tx| {
            let (order, done) = match fit(tx, &told, env, now)? {
                Ok(paid) => {
                    let done = orders::service::settle(tx, &settings, &paid, now)?;
                    (Some(paid.order), Ok(done))
                }
                Err(misfit) => (None, Err(misfit)),
            };
            payments::service::events::finish(tx, id, &outcome(&done), now)?;
            Ok::<_, PushFailure>((order, done))
        })
        .await?;
    match done {
        Ok(done) => {
            if let Some(order) = order {
                orders::service::settled(app, &order, &done);
            }
            Ok(!matches!(done, Settled::Mismatch(_)))
        }
        Err(misfit) => {
            tracing::error!(event.id = id.0, problem = %misfit, "a pushed payment does not fit");
            Ok(false)
        }
    }
}

fn outcome(done: &Result<Settled, Misfit>) -> EventOutcome {
    match done {
        Ok(Settled::Now(_)) => EventOutcome::Done,
        Ok(Settled::Already) => EventOutcome::Repeated,
        Ok(Settled::Mismatch(why)) => EventOutcome::Flagged(why.to_string()),
        Err(misfit) => EventOutcome::Flagged(misfit.to_string()),
    }
}

/// The payment as orders take it, if everything that orders do not know of fits: the environment, the
/// goods, the quantity, the payer.
fn fit(
    tx: &Tx<'_>,
    told: &GoodsDelivery,
    env: Option<VirtualEnv>,
    now: UnixMillis,
) -> Result<Result<Paid, Misfit>, PushFailure> {
    let Some(env) = env else { return Ok(Err(Misfit::NotConfigured)) };
    if told.env != env.number() {
        return Ok(Err(Misfit::Environment));
    }
    let found = match OrderId::parse(&told.order_id) {
        Some(id) => orders::service::by_id(tx, &id)?,
        None => None,
    };
    let Some(order) = found else { return Ok(Err(Misfit::UnknownOrder)) };
    // What `ActualPrice` means for more than one piece is nowhere said.
    if told.quantity != 1 {
        return Ok(Err(Misfit::Quantity));
    }
    if orders::service::virtual_goods(tx, &order.id)?.is_some_and(|goods| goods != told.product_id)
    {
        return Ok(Err(Misfit::Goods));
    }
    let payer = match orders::service::payer(tx, &order.id)? {
        Some(payer) => Some(payer),
        None => users::service::find(tx, order.user)?.map(|user| user.openid),
    };
    if payer.is_some_and(|payer| payer != told.openid) {
        return Ok(Err(Misfit::Payer));
    }
    Ok(Ok(Paid {
        order: order.id,
        method: Method::Virtual,
        transaction_id: told.transaction_id.clone(),
        amount_fen: told.paid_fen,
        // Apple does not say when.
        paid_at: told.paid_at.unwrap_or(now),
        payer_openid: Some(told.openid.clone()),
        told_by: "push",
    }))
}
