//! What vitals reads of other features' tables: counts over indexes that hold only what is open.

use super::model::{Check, Today, Waiting};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Jobs that have not ended, by status.
pub(super) fn jobs(tx: &Tx<'_>) -> Result<Vec<(String, i64)>, DbError> {
    tx.query_all(
        "SELECT lower(status), COUNT(*) FROM generations INDEXED BY generations_open_idx
          WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') GROUP BY status",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// When the job was handed in that has waited longest.
pub(super) fn oldest_job(tx: &Tx<'_>) -> Result<Option<UnixMillis>, DbError> {
    tx.query_one(
        "SELECT MIN(created_at) FROM generations INDEXED BY generations_open_idx
          WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING')",
        [],
        |row| row.get(0),
    )
}

/// Orders that wait for their payment.
pub(super) fn orders_pending(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.query_one("SELECT COUNT(*) FROM orders WHERE status = 'PENDING'", [], |row| row.get(0))
}

/// Events that are stored and not processed.
pub(super) fn events_open(tx: &Tx<'_>) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(received_at) FROM payment_events INDEXED BY payment_events_open_idx
          WHERE state = 'received'",
        [],
        |row| Ok(Waiting { count: row.get(0)?, since: row.get(1)? }),
    )
}

/// Events that somebody must look at.
pub(super) fn events_flagged(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.query_one("SELECT COUNT(*) FROM payment_events WHERE state = 'flagged'", [], |row| {
        row.get(0)
    })
}

/// Differences that nobody has resolved, by kind.
pub(super) fn differences(tx: &Tx<'_>) -> Result<Vec<(String, i64)>, DbError> {
    tx.query_all(
        "SELECT kind, COUNT(*) FROM differences WHERE state = 'OPEN' GROUP BY kind",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Payments that are to go back, and have not been asked for.
pub(super) fn refunds_due(tx: &Tx<'_>) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(updated_at) FROM order_payments WHERE refund_due IS NOT NULL",
        [],
        |row| Ok(Waiting { count: row.get(0)?, since: row.get(1)? }),
    )
}

/// Refunds that have not ended.
pub(super) fn refunds_open(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.query_one("SELECT COUNT(*) FROM refunds WHERE next_look_at IS NOT NULL", [], |row| {
        row.get(0)
    })
}

/// The last check of the points.
pub(super) fn points_check(tx: &Tx<'_>) -> Result<Option<Check>, DbError> {
    tx.query_opt(
        "SELECT checked_at, wrong_users FROM books_checks ORDER BY id DESC LIMIT 1",
        [],
        check,
    )
}

/// The last check of the money.
pub(super) fn money_check(tx: &Tx<'_>) -> Result<Option<Check>, DbError> {
    tx.query_opt("SELECT checked_at, wrong FROM money_checks ORDER BY id DESC LIMIT 1", [], check)
}

fn check(row: &Row<'_>) -> Result<Check, DbError> {
    Ok(Check { at: row.get(0)?, wrong: row.get(1)? })
}

/// The day so far, as the counters have it.
pub(super) fn today(tx: &Tx<'_>, day: &str) -> Result<Option<Today>, DbError> {
    tx.query_opt(
        "SELECT new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled, orders_paid,
                revenue, refunded
           FROM daily_stats WHERE day = ?1",
        params![day],
        |row| {
            Ok(Today {
                new_users: row.get(0)?,
                active_users: row.get(1)?,
                jobs_succeeded: row.get(2)?,
                jobs_failed: row.get(3)?,
                jobs_canceled: row.get(4)?,
                orders_paid: row.get(5)?,
                revenue: row.get(6)?,
                refunded: row.get(7)?,
            })
        },
    )
}
