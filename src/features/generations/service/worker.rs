//! One job from its first turn to its end.
//!
//! Where a repeat goes: as long as the image API may have the job (the call was sent and its answer
//! is unknown), to the same one, which knows the job's id as `Idempotency-Key` and does not make it
//! twice. After two such answers in a row, or when it surely has not got the job, to another if there
//! is one.

mod attempt;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::attempt::{Outcome, attempt};
use self::record::Record;
use super::endings;
use super::engine::{Control, Engine, Place};
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::image_api::Lease;
use crate::db::DbError;
use crate::features::generations::model::{
    Attempt, Claimed, Failure, GenerationError, JobId, Picture, retry_delay,
};
use crate::features::generations::store;
use crate::features::settings;

/// How often a job in a row may be in doubt at one image API before another is asked.
const DOUBTS_MAX: u32 = 2;

/// Between two tries of a write that the job cannot go on without.
const WRITE_PAUSE: Duration = Duration::from_millis(500);

/// Where a worker stands.
struct Worker {
    app: Arc<App>,
    engine: Arc<Engine>,
    control: Arc<Control>,
    stop: CancellationToken,
    job: JobId,
    user: UserId,
    deadline_at: UnixMillis,
    /// The deadline has passed: the job has failed, and what comes now comes late.
    is_late: AtomicBool,
    /// What is noted of the attempt under way.
    record: Record,
}

/// Takes a queued job and works on it.
pub(super) async fn begin(
    app: Arc<App>,
    user: UserId,
    seq: i64,
    lease: Lease,
    place: Place,
    stop: CancellationToken,
) {
    let (now, name) = (app.clock.now(), lease.name().to_owned());
    let claimed =
        app.db.write("generations.claim", move |tx| store::claim(tx, seq, &name, now)).await;
    match claimed {
        Ok(Some(job)) => Worker::of(app, &job, stop).run(job, Some(lease), place).await,
        // Cancelled or overdue.
        Ok(None) => {}
        Err(err) => {
            tracing::warn!(error = error_chain(&err), "a job could not begin and waits again");
            if stop.run_until_cancelled(tokio::time::sleep(WRITE_PAUSE)).await.is_some() {
                app.states.get::<Engine>().put_back(user, seq);
            }
        }
    }
}

/// Goes on with a job of the last process. What was running is asked about, or submitted again under
/// the same key, where it was.
pub(super) async fn resume(
    app: Arc<App>,
    job: Claimed,
    is_retrying: bool,
    place: Place,
    stop: CancellationToken,
) {
    let lease = match &job.upstream {
        Some(name) if !is_retrying => app.upstreams.lease_named(name),
        _ => None,
    };
    Worker::of(app, &job, stop).run(job, lease, place).await;
}

/// How a wait ended.
enum Waited {
    Over,
    Stopped,
    Canceled,
    Overdue,
}

impl Worker {
    fn of(app: Arc<App>, job: &Claimed, stop: CancellationToken) -> Self {
        let engine = app.states.get::<Engine>();
        let control = engine.enter(&job.id);
        Self {
            app,
            engine,
            control,
            stop,
            job: job.id.clone(),
            user: job.user,
            deadline_at: job.deadline_at,
            is_late: AtomicBool::new(false),
            record: Record::default(),
        }
    }

