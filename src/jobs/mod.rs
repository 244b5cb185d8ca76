//! Work that nobody asked for just now: periodic tasks, supervised. Knows no feature.
//!
//! Guarantees: a task that fails or panics is logged and runs again at its next turn; two runs of
//! one task never overlap; all end when the process is asked to stop.

mod board;

pub use board::{JobBoard, JobState};

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::base::clock::Stopwatch;
use crate::base::error_chain::error_chain;

/// What a run comes to.
pub type RunResult = Result<(), Box<dyn Error + Send + Sync>>;

/// A run under way.
pub type Run = Pin<Box<dyn Future<Output = RunResult> + Send>>;

/// A task that comes round: no input, idempotent, compares what is with what should be.
#[derive(Clone, Copy)]
pub struct Periodic {
    /// Stable: logs, metrics and the admin page know it by this.
    pub name: &'static str,
    /// From the end of one run to the start of the next, plus up to a tenth of jitter.
    pub every: Duration,
    /// Starts a run.
    pub run: fn(Arc<App>) -> Run,
}

/// Starts all `tasks`; each runs for the first time after one interval. They end with `stop`.
pub fn start(
    app: &Arc<App>,
    tasks: &[Periodic],
    stop: &CancellationToken,
) -> (Arc<JobBoard>, JoinSet<()>) {
    let board = Arc::new(JobBoard::new(tasks.iter().map(|task| (task.name, task.every))));
    let mut running = JoinSet::new();
    for task in tasks.iter().copied() {
        let (app, board, stop) = (Arc::clone(app), Arc::clone(&board), stop.clone());
        running.spawn(async move {
            let wanted = board.wanted(task.name).unwrap_or_default();
            let turn = || async {
                // Its time has come, or somebody wants it before.
                let _ = tokio::time::timeout(pause(&app, task.every), wanted.notified()).await;
            };
            // A run under way is awaited: it is short and may hold something open.
            while stop.run_until_cancelled(turn()).await.is_some() {
                let since = Stopwatch::start();
                let outcome = AssertUnwindSafe((task.run)(Arc::clone(&app))).catch_unwind().await;
                let problem = match outcome {
                    Ok(Ok(())) => None,
                    Ok(Err(err)) => Some(error_chain(&*err)),
                    Err(_) => Some("it panicked".to_owned()),
                };
                if let Some(problem) = &problem {
                    tracing::error!(job.name = task.name, problem, "a periodic task failed");
                }
                board.ran(task.name, since.elapsed(), problem, app.clock.now());
            }
        });
    }
    (board, running)
}

fn pause(app: &App, every: Duration) -> Duration {
    let tenth = u64::try_from(every.as_millis() / 10).unwrap_or(u64::MAX);
    every + Duration::from_millis(app.rng.below(tenth))
}
