//! Gives waiting jobs to workers: as many as may run, to an image API that has a place, in the order
//! of the scheduler.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::worker;
use crate::app::App;
use crate::features::generations::model::Status;

/// Runs until `stop`; then waits for the workers, who leave their jobs to the next start.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    let engine = app.states.get::<Engine>();
    let mut workers = JoinSet::new();
    for (job, status) in engine.take_left() {
        let place = engine.place_of(job.user);
        let is_retrying = status == Status::Retrying;
        let app = Arc::clone(&app);
        workers.spawn(worker::resume(app, job, is_retrying, place, stop.clone()));
    }
    while !stop.is_cancelled() {
        let are_full = hand_out(&app, &engine, &mut workers, &stop);
        tokio::select! {
            () = stop.cancelled() => {}
            () = engine.work() => {}
            () = app.upstreams.freed(), if are_full => {}
            Some(ended) = workers.join_next() => complain(ended),
        }
    }
    while let Some(ended) = workers.join_next().await {
        complain(ended);
    }
}

/// True when jobs wait because no image API has a place.
fn hand_out(
    app: &Arc<App>,
    engine: &Arc<Engine>,
    workers: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> bool {
    while engine.wants_worker(app.image_jobs.concurrency) {
        let Some(lease) = app.upstreams.lease(None) else { return true };
        let Some((user, seq, place)) = engine.next() else { return false };
        workers.spawn(worker::begin(Arc::clone(app), user, seq, lease, place, stop.clone()));
    }
    false
}

/// A worker that panicked leaves its job to the deadline, which gives back.
fn complain(ended: Result<(), JoinError>) {
    if let Err(err) = ended {
        tracing::error!(error = %err, "a worker of image jobs failed");
    }
}
