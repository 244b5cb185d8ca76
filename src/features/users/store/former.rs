//! The `former_users` table: who had an account that was deleted, by keyed hash.

use crate::app::keys::OpenidMark;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::users::model::Former;

/// Remembers somebody who left. Of several accounts one after the other the last counts: what counted
/// of those before was carried over to it.
pub(in crate::features::users) fn remember(
    tx: &Tx<'_>,
    mark: &OpenidMark,
    user: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO former_users (openid_mark, user_id, deleted_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (openid_mark) DO UPDATE SET
           user_id = excluded.user_id, deleted_at = excluded.deleted_at",
        params![mark.as_slice(), user, now],
    )?;
    Ok(())
}

/// Whoever has this mark.
pub(in crate::features::users) fn find(
    tx: &Tx<'_>,
    mark: &OpenidMark,
) -> Result<Option<Former>, DbError> {
    tx.query_opt(
        "SELECT user_id FROM former_users WHERE openid_mark = ?1",
        params![mark.as_slice()],
        |row| Ok(Former { user: row.get(0)? }),
    )
}

/// Whoever has the mark `old` has the mark `new` from now on.
pub(in crate::features::users) fn replace_mark(
    tx: &Tx<'_>,
    old: &OpenidMark,
    new: &OpenidMark,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE former_users SET openid_mark = ?2 WHERE openid_mark = ?1",
        params![old.as_slice(), new.as_slice()],
    )?;
    Ok(())
}

/// Forgets which account it was of those who left before a time; says of how many. Uses
/// former_users_linked_idx.
pub(in crate::features::users) fn unlink(
    tx: &Tx<'_>,
    before: UnixMillis,
) -> Result<usize, DbError> {
    tx.execute(
        "UPDATE former_users SET user_id = NULL WHERE user_id IS NOT NULL AND deleted_at < ?1",
        params![before],
    )
}