    async fn run(self, mut job: Claimed, lease: Option<Lease>, place: Place) {
        self.engine.changed(&self.job);
        let mut place = Some(place);
        let mut lease = lease;
        let mut doubts = 0;
        let mut stay = true;
        loop {
            let here = match lease.take() {
                Some(here) => here,
                None => match self.next_place(&mut job, stay).await {
                    Some(here) => here,
                    None => return,
                },
            };
            let outcome = {
                let attempting = attempt(&self, &mut job, here);
                tokio::pin!(attempting);
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return,
                    outcome = &mut attempting => outcome,
                    () = self.deadline() => {
                        self.expire().await;
                        // The next job may have the place; a call under way is awaited all the same.
                        drop(place.take());
                        let grace = tokio::time::sleep(self.grace());
                        tokio::select! {
                            () = self.stop.cancelled() => return,
                            () = grace => return,
                            outcome = &mut attempting => outcome,
                        }
                    }
                }
            };
            let (failure, asked, is_in_doubt) = match outcome {
                Outcome::Made(pictures) => return self.deliver(pictures).await,
                Outcome::Failed(failure) => return self.fail(failure).await,
                Outcome::Gone => return,
                Outcome::Again { failure, asked, is_in_doubt } => (failure, asked, is_in_doubt),
            };
            if self.is_late.load(Ordering::SeqCst) {
                return;
            }
            let retry = settings::service::current(&self.app).jobs.retry;
            if job.attempts >= retry.max_attempts {
                return self.fail(failure).await;
            }
            doubts = if is_in_doubt { doubts + 1 } else { 0 };
            stay = job.upstream_job.is_some() || (is_in_doubt && doubts < DOUBTS_MAX);
            let delay = retry_delay(&retry, job.attempts, asked, self.app.rng.below(1000));
            if !self.set_retrying(&mut job, delay, failure.code).await {
                return;
            }
        }
    }

    /// Waits for the time of the next attempt and for a place, and begins it. `None` when the job has
    /// ended meanwhile, or the process is about to.
    async fn next_place(&self, job: &mut Claimed, stay: bool) -> Option<Lease> {
        if let Some(at) = job.next_attempt_at {
            let delay = at.0.saturating_sub(self.app.clock.now().0);
            let delay = Duration::from_millis(u64::try_from(delay).unwrap_or(0));
            self.wait(tokio::time::sleep(delay)).await.go_on(self, job).await?;
        }
        let mut found = None;
        let waited = self.wait(async { found = Some(self.lease_for(job, stay).await) }).await;
        waited.go_on(self, job).await?;
        let lease = found?;
        if job.upstream.as_deref() != Some(lease.name()) {
            job.upstream_job = None;
        }
        job.upstream = Some(lease.name().to_owned());
        self.set_running(job).await.then_some(lease)
    }

    async fn lease_for(&self, job: &Claimed, stay: bool) -> Lease {
        let upstreams = &self.app.upstreams;
        let known = job.upstream.as_deref();
        if (stay || job.upstream_job.is_some())
            && let Some(lease) = known.and_then(|name| upstreams.lease_named(name))
        {
            return lease;
        }
        loop {
            if let Some(lease) = upstreams.lease(known) {
                return lease;
            }
            upstreams.freed().await;
        }
    }

    async fn wait(&self, what: impl Future<Output = ()>) -> Waited {
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Waited::Stopped,
                () = self.control.wake.notified() => {
                    if self.control.is_canceled() {
                        return Waited::Canceled;
                    }
                }
                () = self.deadline() => return Waited::Overdue,
                () = &mut what => return Waited::Over,
            }
        }
    }

    /// Returns when the job's time is over.
    async fn deadline(&self) {
        let mut ticks = self.engine.ticks();
        loop {
            let left = self.deadline_at.0.saturating_sub(self.app.clock.now().0);
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else { return };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(left)) => {}
                _ = ticks.changed() => {}
            }
        }
    }

    fn grace(&self) -> Duration {
        let jobs = settings::service::current(&self.app).jobs;
        Duration::from_secs(u64::from(jobs.late_grace_s))
    }

    /// The deadline ends the job; what it made may still come.
    async fn expire(&self) {
        self.is_late.store(true, Ordering::SeqCst);
        let grace = i64::try_from(self.grace().as_millis()).unwrap_or(i64::MAX);
        let late_until = self.app.clock.now().plus_millis(grace);
        let failure = Failure::timeout();
        let attempt = self.record.overdue(failure.code);
        self.end(failure, Some(late_until), attempt).await;
        self.control.wake.notify_one();
    }

    async fn fail(&self, failure: Failure) {
        // Late: it has failed already, and there is nothing more to expect.
        if !self.is_late.load(Ordering::SeqCst) {
            tracing::info!(job.id = %self.job, code = failure.code, "an image job failed");
            let attempt = self.record.end(Some(failure.code));
            self.end(failure, None, attempt).await;
        }
    }

    async fn end(
        &self,
        failure: Failure,
        late_until: Option<UnixMillis>,
        attempt: Option<Attempt>,
    ) {
        self.surely("fail", || {
            endings::fail(&self.app, &self.job, failure.clone(), late_until, attempt.clone())
        })
        .await;
    }

    async fn deliver(&self, pictures: Vec<Picture>) {
        let attempt = self.record.end(None);
        self.surely("deliver", || {
            let (pictures, attempt) = (pictures.clone(), attempt.clone());
            endings::deliver(&self.app, &self.job, self.user, pictures, attempt)
        })
        .await;
    }

    /// Repeats a write that failed for a passing reason: a full disk must not cost a picture. What
    /// does not pass is left to the deadline.
    async fn surely<F>(&self, what: &'static str, write: impl Fn() -> F)
    where
        F: Future<Output = Result<bool, GenerationError>>,
    {
        loop {
            let err = match write().await {
                Ok(_) => return,
                Err(err) => err,
            };
            let passes = matches!(&err, GenerationError::Db(db) if db.is_transient());
            tracing::error!(job.id = %self.job, what, error = error_chain(&err), "not written");
            let pause = self.stop.run_until_cancelled(tokio::time::sleep(WRITE_PAUSE));
            if !passes || pause.await.is_none() {
                return;
            }
        }
    }

    /// False when the job has ended meanwhile, or the database is gone: then the deadline or the
    /// next start goes on.
    async fn set_retrying(&self, job: &mut Claimed, delay: Duration, code: &'static str) -> bool {
        let now = self.app.clock.now();
        let at = now.plus_millis(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        job.next_attempt_at = Some(at);
        let (id, known) = (self.job.clone(), job.upstream_job.clone());
        let attempt = self.record.end(Some(code));
        let done = self
            .app
            .db
            .write("generations.set_retrying", move |tx| {
                if let Some(attempt) = &attempt {
                    store::attempts::note(tx, &id, attempt)?;
                }
                store::set_retrying(tx, &id, known.as_deref(), at, now)
            })
            .await;
        self.went_on(done)
    }

    async fn set_running(&self, job: &mut Claimed) -> bool {
        let now = self.app.clock.now();
        let (id, known) = (self.job.clone(), job.upstream_job.clone());
        let name = job.upstream.clone().unwrap_or_default();
        let done = self
            .app
            .db
            .write("generations.set_running", move |tx| {
                store::set_running(tx, &id, &name, known.as_deref(), now)
            })
            .await;
        job.attempts = job.attempts.saturating_add(1);
        job.next_attempt_at = None;
        let went_on = self.went_on(done);
        if !went_on && self.control.is_canceled() {
            self.take_back(job).await;
        }
        went_on
    }

    fn went_on(&self, done: Result<bool, DbError>) -> bool {
        self.engine.changed(&self.job);
        done.unwrap_or_else(|err| {
            tracing::error!(job.id = %self.job, error = error_chain(&err), "not written");
            false
        })
    }

    /// The user has cancelled: the image API need not go on. It is asked once; what it made is not
    /// taken.
    async fn take_back(&self, job: &Claimed) {
        let (Some(name), Some(there)) = (&job.upstream, &job.upstream_job) else { return };
        let Some(lease) = self.app.upstreams.lease_named(name) else { return };
        if let Err(err) = lease.cancel(there).await {
            tracing::debug!(job.id = %self.job, error = %err, "not cancelled at the image API");
        }
    }
}

impl Waited {
    /// `None` when the wait is not what ended.
    async fn go_on(self, worker: &Worker, job: &Claimed) -> Option<()> {
        match self {
            Self::Over => return Some(()),
            Self::Stopped => {}
            Self::Canceled => worker.take_back(job).await,
            Self::Overdue => worker.expire().await,
        }
        None
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.engine.leave(&self.job);
    }
}
