//! What was earned, from the orders and refunds; and the days that were compared.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::reconciliation::model::{Channel, ComparedDay, Earned};

/// What was paid from one time on and before another, by day, channel and product. Uses
/// orders_revenue_idx alone.
pub(in crate::features::reconciliation) fn paid(
    tx: &Tx<'_>,
    (from, to): (UnixMillis, UnixMillis),
) -> Result<Vec<Earned>, DbError> {
    tx.query_all(
        "SELECT date((paid_at + 28800000) / 1000, 'unixepoch') AS day, method, product,
                MAX(product_name), COUNT(*), SUM(amount), 0
           FROM orders WHERE paid_at IS NOT NULL AND paid_at >= ?1 AND paid_at < ?2
          GROUP BY day, method, product",
        params![from, to],
        from_row,
    )
}

/// The same of what went back. Uses refunds_accepted_idx.
pub(in crate::features::reconciliation) fn refunded(
    tx: &Tx<'_>,
    (from, to): (UnixMillis, UnixMillis),
) -> Result<Vec<Earned>, DbError> {
    tx.query_all(
        "SELECT date((r.accepted_at + 28800000) / 1000, 'unixepoch') AS day, o.method, o.product,
                MAX(o.product_name), 0, 0, SUM(r.amount)
           FROM refunds r JOIN orders o ON o.order_id = r.order_id
          WHERE r.accepted_at IS NOT NULL AND r.accepted_at >= ?1 AND r.accepted_at < ?2
            AND r.status = 'REFUNDED'
          GROUP BY day, o.method, o.product",
        params![from, to],
        from_row,
    )
}

/// The days of a channel that were compared, or tried to be, from one day on up to another.
pub(in crate::features::reconciliation) fn days(
    tx: &Tx<'_>,
    channel: Channel,
    (from, to): (&str, &str),
) -> Result<Vec<ComparedDay>, DbError> {
    tx.query_all(
        "SELECT channel, day, tried_at, compared_at, listed, differing, problem, fee
           FROM bill_runs WHERE channel = ?1 AND day >= ?2 AND day <= ?3
          ORDER BY day DESC LIMIT 1000",
        params![channel.as_str(), from, to],
        |row| {
            let channel: String = row.get(0)?;
            Ok(ComparedDay {
                channel: Channel::from_stored(&channel),
                day: row.get(1)?,
                tried_at: row.get(2)?,
                compared_at: row.get(3)?,
                listed: row.get(4)?,
                differing: row.get(5)?,
                problem: row.get(6)?,
                fee: row.get(7)?,
            })
        },
    )
}

/// The last result of the money check: when, how many orders, how many findings, and the first of them
/// as JSON.
pub(in crate::features::reconciliation) fn last_money_check(
    tx: &Tx<'_>,
) -> Result<Option<(UnixMillis, i64, i64, String)>, DbError> {
    tx.query_opt(
        "SELECT checked_at, orders, wrong, findings FROM money_checks
          WHERE id = (SELECT MAX(id) FROM money_checks)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )
}

fn from_row(row: &Row<'_>) -> Result<Earned, DbError> {
    let channel: String = row.get(1)?;
    Ok(Earned {
        day: row.get(0)?,
        channel: Channel::from_stored(&channel),
        product: row.get(2)?,
        name: row.get(3)?,
        orders: row.get(4)?,
        paid: row.get(5)?,
        refunded: row.get(6)?,
    })
}
