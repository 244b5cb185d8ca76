//! The periodic tasks, as their board knows them.

use std::sync::{Arc, OnceLock};

use serde_json::json;

use crate::app::App;
use crate::features::admin::model::{AdminError, CurrentAdmin};
use crate::features::audit::{self, AuditEntry};
use crate::jobs::{JobBoard, JobState};

/// The board of the process; none on the command line.
#[derive(Default)]
struct Board(OnceLock<Arc<JobBoard>>);

/// Makes the board known. To be called before serving.
pub fn attach(app: &App, board: Arc<JobBoard>) {
    // A second one can only be the same: a process has one.
    let _ = app.states.get::<Board>().0.set(board);
}

/// All tasks, in the order in which they were registered.
pub fn all(app: &App) -> Vec<JobState> {
    app.states.get::<Board>().0.get().map_or_else(Vec::new, |board| board.all())
}

/// How many tasks failed when they last ran, or do not come round any more.
pub fn failing(app: &App) -> usize {
    let state = app.states.get::<Board>();
    let Some(board) = state.0.get() else { return 0 };
    let failed = board.all().iter().filter(|task| task.problem.is_some()).count();
    failed + usize::from(board.stuck().is_some())
}

/// Has a task run at once; one that is running runs once more after that.
///
/// # Errors
/// `NotFound` for a task that is not there; what the database fails with.
pub async fn run_now(app: &App, by: &CurrentAdmin, name: &str) -> Result<(), AdminError> {
    let now = app.clock.now();
    let is_asked = app.states.get::<Board>().0.get().is_some_and(|board| board.run_now(name));
    if !is_asked {
        return Err(AdminError::NotFound);
    }
    let entry = AuditEntry {
        actor: by.actor(),
        action: "task.run",
        object: format!("task:{name}"),
        before: json!({}),
        after: json!({}),
    };
    app.db.write("admin.run_task", move |tx| audit::service::record(tx, &entry, now)).await?;
    Ok(())
}
