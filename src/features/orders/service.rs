//! Orders from placing to payment, and what later features need of them.
//!
//! The functions that take a `Tx` work within the caller's transaction.

mod ask;
pub mod browse;
mod end;
mod pay;
mod payers;
mod place;
mod product;
mod refunding;
mod settle;
mod shipping;

use std::sync::Arc;
use std::time::Duration;

use super::model::{Filter, Order, OrderError, OrderId, Status};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::settings;
use crate::http::PageQuery;

pub use self::ask::check;
pub(super) use self::end::cancel;
pub use self::end::cancel_all;
pub(super) use self::pay::{PayParams, pay};
pub use self::payers::{forget_overdue_payers, forget_payer};
pub(super) use self::place::{Placed, place};
pub use self::refunding::{begin_refund, end_refund, refund_taken_up, refunds_due};
pub use self::settle::{settle, settle_paid, settled};
pub use self::shipping::report_shipping;

/// The longest wait for WeChat while somebody waits for us. What it says later is asked for again.
const PATIENCE: Duration = Duration::from_secs(8);

/// An order of a user. With `sync`, and when its time is over, WeChat is asked first, unless it just
/// was.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(super) async fn find(
    app: &Arc<App>,
    user: UserId,
    id: &OrderId,
    sync: bool,
) -> Result<Order, OrderError> {
    let order = of_user(app, user, id)?;
    let now = app.clock.now();
    let is_over = order.status == Status::Pending && !order.is_payable(now);
    if !(is_over || sync && order.status.is_unpaid()) {
        return Ok(order);
    }
    let pause = i64::from(settings::service::current(app).payment.sync_every_s);
    let (asked, not_since) = (id.clone(), now.plus_seconds(pause.saturating_neg()));
    let claimed = app
        .db
        .write("orders.claim_ask", move |tx| {
            Ok::<_, OrderError>(store::payments::claim_ask(tx, &asked, not_since, now)?)
        })
        .await?;
    if !claimed {
        return Ok(order);
    }
    match tokio::time::timeout(PATIENCE, check(app, id)).await {
        Ok(Ok(_)) => {}
        Ok(Err(err)) => tracing::warn!(order.id = %id, error = %err, "an order cannot be synced"),
        Err(_) => {
            tracing::warn!(order.id = %id, "WeChat did not say in time what became of an order")
        }
    }
    of_user(app, user, id)
}

/// A part of a user's orders, newest first, and how many there are in all when that is wanted.
///
/// # Errors
/// What the database fails with.
pub(super) async fn list(
    app: &App,
    filter: Filter,
    query: PageQuery,
) -> Result<(Vec<Order>, Option<i64>), OrderError> {
    let read = move |tx: &Tx<'_>| -> Result<_, OrderError> {
        let after = query.after().unwrap_or([i64::MAX, i64::MAX]);
        let rows = store::reads::list(tx, filter, after, query.offset(), query.fetch())?;
        let total = if query.wants_total() { Some(store::reads::count(tx, filter)?) } else { None };
        Ok((rows, total))
    };
    // A page by number may skip and count; from a cursor a read is as short as its limit.
    if query.wants_total() {
        app.db.read("orders.page", read).await
    } else {
        app.db.read_inline("orders.list", read)
    }
}

/// An order, whoever's.
///
/// # Errors
/// What the database fails with.
pub fn by_id(tx: &Tx<'_>, id: &OrderId) -> Result<Option<Order>, DbError> {
    store::reads::by_id(tx, id)
}

/// Who was to pay an order, by openid: what a refund through virtual payment needs. `None` when that is
/// not known any more.
///
/// # Errors
/// What the database fails with.
pub fn payer(tx: &Tx<'_>, id: &OrderId) -> Result<Option<String>, DbError> {
    Ok(store::payments::of(tx, id)?.and_then(|payment| payment.payer_openid))
}

/// What an order's goods are called at virtual payment.
///
/// # Errors
/// What the database fails with.
pub fn virtual_goods(tx: &Tx<'_>, id: &OrderId) -> Result<Option<String>, DbError> {
    Ok(store::payments::of(tx, id)?.and_then(|payment| payment.virtual_product))
}

/// The orders that are to be looked at by [`check`], those that wait longest first.
///
/// # Errors
/// What the database fails with.
pub fn due(app: &App, now: UnixMillis, limit: i64) -> Result<Vec<OrderId>, DbError> {
    app.db.read_inline("orders.due", |tx| store::payments::due(tx, now, limit))
}

fn of_user(app: &App, user: UserId, id: &OrderId) -> Result<Order, OrderError> {
    let found = app.db.read_inline("orders.find", |tx| store::reads::by_id(tx, id))?;
    found.filter(|order| order.user == user).ok_or(OrderError::NotFound)
}
