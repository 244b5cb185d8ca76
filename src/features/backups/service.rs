//! Making backups when they are due or wanted, trying them, and saying how they stand.

pub mod by_hand;
mod check;
mod folder;
mod make;
mod media;
mod pace;
mod pack;
mod remote;
mod restore;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Builder;

pub use self::make::{Made, Wish, make};
pub use self::restore::{Pictures, Restored, Source, restore, verify};

use super::model::{
    Backup, BackupError, BackupKind, BackupStatus, Cause, Run, RunKind, Times, UnderWay, is_due,
    is_late, next_due,
};
use super::store;
use crate::app::App;
use crate::app::backup::BackupPlace;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::error_chain::error_chain;
use crate::base::low_priority;
use crate::base::machine;
use crate::base::time::UnixMillis;
use crate::db::{Db, DbError};

/// Runs that are kept.
const KEPT: i64 = 1000;

const DAY_MS: i64 = 86_400_000;

/// What is remembered between runs, for the whole process.
#[derive(Default)]
struct State {
    /// What is under way.
    running: Mutex<Option<UnderWay>>,
    /// Drawn at the first look: how late the runs of this process begin, in milliseconds.
    jitter_ms: Mutex<Option<i64>>,
    /// The problem that was logged last: it is said once, not at every try.
    reported: Mutex<Option<String>>,
}

/// Starts a backup if one is due and returns at once; how it ended is in [`status`] and in the log. After it
/// comes a drill, if one is due.
///
/// # Errors
/// What the database fails with.
pub fn start_due(app: &Arc<App>) -> Result<(), BackupError> {
    if !is_due_now(app)? {
        return Ok(());
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        // Its outcome is stored and logged where it ends.
        let _ = run_due(&app).await;
    });
    Ok(())
}

/// Makes a backup if one is due, tries the newest one if that is, and waits for both. `None`: nothing was
/// due.
///
/// # Errors
/// [`BackupError`]; it is stored and logged.
pub async fn run_due(app: &Arc<App>) -> Result<Option<Made>, BackupError> {
    if !is_due_now(app)? {
        return Ok(None);
    }
    let wish = Wish { media: app.backups.with_media, upload: app.backups.bucket.is_some() };
    let made = run_now(app, Cause::Schedule, wish).await?;
    let last = last_drill(app)?.map(|drill| drill.ended_at);
    if is_drill_due(app.backups.drill_days, last, app.clock.now()) {
        drill_now(app, Cause::Schedule).await?;
    }
    Ok(Some(made))
}

fn is_due_now(app: &App) -> Result<bool, BackupError> {
    if app.backups.hours == 0 || under_way(app).is_some() {
        return Ok(false);
    }
    // A folder that cannot be read is for the run to fail at, which is stored.
    let newest = newest_full(&app.backups).ok().flatten().map(|backup| backup.taken_at);
    let tries = app.db.read_inline("backups.last_try", |tx| store::newest(tx, RunKind::Backup, 1));
    let last_try = tries?.first().filter(|run| !run.is_good()).map(|run| run.ended_at);
    Ok(is_due(&times(app), newest, last_try, app.clock.now()))
}

fn times(app: &App) -> Times {
    let state = app.states.get::<State>();
    let jitter_ms = *state.jitter_ms.lock().get_or_insert_with(|| {
        let most = u64::from(app.backups.jitter_minutes) * 60_000;
        i64::try_from(app.rng.below(most)).unwrap_or_default()
    });
    Times { hours: app.backups.hours, at_minute: app.backups.at_minute, jitter_ms }
}

/// Half a day of grace, so that a weekly drill stays on its day.
fn is_drill_due(days: u32, last: Option<UnixMillis>, now: UnixMillis) -> bool {
    let after = i64::from(days) * DAY_MS - DAY_MS / 2;
    days > 0 && last.is_none_or(|last| now.0 - last.0 >= after || now < last)
}

/// Makes a backup now, on a thread that gives way to requests, and stores how it ended.
///
/// # Errors
/// [`BackupError`]: there is none. What went wrong when it was there already is in [`Made::problem`].
pub async fn run_now(app: &Arc<App>, cause: Cause, wish: Wish) -> Result<Made, BackupError> {
    make_in(app, begin(app, RunKind::Backup), cause, wish).await
}

