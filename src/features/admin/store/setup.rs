//! The `admin_setup` table: one row at most.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::admin::model::recovery::Hash;

/// Puts this link in place of an earlier one.
pub(in crate::features::admin) fn put(
    tx: &Tx<'_>,
    token: &Hash,
    expires_at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO admin_setup (id, token_hash, expires_at) VALUES (1, ?1, ?2)
         ON CONFLICT (id) DO UPDATE
           SET token_hash = excluded.token_hash, expires_at = excluded.expires_at",
        params![token, expires_at],
    )
    .map(drop)
}

/// Uses the link up; says whether it was good.
pub(in crate::features::admin) fn take(
    tx: &Tx<'_>,
    token: &Hash,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let taken = tx.execute(
        "DELETE FROM admin_setup WHERE id = 1 AND token_hash = ?1 AND expires_at > ?2",
        params![token, now],
    )?;
    Ok(taken == 1)
}

/// Whether the link is good, without using it up.
pub(in crate::features::admin) fn is_good(
    tx: &Tx<'_>,
    token: &Hash,
    now: UnixMillis,
) -> Result<bool, DbError> {
    tx.query_one(
        "SELECT EXISTS (SELECT 1 FROM admin_setup
                         WHERE id = 1 AND token_hash = ?1 AND expires_at > ?2)",
        params![token, now],
        |row| row.get(0),
    )
}

/// No link is good any more.
pub(in crate::features::admin) fn clear(tx: &Tx<'_>) -> Result<(), DbError> {
    tx.execute("DELETE FROM admin_setup WHERE id = 1", []).map(drop)
}
