//! The `order_payments` table: how an order is being paid, and when it is looked at next.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::orders::model::{NewOrder, OrderId, OrderPayment, RefundDue};

/// With the order itself. It is looked at first when its time is over, unless somebody pays before. Its
/// goods are called as the plan or the pack says, else by its id.
pub(in crate::features::orders) fn insert(tx: &Tx<'_>, order: &NewOrder) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO order_payments
           (order_id, platform, payer_openid, prepay_request, virtual_product, next_ask_at,
            updated_at)
         VALUES (?1, ?2, ?3, ?4,
                 COALESCE((SELECT virtual_product FROM vip_plans WHERE plan_id = ?5),
                          (SELECT virtual_product FROM points_packs WHERE pack_id = ?8), ?5, ?8),
                 ?6, ?7)",
        params![
            order.id.as_str(),
            order.platform.as_str(),
            order.payer_openid,
            order.prepay_request,
            order.product.plan.as_ref().map(|plan| plan.id.as_str()),
            order.expires_at,
            order.now,
            order.product.pack_id
        ],
    )?;
    Ok(())
}

pub(in crate::features::orders) fn of(
    tx: &Tx<'_>,
    order: &OrderId,
) -> Result<Option<OrderPayment>, DbError> {
    tx.query_opt(
        "SELECT payer_openid, prepay_request, prepay_id, virtual_product, started_at, failed_asks,
                close_pending
           FROM order_payments WHERE order_id = ?1",
        params![order.as_str()],
        |row| {
            Ok(OrderPayment {
                payer_openid: row.get(0)?,
                prepay_request: row.get(1)?,
                prepay_id: row.get(2)?,
                virtual_product: row.get(3)?,
                started_at: row.get(4)?,
                failed_asks: row.get(5)?,
                is_close_pending: row.get(6)?,
            })
        },
    )
}

/// Notes that the user can pay from now on, with what WeChat Pay has prepared, if it did. The first
/// time counts.
pub(in crate::features::orders) fn started(
    tx: &Tx<'_>,
    order: &OrderId,
    prepay_id: Option<&str>,
    next_ask_at: UnixMillis,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           prepay_id = COALESCE(prepay_id, ?2), started_at = ?4, next_ask_at = ?3, updated_at = ?4
         WHERE order_id = ?1 AND started_at IS NULL",
        params![order.as_str(), prepay_id, next_ask_at, now],
    )?;
    Ok(())
}

/// Claims a question about an order that its owner asks for; `false` when the last one was after
/// `not_since`.
pub(in crate::features::orders) fn claim_ask(
    tx: &Tx<'_>,
    order: &OrderId,
    not_since: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE order_payments SET asked_at = ?3
          WHERE order_id = ?1 AND (asked_at IS NULL OR asked_at <= ?2)",
        params![order.as_str(), not_since, now],
    )?;
    Ok(changed == 1)
}

/// The order is looked at again then, or never. `has_failed` counts for the pause.
pub(in crate::features::orders) fn schedule(
    tx: &Tx<'_>,
    order: &OrderId,
    next_ask_at: Option<UnixMillis>,
    has_failed: bool,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           next_ask_at = ?2, failed_asks = CASE WHEN ?3 THEN failed_asks + 1 ELSE 0 END,
           updated_at = ?4
         WHERE order_id = ?1",
        params![order.as_str(), next_ask_at, has_failed, now],
    )?;
    Ok(())
}

/// The order has ended unpaid here; there it is still to be closed, or looked after, from
/// `next_ask_at` on.
pub(in crate::features::orders) fn ended(
    tx: &Tx<'_>,
    order: &OrderId,
    is_close_pending: bool,
    next_ask_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           close_pending = ?2, next_ask_at = ?3, failed_asks = 0, updated_at = ?4
         WHERE order_id = ?1",
        params![order.as_str(), is_close_pending, next_ask_at, now],
    )?;
    Ok(())
}

/// It is closed there too, and not looked at any more.
pub(in crate::features::orders) fn closed(
    tx: &Tx<'_>,
    order: &OrderId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET close_pending = 0, next_ask_at = NULL, updated_at = ?2
          WHERE order_id = ?1 AND close_pending = 1",
        params![order.as_str(), now],
    )?;
    Ok(())
}

/// It is paid: nothing to ask any more; perhaps a delivery to report, or all of it to give back.
pub(in crate::features::orders) fn paid(
    tx: &Tx<'_>,
    order: &OrderId,
    next_ship_at: Option<UnixMillis>,
    refund_due: Option<&str>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           next_ask_at = NULL, close_pending = 0, failed_asks = 0, next_ship_at = ?2,
           refund_due = ?3, updated_at = ?4
         WHERE order_id = ?1",
        params![order.as_str(), next_ship_at, refund_due, now],
    )?;
    Ok(())
}

/// The orders that are to be looked at, those that wait longest first.
pub(in crate::features::orders) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<OrderId>, DbError> {
    tx.query_all(
        "SELECT order_id FROM order_payments
          WHERE next_ask_at IS NOT NULL AND next_ask_at <= ?1
          ORDER BY next_ask_at LIMIT ?2",
        params![now, limit],
        |row| Ok(OrderId::from_stored(row.get(0)?)),
    )
}

/// The orders whose delivery is to be reported, and how often it was tried.
pub(in crate::features::orders) fn ship_due(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<(OrderId, i64)>, DbError> {
    tx.query_all(
        "SELECT order_id, ship_attempts FROM order_payments
          WHERE next_ship_at IS NOT NULL AND next_ship_at <= ?1
          ORDER BY next_ship_at LIMIT ?2",
        params![now, limit],
        |row| Ok((OrderId::from_stored(row.get(0)?), row.get(1)?)),
    )
}

/// A report was tried; the next is then, or none.
pub(in crate::features::orders) fn ship_tried(
    tx: &Tx<'_>,
    order: &OrderId,
    next_ship_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           next_ship_at = ?2, ship_attempts = ship_attempts + 1, updated_at = ?3
         WHERE order_id = ?1",
        params![order.as_str(), next_ship_at, now],
    )?;
    Ok(())
}

/// The payments that must go back in full, oldest first.
pub(in crate::features::orders) fn refunds_due(
    tx: &Tx<'_>,
    limit: i64,
) -> Result<Vec<RefundDue>, DbError> {
    tx.query_all(
        "SELECT order_id, refund_due FROM order_payments
          WHERE refund_due IS NOT NULL ORDER BY updated_at LIMIT ?1",
        params![limit],
        |row| Ok(RefundDue { order: OrderId::from_stored(row.get(0)?), why: row.get(1)? }),
    )
}

/// The refund that was due is under way, or done.
pub(in crate::features::orders) fn refund_taken_up(
    tx: &Tx<'_>,
    order: &OrderId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET refund_due = NULL, updated_at = ?2 WHERE order_id = ?1",
        params![order.as_str(), now],
    )?;
    Ok(())
}
