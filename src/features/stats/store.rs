//! Reading the counters, and the days on which users were active.
//!
//! The counters are written by triggers. What else is read here belongs to the feature that writes it.

pub(super) mod check;
pub(super) mod moments;

use super::model::{Calendar, DayStats, Global, JobTotals, Recent};
use crate::base::ids::UserId;
use crate::db::prelude::*;

/// What a user has done, ever.
pub(super) fn totals(tx: &Tx<'_>, user: UserId) -> Result<JobTotals, DbError> {
    let found = tx.query_opt(
        "SELECT succeeded, failed, canceled, orders FROM user_totals WHERE user_id = ?1",
        params![user],
        |row| {
            Ok(JobTotals {
                succeeded: row.get(0)?,
                failed: row.get(1)?,
                canceled: row.get(2)?,
                orders: row.get(3)?,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// A user's succeeded jobs of this week and month: some forty rows at the most.
pub(super) fn recent(tx: &Tx<'_>, user: UserId, calendar: &Calendar) -> Result<Recent, DbError> {
    let Calendar { week, month, .. } = calendar;
    tx.query_one(
        "SELECT COALESCE(SUM(CASE WHEN day >= ?2 THEN succeeded END), 0),
                COALESCE(SUM(CASE WHEN day >= ?3 THEN succeeded END), 0)
           FROM user_job_days WHERE user_id = ?1 AND day >= ?4",
        params![user, week, month, week.min(month)],
        |row| Ok(Recent { week: row.get(0)?, month: row.get(1)? }),
    )
}

/// The public pictures of a user by the names of their categories, in no order.
pub(super) fn categories(tx: &Tx<'_>, user: UserId) -> Result<Vec<(String, i64)>, DbError> {
    tx.query_all(
        "SELECT c.name, g.images FROM gallery_counts g
           JOIN categories c ON c.category_id = g.category_id
          WHERE g.author_id = ?1 AND g.images > 0",
        params![user],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The whole service, but for the pictures.
pub(super) fn global(tx: &Tx<'_>) -> Result<Global, DbError> {
    let found = tx.query_opt(
        "SELECT users, jobs_succeeded, templates FROM stats_totals WHERE id = 1",
        [],
        |row| {
            Ok(Global {
                users: row.get(0)?,
                jobs_succeeded: row.get(1)?,
                templates: row.get(2)?,
                images: 0,
            })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// The days from `from` to `to` on which anything happened, in order.
pub(super) fn days(tx: &Tx<'_>, from: &str, to: &str) -> Result<Vec<DayStats>, DbError> {
    tx.query_all(
        "SELECT day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled,
                points_earned, points_spent, points_refunded, orders_paid, revenue, refunded
           FROM daily_stats WHERE day BETWEEN ?1 AND ?2 ORDER BY day",
        params![from, to],
        day_from_row,
    )
}

/// Notes who was active on a day; again changes nothing. `users` is a JSON array of ids.
pub(super) fn insert_active(tx: &Tx<'_>, day: &str, users: &str) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO active_days (day, user_id) SELECT ?1, value FROM json_each(?2) WHERE TRUE
         ON CONFLICT (day, user_id) DO NOTHING",
        params![day, users],
    )?;
    Ok(())
}

/// Forgets who was active before `day`, so many at once; says how many. How many there were stays.
pub(super) fn forget_active(tx: &Tx<'_>, day: &str, most: i64) -> Result<usize, DbError> {
    tx.execute(
        "DELETE FROM active_days WHERE (day, user_id) IN
           (SELECT day, user_id FROM active_days WHERE day < ?1 LIMIT ?2)",
        params![day, most],
    )
}

fn day_from_row(row: &Row<'_>) -> Result<DayStats, DbError> {
    Ok(DayStats {
        day: row.get(0)?,
        new_users: row.get(1)?,
        active_users: row.get(2)?,
        jobs_succeeded: row.get(3)?,
        jobs_failed: row.get(4)?,
        jobs_canceled: row.get(5)?,
        points_earned: row.get(6)?,
        points_spent: row.get(7)?,
        points_refunded: row.get(8)?,
        orders_paid: row.get(9)?,
        revenue: row.get(10)?,
        refunded: row.get(11)?,
    })
}