async fn make_in(
    app: &Arc<App>,
    turn: Result<Arc<Turn>, BackupError>,
    cause: Cause,
    wish: Wish,
) -> Result<Made, BackupError> {
    let (started_at, since) = (app.clock.now(), Stopwatch::start());
    // The turn ends when the run is stored: whoever sees that nothing is under way finds how it ended.
    let (made, _turn) = match turn {
        Ok(turn) => {
            let work =
                move |place: &BackupPlace, clock: &Clock| in_runtime(make(place, clock, wish));
            (off_thread(app, Arc::clone(&turn), work).await, Some(turn))
        }
        Err(err) => (Err(err), None),
    };
    let run = run_of(cause, started_at, app.clock.now(), &since, &made);
    settle(app, run).await;
    made
}

/// How a backup ended, as it is stored.
pub fn run_of(
    cause: Cause,
    started_at: UnixMillis,
    ended_at: UnixMillis,
    since: &Stopwatch,
    made: &Result<Made, BackupError>,
) -> Run {
    let run = Run {
        kind: RunKind::Backup,
        cause,
        name: None,
        started_at,
        ended_at,
        took_ms: millis(since),
        plain_bytes: 0,
        bytes: 0,
        is_uploaded: None,
        problem: None,
    };
    match made {
        Ok(made) => Run {
            name: Some(made.manifest.name.clone()),
            plain_bytes: to_i64(made.manifest.plain.bytes),
            bytes: to_i64(made.manifest.bytes()),
            is_uploaded: made.is_uploaded,
            problem: made.problem.clone(),
            ..run
        },
        Err(err) => Run { problem: Some(error_chain(err)), ..run },
    }
}

/// Restores the newest backup for a try, on a thread that gives way to requests, and stores how it ended.
///
/// # Errors
/// [`BackupError`]: it cannot be restored, or its books do not balance.
pub async fn drill_now(app: &Arc<App>, cause: Cause) -> Result<Restored, BackupError> {
    try_in(app, begin(app, RunKind::Drill), cause).await
}

async fn try_in(
    app: &Arc<App>,
    turn: Result<Arc<Turn>, BackupError>,
    cause: Cause,
) -> Result<Restored, BackupError> {
    let (started_at, since) = (app.clock.now(), Stopwatch::start());
    let (tried, _turn) = match turn {
        Ok(turn) => (off_thread(app, Arc::clone(&turn), restore_for_a_try).await, Some(turn)),
        Err(err) => (Err(err), None),
    };
    let run = Run {
        kind: RunKind::Drill,
        cause,
        name: tried.as_ref().ok().map(|restored| restored.name.clone()),
        started_at,
        ended_at: app.clock.now(),
        took_ms: millis(&since),
        plain_bytes: tried.as_ref().map_or(0, |restored| to_i64(restored.bytes)),
        bytes: 0,
        is_uploaded: None,
        problem: tried.as_ref().err().map(|err| error_chain(err)),
    };
    settle(app, run).await;
    tried
}

fn restore_for_a_try(place: &BackupPlace, clock: &Clock) -> Result<Restored, BackupError> {
    let restored = in_runtime(verify(place, clock, &Source::Latest))?;
    if restored.books.is_balanced() {
        return Ok(restored);
    }
    let (users, money) = (restored.books.wrong_users, restored.books.wrong_money);
    Err(BackupError::Unbalanced { name: restored.name, users, money })
}

/// Stores a run beside the server's own writes.
///
/// # Errors
/// What the database fails with.
pub fn record_blocking(db: &Db, run: Run) -> Result<(), DbError> {
    db.write_blocking("backups.record", move |tx| store::insert(tx, &run, KEPT))
}

async fn settle(app: &App, run: Run) {
    let state = app.states.get::<State>();
    let what = run.kind.as_str();
    match &run.problem {
        Some(problem) => {
            let mut reported = state.reported.lock();
            if reported.as_deref() == Some(problem.as_str()) {
                tracing::warn!(what, problem, "a backup or its drill failed again");
            } else {
                tracing::error!(what, problem, "a backup or its drill failed");
            }
            *reported = Some(problem.clone());
        }
        None => {
            let (bytes, plain_bytes, took_ms) = (run.bytes, run.plain_bytes, run.took_ms);
            tracing::info!(what, name = run.name, bytes, plain_bytes, took_ms, "a backup is good");
            *state.reported.lock() = None;
        }
    }
    let stored = app.db.write("backups.record", move |tx| store::insert(tx, &run, KEPT)).await;
    if let Err(err) = stored {
        let err: DbError = err;
        tracing::error!(problem = error_chain(&err), "how a backup ended could not be stored");
    }
}

