//! The tables of reconciliation, and what it reads of orders and refunds.

pub(super) mod money;
pub(super) mod ours;
pub(super) mod report;

use super::model::{
    Channel, Difference, DifferenceId, DifferenceKind, DifferenceState, Found, Run,
};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// The days from `from` on that were compared.
pub(super) fn compared_days(
    tx: &Tx<'_>,
    channel: Channel,
    from: &str,
) -> Result<Vec<String>, DbError> {
    tx.query_all(
        "SELECT day FROM bill_runs
          WHERE channel = ?1 AND day >= ?2 AND compared_at IS NOT NULL LIMIT 1000",
        params![channel.as_str(), from],
        |row| row.get(0),
    )
}

/// Notes that a day was compared.
pub(super) fn compared(
    tx: &Tx<'_>,
    run: &Run,
    fee: Option<i64>,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO bill_runs (channel, day, tried_at, compared_at, listed, differing, fee)
         VALUES (?1, ?2, ?5, ?5, ?3, ?4, ?6)
         ON CONFLICT (channel, day) DO UPDATE SET
           tried_at = ?5, compared_at = ?5, listed = ?3, differing = ?4, problem = NULL, fee = ?6",
        params![run.channel.as_str(), run.day.to_string(), run.listed, run.differing, now, fee],
    )?;
    Ok(())
}

/// Notes that a day could not be compared; with `is_given_up` it is not tried again.
pub(super) fn not_compared(
    tx: &Tx<'_>,
    channel: Channel,
    day: &str,
    problem: &str,
    is_given_up: bool,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO bill_runs (channel, day, tried_at, compared_at, problem)
         VALUES (?1, ?2, ?5, CASE WHEN ?4 THEN ?5 END, ?3)
         ON CONFLICT (channel, day) DO UPDATE SET
           tried_at = ?5, problem = ?3,
           compared_at = CASE WHEN ?4 THEN ?5 ELSE bill_runs.compared_at END",
        params![channel.as_str(), day, problem, is_given_up, now],
    )?;
    Ok(())
}

/// Notes a difference, unless it is noted.
pub(super) fn insert(
    tx: &Tx<'_>,
    channel: Channel,
    day: &str,
    found: &Found,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        "INSERT INTO differences (channel, day, kind, reference, order_id, ours, theirs, found_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (channel, kind, reference) DO NOTHING",
        params![
            channel.as_str(),
            day,
            found.kind.as_str(),
            found.reference,
            found.order,
            found.ours,
            found.theirs,
            now
        ],
    )?;
    Ok(inserted == 1)
}

/// The open differences of a day.
pub(super) fn open_of_day(
    tx: &Tx<'_>,
    channel: Channel,
    day: &str,
) -> Result<Vec<Difference>, DbError> {
    tx.query_all(
        "SELECT id, channel, day, kind, reference, order_id, ours, theirs, found_at, state,
                resolution, resolved_by, resolved_at
           FROM differences WHERE channel = ?1 AND day = ?2 AND state = 'OPEN' ORDER BY id",
        params![channel.as_str(), day],
        from_row,
    )
}

/// Differences of a state, newest first, behind `before`.
pub(super) fn list(
    tx: &Tx<'_>,
    state: DifferenceState,
    before: i64,
    limit: i64,
) -> Result<Vec<Difference>, DbError> {
    tx.query_all(
        "SELECT id, channel, day, kind, reference, order_id, ours, theirs, found_at, state,
                resolution, resolved_by, resolved_at
           FROM differences WHERE state = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
        params![state_text(state), before, limit],
        from_row,
    )
}

pub(super) fn by_id(tx: &Tx<'_>, id: DifferenceId) -> Result<Option<Difference>, DbError> {
    tx.query_opt(
        "SELECT id, channel, day, kind, reference, order_id, ours, theirs, found_at, state,
                resolution, resolved_by, resolved_at
           FROM differences WHERE id = ?1",
        params![id.0],
        from_row,
    )
}

/// Resolves a difference; `false` when it was.
pub(super) fn resolve(
    tx: &Tx<'_>,
    id: DifferenceId,
    resolution: &str,
    by: &str,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE differences SET
           state = 'RESOLVED', resolution = ?2, resolved_by = ?3, resolved_at = ?4
         WHERE id = ?1 AND state = 'OPEN'",
        params![id.0, resolution, by, now],
    )?;
    Ok(changed == 1)
}

fn state_text(state: DifferenceState) -> &'static str {
    match state {
        DifferenceState::Open => "OPEN",
        DifferenceState::Resolved => "RESOLVED",
    }
}

fn from_row(row: &Row<'_>) -> Result<Difference, DbError> {
    let (channel, kind, state): (String, String, String) = (row.get(1)?, row.get(3)?, row.get(9)?);
    let is_open = state == "OPEN";
    Ok(Difference {
        id: DifferenceId(row.get(0)?),
        channel: Channel::from_stored(&channel),
        day: row.get(2)?,
        kind: DifferenceKind::from_stored(&kind),
        reference: row.get(4)?,
        order: row.get(5)?,
        ours: row.get(6)?,
        theirs: row.get(7)?,
        found_at: row.get(8)?,
        state: if is_open { DifferenceState::Open } else { DifferenceState::Resolved },
        resolution: row.get(10)?,
        resolved_by: row.get(11)?,
        resolved_at: row.get(12)?,
    })
}
