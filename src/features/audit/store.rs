//! The `audit_log` table.

use super::model::{AuditEntry, ByAdmin};
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
