//! The `daily_sales` counters, which triggers write, the `stats_moments` table, and how long jobs took.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::stats::model::Sales;

/// The days from `from` to `to` on which anybody paid, in order.
pub(in crate::features::stats) fn sales(
    tx: &Tx<'_>,
    from: &str,
    to: &str,
) -> Result<Vec<Sales>, DbError> {
    tx.query_all(
        "SELECT day, paying_users, points_sold FROM daily_sales
          WHERE day BETWEEN ?1 AND ?2 ORDER BY day",
        params![from, to],
        |row| Ok(Sales { day: row.get(0)?, paying_users: row.get(1)?, points_sold: row.get(2)? }),
    )
}

/// Milliseconds from submission to delivery of those of the last `most` jobs that were delivered since
/// `since`, in no order.
pub(in crate::features::stats) fn times(
    tx: &Tx<'_>,
    most: i64,
    since: UnixMillis,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT completed_at - created_at FROM (
           SELECT status, created_at, completed_at FROM generations ORDER BY seq DESC LIMIT ?1
         ) WHERE status = 'SUCCEEDED' AND completed_at >= ?2",
        params![most, since],
        |row| row.get(0),
    )
}

/// The last moment of `day` up to `until`.
pub(in crate::features::stats) fn last(
    tx: &Tx<'_>,
    day: &str,
    until: UnixMillis,
) -> Result<Option<String>, DbError> {
    tx.query_opt(
        "SELECT figures FROM stats_moments WHERE day = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1",
        params![day, until],
        |row| row.get(0),
    )
}

pub(in crate::features::stats) fn put(
    tx: &Tx<'_>,
    at: UnixMillis,
    day: &str,
    figures: &str,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO stats_moments (at, day, figures) VALUES (?1, ?2, ?3)
         ON CONFLICT (at) DO UPDATE SET figures = excluded.figures",
        params![at, day, figures],
    )
    .map(drop)
}

pub(in crate::features::stats) fn forget(
    tx: &Tx<'_>,
    before: UnixMillis,
) -> Result<usize, DbError> {
    tx.execute("DELETE FROM stats_moments WHERE at < ?1", params![before])
}
