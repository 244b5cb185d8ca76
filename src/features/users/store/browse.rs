//! Lists over all users. Each reads an index that holds what it filters by, then the rows of one page.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::users::model::{AccountState, UserFilter, UserRecord, VipLevel};

/// Which part of a list: behind the row with these keys, in the order of the list.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::users) struct Part {
    pub(in crate::features::users) after: [i64; 2],
    pub(in crate::features::users) fetch: i64,
    pub(in crate::features::users) now: UnixMillis,
}

/// Users, the newest first.
pub(in crate::features::users) fn newest(
    tx: &Tx<'_>,
    filter: &UserFilter,
    part: Part,
) -> Result<Vec<i64>, DbError> {
    // One statement for each filter that few users pass, so that it has its index.
    let sql = match (filter.state, filter.level) {
        (Some(AccountState::Banned), _) => {
            "SELECT id FROM users
              WHERE banned_at IS NOT NULL AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (?5 IS NULL
                     OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
                AND deleted_at IS NULL AND ?7 = 'BANNED'
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        (_, Some(VipLevel::Vip | VipLevel::Svip)) => {
            "SELECT id FROM users
              WHERE vip_level <> 'NORMAL' AND vip_level = ?5 AND vip_expire_at > ?6
                AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (?7 IS NULL
                     OR CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
                             WHEN banned_at IS NOT NULL THEN 'BANNED' ELSE 'ACTIVE' END = ?7)
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        _ => {
            "SELECT id FROM users
              WHERE (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (?5 IS NULL
                     OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
                AND (?7 IS NULL
                     OR CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
                             WHEN banned_at IS NOT NULL THEN 'BANNED' ELSE 'ACTIVE' END = ?7)
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
    };
    let [time, id] = part.after;
    tx.query_all(
        sql,
        params![
            time,
            id,
            filter.from.map_or(i64::MIN, |from| from.0),
            part.fetch,
            filter.level.map(level_text),
            part.now,
            filter.state.map(AccountState::as_str)
        ],
        |row| row.get(0),
    )
}

/// Users whose nicknames are from the first text on and before the second, in the order of names, behind
/// the one with this name and id.
pub(in crate::features::users) fn named(
    tx: &Tx<'_>,
    filter: &UserFilter,
    (from, to): (&str, &str),
    after: (&str, i64),
    part: Part,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM users
          WHERE nick_name IS NOT NULL AND nick_name >= ?8 AND nick_name < ?9
            AND (nick_name, id) > (?1, ?2) AND created_at >= ?3 AND created_at < ?10
            AND (?5 IS NULL
                 OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
            AND (?7 IS NULL
                 OR CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
                         WHEN banned_at IS NOT NULL THEN 'BANNED' ELSE 'ACTIVE' END = ?7)
          ORDER BY nick_name, id LIMIT ?4",
        params![
            after.0,
            after.1,
            filter.from.map_or(i64::MIN, |from| from.0),
            part.fetch,
            filter.level.map(level_text),
            part.now,
            filter.state.map(AccountState::as_str),
            from,
            to,
            filter.to.map_or(i64::MAX, |to| to.0)
        ],
        |row| row.get(0),
    )
}

/// The user of this openid.
pub(in crate::features::users) fn by_openid(
    tx: &Tx<'_>,
    openid: &str,
) -> Result<Option<i64>, DbError> {
    tx.query_opt("SELECT id FROM users WHERE openid = ?1", params![openid], |row| row.get(0))
}

/// The users of these ids, in their order.
pub(in crate::features::users) fn records(
    tx: &Tx<'_>,
    ids: &[i64],
    now: UnixMillis,
) -> Result<Vec<UserRecord>, DbError> {
    // A list of numbers always serialises.
    let wanted = serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
    let mut found = tx.query_all(
        "SELECT u.id, u.openid, u.nick_name, u.avatar_url, u.phone,
                CASE WHEN u.vip_expire_at > ?2 THEN u.vip_level ELSE 'NORMAL' END,
                u.vip_expire_at, u.points_balance, u.invited_by, u.banned_at, u.deleted_at,
                u.created_at, u.updated_at
           FROM json_each(?1) AS wanted JOIN users u ON u.id = wanted.value",
        params![wanted, now],
        |row| {
            let level: String = row.get(5)?;
            Ok(UserRecord {
                id: row.get(0)?,
                openid: row.get(1)?,
                nick_name: row.get(2)?,
                avatar_url: row.get(3)?,
                phone: row.get(4)?,
                level: super::level_of(&level),
                vip_expire_at: row.get(6)?,
                points_balance: row.get(7)?,
                invited_by: row.get(8)?,
                banned_at: row.get(9)?,
                deleted_at: row.get(10)?,
                created_at: row.get(11)?,
                updated_at: row.get(12)?,
            })
        },
    )?;
    found.sort_by_key(|user: &UserRecord| ids.iter().position(|id| UserId(*id) == user.id));
    Ok(found)
}

const fn level_text(level: VipLevel) -> &'static str {
    match level {
        VipLevel::Normal => "NORMAL",
        VipLevel::Vip => "VIP",
        VipLevel::Svip => "SVIP",
    }
}
