//! Giving money back, booking what went back without us, and what later features need of refunds.

mod book;
pub mod browse;
mod look;
mod request;
mod told;
mod virtual_payment;
mod wechat_pay;
mod work;

use super::model::{Refund, RefundError, RefundId, UnusedValue, unused};
use super::store;
use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::orders::{self, OrderError, OrderId};
use crate::features::vip;

pub use self::look::look;
pub use self::request::request;
pub(super) use self::told::notified;
pub use self::told::{take_in, take_push};
pub use self::work::work;

/// A refund.
///
/// # Errors
/// What the database fails with.
pub fn by_id(tx: &Tx<'_>, id: &RefundId) -> Result<Option<Refund>, DbError> {
    store::by_id(tx, id)
}

/// The refunds of an order, oldest first.
///
/// # Errors
/// What the database fails with.
pub fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Refund>, DbError> {
    store::of_order(tx, order)
}

/// Notes that a bill of WeChat lists the refund. The first day counts.
///
/// # Errors
/// What the database fails with.
pub fn billed(tx: &Tx<'_>, id: &RefundId, day: &str) -> Result<(), DbError> {
    store::billed(tx, id, day)
}

/// What of an order is not used up.
///
/// # Errors
/// `NoSuchOrder`, and what the database fails with.
pub fn unused_value(app: &App, order: &OrderId) -> Result<UnusedValue, RefundError> {
    let now = app.clock.now();
    app.db.read_inline("refunds.unused", |tx| {
        let order = orders::service::by_id(tx, order)?.ok_or(RefundError::NoSuchOrder)?;
        let grant = vip::service::of_order(tx, order.id.as_str())?;
        let live_ms = grant.map_or(0, |grant| grant.duration_ms.saturating_sub(grant.revoked_ms));
        let points_due = book::points_left(tx, &order.id)?;
        let balance = store::balance(tx, order.user)?;
        Ok(unused(&order, live_ms, points_due, balance, now))
    })
}

/// The refund with its order.
fn read(app: &App, id: &RefundId) -> Result<Option<(Refund, orders::Order)>, OrderError> {
    app.db.read_inline("refunds.read", |tx| {
        let Some(refund) = store::by_id(tx, id)? else { return Ok(None) };
        let order = orders::service::by_id(tx, &refund.order)?;
        Ok(order.map(|order| (refund, order)))
    })
}
