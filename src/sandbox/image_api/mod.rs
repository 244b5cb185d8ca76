//! The Image SaaS API the product stands in front of, and the dialect of other image APIs.
//!
//! Jobs are asynchronous and take [`ImageApiSim::set_latency`] of real time; their pictures are
//! drawn from the prompt when they are fetched. A key sees its own jobs only. Submissions are
//! limited per minute, unfinished jobs at once, both per key; reading is free.

mod files;
mod jobs;
mod openai;
mod rate;
mod request;
mod routes;
mod webhook;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use self::jobs::{JobView, Outcome, Status};
pub use self::webhook::Webhook;

use self::files::Files;
use self::jobs::{Jobs, NewJob, Refused};
use self::rate::Rate;
use self::webhook::Webhooks;
use super::journal::Journal;
use super::plan::{Faults, Plan};
use super::tasks::Tasks;
use crate::base::clock::Clock;
use crate::base::rng::Rng;

/// The knobs an image API starts with.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) latency: Duration,
    pub(super) rate_per_minute: u32,
    pub(super) concurrency: u32,
    pub(super) accept_any_key: bool,
    pub(super) webhook: Option<Webhook>,
}

/// The simulated image API. Listens as long as its [`Sandbox`](super::Sandbox) runs.
#[derive(Debug)]
pub struct ImageApiSim {
    address: SocketAddr,
    clock: Clock,
    rng: Rng,
    tasks: Tasks,
    journal: Journal,
    submit_faults: Faults,
    poll_faults: Faults,
    file_faults: Faults,
    outcomes: Plan<Outcome>,
    latency_ms: AtomicU64,
    rate_per_minute: AtomicU32,
    concurrency: AtomicU32,
    accept_any_key: AtomicBool,
    rate: Rate,
    jobs: Jobs,
    files: Files,
    webhooks: Webhooks,
    /// For the tasks that let a job run.
    me: Weak<Self>,
}

impl ImageApiSim {
    /// The key it knows. Of no use anywhere else.
    pub const API_KEY: &'static str = "sk-sandbox-image-api-key";

    pub(super) fn new(
        address: SocketAddr,
        limits: Limits,
        clock: Clock,
        rng: Rng,
        tasks: Tasks,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            address,
            clock,
            rng,
            tasks,
            journal: Journal::default(),
            submit_faults: Faults::default(),
            poll_faults: Faults::default(),
            file_faults: Faults::default(),
            outcomes: Plan::default(),
            latency_ms: AtomicU64::new(millis(limits.latency)),
            rate_per_minute: AtomicU32::new(limits.rate_per_minute),
            concurrency: AtomicU32::new(limits.concurrency),
            accept_any_key: AtomicBool::new(limits.accept_any_key),
            rate: Rate::default(),
            jobs: Jobs::default(),
            files: Files::default(),
            webhooks: Webhooks::new(limits.webhook),
            me: me.clone(),
        })
    }

    /// What stands for the image API's address; no slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key it accepts.
    pub fn api_key(&self) -> &str {
        Self::API_KEY
    }

    /// The last requests.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The knobs of `POST /v1/images/…`.
    pub fn submit_faults(&self) -> &Faults {
        &self.submit_faults
    }

    /// The knobs of `/v1/jobs…`, reading, listing and cancelling.
    pub fn poll_faults(&self) -> &Faults {
        &self.poll_faults
    }

    /// The knobs of `/files/…`.
    pub fn file_faults(&self) -> &Faults {
        &self.file_faults
    }

    /// How the next jobs, or all, end. Decided when a job is submitted.
    pub fn outcomes(&self) -> &Plan<Outcome> {
        &self.outcomes
    }

    /// How long a job takes; zero ends it before its submission is answered.
    pub fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(millis(latency), Ordering::Relaxed);
    }

    /// How long a job takes.
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    /// Submissions a minute and key; 0 is no limit.
    pub fn set_rate_per_minute(&self, rate: u32) {
        self.rate_per_minute.store(rate, Ordering::Relaxed);
    }

    /// Submissions a minute and key; 0 is no limit.
    pub fn rate_per_minute(&self) -> u32 {
        self.rate_per_minute.load(Ordering::Relaxed)
    }

    /// Unfinished jobs of a key; 0 is no limit.
    pub fn set_concurrency(&self, jobs: u32) {
        self.concurrency.store(jobs, Ordering::Relaxed);
    }

    /// Unfinished jobs of a key; 0 is no limit.
    pub fn concurrency(&self) -> u32 {
        self.concurrency.load(Ordering::Relaxed)
    }

    /// Whether any bearer text is a key, each with jobs of its own.
    pub fn set_accept_any_key(&self, on: bool) {
        self.accept_any_key.store(on, Ordering::Relaxed);
    }

    /// Where ended jobs are announced, or nowhere.
    pub fn set_webhook(&self, webhook: Option<Webhook>) {
        self.webhooks.set_target(webhook);
    }

    /// Announces a job as it is now, once more or too early; false when there is no such job.
    pub fn announce(&self, job_id: &str) -> bool {
        let Some(job) = self.jobs.any(job_id) else { return false };
        self.webhooks.send(&job, self.clock.now(), &self.rng, &self.tasks);
        true
    }

    /// The newest jobs of all keys, newest first.
    pub fn jobs(&self, count: usize) -> Vec<JobView> {
        self.jobs.newest(count)
    }

    /// One job, whoever made it.
    pub fn job(&self, job_id: &str) -> Option<JobView> {
        self.jobs.any(job_id)
    }

    /// Ends a job now, also one that would never end; false when it has ended or does not exist.
    pub fn end_job(&self, job_id: &str, outcome: &Outcome) -> bool {
        self.end(job_id, outcome)
    }

    /// A picture by its file name, as PNG, whoever made it.
    pub async fn picture(&self, name: &str) -> Option<Vec<u8>> {
        let (job_id, index) = files::parse_name(name)?;
        let job = self.jobs.any(job_id)?;
        if job.status != Status::Succeeded || index >= job.request.samples {
            return None;
        }
        self.files.picture(name, &job.request, index).await
    }

    /// Creates a job, or finds the one of the same idempotency key, and lets it run.
    fn submit(&self, new: NewJob) -> Result<JobView, Refused> {
        let limit = self.concurrency.load(Ordering::Relaxed);
        let (job, is_new) = self.jobs.create(new, limit, self.clock.now(), &self.rng)?;
        if is_new {
            let outcome = self.outcomes.take().unwrap_or(Outcome::Succeed);
            self.run(&job.id, outcome);
        }
        Ok(job)
    }

    fn run(&self, job_id: &str, outcome: Outcome) {
        let latency = self.latency();
        if latency.is_zero() {
            self.jobs.start(job_id, self.clock.now());
            self.end(job_id, &outcome);
            return;
        }
        let (me, job_id) = (self.me.clone(), job_id.to_owned());
        self.tasks.spawn(async move {
            let queued = latency / 4;
            tokio::time::sleep(queued).await;
            let Some(sim) = me.upgrade() else { return };
            if !sim.jobs.start(&job_id, sim.clock.now()) {
                return;
            }
            drop(sim);
            tokio::time::sleep(latency - queued).await;
            if let Some(sim) = me.upgrade() {
                sim.end(&job_id, &outcome);
            }
        });
    }

    fn end(&self, job_id: &str, outcome: &Outcome) -> bool {
        let Some(job) = self.jobs.end(job_id, outcome, &self.base(), self.clock.now()) else {
            return false;
        };
        self.webhooks.send(&job, self.clock.now(), &self.rng, &self.tasks);
        true
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
