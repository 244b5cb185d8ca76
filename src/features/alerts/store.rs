//! The `alert_states` table.

use super::model::{AlertState, Rule};
use crate::base::bilingual::Bilingual;
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
            state.problem.as_ref().map(to_column),
            state.told_at,
            state.fired_at,
            state.ended_at,
            state.end_owed.as_ref().map(to_column),
            now
        ],
    )?;
    Ok(())
}

/// `None` for a rule of another version.
fn from_row(row: &Row<'_>) -> Result<Option<AlertState>, DbError> {
    let name: String = row.get(0)?;
    let Some(rule) = Rule::by_name(&name) else { return Ok(None) };
    let (problem, end_owed): (Option<String>, Option<String>) = (row.get(3)?, row.get(7)?);
    Ok(Some(AlertState {
        rule,
        since: row.get(1)?,
        firing: row.get(2)?,
        problem: problem.map(from_column),
        told_at: row.get(4)?,
        fired_at: row.get(5)?,
        ended_at: row.get(6)?,
        end_owed: end_owed.map(from_column),
    }))
}

/// Both languages as JSON: who reads it later may speak the other one.
fn to_column(text: &Bilingual) -> String {
    // Two texts always serialise.
    serde_json::to_string(text).unwrap_or_default()
}

/// What was stored before there were two languages is a plain text.
fn from_column(text: String) -> Bilingual {
    serde_json::from_str(&text).unwrap_or_else(|_| Bilingual::same(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_in_one_language_is_still_read() {
        let text = Bilingual::new("磁盘“满”了", "the disk is \"full\"");
        assert_eq!(from_column(to_column(&text)), text);
        for old in ["the disk is full", "5", "{}", ""] {
            assert_eq!(from_column(old.to_owned()), Bilingual::same(old));
        }
    }
}
