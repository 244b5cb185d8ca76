//! SIGUSR1: more in the log for a while, and a second one: as usual again.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Ours in detail, libraries as usual.
const DETAILED: &str = "info,dream_bff=debug";

/// Nobody should have to remember to switch it off.
const MINUTES: i64 = 15;

/// Listens until `stop`.
///
/// # Errors
/// When the process cannot listen for signals. Needs a tokio runtime.
pub(super) fn listen(app: &Arc<App>, stop: &CancellationToken) -> io::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    let (app, stop) = (Arc::clone(app), stop.clone());
    tokio::spawn(async move {
        while stop.run_until_cancelled(asked.recv()).await.flatten().is_some() {
            if app.log.in_force().is_some_and(|(_, until)| until.is_some()) {
                app.log.restore();
                continue;
            }
            let until = app.clock.now().plus_seconds(MINUTES * 60);
            if let Err(err) = app.log.change(DETAILED, until) {
                tracing::warn!(error = %err, "SIGUSR1 changes nothing");
            }
        }
    });
    Ok(())
}
