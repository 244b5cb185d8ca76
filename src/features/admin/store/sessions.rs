//! The `admin_sessions` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::admin::model::recovery::Hash;
use crate::features::admin::model::{AdminId, CurrentAdmin, Origin, Role, SessionRow};

pub(in crate::features::admin) fn insert(
    tx: &Tx<'_>,
    admin: AdminId,
    token: &Hash,
    origin: &Origin,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<i64, DbError> {
    tx.insert(
        "INSERT INTO admin_sessions
           (admin_id, token_hash, address, user_agent, created_at, seen_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
        params![
            admin.0,
            token,
            origin.address.map(|ip| ip.to_string()),
            origin.user_agent,
            now,
            expires_at
        ],
    )
}

/// A session that lives, and when it was last used. `idle_since` is when a session that rests since
/// then has ended.
pub(in crate::features::admin) fn living(
    tx: &Tx<'_>,
    token: &Hash,
    now: UnixMillis,
    idle_since: UnixMillis,
) -> Result<Option<(CurrentAdmin, UnixMillis)>, DbError> {
    tx.query_opt(
        "SELECT a.id, a.username, a.role, a.totp_confirmed_at, s.id, s.expires_at,
                s.stepped_up_until, s.seen_at
           FROM admin_sessions s JOIN admins a ON a.id = s.admin_id
          WHERE s.token_hash = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2 AND s.seen_at > ?3
            AND a.disabled_at IS NULL",
        params![token, now, idle_since],
        |row| {
            let confirmed_at: Option<UnixMillis> = row.get(3)?;
            let admin = CurrentAdmin {
                id: AdminId(row.get(0)?),
                username: row.get(1)?,
                role: super::role(row, 2)?,
                has_totp: confirmed_at.is_some(),
                session_id: row.get(4)?,
                expires_at: row.get(5)?,
                stepped_up_until: row.get(6)?,
                origin: Origin::default(),
            };
            Ok((admin, row.get(7)?))
        },
    )
}

/// The role of whose session this is, while it goes on; as for [`living`].
pub(in crate::features::admin) fn role_of(
    tx: &Tx<'_>,
    session: i64,
    now: UnixMillis,
    idle_since: UnixMillis,
) -> Result<Option<Role>, DbError> {
    tx.query_opt(
        "SELECT a.role FROM admin_sessions s JOIN admins a ON a.id = s.admin_id
          WHERE s.id = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2 AND s.seen_at > ?3
            AND a.disabled_at IS NULL",
        params![session, now, idle_since],
        |row| super::role(row, 0),
    )
}

/// The living sessions of an administrator, the newest first; a hundred at most.
pub(in crate::features::admin) fn of_admin(
    tx: &Tx<'_>,
    admin: AdminId,
    now: UnixMillis,
    idle_since: UnixMillis,
) -> Result<Vec<SessionRow>, DbError> {
    tx.query_all(
        "SELECT id, address, user_agent, created_at, seen_at, expires_at
           FROM admin_sessions
          WHERE admin_id = ?1 AND ended_at IS NULL AND expires_at > ?2 AND seen_at > ?3
          ORDER BY id DESC LIMIT 100",
        params![admin.0, now, idle_since],
        |row| {
            Ok(SessionRow {
                id: row.get(0)?,
                address: row.get(1)?,
                user_agent: row.get(2)?,
                created_at: row.get(3)?,
                seen_at: row.get(4)?,
                expires_at: row.get(5)?,
            })
        },
    )
}

pub(in crate::features::admin) fn touch(
    tx: &Tx<'_>,
    session: i64,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admin_sessions SET seen_at = ?2 WHERE id = ?1 AND seen_at < ?2",
        params![session, now],
    )
    .map(drop)
}

pub(in crate::features::admin) fn step_up(
    tx: &Tx<'_>,
    session: i64,
    until: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admin_sessions SET stepped_up_until = ?2 WHERE id = ?1 AND ended_at IS NULL",
        params![session, until],
    )
    .map(drop)
}

/// Ends one session of this administrator; says whether it lived.
pub(in crate::features::admin) fn end(
    tx: &Tx<'_>,
    admin: AdminId,
    session: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let ended = tx.execute(
        "UPDATE admin_sessions SET ended_at = ?3
          WHERE id = ?2 AND admin_id = ?1 AND ended_at IS NULL",
        params![admin.0, session, now],
    )?;
    Ok(ended == 1)
}

/// Ends all sessions of this administrator but `kept`; says how many lived.
pub(in crate::features::admin) fn end_all(
    tx: &Tx<'_>,
    admin: AdminId,
    kept: Option<i64>,
    now: UnixMillis,
) -> Result<usize, DbError> {
    tx.execute(
        "UPDATE admin_sessions SET ended_at = ?3
          WHERE admin_id = ?1 AND ended_at IS NULL AND expires_at > ?3 AND id <> COALESCE(?2, 0)",
        params![admin.0, kept, now],
    )
}

/// Whether this administrator was logged in from this address before.
pub(in crate::features::admin) fn knows(
    tx: &Tx<'_>,
    admin: AdminId,
    address: &str,
) -> Result<bool, DbError> {
    tx.query_one(
        "SELECT EXISTS (SELECT 1 FROM admin_sessions WHERE admin_id = ?1 AND address = ?2)",
        params![admin.0, address],
        |row| row.get(0),
    )
}

/// Forgets sessions that are over since before `before`.
pub(in crate::features::admin) fn sweep(tx: &Tx<'_>, before: UnixMillis) -> Result<usize, DbError> {
    tx.execute("DELETE FROM admin_sessions WHERE expires_at < ?1", params![before])
}
