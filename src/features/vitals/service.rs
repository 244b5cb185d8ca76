//! Looking at the numbers, not more often than they change.

use std::sync::Arc;

use parking_lot::Mutex;

use super::model::Vitals;
use super::store;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// Whoever asks again within this time gets the same answer, in milliseconds.
const FRESH_MS: i64 = 5_000;

/// The last answer.
#[derive(Default)]
struct Last(Mutex<Option<Arc<Vitals>>>);

/// The numbers, up to five seconds old.
///
/// # Errors
/// What the database fails with.
pub async fn vitals(app: &App) -> Result<Arc<Vitals>, DbError> {
    let now = app.clock.now();
    let last = app.states.get::<Last>();
    let kept = last.0.lock().clone();
    // A clock that was set back must not keep an answer for long.
    if let Some(kept) = kept.filter(|kept| now.0.abs_diff(kept.at.0) < FRESH_MS.unsigned_abs()) {
        return Ok(kept);
    }
    let day = now.shanghai_date().to_string();
    let seen = Arc::new(app.db.read("vitals.read", move |tx| read(tx, &day, now)).await?);
    *last.0.lock() = Some(Arc::clone(&seen));
    Ok(seen)
}

fn read(tx: &Tx<'_>, day: &str, now: UnixMillis) -> Result<Vitals, DbError> {
    Ok(Vitals {
        at: now,
        jobs: store::jobs(tx)?,
        oldest_job: store::oldest_job(tx)?,
        orders_pending: store::orders_pending(tx)?,
        events_open: store::events_open(tx)?,
        events_flagged: store::events_flagged(tx)?,
        differences: store::differences(tx)?,
        refunds_due: store::refunds_due(tx)?,
        refunds_open: store::refunds_open(tx)?,
        points_check: store::points_check(tx)?,
        money_check: store::money_check(tx)?,
        today: store::today(tx, day)?.unwrap_or_default(),
    })
}
