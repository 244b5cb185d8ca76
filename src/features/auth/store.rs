//! Sessions, refresh tokens and what was revoked.

use super::model::{RefreshHash, SessionId, SessionRecord, StoredRefresh};
use crate::app::Account;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// What the check of a token must know. `None` for an unknown or deleted user.
pub(super) fn account(tx: &Tx<'_>, user_id: UserId) -> Result<Option<Account>, DbError> {
    tx.query_opt(
        "SELECT token_version, banned_at IS NOT NULL FROM users WHERE id = ?1 AND deleted_at IS NULL",
        params![user_id],
        |row| Ok(Account { token_version: row.get(0)?, is_banned: row.get(1)? }),
    )
}

/// Makes all access tokens of the user old. `users.token_version` is this feature's column.
pub(super) fn raise_token_version(
    tx: &Tx<'_>,
    user_id: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE users SET token_version = token_version + 1, updated_at = ?2 WHERE id = ?1",
        params![user_id, now],
    )?;
    Ok(())
}

pub(super) fn insert_session(
    tx: &Tx<'_>,
    session: &SessionId,
    user_id: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO token_families (family_id, user_id, created_at) VALUES (?1, ?2, ?3)",
        params![session.0, user_id, now],
    )?;
    Ok(())
}

pub(super) fn end_session(
    tx: &Tx<'_>,
    session: &SessionId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE token_families SET revoked_at = ?2 WHERE family_id = ?1 AND revoked_at IS NULL",
        params![session.0, now],
    )?;
    Ok(())
}

pub(super) fn end_sessions(tx: &Tx<'_>, user_id: UserId, now: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "UPDATE token_families SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL",
        params![user_id, now],
    )?;
    Ok(())
}

/// The sessions of a user; those that ended go when their tokens have expired. Uses
/// token_families_user_idx.
pub(super) fn sessions(tx: &Tx<'_>, user_id: UserId) -> Result<Vec<SessionRecord>, DbError> {
    tx.query_all(
        "SELECT f.created_at, f.revoked_at,
                (SELECT MAX(r.issued_at) FROM refresh_tokens r WHERE r.family_id = f.family_id),
                (SELECT MAX(r.expires_at) FROM refresh_tokens r WHERE r.family_id = f.family_id)
           FROM token_families f WHERE f.user_id = ?1 LIMIT 1000",
        params![user_id],
        |row| {
            Ok(SessionRecord {
                created_at: row.get(0)?,
                ended_at: row.get(1)?,
                refreshed_at: row.get(2)?,
                expires_at: row.get(3)?,
            })
        },
    )
}

pub(super) fn insert_refresh(
    tx: &Tx<'_>,
    hash: &RefreshHash,
    session: &SessionId,
    user_id: UserId,
    now: UnixMillis,
    expires_at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO refresh_tokens (token_hash, family_id, user_id, issued_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![hash.as_slice(), session.0, user_id, now, expires_at],
    )?;
    Ok(())
}

pub(super) fn refresh(tx: &Tx<'_>, hash: &RefreshHash) -> Result<Option<StoredRefresh>, DbError> {
    tx.query_opt(
        "SELECT r.family_id, r.user_id, r.expires_at, r.spent_at IS NOT NULL, f.revoked_at IS NOT NULL
           FROM refresh_tokens r JOIN token_families f ON f.family_id = r.family_id
          WHERE r.token_hash = ?1",
        params![hash.as_slice()],
        |row| {
            Ok(StoredRefresh {
                session_id: SessionId(row.get(0)?),
                user_id: row.get(1)?,
                expires_at: row.get(2)?,
                is_spent: row.get(3)?,
                session_is_over: row.get(4)?,
            })
        },
    )
}

/// Spends a token; `false` when another call was first.
pub(super) fn spend_refresh(
    tx: &Tx<'_>,
    hash: &RefreshHash,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE refresh_tokens SET spent_at = ?2 WHERE token_hash = ?1 AND spent_at IS NULL",
        params![hash.as_slice(), now],
    )?;
    Ok(changed == 1)
}

/// Marks a session or an access token as dead; again is fine.
pub(super) fn insert_revoked(tx: &Tx<'_>, id: &str, until: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO revoked_tokens (token_id, expires_at) VALUES (?1, ?2)
         ON CONFLICT (token_id) DO UPDATE SET expires_at = MAX(expires_at, excluded.expires_at)",
        params![id, until],
    )?;
    Ok(())
}

pub(super) fn is_revoked(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    let found =
        tx.query_opt("SELECT 1 FROM revoked_tokens WHERE token_id = ?1", params![id], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Everything dead that has not expired by itself.
pub(super) fn revoked(tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<(String, UnixMillis)>, DbError> {
    tx.query_all(
        "SELECT token_id, expires_at FROM revoked_tokens WHERE expires_at > ?1",
        params![now],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Deletes all sessions of a user with their refresh tokens.
pub(super) fn delete_sessions(tx: &Tx<'_>, user_id: UserId) -> Result<(), DbError> {
    tx.execute("DELETE FROM token_families WHERE user_id = ?1", params![user_id])?;
    Ok(())
}

/// Deletes what has expired: a bounded number of rows, so that the writer is not held up. The rest
/// goes with the next sweep.
pub(super) fn sweep(tx: &Tx<'_>, now: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "DELETE FROM revoked_tokens WHERE token_id IN
           (SELECT token_id FROM revoked_tokens WHERE expires_at <= ?1 LIMIT 1000)",
        params![now],
    )?;
    let sessions: Vec<String> = tx.query_all(
        "DELETE FROM refresh_tokens WHERE token_hash IN
           (SELECT token_hash FROM refresh_tokens WHERE expires_at <= ?1 LIMIT 1000)
         RETURNING family_id",
        params![now],
        |row| row.get(0),
    )?;
    // The refresh token outlives the access tokens, so a session without one is over.
    sessions.iter().try_for_each(|session| delete_session_without_tokens(tx, session))
}

fn delete_session_without_tokens(tx: &Tx<'_>, session: &str) -> Result<(), DbError> {
    tx.execute(
        "DELETE FROM token_families
          WHERE family_id = ?1
            AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE family_id = ?1)",
        params![session],
    )?;
    Ok(())
}
