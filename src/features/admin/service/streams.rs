//! Streams to the page: bounded in number, ended with their session and with the process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio_util::sync::CancellationToken;
use tracing::Level;

use super::{home, sessions};
use crate::app::App;
use crate::base::log_ring::{LogLine, LogRing};
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::admin::model::home::Queue;
use crate::features::admin::model::{AdminError, CurrentAdmin};
use crate::features::stats;

/// Streams open at once, of all administrators together.
const STREAMS: u32 = 64;

/// Between two looks at the numbers.
const LIVE_EVERY: Duration = Duration::from_secs(2);

/// Between two looks at whether the session still lives, where nothing else happens.
const SESSION_EVERY: Duration = Duration::from_secs(10);

/// Lines sent at once; what is older is left out.
const LINES_AT_ONCE: usize = 500;

#[derive(Default)]
struct Streams {
    open: AtomicU32,
    stop: OnceLock<CancellationToken>,
}

/// Has all streams end with `stop`. To be called once, before serving.
pub fn end_with(app: &App, stop: &CancellationToken) {
    // A process has one end.
    let _ = app.states.get::<Streams>().stop.set(stop.clone());
}

/// A place among the streams; given back when it is dropped.
struct Place {
    app: Arc<App>,
    streams: Arc<Streams>,
    admin: CurrentAdmin,
    stop: CancellationToken,
}

impl Place {
    fn take(app: &Arc<App>, admin: &CurrentAdmin) -> Result<Self, AdminError> {
        let streams = app.states.get::<Streams>();
        let stop = streams.stop.get().cloned().unwrap_or_default();
        if streams.open.fetch_add(1, Ordering::AcqRel) >= STREAMS {
            streams.open.fetch_sub(1, Ordering::AcqRel);
            return Err(AdminError::TooManyStreams);
        }
        Ok(Self { app: Arc::clone(app), streams, admin: admin.clone(), stop })
    }

    /// Waits; `false` when the stream is to end.
    async fn rest(&self, time: Duration) -> bool {
        let is_going_on = self.stop.run_until_cancelled(tokio::time::sleep(time)).await.is_some();
        is_going_on && sessions::is_living(&self.app, &self.admin).unwrap_or(false)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The numbers of this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    pub at: UnixMillis,
    pub queue: Queue,
    /// Since midnight in Asia/Shanghai.
    pub today: stats::Figures,
}

/// The numbers, at once and every two seconds.
///
/// # Errors
/// `TooManyStreams`.
pub fn live(
    app: &Arc<App>,
    admin: &CurrentAdmin,
) -> Result<impl Stream<Item = Live> + Send + use<>, AdminError> {
    let place = Place::take(app, admin)?;
    Ok(stream::unfold((place, true), |(place, is_first)| async move {
        if !is_first && !place.rest(LIVE_EVERY).await {
            return None;
        }
        let now = place.app.clock.now();
        let read = move |tx: &Tx<'_>| stats::service::moments::figures(tx, now);
        let today: Result<_, DbError> = place.app.db.read("admin.live", read).await;
        let live = Live { at: now, queue: home::queue(&place.app), today: today.ok()? };
        Some((live, (place, false)))
    }))
}

/// Which lines of the log are wanted.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// The least severe level.
    pub level: Level,
    /// Part of the text or of the target, in small letters.
    pub text: String,
}

impl LogFilter {
    fn takes(&self, line: &LogLine) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        line.level <= self.level && (self.text.is_empty() || has(&line.text) || has(&line.target))
    }
}

/// The last lines, the newest last; with `before` those in front of it.
pub fn log(filter: &LogFilter, before: Option<u64>, most: usize) -> Vec<LogLine> {
    LogRing::of_process().read(0, before, most, |line| filter.takes(line))
}

/// Lines as they come, in lists that are never empty, from behind the line `after` on.
///
/// # Errors
/// `TooManyStreams`.
pub fn follow_log(
    app: &Arc<App>,
    admin: &CurrentAdmin,
    filter: LogFilter,
    after: u64,
) -> Result<impl Stream<Item = Vec<LogLine>> + Send + use<>, AdminError> {
    let place = Place::take(app, admin)?;
    let last = LogRing::of_process().follow();
    Ok(stream::unfold(
        (place, last, filter, after),
        |(place, mut last, filter, after)| async move {
            loop {
                let newest = *last.borrow_and_update();
                let ring = LogRing::of_process();
                let lines =
                    ring.read(after, Some(newest.saturating_add(1)), LINES_AT_ONCE, |line| {
                        filter.takes(line)
                    });
                if !lines.is_empty() {
                    return Some((lines, (place, last, filter, newest)));
                }
                tokio::select! {
                    changed = last.changed() => changed.ok()?,
                    goes_on = place.rest(SESSION_EVERY) => if !goes_on { return None },
                }
                if place.stop.is_cancelled() {
                    return None;
                }
            }
        },
    ))
}
