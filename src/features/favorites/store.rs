//! The `favorites` table.

use super::model::{Favorite, Kind, Resource};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Keeps a thing; gives its id, or `None` when it was kept before.
pub(super) fn insert(
    tx: &Tx<'_>,
    user: UserId,
    resource: &Resource,
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "INSERT INTO favorites (user_id, type, resource_id, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (user_id, type, resource_id) DO NOTHING RETURNING id",
        params![user, resource.kind.as_str(), resource.id, now],
        |row| row.get(0),
    )
}

/// The favorite of this thing.
pub(super) fn find(
    tx: &Tx<'_>,
    user: UserId,
    resource: &Resource,
) -> Result<Option<Favorite>, DbError> {
    tx.query_opt(
        "SELECT id, type, resource_id, created_at FROM favorites
          WHERE user_id = ?1 AND type = ?2 AND resource_id = ?3",
        params![user, resource.kind.as_str(), resource.id],
        from_row,
    )
}

/// Lets a thing go; `false` when the user has no such favorite.
pub(super) fn delete(tx: &Tx<'_>, user: UserId, id: i64) -> Result<bool, DbError> {
    let changed =
        tx.execute("DELETE FROM favorites WHERE id = ?1 AND user_id = ?2", params![id, user])?;
    Ok(changed == 1)
}

/// Lets everything of a user go.
pub(super) fn delete_all(tx: &Tx<'_>, user: UserId) -> Result<usize, DbError> {
    tx.execute("DELETE FROM favorites WHERE user_id = ?1", params![user])
}

/// Which part of a list: behind the favorite with this time and id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) after: [i64; 2],
    pub(super) skip: i64,
    pub(super) fetch: i64,
}

/// A user's favorites, newest first. Uses favorites_user_idx.
pub(super) fn list(tx: &Tx<'_>, user: UserId, part: Part) -> Result<Vec<Favorite>, DbError> {
    tx.query_all(
        "SELECT id, type, resource_id, created_at FROM favorites
          WHERE user_id = ?1 AND (created_at, id) < (?2, ?3)
          ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5",
        params![user, part.after[0], part.after[1], part.fetch, part.skip],
        from_row,
    )
}

/// Those of one kind. Uses favorites_user_type_idx.
pub(super) fn list_of_kind(
    tx: &Tx<'_>,
    user: UserId,
    kind: Kind,
    part: Part,
) -> Result<Vec<Favorite>, DbError> {
    tx.query_all(
        "SELECT id, type, resource_id, created_at FROM favorites
          WHERE user_id = ?1 AND type = ?6 AND (created_at, id) < (?2, ?3)
          ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5",
        params![user, part.after[0], part.after[1], part.fetch, part.skip, kind.as_str()],
        from_row,
    )
}

/// How many a user has, of one kind or in all. Kept up by triggers.
pub(super) fn count(tx: &Tx<'_>, user: UserId, kind: Option<Kind>) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COALESCE(SUM(favorites), 0) FROM favorite_counts
          WHERE user_id = ?1 AND (?2 IS NULL OR type = ?2)",
        params![user, kind.map(Kind::as_str)],
        |row| row.get(0),
    )
}

fn from_row(row: &Row<'_>) -> Result<Favorite, DbError> {
    let kind: String = row.get(1)?;
    let resource = Resource { kind: Kind::from_stored(&kind), id: row.get(2)? };
    Ok(Favorite { id: row.get(0)?, resource, created_at: row.get(3)? })
}
