//! The `idempotency_keys` table.

use super::model::{Answer, KeyedCall, KeyedRequest, Stored};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// How many rows one sweep removes: it holds up other writes meanwhile.
const SWEEP_MAX: i64 = 1000;

/// The kept answer of this key, unless it was stored at `expiry` or before.
pub(super) fn find(
    tx: &Tx<'_>,
    call: &KeyedCall,
    expiry: UnixMillis,
) -> Result<Option<Stored>, DbError> {
    tx.query_opt(
        "SELECT path, body_hash, status, answer FROM idempotency_keys
          WHERE user_id = ?1 AND key = ?2 AND created_at > ?3",
        params![call.user, call.request.key, expiry],
        |row| {
            let answer: Vec<u8> = row.get(3)?;
            Ok(Stored {
                request: KeyedRequest {
                    key: call.request.key.clone(),
                    path: row.get(0)?,
                    body_hash: row.get(1)?,
                },
                answer: Answer { status: row.get(2)?, body: answer.into() },
            })
        },
    )
}

/// Keeps an answer; `false` when the key has one that is not older than `expiry`.
pub(super) fn insert(
    tx: &Tx<'_>,
    call: &KeyedCall,
    answer: &Answer,
    expiry: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        "INSERT INTO idempotency_keys (user_id, key, path, body_hash, status, answer, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (user_id, key) DO UPDATE SET
           path = excluded.path, body_hash = excluded.body_hash, status = excluded.status,
           answer = excluded.answer, created_at = excluded.created_at
         WHERE idempotency_keys.created_at <= ?8",
        params![
            call.user,
            call.request.key,
            call.request.path,
            call.request.body_hash,
            answer.status,
            answer.body.as_ref(),
            now,
            expiry
        ],
    )?;
    Ok(inserted == 1)
}

/// Removes what is older than `expiry`, so many at a time; whether there may be more.
pub(super) fn sweep(tx: &Tx<'_>, expiry: UnixMillis) -> Result<bool, DbError> {
    let removed = tx.execute(
        "DELETE FROM idempotency_keys WHERE id IN
           (SELECT id FROM idempotency_keys WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
        params![expiry, SWEEP_MAX],
    )?;
    Ok(i64::try_from(removed).unwrap_or(i64::MAX) >= SWEEP_MAX)
}

/// Removes all answers to a user; they are those of one day.
pub(super) fn delete_all(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    tx.execute("DELETE FROM idempotency_keys WHERE user_id = ?1", params![user])?;
    Ok(())
}
