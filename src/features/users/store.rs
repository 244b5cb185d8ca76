//! The `users` table; who had an account before stands in `former`, lists over all in `browse`.

pub(super) mod browse;
pub(super) mod former;

use super::model::{Arrival, ProfileChange, Standing, StoredUser, VipLevel};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// A user who is not deleted.
pub(super) fn by_id(tx: &Tx<'_>, id: UserId) -> Result<Option<StoredUser>, DbError> {
    tx.query_opt(
        "SELECT id, openid, unionid, nick_name, avatar_url, phone, vip_level, vip_expire_at,
                points_balance, created_at
           FROM users WHERE id = ?1 AND deleted_at IS NULL",
        params![id],
        from_row,
    )
}

/// The user of this openid after what the login brings: the newest session key always; union id
/// and phone when there are any; name and picture only where there are none yet.
pub(super) fn update_arrived(
    tx: &Tx<'_>,
    arrival: &Arrival,
    now: UnixMillis,
) -> Result<Option<StoredUser>, DbError> {
    tx.query_opt(
        "UPDATE users SET
           unionid = COALESCE(?2, unionid), session_key_sealed = ?3, session_key_at = ?7,
           phone = COALESCE(?4, phone), nick_name = COALESCE(nick_name, ?5),
           avatar_url = COALESCE(avatar_url, ?6), updated_at = ?7
         WHERE openid = ?1
         RETURNING id, openid, unionid, nick_name, avatar_url, phone, vip_level, vip_expire_at,
                   points_balance, created_at",
        params![
            arrival.openid,
            arrival.unionid,
            arrival.session_key_sealed,
            arrival.phone,
            arrival.profile.nick_name,
            arrival.profile.avatar_url,
            now
        ],
        from_row,
    )
}

pub(super) fn insert(
    tx: &Tx<'_>,
    arrival: &Arrival,
    now: UnixMillis,
) -> Result<StoredUser, DbError> {
    tx.query_one(
        "INSERT INTO users (openid, unionid, session_key_sealed, session_key_at, phone, nick_name,
                            avatar_url, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?7, ?4, ?5, ?6, ?7, ?7)
         RETURNING id, openid, unionid, nick_name, avatar_url, phone, vip_level, vip_expire_at,
                   points_balance, created_at",
        params![
            arrival.openid,
            arrival.unionid,
            arrival.session_key_sealed,
            arrival.phone,
            arrival.profile.nick_name,
            arrival.profile.avatar_url,
            now
        ],
        from_row,
    )
}

/// Changes what is given; `false` when there is no such user.
pub(super) fn change_profile(
    tx: &Tx<'_>,
    id: UserId,
    change: &ProfileChange,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE users SET nick_name = COALESCE(?2, nick_name), avatar_url = COALESCE(?3, avatar_url),
                updated_at = ?4
          WHERE id = ?1 AND deleted_at IS NULL",
        params![id, change.nick_name, change.avatar_url, now],
    )?;
    Ok(changed == 1)
}

/// Sets the phone number; `false` when there is no such user.
pub(super) fn set_phone(
    tx: &Tx<'_>,
    id: UserId,
    phone: &str,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE users SET phone = ?2, updated_at = ?3 WHERE id = ?1 AND deleted_at IS NULL",
        params![id, phone, now],
    )?;
    Ok(changed == 1)
}

/// The sealed session key of a user with its openid and when it came; `None` when there is none.
pub(super) fn session_key(
    tx: &Tx<'_>,
    id: UserId,
) -> Result<Option<(String, Vec<u8>, UnixMillis)>, DbError> {
    tx.query_opt(
        "SELECT openid, session_key_sealed, session_key_at FROM users
          WHERE id = ?1 AND deleted_at IS NULL
            AND session_key_sealed IS NOT NULL AND session_key_at IS NOT NULL",
        params![id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Forgets the session key that came at `since`; a newer one stays.
pub(super) fn forget_session_key(
    tx: &Tx<'_>,
    id: UserId,
    since: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE users SET session_key_sealed = NULL, session_key_at = NULL
          WHERE id = ?1 AND session_key_at = ?2",
        params![id, since],
    )?;
    Ok(())
}

/// Whether an account may be used.
pub(super) fn standing(tx: &Tx<'_>, id: UserId) -> Result<Option<Standing>, DbError> {
    tx.query_opt("SELECT banned_at, deleted_at FROM users WHERE id = ?1", params![id], |row| {
        Ok(Standing { banned_at: row.get(0)?, deleted_at: row.get(1)? })
    })
}

/// Bans a user; `false` when he is banned or gone.
pub(super) fn ban(tx: &Tx<'_>, id: UserId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE users SET banned_at = ?2, updated_at = ?2
          WHERE id = ?1 AND banned_at IS NULL AND deleted_at IS NULL",
        params![id, now],
    )?;
    Ok(changed == 1)
}

/// Lifts a ban; `false` when there is none.
pub(super) fn unban(tx: &Tx<'_>, id: UserId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE users SET banned_at = NULL, updated_at = ?2
          WHERE id = ?1 AND banned_at IS NOT NULL AND deleted_at IS NULL",
        params![id, now],
    )?;
    Ok(changed == 1)
}

/// Takes all that says who a user is; `false` when that was done, or he never was.
pub(super) fn delete(tx: &Tx<'_>, id: UserId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE users SET
           openid = NULL, unionid = NULL, nick_name = NULL, avatar_url = NULL, phone = NULL,
           session_key_sealed = NULL, session_key_at = NULL, deleted_at = ?2, updated_at = ?2
         WHERE id = ?1 AND deleted_at IS NULL",
        params![id, now],
    )?;
    Ok(changed == 1)
}

fn from_row(row: &Row<'_>) -> Result<StoredUser, DbError> {
    let level: String = row.get(6)?;
    Ok(StoredUser {
        id: row.get(0)?,
        openid: row.get(1)?,
        unionid: row.get(2)?,
        nick_name: row.get(3)?,
        avatar_url: row.get(4)?,
        phone: row.get(5)?,
        vip_level: level_of(&level),
        vip_expire_at: row.get(7)?,
        points_balance: row.get(8)?,
        created_at: row.get(9)?,
    })
}

/// The table's CHECK admits no other text.
fn level_of(text: &str) -> VipLevel {
    match text {
        "VIP" => VipLevel::Vip,
        "SVIP" => VipLevel::Svip,
        _ => VipLevel::Normal,
    }
}
