//! The counters against the rows that they count.

use crate::db::{Db, DbError, Tx};
use crate::features::stats::model::{DayStats, StatsDifference, StatsError};
use crate::features::stats::store::check;

/// How many differences of each kind are named.
const NAMED: usize = 100;

/// Every counter that is not what the rows come to, up to a hundred of each kind; none when all is well.
///
/// Reads everything in one snapshot: some seconds for each million of rows. Writes go on meanwhile.
///
/// # Errors
/// What the database fails with.
pub async fn compare(db: &Db) -> Result<Vec<StatsDifference>, StatsError> {
    Ok(db.read("stats.compare", differences).await?)
}

fn differences(tx: &Tx<'_>) -> Result<Vec<StatsDifference>, DbError> {
    let most = i64::try_from(NAMED).unwrap_or(i64::MAX);
    let mut found = check::wrong_globals(tx)?;
    let days = check::wrong_days(tx)?;
    found.extend(days.iter().flat_map(|(stored, counted)| of_day(stored, counted)).take(NAMED));
    found.extend(check::wrong_job_days(tx, most)?);
    found.extend(check::wrong_totals(tx, most)?);
    found.extend(check::wrong_refunds(tx, most)?);
    found.extend(check::wrong_sales(tx, most)?);
    Ok(found)
}

fn of_day(stored: &DayStats, counted: &DayStats) -> Vec<StatsDifference> {
    let pairs = stored.counters().into_iter().zip(counted.counters());
    let wrong = pairs.filter(|((_, stored), (_, counted))| stored != counted);
    let one = |((column, was), (_, comes_to)): ((&str, i64), (&str, i64))| StatsDifference {
        counter: format!("daily_stats.{column}"),
        of: stored.day.clone(),
        stored: was,
        counted: comes_to,
    };
    wrong.map(one).collect()
}

/// Makes every counter anew from the rows, in one transaction: other writes wait meanwhile, some
/// seconds for each million of rows. For a repair, with the server stopped or idle.
///
/// # Errors
/// What the database fails with; nothing is changed then.
pub async fn rebuild(db: &Db) -> Result<(), StatsError> {
    Ok(db.write("stats.rebuild", check::rebuild).await?)
}