/// Takes the one place for a run in this process; it is given back when nobody has the
/// turn any more.
fn begin(app: &App, kind: RunKind) -> Result<Arc<Turn>, BackupError> {
    let state = app.states.get::<State>();
    {
        let mut running = state.running.lock();
        if running.is_some() {
            return Err(BackupError::Running("this one".to_owned()));
        }
        *running = Some(UnderWay { kind, since: app.clock.now() });
    }
    Ok(Arc::new(Turn(state)))
}

/// What is under way in this process.
fn under_way(app: &App) -> Option<UnderWay> {
    *app.states.get::<State>().running.lock()
}

/// The place of the run that is under way.
struct Turn(Arc<State>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.running.lock() = None;
    }
}

/// Runs `work` on a thread of its own at the lowest priority.
async fn off_thread<T: Send + 'static>(
    app: &Arc<App>,
    turn: Arc<Turn>,
    work: impl FnOnce(&BackupPlace, &Clock) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let (place, clock) = (Arc::clone(&app.backups), app.clock.clone());
    // The thread has the turn too: whoever waits for it may go away.
    low_priority::run("backup", move || {
        let _turn = turn;
        work(&place, &clock)
    })
    .await
    .map_err(BackupError::Thread)?
}

/// Waits for `work` in a runtime of its own, so that all of its threads have the priority of this one.
///
/// # Errors
/// What `work` ends with; `Thread` when there is no runtime to be had.
pub fn in_runtime<T>(work: impl Future<Output = Result<T, BackupError>>) -> Result<T, BackupError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(BackupError::Thread)?.block_on(work)
}

/// The backups on this machine and the copies from before migrations, newest first. With `remote` those in
/// the bucket too, which means asking there; best from a runtime of its own.
///
/// # Errors
/// When the folder or the bucket cannot be read.
pub async fn list(place: &BackupPlace, remote: bool) -> Result<Vec<Backup>, BackupError> {
    let stem = folder::stem(&place.database);
    if remote { restore::everywhere(place, &stem).await } else { folder::list(&place.dir, &stem) }
}

/// The newest backup on this machine that was checked and whose books balance. Reads some small files.
///
/// # Errors
/// When the folder cannot be read.
pub fn last_good(place: &BackupPlace) -> Result<Option<Backup>, BackupError> {
    let all = folder::list(&place.dir, &folder::stem(&place.database))?;
    Ok(all.into_iter().find(Backup::is_good))
}

fn newest_full(place: &BackupPlace) -> Result<Option<Backup>, BackupError> {
    let all = folder::list(&place.dir, &folder::stem(&place.database))?;
    Ok(all.into_iter().find(|backup| backup.kind == BackupKind::Full))
}

/// The last drill, whatever its end.
///
/// # Errors
/// What the database fails with.
pub fn last_drill(app: &App) -> Result<Option<Run>, BackupError> {
    Ok(runs(app, RunKind::Drill, 1)?.pop())
}

/// The newest runs of a kind, newest first, at most `limit`.
///
/// # Errors
/// What the database fails with.
pub fn runs(app: &App, kind: RunKind, limit: i64) -> Result<Vec<Run>, BackupError> {
    Ok(app.db.read_inline("backups.runs", |tx| store::newest(tx, kind, limit))?)
}

/// How backups stand. Reads some small files.
///
/// # Errors
/// When the folder or the database cannot be read.
pub fn status(app: &App) -> Result<BackupStatus, BackupError> {
    let (place, now) = (&app.backups, app.clock.now());
    let all = folder::list(&place.dir, &folder::stem(&place.database))?;
    let newest = all.iter().find(|one| one.kind == BackupKind::Full).map(|one| one.taken_at);
    let last_good = all.iter().find(|one| one.is_good()).cloned();
    let last_drill = last_drill(app)?;
    let drilled = last_drill.as_ref().filter(|run| run.is_good()).map(|run| run.ended_at);
    let is_drill_late = place.hours > 0
        && place.drill_days > 0
        && drilled.is_none_or(|at| now.0 - at.0 > 2 * i64::from(place.drill_days) * DAY_MS);
    Ok(BackupStatus {
        every_hours: place.hours,
        next_due: next_due(&times(app), newest, now),
        under_way: under_way(app),
        is_late: is_late(place.hours, last_good.as_ref().map(|one| one.taken_at), now),
        last_good,
        last_run: runs(app, RunKind::Backup, 1)?.pop(),
        last_drill,
        is_drill_late,
        has_bucket: place.bucket.is_some(),
        kept: all.len(),
        kept_bytes: all.iter().map(|one| one.bytes).sum(),
        // The first backup makes the folder.
        free_bytes: place.dir.ancestors().find_map(machine::free_bytes),
    })
}

fn millis(since: &Stopwatch) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn to_i64(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
