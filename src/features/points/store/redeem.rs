//! The `redeem_batches` and `redeem_codes` tables.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::points::model::{Batch, BatchId};

pub(in crate::features::points) fn insert_batch(
    tx: &Tx<'_>,
    batch: &Batch,
    now: UnixMillis,
) -> Result<BatchId, DbError> {
    let id = tx.insert(
        "INSERT INTO redeem_batches (name, points, expires_at, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![batch.name, batch.points, batch.expires_at, batch.created_by, now],
    )?;
    Ok(BatchId(id))
}

pub(in crate::features::points) fn insert_code(
    tx: &Tx<'_>,
    batch: BatchId,
    code: &str,
) -> Result<(), DbError> {
    tx.insert("INSERT INTO redeem_codes (code, batch_id) VALUES (?1, ?2)", params![code, batch.0])?;
    Ok(())
}

/// Uses a code up; what it gives, or `None` when there is none to be used (any more).
pub(in crate::features::points) fn claim(
    tx: &Tx<'_>,
    code: &str,
    user: UserId,
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "UPDATE redeem_codes SET redeemed_by = ?2, redeemed_at = ?3
          WHERE code = ?1 AND redeemed_by IS NULL
            AND EXISTS (SELECT 1 FROM redeem_batches b
                         WHERE b.id = redeem_codes.batch_id
                           AND (b.expires_at IS NULL OR b.expires_at > ?3))
          RETURNING (SELECT b.points FROM redeem_batches b WHERE b.id = redeem_codes.batch_id)",
        params![code, user, now],
        |row| row.get(0),
    )
}

/// Whether there ever was such a code.
pub(in crate::features::points) fn exists(tx: &Tx<'_>, code: &str) -> Result<bool, DbError> {
    let found =
        tx.query_opt("SELECT 1 FROM redeem_codes WHERE code = ?1", params![code], |_| Ok(()))?;
    Ok(found.is_some())
}
