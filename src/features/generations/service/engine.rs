//! What is known of jobs in memory: who waits, who works, who watches.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::app::ImageJobSettings;
use crate::base::ids::UserId;
use crate::features::generations::model::{
    Claimed, Forecast, GenerationError, JobId, Scheduler, Status, Terms,
};

/// Streams of events that one user may have open.
const STREAMS_MAX: u32 = 8;

/// The weight of the newest job in the recent duration, as one part in so many.
const RECENT: u64 = 8;

/// See the module. One for the process.
#[derive(Default)]
pub(super) struct Engine {
    scheduler: Mutex<Scheduler>,
    /// There may be something to dispatch.
    work: Notify,
    /// Workers look at the clock again.
    ticks: watch::Sender<u64>,
    workers: Mutex<HashMap<JobId, Arc<Control>>>,
    watched: Mutex<HashMap<JobId, watch::Sender<u64>>>,
    streams: Mutex<HashMap<UserId, u32>>,
    /// How long jobs take to be made, lately, in milliseconds.
    took_ms: Mutex<Option<u64>>,
    left: Mutex<Vec<(Claimed, Status)>>,
    stop: OnceLock<CancellationToken>,
    /// Failed jobs may have a picture by now.
    pub(super) late: Notify,
}

/// How a worker is reached.
#[derive(Default)]
pub(super) struct Control {
    /// Something may have happened to the job.
    pub(super) wake: Notify,
    is_canceled: AtomicBool,
}

impl Control {
    pub(super) fn is_canceled(&self) -> bool {
        self.is_canceled.load(Ordering::SeqCst)
    }
}

impl Engine {
    /// Takes a place in the queue for a job that is about to be stored.
    ///
    /// # Errors
    /// `TooManyWaiting`, `QueueFull`.
    pub(super) fn reserve(
        self: &Arc<Self>,
        user: UserId,
        terms: Terms,
        limits: &ImageJobSettings,
    ) -> Result<Reservation, GenerationError> {
        let mut scheduler = self.scheduler.lock();
        if scheduler.waiting_of(user) >= limits.queue_max_per_user as usize {
            return Err(GenerationError::TooManyWaiting);
        }
        if scheduler.waiting() >= limits.queue_max as usize {
            return Err(GenerationError::QueueFull);
        }
        scheduler.reserve(user, terms);
        let (own, all) = scheduler.last_position(user);
        drop(scheduler);
        let queue = self.forecast(own, all, terms.concurrency, limits.concurrency);
        Ok(Reservation { engine: Arc::clone(self), user, terms, queue })
    }

    /// Jobs that wait and jobs that hold a worker.
    pub(super) fn load(&self) -> (usize, usize) {
        let scheduler = self.scheduler.lock();
        (scheduler.waiting(), scheduler.running())
    }

    /// Where a waiting job stands.
    pub(super) fn position(&self, user: UserId, seq: i64, workers: u32) -> Forecast {
        let scheduler = self.scheduler.lock();
        let Some((own, all)) = scheduler.position(user, seq) else { return Forecast::default() };
        let own_at_once = scheduler.concurrency_of(user);
        drop(scheduler);
        self.forecast(own, all, own_at_once, workers)
    }

    /// When the job at these places is done: rounds of all workers, or of his own jobs where his
    /// concurrency is what holds it up.
    fn forecast(&self, own: usize, all: usize, own_at_once: u32, workers: u32) -> Forecast {
        let rounds = |place: usize, at_once: u32| {
            u64::try_from(place).unwrap_or(u64::MAX).div_ceil(u64::from(at_once.max(1)))
        };
        let rounds = rounds(own, own_at_once).max(rounds(all, workers));
        let eta_s = self.took_ms.lock().map(|ms| rounds.saturating_mul(ms).div_ceil(1000));
        Forecast {
            position: i64::try_from(all).ok(),
            eta_s: eta_s.and_then(|seconds| i64::try_from(seconds).ok()),
        }
    }

    /// Adds a stored job to the queue.
    pub(super) fn add(&self, user: UserId, terms: Terms, seq: i64) {
        self.scheduler.lock().add(user, terms, seq);
        self.work.notify_one();
    }

    /// Takes a job that has ended out of the queue.
    pub(super) fn remove(&self, user: UserId, seq: i64) {
        self.scheduler.lock().remove(user, seq);
    }

    /// Gives a job back to the queue that could not begin.
    pub(super) fn put_back(&self, user: UserId, seq: i64) {
        self.scheduler.lock().put_back(user, seq);
        self.work.notify_one();
    }

    /// Counts a job of the last process as running.
    pub(super) fn resume(&self, user: UserId, terms: Terms) {
        self.scheduler.lock().resume(user, terms);
    }

    /// Whose turn it is, with which job; `None` when nobody may go. His place is free again when
    /// [`Place`] is dropped.
    pub(super) fn next(self: &Arc<Self>) -> Option<(UserId, i64, Place)> {
        let (user, seq) = self.scheduler.lock().next()?;
        Some((user, seq, self.place_of(user)))
    }

    /// The place of a job that was counted as running already.
    pub(super) fn place_of(self: &Arc<Self>, user: UserId) -> Place {
        Place { engine: Arc::clone(self), user }
    }

