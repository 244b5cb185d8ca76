//! The tasks of a running sandbox: all are known, and all end when it does.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns the sandbox's tasks and ends them; clones share one set.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    stop: CancellationToken,
    running: TaskTracker,
}

impl Tasks {
    /// Runs `task` on the current runtime until it ends or the sandbox stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.running.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Tells every task to end. Does not wait.
    pub(super) fn stop(&self) {
        self.stop.cancel();
        self.running.close();
    }

    /// Waits until every task has ended, at most `limit`. Call [`Tasks::stop`] before.
    pub(super) async fn wait(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.running.wait()).await.is_err() {
            tracing::warn!("the sandbox's tasks did not end in time");
        }
    }
}
