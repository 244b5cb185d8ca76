//! Writing the audit log, and reading it.

use super::model::{AuditEntry, AuditFilter, AuditRow};
use super::store;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// Notes a change, within its transaction. Gives the entry's id.
///
/// # Errors
/// What the database fails with.
pub fn record(tx: &Tx<'_>, entry: &AuditEntry, now: UnixMillis) -> Result<i64, DbError> {
    store::append(tx, entry, now)
}

/// At most `limit` entries below the id `before`, the newest first.
///
/// # Errors
/// What the database fails with.
pub async fn list(
    app: &App,
    filter: AuditFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditRow>, DbError> {
    app.db.read("audit.list", move |tx| list_in(tx, &filter, before, limit)).await
}

/// The same within a read.
///
/// # Errors
/// What the database fails with.
pub fn list_in(
    tx: &Tx<'_>,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditRow>, DbError> {
    // Times are looked up once, so that a page of long ago need not walk there.
    let first = match filter.from {
        Some(from) => store::first_since(tx, from)?,
        None => Some(0),
    };
    let last = match filter.to {
        Some(to) => store::last_before(tx, to)?,
        None => Some(i64::MAX),
    };
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let below = before.unwrap_or(i64::MAX).min(last.saturating_add(1));
    store::list(tx, filter, first, below, limit)
}

/// The entry of this number.
///
/// # Errors
/// What the database fails with.
pub async fn by_id(app: &App, id: i64) -> Result<Option<AuditRow>, DbError> {
    app.db.read("audit.get", move |tx| store::by_id(tx, id)).await
}
