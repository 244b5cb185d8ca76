//! The first page, in one read: counters of days, moments of yesterday, and counts that stop at a bound.
//! It costs the same at any size.

mod machine;

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::admin::model::AdminError;
use crate::features::admin::model::home::{COUNTED, Home, Need, NeedKind, Queue, series};
use crate::features::admin::store::home as store;
use crate::features::{generations, stats};

/// A notification is worked on within seconds; what is older than this is not.
const UNPROCESSED_AFTER_MS: i64 = 2 * 60_000;

/// A job ends within seconds of its deadline.
const STUCK_AFTER_MS: i64 = 60_000;

/// How long a failed refund needs somebody: he has looked by then.
const FAILED_REFUND_MS: i64 = 3 * DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// The first page with a series of so many days.
///
/// # Errors
/// What the database fails with.
pub async fn home(app: &App, days: i64) -> Result<Home, AdminError> {
    let now = app.clock.now();
    let names: Vec<String> = (0..days)
        .rev()
        .map(|back| now.plus_millis(-back * DAY_MS).shanghai_date().to_string())
        .collect();
    let mut home = app
        .db
        .read("admin.home", move |tx| {
            let (from, to) = (names.first().cloned().unwrap_or_default(), today(now));
            let days = stats::service::days(tx, &from, &to)?;
            let sales = stats::service::moments::sales(tx, &from, &to)?;
            Ok::<_, DbError>(Home {
                at: now,
                today: stats::service::moments::figures(tx, now)?,
                yesterday: stats::service::moments::figures_a_day_before(tx, now)?,
                queue: Queue { waiting: 0, running: 0, capacity: 0 },
                series: series(names.into_iter(), days, sales),
                needs: stored_needs(tx, now)?,
            })
        })
        .await?;
    home.queue = queue(app);
    home.needs.extend(machine::needs(app));
    Ok(home)
}

/// Image jobs at this moment.
pub fn queue(app: &App) -> Queue {
    let (waiting, running) = generations::service::load_now(app);
    Queue { waiting, running, capacity: app.image_jobs.queue_max }
}

fn today(now: UnixMillis) -> String {
    now.shanghai_date().to_string()
}

/// What waits in the database, the most urgent first.
fn stored_needs(tx: &Tx<'_>, now: UnixMillis) -> Result<Vec<Need>, DbError> {
    use NeedKind as K;
    let (not_credited, others) = store::differences(tx, COUNTED)?;
    let unprocessed = now.plus_millis(-UNPROCESSED_AFTER_MS);
    let stuck = now.plus_millis(-STUCK_AFTER_MS);
    let failed = now.plus_millis(-FAILED_REFUND_MS);
    let found = [
        (K::PaidNotCredited, not_credited),
        (K::MoneyUnbalanced, store::unbalanced_money(tx)?),
        (K::PointsUnbalanced, store::unbalanced_points(tx)?),
        (K::EventUnprocessed, store::unprocessed_events(tx, unprocessed, COUNTED)?),
        (K::EventFlagged, store::flagged_events(tx, COUNTED)?),
        (K::RefundProblem, store::refunds_with_problem(tx, COUNTED)?),
        (K::RefundFailed, store::failed_refunds(tx, failed, COUNTED)?),
        (K::Difference, others),
        (K::BillMissing, store::missing_bills(tx)?),
        (K::JobStuck, store::stuck_jobs(tx, stuck, COUNTED)?),
        (K::ReportWaiting, store::reported_pictures(tx, COUNTED)?),
        (K::ReviewWaiting, store::pending_reviews(tx, COUNTED)?),
    ];
    let is_there = |(_, (count, _)): &(NeedKind, store::Waiting)| *count > 0;
    let need = |(kind, (count, since))| Need { kind, count, since };
    Ok(found.into_iter().filter(is_there).map(need).collect())
}
