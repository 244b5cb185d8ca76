//! The `audit_log` table.

use super::model::AuditEntry;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

pub(super) fn append(tx: &Tx<'_>, entry: &AuditEntry, now: UnixMillis) -> Result<i64, DbError> {
    tx.insert(
        "INSERT INTO audit_log (at, actor, action, object, before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            now,
            entry.actor.to_string(),
            entry.action,
            entry.object,
            entry.before.to_string(),
            entry.after.to_string()
        ],
    )
}