    /// Whether a worker would have something to do, of so many workers.
    pub(super) fn wants_worker(&self, workers: u32) -> bool {
        let scheduler = self.scheduler.lock();
        scheduler.running() < workers as usize && scheduler.has_next()
    }

    /// Returns when there may be something to dispatch.
    pub(super) async fn work(&self) {
        self.work.notified().await;
    }

    /// Forgets users who have nothing here.
    pub(super) fn sweep(&self) {
        self.scheduler.lock().sweep();
    }

    pub(super) fn leave_for_start(&self, jobs: Vec<(Claimed, Status)>) {
        *self.left.lock() = jobs;
    }

    pub(super) fn take_left(&self) -> Vec<(Claimed, Status)> {
        std::mem::take(&mut *self.left.lock())
    }

    /// How a worker is reached, from now until [`Engine::leave`].
    pub(super) fn enter(&self, job: &JobId) -> Arc<Control> {
        let control = Arc::new(Control::default());
        self.workers.lock().insert(job.clone(), Arc::clone(&control));
        control
    }

    pub(super) fn leave(&self, job: &JobId) {
        self.workers.lock().remove(job);
    }

    /// Something may have happened to the job: its worker looks at once. False when it has none.
    pub(super) fn wake(&self, job: &JobId) -> bool {
        let workers = self.workers.lock();
        let Some(control) = workers.get(job) else { return false };
        control.wake.notify_one();
        true
    }

    /// The job was cancelled: its worker ends.
    pub(super) fn canceled(&self, job: &JobId) {
        if let Some(control) = self.workers.lock().get(job) {
            control.is_canceled.store(true, Ordering::SeqCst);
            control.wake.notify_one();
        }
    }

    /// All workers look at the clock.
    pub(super) fn tick(&self) {
        self.ticks.send_modify(|tick| *tick = tick.wrapping_add(1));
    }

    pub(super) fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    /// A job was made in so much time.
    pub(super) fn took(&self, took: Duration) {
        let new = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut recent = self.took_ms.lock();
        *recent = Some(recent.map_or(new, |old| (old / RECENT * (RECENT - 1)) + new / RECENT));
    }

    /// Whoever watches the job reads it again.
    pub(super) fn changed(&self, job: &JobId) {
        if let Some(sender) = self.watched.lock().get(job) {
            sender.send_modify(|change| *change = change.wrapping_add(1));
        }
    }

    /// Watches a job; to be called before reading it, so that nothing is missed in between.
    pub(super) fn watch(self: &Arc<Self>, job: &JobId) -> Watch {
        let receiver = self.watched.lock().entry(job.clone()).or_default().subscribe();
        Watch { engine: Arc::clone(self), job: job.clone(), receiver: Some(receiver) }
    }

    /// Takes one of the user's streams.
    ///
    /// # Errors
    /// `TooManyStreams`
    pub(super) fn stream(self: &Arc<Self>, user: UserId) -> Result<Streaming, GenerationError> {
        let mut streams = self.streams.lock();
        let open = streams.entry(user).or_default();
        if *open >= STREAMS_MAX {
            return Err(GenerationError::TooManyStreams);
        }
        *open += 1;
        Ok(Streaming { engine: Arc::clone(self), user })
    }

    pub(super) fn set_stop(&self, stop: CancellationToken) {
        // A second start does not happen; if it did, the first token would still end everything.
        let _ = self.stop.set(stop);
    }

    /// Cancelled when the process ends.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.get_or_init(CancellationToken::new).clone()
    }
}

/// A place in the queue for a job that is being stored; given back when it is dropped.
pub(super) struct Reservation {
    engine: Arc<Engine>,
    user: UserId,
    terms: Terms,
    /// Where the job will stand.
    pub(super) queue: Forecast,
}

impl Reservation {
    /// The job is stored: it takes its place.
    pub(super) fn fill(self, seq: i64) {
        self.engine.add(self.user, self.terms, seq);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.engine.scheduler.lock().unreserve(self.user);
    }
}

/// A worker's place; the next job may begin when it is dropped.
pub(super) struct Place {
    engine: Arc<Engine>,
    user: UserId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.engine.scheduler.lock().finished(self.user);
        self.engine.work.notify_one();
    }
}

/// See [`Engine::watch`].
pub(super) struct Watch {
    engine: Arc<Engine>,
    job: JobId,
    /// `None` only while being dropped.
    receiver: Option<watch::Receiver<u64>>,
}

impl Watch {
    /// Returns when the job may have changed since the last call.
    pub(super) async fn changed(&mut self) {
        let Some(receiver) = &mut self.receiver else { return };
        if receiver.changed().await.is_err() {
            // The sender stays as long as there are receivers.
            std::future::pending().await
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.engine.watched.lock();
        drop(self.receiver.take());
        if watched.get(&self.job).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.job);
        }
    }
}

/// One of a user's streams; free again when it is dropped.
pub(super) struct Streaming {
    engine: Arc<Engine>,
    user: UserId,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let mut streams = self.engine.streams.lock();
        if let Some(open) = streams.get_mut(&self.user) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                streams.remove(&self.user);
            }
        }
    }
}
