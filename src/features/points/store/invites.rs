//! Who brought whom: `invite_code` and `invited_by` of the `users` table, and what the ledger says of
//! rewards.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::points::model::Invited;

/// The user's own code, if he has one.
pub(in crate::features::points) fn code(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Option<String>, DbError> {
    let row = tx.query_opt(
        "SELECT invite_code FROM users WHERE id = ?1 AND deleted_at IS NULL",
        params![user],
        |row| row.get(0),
    )?;
    Ok(row.flatten())
}

/// Gives the user this code unless he has one; `false` when the code is somebody else's.
pub(in crate::features::points) fn set_code(
    tx: &Tx<'_>,
    user: UserId,
    code: &str,
) -> Result<bool, DbError> {
    let taken =
        tx.query_opt("SELECT 1 FROM users WHERE invite_code = ?1", params![code], |_| Ok(()))?;
    if taken.is_some() {
        return Ok(false);
    }
    tx.execute(
        "UPDATE users SET invite_code = ?2
          WHERE id = ?1 AND invite_code IS NULL AND deleted_at IS NULL",
        params![user, code],
    )?;
    Ok(true)
}

/// Notes who brought the user: the one with this code, who is neither gone nor banned nor the user
/// himself. Once noted it stays.
pub(in crate::features::points) fn set_inviter(
    tx: &Tx<'_>,
    user: UserId,
    code: &str,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE users SET invited_by =
           (SELECT i.id FROM users i
             WHERE i.invite_code = ?2 AND i.id <> ?1 AND i.banned_at IS NULL
               AND i.deleted_at IS NULL)
          WHERE id = ?1 AND invited_by IS NULL",
        params![user, code],
    )?;
    Ok(())
}

/// Who brought the user and may be rewarded for it.
pub(in crate::features::points) fn inviter(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Option<UserId>, DbError> {
    tx.query_opt(
        "SELECT i.id FROM users u JOIN users i ON i.id = u.invited_by
          WHERE u.id = ?1 AND i.banned_at IS NULL AND i.deleted_at IS NULL",
        params![user],
        |row| row.get(0),
    )
}

/// How many rewards the inviter had, and their points. Uses points_transactions_invite_idx.
pub(in crate::features::points) fn rewards(
    tx: &Tx<'_>,
    inviter: UserId,
) -> Result<(i64, i64), DbError> {
    tx.query_one(
        "SELECT COUNT(*), COALESCE(SUM(amount), 0) FROM points_transactions
          WHERE user_id = ?1 AND reason = 'invite'",
        params![inviter],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// How many users were brought. Uses users_invited_by_idx.
pub(in crate::features::points) fn count(tx: &Tx<'_>, inviter: UserId) -> Result<i64, DbError> {
    tx.query_one("SELECT COUNT(*) FROM users WHERE invited_by = ?1", params![inviter], |row| {
        row.get(0)
    })
}

/// The newest of them. Uses users_invited_by_idx.
pub(in crate::features::points) fn newest(
    tx: &Tx<'_>,
    inviter: UserId,
    limit: i64,
) -> Result<Vec<Invited>, DbError> {
    tx.query_all(
        "SELECT u.nick_name, t.amount, u.created_at
           FROM users u
           LEFT JOIN points_transactions t
             ON t.reason = 'invite' AND t.reference = CAST(u.id AS TEXT)
          WHERE u.invited_by = ?1
          ORDER BY u.created_at DESC, u.id DESC LIMIT ?2",
        params![inviter, limit],
        |row| {
            Ok(Invited {
                nick_name: row.get(0)?,
                points: row.get(1)?,
                created_at: UnixMillis(row.get(2)?),
            })
        },
    )
}
