//! The `quota_usage` table, and what else a charge is decided by.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::generations::model::Usage;

/// What a user has had on this day (`YYYY-MM-DD`) and in its month.
pub(in crate::features::generations) fn usage(
    tx: &Tx<'_>,
    user: UserId,
    day: &str,
) -> Result<Usage, DbError> {
    let month = day.get(..8).unwrap_or(day);
    tx.query_one(
        "SELECT COALESCE(SUM(CASE WHEN day = ?2 THEN free END), 0), COALESCE(SUM(free), 0),
                COALESCE(SUM(CASE WHEN day = ?2 THEN free + paid END), 0)
           FROM quota_usage WHERE user_id = ?1 AND day BETWEEN ?3 || '01' AND ?3 || '31'",
        params![user, day, month],
        |row| {
            Ok(Usage { free_today: row.get(0)?, free_month: row.get(1)?, all_today: row.get(2)? })
        },
    )
}

/// Counts pictures, or takes them back with negative numbers.
pub(in crate::features::generations) fn add(
    tx: &Tx<'_>,
    user: UserId,
    day: &str,
    free: i64,
    paid: i64,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO quota_usage (user_id, day) VALUES (?1, ?2)
         ON CONFLICT (user_id, day) DO NOTHING",
        params![user, day],
    )?;
    tx.execute(
        "UPDATE quota_usage SET free = free + ?3, paid = paid + ?4
          WHERE user_id = ?1 AND day = ?2",
        params![user, day, free, paid],
    )?;
    Ok(())
}

/// Jobs of a user that ever succeeded, those of a removed history too.
pub(in crate::features::generations) fn succeeded(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<i64, DbError> {
    let jobs = tx.query_opt(
        "SELECT jobs + removed FROM generation_counts WHERE user_id = ?1 AND status = 'SUCCEEDED'",
        params![user],
        |row| row.get(0),
    )?;
    Ok(jobs.unwrap_or(0))
}
