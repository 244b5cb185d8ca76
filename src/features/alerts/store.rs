//! The `alert_states` table.

use super::model::{AlertState, Rule};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Rows that are read at most; there is one for each rule.
const MOST: i64 = 100;

/// How the rules stand that this program knows.
pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<AlertState>, DbError> {
    let rows: Vec<Option<AlertState>> = tx.query_all(
        "SELECT rule, since, firing, problem, told_at, fired_at, ended_at, end_owed
           FROM alert_states ORDER BY rule LIMIT ?1",
        params![MOST],
        from_row,
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// Keeps how a rule stands.
pub(super) fn put(tx: &Tx<'_>, state: &AlertState, now: UnixMillis) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO alert_states
           (rule, since, firing, problem, told_at, fired_at, ended_at, end_owed, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (rule) DO UPDATE SET
           since = excluded.since, firing = excluded.firing, problem = excluded.problem,
           told_at = excluded.told_at, fired_at = excluded.fired_at, ended_at = excluded.ended_at,
           end_owed = excluded.end_owed, updated_at = excluded.updated_at",
        params![
            state.rule.name(),
            state.since,
            state.firing,
            state.problem,
            state.told_at,
            state.fired_at,
            state.ended_at,
            state.end_owed,
            now
        ],
    )?;
    Ok(())
}

/// `None` for a rule of another version.
fn from_row(row: &Row<'_>) -> Result<Option<AlertState>, DbError> {
    let name: String = row.get(0)?;
    let Some(rule) = Rule::by_name(&name) else { return Ok(None) };
    Ok(Some(AlertState {
        rule,
        since: row.get(1)?,
        firing: row.get(2)?,
        problem: row.get(3)?,
        told_at: row.get(4)?,
        fired_at: row.get(5)?,
        ended_at: row.get(6)?,
        end_owed: row.get(7)?,
    }))
}
