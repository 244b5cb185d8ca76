//! An examination at somebody's word: one at a time, in the background, whose report stays to be read.

use std::sync::Arc;

use parking_lot::Mutex;

use super::examine;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::doctor::model::{Extent, Report};

/// What is remembered for the whole process.
#[derive(Default)]
struct Practice {
    since: Mutex<Option<UnixMillis>>,
    last: Mutex<Option<Examined>>,
}

/// A report, and when it was made.
#[derive(Clone, Debug)]
pub struct Examined {
    pub at: UnixMillis,
    pub report: Arc<Report>,
}

/// Another examination is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another examination is under way")]
pub struct Busy;

/// The last report since the start.
pub fn last(app: &App) -> Option<Examined> {
    app.states.get::<Practice>().last.lock().clone()
}

/// Since when an examination is under way.
pub fn under_way(app: &App) -> Option<UnixMillis> {
    *app.states.get::<Practice>().since.lock()
}

/// Begins a quick examination and returns; its end, within half a minute, is in [`last`].
///
/// # Errors
/// [`Busy`].
pub fn start(app: &Arc<App>) -> Result<(), Busy> {
    let practice = app.states.get::<Practice>();
    {
        let mut since = practice.since.lock();
        if since.is_some() {
            return Err(Busy);
        }
        *since = Some(app.clock.now());
    }
    let (app, turn) = (Arc::clone(app), Turn(practice));
    tokio::spawn(async move {
        let report = Arc::new(examine(&app, Extent::Quick).await);
        *turn.0.last.lock() = Some(Examined { at: app.clock.now(), report });
    });
    Ok(())
}

/// Ends with the examination, however that ends.
struct Turn(Arc<Practice>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.since.lock() = None;
    }
}
