//! The `backup_runs` table.

use super::model::{Cause, Run, RunKind};
use crate::db::prelude::*;

/// Keeps a run, and of the old ones the newest `keep`.
pub(super) fn insert(tx: &Tx<'_>, run: &Run, keep: i64) -> Result<(), DbError> {
    let id = tx.insert(
        "INSERT INTO backup_runs
           (kind, cause, name, started_at, ended_at, took_ms, plain_bytes, bytes, uploaded, problem)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            run.kind.as_str(),
            run.cause.as_str(),
            run.name,
            run.started_at,
            run.ended_at,
            run.took_ms,
            run.plain_bytes,
            run.bytes,
            run.is_uploaded,
            run.problem
        ],
    )?;
    tx.execute("DELETE FROM backup_runs WHERE id <= ?1", params![id.saturating_sub(keep)])?;
    Ok(())
}

/// The newest runs of a kind, at most `limit`. Uses backup_runs_kind_idx.
pub(super) fn newest(tx: &Tx<'_>, kind: RunKind, limit: i64) -> Result<Vec<Run>, DbError> {
    tx.query_all(
        "SELECT kind, cause, name, started_at, ended_at, took_ms, plain_bytes, bytes, uploaded, problem
           FROM backup_runs WHERE kind = ?1 ORDER BY id DESC LIMIT ?2",
        params![kind.as_str(), limit],
        from_row,
    )
}

fn from_row(row: &Row<'_>) -> Result<Run, DbError> {
    let (kind, cause): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(Run {
        kind: RunKind::from_stored(&kind),
        cause: Cause::from_stored(&cause),
        name: row.get(2)?,
        started_at: row.get(3)?,
        ended_at: row.get(4)?,
        took_ms: row.get(5)?,
        plain_bytes: row.get(6)?,
        bytes: row.get(7)?,
        is_uploaded: row.get(8)?,
        problem: row.get(9)?,
    })
}
