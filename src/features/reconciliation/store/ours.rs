//! What we know of orders and refunds, read for comparing: a day's rows at once instead of one service
//! call for each.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::reconciliation::model::{Channel, OurPayment, OurRefund};

/// When the first order of a channel was placed.
pub(in crate::features::reconciliation) fn first_order(
    tx: &Tx<'_>,
    channel: Channel,
) -> Result<Option<UnixMillis>, DbError> {
    tx.query_opt(
        "SELECT created_at FROM orders WHERE method = ?1 ORDER BY created_at LIMIT 1",
        params![channel.as_str()],
        |row| row.get(0),
    )
}

/// An order, of whatever day and state.
pub(in crate::features::reconciliation) fn order(
    tx: &Tx<'_>,
    order: &str,
) -> Result<Option<OurPayment>, DbError> {
    tx.query_opt(
        "SELECT order_id, amount, paid_at IS NOT NULL, transaction_id FROM orders
          WHERE order_id = ?1",
        params![order],
        payment_from_row,
    )
}

/// The orders that were paid within a time.
pub(in crate::features::reconciliation) fn paid_between(
    tx: &Tx<'_>,
    channel: Channel,
    (begin, end): (UnixMillis, UnixMillis),
) -> Result<Vec<OurPayment>, DbError> {
    tx.query_all(
        "SELECT order_id, amount, 1, transaction_id FROM orders
          WHERE method = ?1 AND paid_at >= ?2 AND paid_at < ?3 ORDER BY paid_at",
        params![channel.as_str(), begin, end],
        payment_from_row,
    )
}

/// The orders that were placed within a time, that the user could pay, and that are not paid.
pub(in crate::features::reconciliation) fn unpaid_between(
    tx: &Tx<'_>,
    channel: Channel,
    (begin, end): (UnixMillis, UnixMillis),
) -> Result<Vec<OurPayment>, DbError> {
    tx.query_all(
        "SELECT o.order_id, o.amount, 0, o.transaction_id
           FROM orders o JOIN order_payments p ON p.order_id = o.order_id
          WHERE o.method = ?1 AND o.created_at >= ?2 AND o.created_at < ?3 AND o.paid_at IS NULL
            AND p.started_at IS NOT NULL
          ORDER BY o.created_at",
        params![channel.as_str(), begin, end],
        payment_from_row,
    )
}

/// The refunds of an order.
pub(in crate::features::reconciliation) fn refunds(
    tx: &Tx<'_>,
    order: &str,
) -> Result<Vec<OurRefund>, DbError> {
    tx.query_all(
        "SELECT refund_id, wechat_id, order_id, amount, status FROM refunds WHERE order_id = ?1",
        params![order],
        refund_from_row,
    )
}

/// The refunds of WeChat Pay that it took on within a time, that have gone back, and that no bill has
/// listed.
pub(in crate::features::reconciliation) fn not_billed(
    tx: &Tx<'_>,
    (begin, end): (UnixMillis, UnixMillis),
) -> Result<Vec<OurRefund>, DbError> {
    tx.query_all(
        "SELECT r.refund_id, r.wechat_id, r.order_id, r.amount, r.status
           FROM refunds r JOIN orders o ON o.order_id = r.order_id
          WHERE r.accepted_at >= ?1 AND r.accepted_at < ?2 AND r.status = 'REFUNDED'
            AND r.origin <> 'told' AND r.billed_day IS NULL AND o.method = 'wechat'
          ORDER BY r.id",
        params![begin, end],
        refund_from_row,
    )
}

/// How much of an order has gone back as we have it; `None` while a refund is under way.
pub(in crate::features::reconciliation) fn gone_back(
    tx: &Tx<'_>,
    order: &str,
) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "SELECT refunded_amount FROM orders o
          WHERE order_id = ?1 AND NOT EXISTS
            (SELECT 1 FROM refunds r
              WHERE r.order_id = o.order_id AND r.status IN ('TOLD', 'REFUNDING'))",
        params![order],
        |row| row.get(0),
    )
}

fn payment_from_row(row: &Row<'_>) -> Result<OurPayment, DbError> {
    Ok(OurPayment {
        order: row.get(0)?,
        amount: row.get(1)?,
        is_paid: row.get(2)?,
        transaction_id: row.get(3)?,
    })
}

fn refund_from_row(row: &Row<'_>) -> Result<OurRefund, DbError> {
    let status: String = row.get(4)?;
    Ok(OurRefund {
        id: row.get(0)?,
        wechat_id: row.get(1)?,
        order: row.get(2)?,
        amount: row.get(3)?,
        has_failed: status == "FAILED",
        has_ended_well: status == "REFUNDED",
    })
}
