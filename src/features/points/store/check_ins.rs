//! The `check_ins` table.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::points::model::LastCheckIn;

pub(in crate::features::points) fn last(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Option<LastCheckIn>, DbError> {
    tx.query_opt(
        "SELECT day, streak FROM check_ins WHERE user_id = ?1 ORDER BY day DESC LIMIT 1",
        params![user],
        |row| Ok(LastCheckIn { day: row.get(0)?, streak: row.get(1)? }),
    )
}

/// Takes the day; `false` when it is taken.
pub(in crate::features::points) fn insert(
    tx: &Tx<'_>,
    user: UserId,
    day: &str,
    streak: i64,
    points: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        "INSERT INTO check_ins (user_id, day, streak, points, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (user_id, day) DO NOTHING",
        params![user, day, streak, points, now],
    )?;
    Ok(inserted == 1)
}
