//! How far today is, and how far yesterday was at the same hour.
//!
//! The counters know whole days only. Once a minute their state is noted, so that the comparison is a row
//! that is read, and costs the writes it compares nothing.

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::stats::model::{Figures, Sales, StatsError};
use crate::features::stats::store;

/// How long moments are kept.
const KEPT_MS: i64 = 8 * DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// Jobs that the times of generation are taken from: the last ones that were submitted.
const TIMED_JOBS: i64 = 1_000;

/// How far the day of `now` is.
///
/// # Errors
/// What the database fails with.
pub fn figures(tx: &Tx<'_>, now: UnixMillis) -> Result<Figures, DbError> {
    let day = now.shanghai_date().to_string();
    let counted = store::days(tx, &day, &day)?.pop().unwrap_or_default();
    let sales = store::moments::sales(tx, &day, &day)?.pop().unwrap_or_default();
    let times = store::moments::times(tx, TIMED_JOBS, day_start(now))?;
    Ok(Figures::of(&counted, &sales, times))
}

/// How far the day before was at the same time of day; `None` when nobody noted it.
///
/// # Errors
/// What the database fails with.
pub fn figures_a_day_before(tx: &Tx<'_>, now: UnixMillis) -> Result<Option<Figures>, DbError> {
    let then = now.plus_millis(-DAY_MS);
    let stored = store::moments::last(tx, &then.shanghai_date().to_string(), then)?;
    Ok(stored.and_then(|json| serde_json::from_str(&json).ok()))
}

/// Who paid and what was sold, by day, from `from` to `to` (`YYYY-MM-DD`, both included).
///
/// # Errors
/// What the database fails with.
pub fn sales(tx: &Tx<'_>, from: &str, to: &str) -> Result<Vec<Sales>, DbError> {
    store::moments::sales(tx, from, to)
}

/// Notes how far today is. Once a minute is as exact as the comparison gets.
///
/// # Errors
/// What the database fails with.
pub async fn note(app: &App) -> Result<(), StatsError> {
    let now = app.clock.now();
    let figures = app.db.read("stats.figures", move |tx| figures(tx, now)).await?;
    // Numbers always serialise.
    let json = serde_json::to_string(&figures).unwrap_or_else(|_| "{}".to_owned());
    let day = now.shanghai_date().to_string();
    app.db
        .write("stats.note_moment", move |tx| {
            store::moments::put(tx, now, &day, &json)?;
            store::moments::forget(tx, now.plus_millis(-KEPT_MS))
        })
        .await?;
    Ok(())
}

/// Midnight in Asia/Shanghai.
fn day_start(now: UnixMillis) -> UnixMillis {
    const AHEAD_MS: i64 = 8 * 3_600_000;
    UnixMillis((now.0 + AHEAD_MS).div_euclid(DAY_MS) * DAY_MS - AHEAD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_midnight_in_shanghai() {
        // 2026-01-29T16:00:00Z is the 30th there.
        let midnight = UnixMillis(1_769_702_400_000);
        assert_eq!(day_start(midnight), midnight);
        assert_eq!(day_start(midnight.plus_millis(DAY_MS - 1)), midnight);
        assert_eq!(day_start(midnight.plus_millis(-1)), midnight.plus_millis(-DAY_MS));
    }
}
