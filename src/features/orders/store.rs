//! The `orders` table. How they are paid stands in `payments`.

pub(super) mod browse;
pub(super) mod payers;
pub(super) mod payments;
pub(super) mod reads;

use super::model::{Method, NewOrder, OrderId, Paid};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::users::VipLevel;

pub(super) fn insert(tx: &Tx<'_>, order: &NewOrder) -> Result<(), DbError> {
    let product = &order.product;
    let plan = product.plan.as_ref();
    tx.insert(
        "INSERT INTO orders
           (order_id, user_id, kind, product, plan_id, plan_level, plan_days, pack_id, product_name,
            status, method, amount, points, expires_at, created_at, updated_at, request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'PENDING', ?10, ?11, ?12, ?13, ?14, ?14,
                 ?15)",
        params![
            order.id.as_str(),
            order.user,
            product.kind().as_str(),
            product.key,
            plan.map(|plan| plan.id.as_str()),
            plan.map(|plan| level_text(plan.level)),
            plan.map(|plan| plan.days),
            product.pack_id,
            product.name,
            order.method.as_str(),
            product.price,
            product.points,
            order.expires_at,
            order.now,
            order.request_id
        ],
    )?;
    Ok(())
}

fn level_text(level: VipLevel) -> &'static str {
    match level {
        VipLevel::Svip => "SVIP",
        // No plan sells less.
        VipLevel::Vip | VipLevel::Normal => "VIP",
    }
}

/// Marks an order as paid, from whatever state in which it was not; `false` when it was.
pub(super) fn mark_paid(tx: &Tx<'_>, paid: &Paid, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE orders SET status = 'PAID', transaction_id = ?2, paid_at = ?3, updated_at = ?4
          WHERE order_id = ?1 AND status IN ('PENDING', 'CANCELLED', 'EXPIRED')",
        params![paid.order.as_str(), paid.transaction_id, paid.paid_at, now],
    )?;
    Ok(changed == 1)
}

/// Notes where a membership ends by this order.
pub(super) fn set_vip_expire_at(
    tx: &Tx<'_>,
    order: &OrderId,
    expire_at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE orders SET vip_expire_at = ?2 WHERE order_id = ?1",
        params![order.as_str(), expire_at],
    )?;
    Ok(())
}

/// Ends a pending order at its user's word; `false` when it was not pending.
pub(super) fn cancel(tx: &Tx<'_>, order: &OrderId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE orders SET status = 'CANCELLED', updated_at = ?2
          WHERE order_id = ?1 AND status = 'PENDING'",
        params![order.as_str(), now],
    )?;
    Ok(changed == 1)
}

/// Ends a pending order whose time is over; `false` when it is not or was not pending.
pub(super) fn expire(tx: &Tx<'_>, order: &OrderId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE orders SET status = 'EXPIRED', updated_at = ?2
          WHERE order_id = ?1 AND status = 'PENDING' AND expires_at <= ?2",
        params![order.as_str(), now],
    )?;
    Ok(changed == 1)
}

/// Begins to give money back; `false` when there is none to give or some is under way.
pub(super) fn begin_refund(tx: &Tx<'_>, order: &OrderId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE orders SET status = 'REFUNDING', updated_at = ?2
          WHERE order_id = ?1 AND status IN ('PAID', 'PARTIALLY_REFUNDED')",
        params![order.as_str(), now],
    )?;
    Ok(changed == 1)
}

/// Ends a refund after `given_back` fen more went back (0: it failed); `false` when none was under
/// way, or more would have gone back than came.
pub(super) fn end_refund(
    tx: &Tx<'_>,
    order: &OrderId,
    given_back: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE orders SET refunded_amount = refunded_amount + ?2, updated_at = ?3,
                status = CASE WHEN refunded_amount + ?2 = 0 THEN 'PAID'
                              WHEN refunded_amount + ?2 = amount THEN 'REFUNDED'
                              ELSE 'PARTIALLY_REFUNDED' END
          WHERE order_id = ?1 AND status = 'REFUNDING' AND refunded_amount + ?2 <= amount",
        params![order.as_str(), given_back, now],
    )?;
    Ok(changed == 1)
}

/// How many orders of a user wait for payment.
pub(super) fn pending_count(tx: &Tx<'_>, user: UserId) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM orders WHERE user_id = ?1 AND status = 'PENDING'",
        params![user],
        |row| row.get(0),
    )
}

/// The order that a payment has paid.
pub(super) fn paid_by(
    tx: &Tx<'_>,
    method: Method,
    transaction_id: &str,
) -> Result<Option<OrderId>, DbError> {
    tx.query_opt(
        "SELECT order_id FROM orders WHERE method = ?1 AND transaction_id = ?2",
        params![method.as_str(), transaction_id],
        |row| Ok(OrderId::from_stored(row.get(0)?)),
    )
}
