//! The `account_closures` table; what is read for an export stands in `export`.

pub(super) mod export;

use super::model::{Closure, ClosureKind};
use crate::base::ids::UserId;
use crate::db::prelude::*;

/// Notes that an account is being closed. A deletion takes the place of a ban, never the reverse.
pub(super) fn open(tx: &Tx<'_>, closure: &Closure) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO account_closures (user_id, kind, begun_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user_id) DO UPDATE SET kind = excluded.kind, begun_at = excluded.begun_at
          WHERE account_closures.kind = 'BAN'",
        params![closure.user, closure.kind.as_str(), closure.begun_at],
    )?;
    Ok(())
}

/// Nothing is left to do for it; one that was begun anew meanwhile stays.
pub(super) fn close(tx: &Tx<'_>, closure: &Closure) -> Result<(), DbError> {
    tx.execute(
        "DELETE FROM account_closures WHERE user_id = ?1 AND kind = ?2 AND begun_at = ?3",
        params![closure.user, closure.kind.as_str(), closure.begun_at],
    )?;
    Ok(())
}

/// The ban is lifted: nothing is to be done for it any more.
pub(super) fn drop_ban(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    tx.execute("DELETE FROM account_closures WHERE user_id = ?1 AND kind = 'BAN'", params![user])?;
    Ok(())
}

/// The closure of this account, if it is not done.
pub(super) fn of(tx: &Tx<'_>, user: UserId) -> Result<Option<Closure>, DbError> {
    tx.query_opt(
        "SELECT user_id, kind, begun_at FROM account_closures WHERE user_id = ?1",
        params![user],
        from_row,
    )
}

/// Closures of users behind `after`, in the order of users.
pub(super) fn behind(tx: &Tx<'_>, after: UserId, most: i64) -> Result<Vec<Closure>, DbError> {
    tx.query_all(
        "SELECT user_id, kind, begun_at FROM account_closures
          WHERE user_id > ?1 ORDER BY user_id LIMIT ?2",
        params![after, most],
        from_row,
    )
}

fn from_row(row: &Row<'_>) -> Result<Closure, DbError> {
    let kind: String = row.get(1)?;
    Ok(Closure { user: row.get(0)?, kind: ClosureKind::from_stored(&kind), begun_at: row.get(2)? })
}
