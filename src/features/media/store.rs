//! `media_objects` and `media_holds`.

use super::model::{Holder, ObjectRow};
use crate::base::time::UnixMillis;
use crate::clients::object_storage::ObjectKey;
use crate::db::prelude::*;

/// Announces an object before its bytes are stored; nobody holds it yet. An object that is there
/// already gets its time anew. `false` while its bytes are being removed.
pub(super) fn announce(tx: &Tx<'_>, object: &ObjectRow, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "INSERT INTO media_objects (key, kind, bytes, width, height, created_at, unused_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (key) DO UPDATE
            SET unused_since = CASE WHEN unused_since IS NULL THEN NULL
                                    ELSE excluded.unused_since END
          WHERE removing = 0",
        params![
            object.key.as_str(),
            object.role.as_str(),
            object.bytes,
            object.width,
            object.height,
            now
        ],
    )?;
    Ok(changed > 0)
}

/// Hands over every object that is not being removed, with its size: key by key, by the primary key.
pub(super) fn every(
    tx: &Tx<'_>,
    mut on_object: impl FnMut(&str, i64) -> Result<(), DbError>,
) -> Result<(), DbError> {
    tx.for_each("SELECT key, bytes FROM media_objects WHERE removing = 0", [], |row| {
        let key: String = row.get(0)?;
        on_object(&key, row.get(1)?)
    })
}

/// Holds an object. `false` when it is not there or being removed.
pub(super) fn hold(
    tx: &Tx<'_>,
    holder: &Holder,
    key: &str,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE media_objects SET unused_since = NULL WHERE key = ?1 AND removing = 0",
        params![key],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO media_holds (holder, key, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (holder, key) DO NOTHING",
        params![holder.as_str(), key, now],
    )?;
    Ok(true)
}

/// Whether `holder` holds this object.
pub(super) fn is_held_by(tx: &Tx<'_>, holder: &Holder, key: &str) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM media_holds WHERE holder = ?1 AND key = ?2",
        params![holder.as_str(), key],
        |row| row.get::<i64>(0),
    )?;
    Ok(found.is_some())
}

/// How many objects `holder` came to hold since a time. Uses media_holds_holder_idx.
pub(super) fn held_since(tx: &Tx<'_>, holder: &Holder, since: UnixMillis) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT count(*) FROM media_holds WHERE holder = ?1 AND created_at >= ?2",
        params![holder.as_str(), since],
        |row| row.get(0),
    )
}

/// Ends everything that `holder` holds; what nobody else holds is unused from `now` on. Says how
/// many holds ended.
pub(super) fn release(tx: &Tx<'_>, holder: &Holder, now: UnixMillis) -> Result<usize, DbError> {
    tx.execute(
        "UPDATE media_objects SET unused_since = ?2
          WHERE key IN (SELECT key FROM media_holds WHERE holder = ?1)
            AND NOT EXISTS (SELECT 1 FROM media_holds AS other
                             WHERE other.key = media_objects.key AND other.holder <> ?1)",
        params![holder.as_str(), now],
    )?;
    tx.execute("DELETE FROM media_holds WHERE holder = ?1", params![holder.as_str()])
}

/// Picks objects that are unused since before a time, and closes them to new holders. Also those
/// that an earlier removal did not finish.
pub(super) fn begin_removal(
    tx: &Tx<'_>,
    before: UnixMillis,
    limit: u32,
) -> Result<Vec<String>, DbError> {
    tx.query_all(
        "UPDATE media_objects SET removing = 1
          WHERE key IN (SELECT key FROM media_objects
                         WHERE unused_since < ?1
                         ORDER BY unused_since LIMIT ?2)
         RETURNING key",
        params![before, limit],
        |row| row.get(0),
    )
}

/// Forgets an object whose bytes are gone.
pub(super) fn end_removal(tx: &Tx<'_>, key: &ObjectKey) -> Result<(), DbError> {
    tx.execute("DELETE FROM media_objects WHERE key = ?1 AND removing = 1", params![key.as_str()])?;
    Ok(())
}
