//! Lists over all orders. Each reads an index that holds what it filters by, then the rows of one page.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::orders::model::{
    Kind, Method, Order, OrderFilter, OrderId, PaymentProgress, Spent, Status,
};

/// Orders, the newest first, behind the one with the keys `after` and no further than that with the keys
/// `until`.
pub(in crate::features::orders) fn newest(
    tx: &Tx<'_>,
    filter: &OrderFilter,
    (after, until): ([i64; 2], [i64; 2]),
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    // One statement for each filter that few orders pass, so that it has its index.
    let sql = match (filter.user, filter.status) {
        (Some(_), _) => {
            "SELECT id FROM orders
              WHERE user_id = ?5 AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?11)
                AND (?6 IS NULL OR status = ?6) AND (?7 IS NULL OR method = ?7)
                AND (?8 IS NULL OR kind = ?8) AND amount >= ?9 AND amount <= ?10
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        (None, Some(_)) => {
            "SELECT id FROM orders
              WHERE status = ?6 AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?11)
                AND (?7 IS NULL OR method = ?7) AND (?8 IS NULL OR kind = ?8)
                AND amount >= ?9 AND amount <= ?10 AND ?5 IS NULL
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        (None, None) => {
            "SELECT id FROM orders
              WHERE (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?11)
                AND (?7 IS NULL OR method = ?7) AND (?8 IS NULL OR kind = ?8)
                AND amount >= ?9 AND amount <= ?10 AND ?5 IS NULL AND ?6 IS NULL
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
    };
    let [time, id] = after;
    let [until_time, until_id] = until;
    tx.query_all(
        sql,
        params![
            time,
            id,
            until_time,
            fetch,
            filter.user,
            filter.status.map(Status::as_str),
            filter.method.map(Method::as_str),
            filter.kind.map(Kind::as_str),
            filter.min_amount.unwrap_or(0),
            filter.max_amount.unwrap_or(i64::MAX),
            until_id
        ],
        |row| row.get(0),
    )
}

/// The keys of the order that stands `most` behind `after` in the index that [`newest`] looks through;
/// `None` when there are fewer. One user's orders are few.
pub(in crate::features::orders) fn reach(
    tx: &Tx<'_>,
    filter: &OrderFilter,
    [time, id]: [i64; 2],
    most: i64,
) -> Result<Option<[i64; 2]>, DbError> {
    let keys = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?]);
    match (filter.user, filter.status) {
        (Some(_), _) => Ok(None),
        (None, Some(status)) => tx.query_opt(
            "SELECT created_at, id FROM orders WHERE status = ?4 AND (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most, status.as_str()],
            keys,
        ),
        (None, None) => tx.query_opt(
            "SELECT created_at, id FROM orders WHERE (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most],
            keys,
        ),
    }
}

/// The orders of this number: ours, or that of a payment.
pub(in crate::features::orders) fn numbered(
    tx: &Tx<'_>,
    number: &str,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM orders WHERE order_id = ?1
         UNION SELECT id FROM orders WHERE method = 'wechat' AND transaction_id = ?1
         UNION SELECT id FROM orders WHERE method = 'virtual' AND transaction_id = ?1",
        params![number],
        |row| row.get(0),
    )
}

/// The orders of these rows, in their order.
pub(in crate::features::orders) fn rows(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Order>, DbError> {
    // A list of numbers always serialises.
    let wanted = serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
    let mut found = tx.query_all(
        "SELECT o.id, o.order_id, o.user_id, o.kind, o.plan_id, o.plan_level, o.plan_days,
                o.pack_id, o.product_name, o.status, o.method, o.amount, o.refunded_amount,
                o.points, o.transaction_id, o.paid_at, o.vip_expire_at, o.expires_at, o.created_at
           FROM json_each(?1) AS wanted JOIN orders o ON o.id = wanted.value",
        params![wanted],
        super::reads::from_row,
    )?;
    found.sort_by_key(|order| ids.iter().position(|id| *id == order.seq));
    Ok(found)
}

/// How an order is being paid.
pub(in crate::features::orders) fn progress(
    tx: &Tx<'_>,
    order: &OrderId,
) -> Result<Option<PaymentProgress>, DbError> {
    tx.query_opt(
        "SELECT platform, prepay_id IS NOT NULL, started_at, next_ask_at, asked_at, failed_asks,
                close_pending, next_ship_at, ship_attempts, refund_due
           FROM order_payments WHERE order_id = ?1",
        params![order.as_str()],
        |row| {
            Ok(PaymentProgress {
                platform: row.get(0)?,
                has_prepay: row.get(1)?,
                started_at: row.get(2)?,
                next_ask_at: row.get(3)?,
                asked_at: row.get(4)?,
                failed_asks: row.get(5)?,
                is_close_pending: row.get(6)?,
                next_ship_at: row.get(7)?,
                ship_attempts: row.get(8)?,
                refund_due: row.get(9)?,
            })
        },
    )
}

/// What a user's paid orders come to; he has as many as he placed. Uses orders_user_created_idx.
pub(in crate::features::orders) fn spent(tx: &Tx<'_>, user: UserId) -> Result<Spent, DbError> {
    tx.query_one(
        "SELECT COUNT(*), COALESCE(SUM(amount), 0), COALESCE(SUM(refunded_amount), 0)
           FROM orders WHERE user_id = ?1 AND paid_at IS NOT NULL",
        params![user],
        |row| Ok(Spent { orders: row.get(0)?, paid: row.get(1)?, refunded: row.get(2)? }),
    )
}
