//! The `vip_reminders` table, and who is to be in it.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::vip::model::{Expiring, Reminder, ReminderId, level_of};

/// Memberships that end behind `after` (time and user) and up to `until`, in that order. Uses
/// users_vip_expire_idx.
pub(in crate::features::vip) fn expiring(
    tx: &Tx<'_>,
    after: Expiring,
    until: UnixMillis,
    limit: i64,
) -> Result<Vec<Expiring>, DbError> {
    tx.query_all(
        "SELECT vip_expire_at, id FROM users
          WHERE vip_level <> 'NORMAL' AND (vip_expire_at, id) > (?1, ?2) AND vip_expire_at <= ?3
          ORDER BY vip_expire_at, id LIMIT ?4",
        params![after.expires_at, after.user, until, limit],
        |row| Ok(Expiring { expires_at: row.get(0)?, user: row.get(1)? }),
    )
}

/// Notes that a user is to be reminded of this end, once.
pub(in crate::features::vip) fn add(
    tx: &Tx<'_>,
    expiring: Expiring,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO vip_reminders (user_id, expires_at, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user_id, expires_at) DO NOTHING",
        params![expiring.user, expiring.expires_at, now],
    )?;
    Ok(())
}

/// Those who were not reminded yet of an end that is still ahead and still theirs, the nearest first.
/// Uses vip_reminders_unsent_idx.
pub(in crate::features::vip) fn unsent(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<Reminder>, DbError> {
    tx.query_all(
        "SELECT r.id, r.user_id, u.openid, u.vip_level, r.expires_at
           FROM vip_reminders r JOIN users u ON u.id = r.user_id
          WHERE r.sent_at IS NULL AND r.expires_at > ?1 AND u.vip_expire_at = r.expires_at
            AND u.deleted_at IS NULL AND u.banned_at IS NULL
          ORDER BY r.expires_at, r.id LIMIT ?2",
        params![now, limit],
        |row| {
            let level: String = row.get(3)?;
            Ok(Reminder {
                id: ReminderId(row.get(0)?),
                user: row.get(1)?,
                openid: row.get(2)?,
                level: level_of(&level),
                expires_at: row.get(4)?,
            })
        },
    )
}

/// Notes that the user was told; `false` when that was noted before.
pub(in crate::features::vip) fn mark_sent(
    tx: &Tx<'_>,
    id: ReminderId,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let marked = tx.execute(
        "UPDATE vip_reminders SET sent_at = ?2 WHERE id = ?1 AND sent_at IS NULL",
        params![id.0, now],
    )?;
    Ok(marked == 1)
}

/// Forgets some of the reminders of ends before `before`; says how many. Uses
/// vip_reminders_expires_idx.
pub(in crate::features::vip) fn sweep(
    tx: &Tx<'_>,
    before: UnixMillis,
    limit: i64,
) -> Result<usize, DbError> {
    tx.execute(
        "DELETE FROM vip_reminders WHERE id IN
           (SELECT id FROM vip_reminders WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
        params![before, limit],
    )
}
