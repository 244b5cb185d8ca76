//! Lists over all refunds.

use crate::db::prelude::*;
use crate::features::refunds::model::{Refund, RefundFilter, RefundStatus};

/// Refunds, the newest first, behind the row of this number; each with its row's number.
pub(in crate::features::refunds) fn newest(
    tx: &Tx<'_>,
    filter: RefundFilter,
    before: i64,
    fetch: i64,
) -> Result<Vec<(i64, Refund)>, DbError> {
    let sql = match filter {
        RefundFilter::All => {
            "SELECT refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
                    points_taken, status, wechat_id, accepted_at, left_fen, had_failed, problem,
                    looks, created_at, ended_at, id
               FROM refunds WHERE id < ?1 AND ?3 IS NULL ORDER BY id DESC LIMIT ?2"
        }
        RefundFilter::Of(_) => {
            "SELECT refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
                    points_taken, status, wechat_id, accepted_at, left_fen, had_failed, problem,
                    looks, created_at, ended_at, id
               FROM refunds WHERE status = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2"
        }
        RefundFilter::WithProblem => {
            "SELECT refund_id, order_id, origin, actor, reason, amount, total, vip_days, points,
                    points_taken, status, wechat_id, accepted_at, left_fen, had_failed, problem,
                    looks, created_at, ended_at, id
               FROM refunds
              WHERE problem IS NOT NULL AND status <> 'REFUNDED' AND id < ?1 AND ?3 IS NULL
              ORDER BY id DESC LIMIT ?2"
        }
    };
    let status = match filter {
        RefundFilter::Of(status) => Some(status),
        RefundFilter::All | RefundFilter::WithProblem => None,
    };
    tx.query_all(sql, params![before, fetch, status.map(RefundStatus::as_str)], |row| {
        Ok((row.get(19)?, super::from_row(row)?))
    })
}
