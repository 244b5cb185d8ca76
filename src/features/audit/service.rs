//! Writing the audit log.

use super::model::AuditEntry;
use super::store;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// Notes a change, within its transaction. Gives the entry's id.
///
/// # Errors
/// What the database fails with.
pub fn record(tx: &Tx<'_>, entry: &AuditEntry, now: UnixMillis) -> Result<i64, DbError> {
    store::append(tx, entry, now)
}
