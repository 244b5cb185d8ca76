//! Lists over all users. Each reads an index that holds what it filters by, then the rows of one page.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::users::model::{AccountState, UserFilter, UserRecord, VipLevel};

/// Which part of a list: behind the row with these keys, in the order of the list.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::users) struct Part {
    pub(in crate::features::users) after: [i64; 2],
    /// The keys of the last row that is looked at.
    pub(in crate::features::users) until: [i64; 2],
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
                AND (created_at > ?3 OR id >= ?8)
                AND (?5 IS NULL
                     OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
                AND deleted_at IS NULL AND ?7 = 'BANNED'
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        (Some(AccountState::Deleted), _) => {
            "SELECT id FROM users
              WHERE deleted_at IS NOT NULL AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?8)
                AND (?5 IS NULL
                     OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
                AND ?7 = 'DELETED'
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        (_, Some(VipLevel::Vip | VipLevel::Svip)) => {
            "SELECT id FROM users
              WHERE vip_level <> 'NORMAL' AND vip_level = ?5 AND vip_expire_at > ?6
                AND (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?8)
                AND (?7 IS NULL
                     OR CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
                             WHEN banned_at IS NOT NULL THEN 'BANNED' ELSE 'ACTIVE' END = ?7)
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
        _ => {
            "SELECT id FROM users
              WHERE (created_at, id) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR id >= ?8)
                AND (?5 IS NULL
                     OR CASE WHEN vip_expire_at > ?6 THEN vip_level ELSE 'NORMAL' END = ?5)
                AND (?7 IS NULL
                     OR CASE WHEN deleted_at IS NOT NULL THEN 'DELETED'
                             WHEN banned_at IS NOT NULL THEN 'BANNED' ELSE 'ACTIVE' END = ?7)
              ORDER BY created_at DESC, id DESC LIMIT ?4"
        }
    };
    let [time, id] = part.after;
    let [until_time, until_id] = part.until;
    tx.query_all(
        sql,
        params![
            time,
            id,
            until_time,
            part.fetch,
            filter.level.map(level_text),
            part.now,
            filter.state.map(AccountState::as_str),
            until_id
        ],
        |row| row.get(0),
    )
}

/// The keys of the user who stands `most` behind `after` in the index that [`newest`] looks through;
/// `None` when there are fewer.
pub(in crate::features::users) fn reach(
    tx: &Tx<'_>,
    filter: &UserFilter,
    [time, id]: [i64; 2],
    most: i64,
) -> Result<Option<[i64; 2]>, DbError> {
    let keys = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?]);
    match (filter.state, filter.level) {
        (Some(AccountState::Banned), _) => tx.query_opt(
            "SELECT created_at, id FROM users
              WHERE banned_at IS NOT NULL AND (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most],
            keys,
        ),
        (Some(AccountState::Deleted), _) => tx.query_opt(
            "SELECT created_at, id FROM users
              WHERE deleted_at IS NOT NULL AND (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most],
            keys,
        ),
        (_, Some(level @ (VipLevel::Vip | VipLevel::Svip))) => tx.query_opt(
            "SELECT created_at, id FROM users
              WHERE vip_level <> 'NORMAL' AND vip_level = ?4 AND (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most, level_text(level)],
            keys,
        ),
        _ => tx.query_opt(
            "SELECT created_at, id FROM users WHERE (created_at, id) < (?1, ?2)
              ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?3",
            params![time, id, most],
            keys,
        ),
    }
}

/// Users whose nicknames are behind the first name and id and not behind the second, in the order of
/// names.
pub(in crate::features::users) fn named(
    tx: &Tx<'_>,
    filter: &UserFilter,
    (after, until): ((&str, i64), (&str, i64)),
    fetch: i64,
    now: UnixMillis,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM users
          WHERE nick_name IS NOT NULL AND (nick_name, id) > (?1, ?2) AND nick_name <= ?8
            AND (nick_name < ?8 OR id <= ?9) AND created_at >= ?3 AND created_at < ?10
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
            fetch,
            filter.level.map(level_text),
            now,
            filter.state.map(AccountState::as_str),
            until.0,
            until.1,
            filter.to.map_or(i64::MAX, |to| to.0)
        ],
        |row| row.get(0),
    )
}

/// Name and id of the user who stands `most` behind `after` in the order of names, before the name
/// `until`; `None` when there are fewer.
pub(in crate::features::users) fn reach_named(
    tx: &Tx<'_>,
    after: (&str, i64),
    until: &str,
    most: i64,
) -> Result<Option<(String, i64)>, DbError> {
    tx.query_opt(
        "SELECT nick_name, id FROM users
          WHERE nick_name IS NOT NULL AND (nick_name, id) > (?1, ?2) AND nick_name < ?3
          ORDER BY nick_name, id LIMIT 1 OFFSET ?4",
        params![after.0, after.1, until, most],
        |row| Ok((row.get(0)?, row.get(1)?)),
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
