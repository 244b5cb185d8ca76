//! The `refunds` table, and what refunds read of points; lists over all stand in `browse`.

pub(super) mod browse;

use super::model::{Earlier, NewRefund, Origin, Refund, RefundId, RefundStatus};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::orders::OrderId;

pub(super) fn insert(tx: &Tx<'_>, refund: &NewRefund, now: UnixMillis) -> Result<(), DbError> {
    tx.insert(
        "INSERT INTO refunds
           (refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
            points_taken, status, wechat_id, next_look_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            refund.id.as_str(),
            refund.order.as_str(),
            refund.origin.as_str(),
            refund.actor,
            refund.reason,
            refund.amount,
            refund.total,
            refund.vip_days,
            refund.points,
            refund.points_taken,
            refund.status.as_str(),
            refund.wechat_id,
            refund.next_look_at,
            now
        ],
    )?;
    Ok(())
}

/// The refund of this number.
pub(super) fn by_id(tx: &Tx<'_>, id: &RefundId) -> Result<Option<Refund>, DbError> {
    tx.query_opt(
        "SELECT refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
                points_taken, status, wechat_id, accepted_at, left_fen, had_failed, problem, looks,
                created_at, ended_at
           FROM refunds WHERE refund_id = ?1",
        params![id.as_str()],
        from_row,
    )
}

/// The refunds of an order, oldest first; there are at most some fifty.
pub(super) fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Refund>, DbError> {
    tx.query_all(
        "SELECT refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
                points_taken, status, wechat_id, accepted_at, left_fen, had_failed, problem, looks,
                created_at, ended_at
           FROM refunds WHERE order_id = ?1 ORDER BY id",
        params![order.as_str()],
        from_row,
    )
}

/// What earlier refunds of an order mean for the next.
pub(super) fn earlier(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Earlier>, DbError> {
    let earlier = of_order(tx, order)?.into_iter().map(|refund| Earlier {
        status: refund.status,
        points: refund.points,
        created_at: refund.created_at,
    });
    Ok(earlier.collect())
}

/// The refunds that are to be looked at, those that wait longest first.
pub(super) fn due(tx: &Tx<'_>, now: UnixMillis, limit: i64) -> Result<Vec<RefundId>, DbError> {
    tx.query_all(
        "SELECT refund_id FROM refunds
          WHERE next_look_at IS NOT NULL AND next_look_at <= ?1
          ORDER BY next_look_at LIMIT ?2",
        params![now, limit],
        |row| Ok(RefundId::from_stored(row.get(0)?)),
    )
}

/// WeChat has taken it on. The first time counts.
pub(super) fn accepted(
    tx: &Tx<'_>,
    id: &RefundId,
    wechat_id: Option<&str>,
    next_look_at: UnixMillis,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET
           accepted_at = COALESCE(accepted_at, ?4), wechat_id = COALESCE(?2, wechat_id),
           problem = NULL, next_look_at = ?3, looks = looks + 1
         WHERE refund_id = ?1 AND status = 'REFUNDING'",
        params![id.as_str(), wechat_id, next_look_at, now],
    )?;
    Ok(())
}

/// Nothing new of it, for this reason.
pub(super) fn waits(
    tx: &Tx<'_>,
    id: &RefundId,
    problem: &str,
    next_look_at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET problem = ?2, next_look_at = ?3, looks = looks + 1
          WHERE refund_id = ?1 AND status IN ('REFUNDING', 'TOLD')",
        params![id.as_str(), problem, next_look_at],
    )?;
    Ok(())
}

/// Notes what is sent to virtual payment with it, before it is sent.
pub(super) fn set_left(
    tx: &Tx<'_>,
    id: &RefundId,
    left_fen: i64,
    had_failed: bool,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET left_fen = ?2, had_failed = ?3
          WHERE refund_id = ?1 AND status = 'REFUNDING' AND left_fen IS NULL",
        params![id.as_str(), left_fen, had_failed],
    )?;
    Ok(())
}

/// Ends it; `false` when it was not `from`.
pub(super) fn end(
    tx: &Tx<'_>,
    id: &RefundId,
    (from, to): (RefundStatus, RefundStatus),
    problem: Option<&str>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE refunds SET
           status = ?3, problem = ?4, ended_at = ?5, next_look_at = NULL,
           accepted_at = CASE ?3 WHEN 'REFUNDED' THEN COALESCE(accepted_at, ?5) ELSE accepted_at END
         WHERE refund_id = ?1 AND status = ?2",
        params![id.as_str(), from.as_str(), to.as_str(), problem, now],
    )?;
    Ok(changed == 1)
}

/// WeChat's own number of it, once that is known.
pub(super) fn set_wechat_id(tx: &Tx<'_>, id: &RefundId, wechat_id: &str) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET wechat_id = ?2 WHERE refund_id = ?1 AND wechat_id IS NULL",
        params![id.as_str(), wechat_id],
    )?;
    Ok(())
}

/// What a refund that was told takes back.
pub(super) fn set_takes(
    tx: &Tx<'_>,
    id: &RefundId,
    vip_days: Option<i64>,
    points: i64,
    points_taken: i64,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET vip_days = ?2, points = ?3, points_taken = ?4
          WHERE refund_id = ?1 AND status = 'TOLD'",
        params![id.as_str(), vip_days, points, points_taken],
    )?;
    Ok(())
}

/// The bill of this day lists it. The first counts.
pub(super) fn billed(tx: &Tx<'_>, id: &RefundId, day: &str) -> Result<(), DbError> {
    tx.execute(
        "UPDATE refunds SET billed_day = ?2 WHERE refund_id = ?1 AND billed_day IS NULL",
        params![id.as_str(), day],
    )?;
    Ok(())
}

/// The points that an order was credited, if it was.
pub(super) fn points_credited(tx: &Tx<'_>, order: &OrderId) -> Result<i64, DbError> {
    let amount = tx.query_opt(
        "SELECT amount FROM points_transactions WHERE reason = 'order' AND reference = ?1",
        params![order.as_str()],
        |row| row.get(0),
    )?;
    Ok(amount.unwrap_or(0))
}

/// What a user has, also one who is gone.
pub(super) fn balance(tx: &Tx<'_>, user: UserId) -> Result<i64, DbError> {
    let balance =
        tx.query_opt("SELECT points_balance FROM users WHERE id = ?1", params![user], |row| {
            row.get(0)
        })?;
    Ok(balance.unwrap_or(0))
}

fn from_row(row: &Row<'_>) -> Result<Refund, DbError> {
    let (order, origin, status): (String, String, String) =
        (row.get(1)?, row.get(2)?, row.get(10)?);
    Ok(Refund {
        id: RefundId::from_stored(row.get(0)?),
        // The table refers to orders, which are called nothing else.
        order: OrderId::parse(&order).ok_or(DbError::NoRow)?,
        origin: Origin::from_stored(&origin),
        actor: row.get(3)?,
        reason: row.get(4)?,
        amount: row.get(5)?,
        total: row.get(6)?,
        vip_days: row.get(7)?,
        points: row.get(8)?,
        points_taken: row.get(9)?,
        status: RefundStatus::from_stored(&status),
        wechat_id: row.get(11)?,
        accepted_at: row.get(12)?,
        left_fen: row.get(13)?,
        had_failed: row.get(14)?,
        problem: row.get(15)?,
        looks: row.get(16)?,
        created_at: row.get(17)?,
        ended_at: row.get(18)?,
    })
}
