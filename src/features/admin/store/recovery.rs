//! The `admin_recovery_codes` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::admin::model::AdminId;
use crate::features::admin::model::recovery::Hash;

/// Puts these codes in place of all that were.
pub(in crate::features::admin) fn replace(
    tx: &Tx<'_>,
    admin: AdminId,
    codes: &[Hash],
) -> Result<(), DbError> {
    tx.execute("DELETE FROM admin_recovery_codes WHERE admin_id = ?1", params![admin.0])?;
    codes.iter().try_for_each(|code| {
        tx.execute(
            "INSERT INTO admin_recovery_codes (admin_id, code_hash) VALUES (?1, ?2)",
            params![admin.0, code],
        )
        .map(drop)
    })
}

/// Uses a code up; says whether it was good.
pub(in crate::features::admin) fn take(
    tx: &Tx<'_>,
    admin: AdminId,
    code: &Hash,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let taken = tx.execute(
        "UPDATE admin_recovery_codes SET used_at = ?3
          WHERE admin_id = ?1 AND code_hash = ?2 AND used_at IS NULL",
        params![admin.0, code, now],
    )?;
    Ok(taken == 1)
}

/// How many codes are left.
pub(in crate::features::admin) fn left(tx: &Tx<'_>, admin: AdminId) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM admin_recovery_codes WHERE admin_id = ?1 AND used_at IS NULL",
        params![admin.0],
        |row| row.get(0),
    )
}
