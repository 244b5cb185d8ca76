//! The `settings` table.

use super::model::Section;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// A section as stored, not yet understood.
pub(super) struct StoredSection {
    pub(super) key: String,
    pub(super) json: String,
}

/// Everything that is stored, of whatever program.
pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<StoredSection>, DbError> {
    tx.query_all("SELECT key, value FROM settings ORDER BY key LIMIT 1000", [], |row| {
        Ok(StoredSection { key: row.get(0)?, json: row.get(1)? })
    })
}

pub(super) fn put(
    tx: &Tx<'_>,
    section: Section,
    json: &str,
    by: &str,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO settings (key, value, updated_at, updated_by) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key) DO UPDATE SET
           value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        params![section.key(), json, now, by],
    )?;
    Ok(())
}

/// When a section was last changed, and by whom.
pub(super) fn last_change(
    tx: &Tx<'_>,
    section: Section,
) -> Result<Option<(UnixMillis, String)>, DbError> {
    tx.query_opt(
        "SELECT updated_at, updated_by FROM settings WHERE key = ?1",
        params![section.key()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
