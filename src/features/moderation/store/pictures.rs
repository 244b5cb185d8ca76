//! The `media_checks` and `media_traces` tables.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::moderation::model::{CheckState, MediaCheckRow, TraceVerdict};

/// Notes that a picture is to be checked; a second note of it changes nothing.
pub(in crate::features::moderation) fn insert(
    tx: &Tx<'_>,
    image: i64,
    user: UserId,
    media_key: &str,
    (due_at, now): (UnixMillis, UnixMillis),
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO media_checks
           (image_id, user_id, media_key, state, due_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, 'WANTED', ?4, ?5, ?5) ON CONFLICT (image_id) DO NOTHING",
        params![image, user, media_key, due_at, now],
    )?;
    Ok(())
}

/// The check of a picture.
pub(in crate::features::moderation) fn check(
    tx: &Tx<'_>,
    image: i64,
) -> Result<Option<MediaCheckRow>, DbError> {
    tx.query_opt(
        "SELECT image_id, user_id, media_key, state, attempts FROM media_checks
          WHERE image_id = ?1",
        params![image],
        check_from_row,
    )
}

/// Checks whose time has come: to be asked, or waited for in vain. Uses media_checks_due_idx.
pub(in crate::features::moderation) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    limit: i64,
) -> Result<Vec<MediaCheckRow>, DbError> {
    tx.query_all(
        "SELECT image_id, user_id, media_key, state, attempts FROM media_checks
          WHERE state IN ('WANTED', 'ASKED') AND due_at <= ?1 ORDER BY due_at LIMIT ?2",
        params![now, limit],
        check_from_row,
    )
}

/// WeChat is about to be asked once more; until `due_at` nobody else does. `false` when that is no use
/// any more.
pub(in crate::features::moderation) fn begin(
    tx: &Tx<'_>,
    image: i64,
    due_at: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE media_checks SET attempts = attempts + 1, state = 'WANTED', due_at = ?2,
                updated_at = ?3
          WHERE image_id = ?1 AND state IN ('WANTED', 'ASKED')",
        params![image, due_at, now],
    )?;
    Ok(changed == 1)
}

/// Where a check is, and until when that is good; of one without a verdict.
pub(in crate::features::moderation) fn set_state(
    tx: &Tx<'_>,
    image: i64,
    state: &str,
    due_at: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE media_checks SET state = ?2, due_at = ?3, updated_at = ?4
          WHERE image_id = ?1 AND state IN ('WANTED', 'ASKED')",
        params![image, state, due_at, now],
    )?;
    Ok(changed == 1)
}

/// Keeps the verdict on a picture that had none; `false` when it had.
pub(in crate::features::moderation) fn decide(
    tx: &Tx<'_>,
    image: i64,
    verdict: TraceVerdict,
    label: Option<i64>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE media_checks SET state = ?2, label = ?3, updated_at = ?4
          WHERE image_id = ?1 AND state IN ('WANTED', 'ASKED', 'HELD')",
        params![image, verdict.as_str(), label, now],
    )?;
    Ok(changed == 1)
}

/// Notes which picture a question is about; gives the verdict that came before.
pub(in crate::features::moderation) fn trace_asked(
    tx: &Tx<'_>,
    trace: &str,
    image: i64,
    now: UnixMillis,
) -> Result<Option<(TraceVerdict, Option<i64>)>, DbError> {
    let found = tx.query_one(
        "INSERT INTO media_traces (trace_id, image_id, made_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (trace_id) DO UPDATE SET image_id = excluded.image_id
         RETURNING verdict, label",
        params![trace, image, now],
        |row| Ok((row.get::<Option<String>>(0)?, row.get(1)?)),
    )?;
    Ok(found.0.map(|verdict| (TraceVerdict::from_stored(&verdict), found.1)))
}

/// Notes the first verdict on a question; gives the picture, once it is known.
pub(in crate::features::moderation) fn trace_told(
    tx: &Tx<'_>,
    trace: &str,
    (verdict, label): (TraceVerdict, Option<i64>),
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    tx.query_one(
        "INSERT INTO media_traces (trace_id, verdict, label, made_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (trace_id) DO UPDATE SET
           label = CASE WHEN media_traces.verdict IS NULL THEN excluded.label
                        ELSE media_traces.label END,
           verdict = COALESCE(media_traces.verdict, excluded.verdict)
         RETURNING image_id",
        params![trace, verdict.as_str(), label, now],
        |row| row.get(0),
    )
}

/// Forgets some of the questions of before `before`; says how many. Uses media_traces_made_idx.
pub(in crate::features::moderation) fn sweep(
    tx: &Tx<'_>,
    before: UnixMillis,
    limit: i64,
) -> Result<usize, DbError> {
    tx.execute(
        "DELETE FROM media_traces WHERE trace_id IN
           (SELECT trace_id FROM media_traces WHERE made_at < ?1 ORDER BY made_at LIMIT ?2)",
        params![before, limit],
    )
}

fn check_from_row(row: &Row<'_>) -> Result<MediaCheckRow, DbError> {
    let state: String = row.get(3)?;
    Ok(MediaCheckRow {
        image: row.get(0)?,
        user: row.get(1)?,
        media_key: row.get(2)?,
        state: CheckState::from_stored(&state),
        attempts: row.get(4)?,
    })
}
