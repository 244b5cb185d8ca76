//! Asking for a refund: decided and stored in one transaction, then sent.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::book;
use super::look::look;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::audit::Actor;
use crate::features::orders::{self, Method, OrderId};
use crate::features::refunds::model::{
    IfSpent, NewRefund, Origin, Refund, RefundAmount, RefundError, RefundId, RefundStatus,
    RefundWish, check,
};
use crate::features::refunds::store;

/// How long somebody who asks for a refund waits for WeChat; it goes on without him.
const PATIENCE: Duration = Duration::from_secs(8);

/// When the work takes it up if this call does not get to it, in seconds.
const TAKEN_UP_S: i64 = 20;

/// The longest reason, in characters.
const REASON_MAX: usize = 80;

/// Asks for a refund and gives it as it is then: perhaps gone back already, else under way. Once this
/// has returned without an error the refund goes on by itself, also after a crash.
///
/// # Errors
/// [`RefundError`]: why it is not made; then nothing has changed.
pub async fn request(app: &Arc<App>, wish: RefundWish) -> Result<Refund, RefundError> {
    if wish.reason.chars().count() > REASON_MAX {
        return Err(RefundError::Invalid("reason"));
    }
    let id = make(app, wish, Origin::Asked).await?;
    let task = {
        let (app, id) = (Arc::clone(app), id.clone());
        tokio::spawn(async move { look(&app, &id).await })
    };
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(Ok(()))) => {}
        // Whatever it was: the refund stands in the table, and the work takes it up.
        Ok(Ok(Err(err))) => tracing::warn!(refund.id = %id, error = %err, "a refund waits"),
        Ok(Err(err)) => tracing::error!(refund.id = %id, error = %err, "a refund was cut short"),
        Err(_) => tracing::warn!(refund.id = %id, "WeChat does not answer to a refund in time"),
    }
    let found = app.db.read_inline("refunds.find", |tx| store::by_id(tx, &id))?;
    found.ok_or(RefundError::NoSuchRefund)
}

/// Gives back in full what a user paid who is gone.
///
/// # Errors
/// As [`request`].
pub(super) async fn request_due(
    app: &App,
    order: OrderId,
    why: &str,
) -> Result<RefundId, RefundError> {
    let wish = RefundWish {
        order,
        amount: RefundAmount::All,
        days: None,
        points: None,
        if_spent: IfSpent::TakeWhatIsLeft,
        reason: why.to_owned(),
        actor: Actor::System,
    };
    make(app, wish, Origin::Due).await
}

/// Everything that needs no answer of WeChat.
async fn make(app: &App, wish: RefundWish, origin: Origin) -> Result<RefundId, RefundError> {
    let now = app.clock.now();
    let id = RefundId::generate(now, &app.rng);
    let is_configured = (app.wechat_pay.is_some(), app.virtual_payment.is_some());
    let refund = id.clone();
    let user = app
        .db
        .write("refunds.request", move |tx| {
            let order = orders::service::by_id(tx, &wish.order)?.ok_or(RefundError::NoSuchOrder)?;
            let fen = check(&order, &store::earlier(tx, &order.id)?, wish.amount, now)?;
            can_be_sent(tx, &order, is_configured)?;
            let takes = book::takes(tx, &order, fen, (wish.days, wish.points))?;
            orders::service::begin_refund(tx, &order.id, now)?;
            let taken = book::take_points(tx, &order, &refund, takes.points, wish.if_spent, now)?;
            let new = NewRefund {
                id: refund,
                order: order.id.clone(),
                origin,
                actor: wish.actor.to_string(),
                reason: wish.reason,
                amount: fen,
                total: order.amount,
                vip_days: takes.days,
                points: takes.points,
                points_taken: taken,
                wechat_id: None,
                status: RefundStatus::Refunding,
                next_look_at: next(origin, now),
            };
            store::insert(tx, &new, now)?;
            if origin == Origin::Due {
                orders::service::refund_taken_up(tx, &order.id, now)?;
            }
            let stored = store::by_id(tx, &new.id)?.ok_or(RefundError::NoSuchRefund)?;
            let before = json!({ "status": order.status.as_str() });
            book::note(tx, &stored, wish.actor, "refund.requested", before, now)?;
            Ok::<_, RefundError>(order.user)
        })
        .await?;
    book::changed(app, user);
    tracing::info!(refund.id = %id, user.id = %user, "a refund is asked for");
    Ok(id)
}

/// Whoever asks sends it himself; what is due is sent by the work, next.
fn next(origin: Origin, now: UnixMillis) -> UnixMillis {
    match origin {
        Origin::Asked => now.plus_seconds(TAKEN_UP_S),
        Origin::Due | Origin::Told => now,
    }
}

/// Nothing is promised that has no way to go.
fn can_be_sent(
    tx: &Tx<'_>,
    order: &orders::Order,
    (has_wechat_pay, has_virtual): (bool, bool),
) -> Result<(), RefundError> {
    match order.method {
        Method::Wechat if !has_wechat_pay => Err(RefundError::NotConfigured),
        Method::Virtual if !has_virtual => Err(RefundError::NotConfigured),
        Method::Virtual if orders::service::payer(tx, &order.id)?.is_none() => {
            Err(RefundError::NoPayer)
        }
        Method::Wechat | Method::Virtual => Ok(()),
    }
}
