//! The `audit_log` table.

use serde_json::Value;

use super::model::{AuditEntry, AuditFilter, AuditRow, ByAdmin};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

pub(super) fn append(tx: &Tx<'_>, entry: &AuditEntry, now: UnixMillis) -> Result<i64, DbError> {
    let admin = entry.actor.by_admin();
    tx.insert(
        "INSERT INTO audit_log (at, actor, action, object, before, after, request_id, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            now,
            entry.actor.to_string(),
            entry.action,
            entry.object,
            entry.before.to_string(),
            entry.after.to_string(),
            admin.and_then(|ByAdmin { request_id, .. }| request_id.as_ref()),
            admin.and_then(|ByAdmin { address, .. }| address.as_ref()),
        ],
    )
}

/// The least id of an entry of `from` or later; `None` when there is none. Entries are numbered in the
/// order of their times, but for those that waited for the writer at the same moment.
pub(super) fn first_since(tx: &Tx<'_>, from: UnixMillis) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "SELECT id FROM audit_log WHERE at >= ?1 ORDER BY at, id LIMIT 1",
        params![from],
        |row| row.get(0),
    )
}

/// The greatest id of an entry before `to`.
pub(super) fn last_before(tx: &Tx<'_>, to: UnixMillis) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "SELECT id FROM audit_log WHERE at < ?1 ORDER BY at DESC, id DESC LIMIT 1",
        params![to],
        |row| row.get(0),
    )
}

/// Entries from `first` to below `below`, the newest first. One statement for each filter that has an
/// index, the most telling one; the others are checked on the way.
pub(super) fn list(
    tx: &Tx<'_>,
    filter: &AuditFilter,
    first: i64,
    below: i64,
    limit: i64,
) -> Result<Vec<AuditRow>, DbError> {
    let AuditFilter { actor, action, object, request_id, .. } = filter;
    let all = params![first, below, limit, actor, action, object, request_id];
    let sql = if request_id.is_some() {
        "SELECT id, at, actor, action, object, before, after, request_id, address FROM audit_log
          WHERE request_id = ?7 AND id >= ?1 AND id < ?2 AND (?4 IS NULL OR actor = ?4)
            AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR object = ?6)
          ORDER BY id DESC LIMIT ?3"
    } else if object.is_some() {
        "SELECT id, at, actor, action, object, before, after, request_id, address FROM audit_log
          WHERE object = ?6 AND id >= ?1 AND id < ?2 AND (?4 IS NULL OR actor = ?4)
            AND (?5 IS NULL OR action = ?5) AND (?7 IS NULL OR request_id = ?7)
          ORDER BY id DESC LIMIT ?3"
    } else if action.is_some() {
        "SELECT id, at, actor, action, object, before, after, request_id, address FROM audit_log
          WHERE action = ?5 AND id >= ?1 AND id < ?2 AND (?4 IS NULL OR actor = ?4)
            AND (?6 IS NULL OR object = ?6) AND (?7 IS NULL OR request_id = ?7)
          ORDER BY id DESC LIMIT ?3"
    } else if actor.is_some() {
        "SELECT id, at, actor, action, object, before, after, request_id, address FROM audit_log
          WHERE actor = ?4 AND id >= ?1 AND id < ?2 AND (?5 IS NULL OR action = ?5)
            AND (?6 IS NULL OR object = ?6) AND (?7 IS NULL OR request_id = ?7)
          ORDER BY id DESC LIMIT ?3"
    } else {
        "SELECT id, at, actor, action, object, before, after, request_id, address FROM audit_log
          WHERE id >= ?1 AND id < ?2 AND (?4 IS NULL OR actor = ?4)
            AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR object = ?6)
            AND (?7 IS NULL OR request_id = ?7)
          ORDER BY id DESC LIMIT ?3"
    };
    tx.query_all(sql, all, from_row)
}

pub(super) fn by_id(tx: &Tx<'_>, id: i64) -> Result<Option<AuditRow>, DbError> {
    tx.query_opt(
        "SELECT id, at, actor, action, object, before, after, request_id, address
           FROM audit_log WHERE id = ?1",
        params![id],
        from_row,
    )
}

fn from_row(row: &Row<'_>) -> Result<AuditRow, DbError> {
    // The table has a CHECK: it is JSON.
    let json = |column: usize| -> Result<Value, DbError> {
        let text: String = row.get(column)?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    };
    Ok(AuditRow {
        id: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        before: json(5)?,
        after: json(6)?,
        request_id: row.get(7)?,
        address: row.get(8)?,
    })
}
