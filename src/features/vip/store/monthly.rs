//! The `vip_monthly_points` table.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::vip::model::monthly::Schedule;

/// Begins to count a user's months, unless they are being counted.
pub(in crate::features::vip) fn begin(
    tx: &Tx<'_>,
    user: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO vip_monthly_points (user_id, anchor_at, months, next_at)
         VALUES (?1, ?2, 0, ?2)
         ON CONFLICT (user_id) DO UPDATE SET anchor_at = ?2, months = 0, next_at = ?2
          WHERE next_at IS NULL",
        params![user, now],
    )?;
    Ok(())
}

/// Users for whom something is due, the longest due first. Uses vip_monthly_points_due_idx.
pub(in crate::features::vip) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<UserId>, DbError> {
    tx.query_all(
        "SELECT user_id FROM vip_monthly_points
          WHERE next_at IS NOT NULL AND next_at <= ?1 ORDER BY next_at, user_id LIMIT ?2",
        params![now, limit],
        |row| row.get(0),
    )
}

/// Where a user stands.
pub(in crate::features::vip) fn schedule(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Option<Schedule>, DbError> {
    tx.query_opt(
        "SELECT anchor_at, months, next_at FROM vip_monthly_points WHERE user_id = ?1",
        params![user],
        |row| Ok(Schedule { anchor_at: row.get(0)?, months: row.get(1)?, next_at: row.get(2)? }),
    )
}

/// Notes where a user stands now.
pub(in crate::features::vip) fn put(
    tx: &Tx<'_>,
    user: UserId,
    schedule: Schedule,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE vip_monthly_points SET anchor_at = ?2, months = ?3, next_at = ?4 WHERE user_id = ?1",
        params![user, schedule.anchor_at, schedule.months, schedule.next_at],
    )?;
    Ok(())
}
