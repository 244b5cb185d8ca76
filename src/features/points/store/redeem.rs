//! The `redeem_batches` and `redeem_codes` tables.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::points::model::{Batch, BatchId, BatchRecord, CodeRecord};

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
          WHERE code = ?1 AND redeemed_by IS NULL AND revoked_at IS NULL
            AND EXISTS (SELECT 1 FROM redeem_batches b
                         WHERE b.id = redeem_codes.batch_id AND b.revoked_at IS NULL
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

/// Batches, the newest first, behind the one of this number.
pub(in crate::features::points) fn batches(
    tx: &Tx<'_>,
    before: i64,
    fetch: i64,
) -> Result<Vec<BatchRecord>, DbError> {
    tx.query_all(
        "SELECT b.id, b.name, b.points, b.expires_at, b.created_by, b.created_at, b.revoked_at,
                (SELECT COUNT(*) FROM redeem_codes c WHERE c.batch_id = b.id),
                (SELECT COUNT(*) FROM redeem_codes c
                  WHERE c.batch_id = b.id AND c.redeemed_by IS NOT NULL)
           FROM redeem_batches b WHERE b.id < ?1 ORDER BY b.id DESC LIMIT ?2",
        params![before, fetch],
        |row| {
            Ok(BatchRecord {
                id: BatchId(row.get(0)?),
                name: row.get(1)?,
                points: row.get(2)?,
                expires_at: row.get(3)?,
                created_by: row.get(4)?,
                created_at: row.get(5)?,
                revoked_at: row.get(6)?,
                codes: row.get(7)?,
                redeemed: row.get(8)?,
            })
        },
    )
}

/// Codes of a batch behind this one, in the order of codes.
pub(in crate::features::points) fn codes(
    tx: &Tx<'_>,
    batch: BatchId,
    after: &str,
    fetch: i64,
) -> Result<Vec<CodeRecord>, DbError> {
    tx.query_all(
        "SELECT code, batch_id, redeemed_by, redeemed_at, revoked_at FROM redeem_codes
          WHERE batch_id = ?1 AND code > ?2 ORDER BY code LIMIT ?3",
        params![batch.0, after, fetch],
        code_from_row,
    )
}

/// One code.
pub(in crate::features::points) fn code(
    tx: &Tx<'_>,
    code: &str,
) -> Result<Option<CodeRecord>, DbError> {
    tx.query_opt(
        "SELECT code, batch_id, redeemed_by, redeemed_at, revoked_at FROM redeem_codes
          WHERE code = ?1",
        params![code],
        code_from_row,
    )
}

/// No code of the batch can be used any more; `false` when that was so.
pub(in crate::features::points) fn revoke_batch(
    tx: &Tx<'_>,
    batch: BatchId,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE redeem_batches SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![batch.0, now],
    )?;
    Ok(changed == 1)
}

/// The code cannot be used any more; `false` when that was so, or it was used.
pub(in crate::features::points) fn revoke_code(
    tx: &Tx<'_>,
    code: &str,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE redeem_codes SET revoked_at = ?2
          WHERE code = ?1 AND revoked_at IS NULL AND redeemed_by IS NULL",
        params![code, now],
    )?;
    Ok(changed == 1)
}

fn code_from_row(row: &Row<'_>) -> Result<CodeRecord, DbError> {
    Ok(CodeRecord {
        code: row.get(0)?,
        batch: BatchId(row.get(1)?),
        redeemed_by: row.get(2)?,
        redeemed_at: row.get(3)?,
        revoked_at: row.get(4)?,
    })
}
