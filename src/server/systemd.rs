//! What systemd is told (sd_notify), where it started us: ready, reloading, stopping, and that we live.
//!
//! Guarantees: `READY=1` comes once we listen and `/readyz` is good, or, so that reads are served
//! even on a full disk, after `READY_PATIENCE` with a status that says what is wrong. The watchdog is
//! fed only after the database's writer has answered, from a task of the runtime: a stuck writer or a
//! stuck runtime starves it, and systemd restarts the service. A write that *fails* is an answer: a
//! restart would not mend a full disk.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

use super::health::Readyz;
use crate::app::App;
use crate::base::clock::Stopwatch;

/// How long the start waits for `/readyz` to become good.
const READY_PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at it.
const READY_PAUSE: Duration = Duration::from_millis(100);

/// How long opening the database may take (a migration of a large one) before systemd gives up.
const OPENING: Duration = Duration::from_secs(900);

/// Between two questions to a writer whose queue is full.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

fn tell(states: &[NotifyState<'_>]) {
    // Without systemd there is nobody to tell, and that is no error.
    if let Err(err) = sd_notify::notify(states) {
        tracing::warn!(error = %err, "systemd cannot be told how we are");
    }
}

/// The database is being opened and perhaps migrated.
pub fn opening() {
    let micros = u32::try_from(OPENING.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::Status("opening the database"), NotifyState::ExtendTimeoutUsec(micros)]);
}

/// Waits until `ready` is good and says that we serve, with `status`.
pub async fn started(ready: &Readyz, status: &str) {
    let waiting = Stopwatch::start();
    loop {
        let (is_ready, report) = ready.report().await;
        if is_ready {
            tell(&[NotifyState::Ready, NotifyState::Status(status)]);
            return;
        }
        if waiting.elapsed() > READY_PATIENCE {
            tracing::warn!(report, "serving, though not everything is ready");
            let status = format!("{status}, but not ready: {report}");
            tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
            return;
        }
        sleep(READY_PAUSE).await;
    }
}

/// SIGHUP has come; [`reloaded`] must follow.
pub fn reloading() {
    let states = [Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()];
    tell(&states.into_iter().flatten().collect::<Vec<_>>());
}

/// The reload is over, with or without success.
pub fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// No new connections; what runs has `limit` to end.
pub fn stopping(limit: Duration) {
    let status = format!("finishing what runs, {} s at most", limit.as_secs());
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

/// Feeds the watchdog, where systemd watches us. To be spawned: it ends with the runtime.
pub async fn feed_watchdog(app: Arc<App>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        match timeout(limit, answers(&app)).await {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(_) => tracing::error!("the database writer does not answer; systemd will act"),
        }
        sleep(limit / 3).await;
    }
}

/// Waits until the writer has done something that was asked of it.
async fn answers(app: &App) {
    // A full queue says nothing about the writer; another question does.
    while !app.db.writer_answers().await {
        sleep(BUSY_PAUSE).await;
    }
}
