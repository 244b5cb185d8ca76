//! Jobs from submission to end.

pub mod accounts;
pub mod charge;
mod dispatch;
mod endings;
mod engine;
pub mod history;
mod late;
mod reads;
mod results;
mod submit;
mod webhook;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(super) use endings::cancel;
pub(super) use reads::{follow, list, quota, wait};
pub(super) use submit::submit;

pub use endings::{cancel_all_queued, end_overdue};
pub use late::look_for_late;
pub use reads::delivered_picture;
pub use reads::quota_of;
pub use webhook::announced;

use self::engine::Engine;
use super::model::{Claimed, Status, Terms};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::settings::{self, Entitlements};
use crate::features::users;

/// Jobs that wait and jobs that hold a worker, at this moment.
pub fn load_now(app: &App) -> (usize, usize) {
    app.states.get::<Engine>().load()
}

/// Takes up what the last process left: what waits and what was under way. To be called before
/// serving.
///
/// # Errors
/// What the database fails with.
pub fn load(app: &App) -> Result<(), DbError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let engine = app.states.get::<Engine>();
    let by_level = &settings.entitlements;
    let mut known: HashMap<UserId, Terms> = HashMap::new();
    app.db.read_inline("generations.load", |tx| {
        let mut of = |user| -> Result<Terms, DbError> {
            if let Some(terms) = known.get(&user) {
                return Ok(*terms);
            }
            let terms = terms(tx, by_level, user, now)?;
            known.insert(user, terms);
            Ok(terms)
        };
        let under_way: Vec<(Claimed, Status)> = store::under_way(tx)?;
        for (job, _) in &under_way {
            engine.resume(job.user, of(job.user)?);
        }
        engine.leave_for_start(under_way);
        for waiting in store::waiting(tx)? {
            engine.add(waiting.user, of(waiting.user)?, waiting.seq);
        }
        Ok(())
    })
}

/// Starts the workers. They end with `stop`, leaving what runs to the next start.
pub fn start(app: &Arc<App>, stop: &CancellationToken) -> JoinSet<()> {
    app.states.get::<Engine>().set_stop(stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(dispatch::run(Arc::clone(app), stop.clone()));
    tasks.spawn(late::run(Arc::clone(app), stop.clone()));
    tasks
}

/// A user's share of the workers, by his membership.
fn terms(
    tx: &Tx<'_>,
    by_level: &Entitlements,
    user: UserId,
    now: UnixMillis,
) -> Result<Terms, DbError> {
    let user = users::service::find(tx, user)?;
    let may = match user {
        Some(user) => user.level_at(now).entitlement(by_level),
        // Deleted meanwhile; what he had submitted still ends.
        None => &by_level.normal,
    };
    Ok(Terms { weight: may.weight, concurrency: may.concurrency })
}
