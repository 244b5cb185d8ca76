//! The jobs of the image API: whose they are, how far they are, which ones are forgotten.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::request::PictureRequest;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Jobs kept; the oldest are forgotten first.
const MAX_JOBS: usize = 10_000;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Waiting.
    Queued,
    /// Being drawn.
    Running,
    /// Done.
    Succeeded,
    /// Will never be done.
    Failed,
    /// Taken back while it was waiting.
    Canceled,
}

impl Status {
    /// Whether it stays so.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// With pictures.
    Succeed,
    /// With an error.
    Fail {
        /// Such as `PROVIDER_ERROR`.
        code: String,
        /// For people.
        message: String,
    },
    /// It stays `RUNNING` for ever.
    Never,
}

/// A job as it is at one moment.
#[derive(Clone, Debug)]
pub struct JobView {
    /// `job_…`.
    pub id: String,
    /// Stands for the key that made it; not the key itself.
    pub tenant: String,
    /// How far it is.
    pub status: Status,
    /// What was asked for.
    pub request: PictureRequest,
    /// Links to the pictures; empty until it succeeds.
    pub result_urls: Vec<String>,
    /// Code and message, when it failed.
    pub error: Option<(String, String)>,
    /// When it was submitted.
    pub created_at: UnixMillis,
    /// When the status changed.
    pub updated_at: UnixMillis,
    /// Its place in the order of submission.
    pub(super) seq: u64,
}

/// A job to be made.
pub(super) struct NewJob {
    pub(super) tenant: String,
    pub(super) idempotency_key: Option<String>,
    pub(super) request: PictureRequest,
}

/// Too many unfinished jobs.
#[derive(Debug)]
pub(super) struct Refused;

/// Why a job was not taken back.
#[derive(Debug)]
pub(super) enum NotCanceled {
    NotFound,
    TooLate(Status),
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_id: HashMap<String, JobView>,
    order: VecDeque<String>,
    /// Tenant and idempotency key → job. As bounded as the jobs: entries go with their job.
    by_key: HashMap<(String, String), String>,
    keys: HashMap<String, (String, String)>,
    last_seq: u64,
}

impl Inner {
    fn unfinished(&self, tenant: &str) -> usize {
        self.by_id.values().filter(|job| job.tenant == tenant && !job.status.is_final()).count()
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.order.pop_front() {
            self.by_id.remove(&id);
            if let Some(key) = self.keys.remove(&id) {
                self.by_key.remove(&key);
            }
        }
    }
}

impl Jobs {
    /// The new job, or the one of the same idempotency key and `false`.
    pub(super) fn create(
        &self,
        new: NewJob,
        concurrency: u32,
        now: UnixMillis,
        rng: &Rng,
    ) -> Result<(JobView, bool), Refused> {
        let mut inner = self.inner.lock();
        let key = new.idempotency_key.map(|key| (new.tenant.clone(), key));
        let known = key.as_ref().and_then(|key| inner.by_key.get(key));
        if let Some(job) = known.and_then(|id| inner.by_id.get(id)) {
            return Ok((job.clone(), false));
        }
        let limit = usize::try_from(concurrency).unwrap_or(usize::MAX);
        if limit > 0 && inner.unfinished(&new.tenant) >= limit {
            return Err(Refused);
        }
        inner.last_seq += 1;
        let job = JobView {
            id: format!("job_{}", super::files::hex(&rng.bytes::<12>())),
            tenant: new.tenant,
            status: Status::Queued,
            request: new.request,
            result_urls: Vec::new(),
            error: None,
            created_at: now,
            updated_at: now,
            seq: inner.last_seq,
        };
        if let Some(key) = key {
            inner.by_key.insert(key.clone(), job.id.clone());
            inner.keys.insert(job.id.clone(), key);
        }
        inner.order.push_back(job.id.clone());
        inner.by_id.insert(job.id.clone(), job.clone());
        while inner.order.len() > MAX_JOBS {
            inner.forget_oldest();
        }
        Ok((job, true))
    }

    /// `QUEUED` → `RUNNING`; false when it is not queued any more.
    pub(super) fn start(&self, id: &str, now: UnixMillis) -> bool {
        let mut inner = self.inner.lock();
        let Some(job) = inner.by_id.get_mut(id).filter(|job| job.status == Status::Queued) else {
            return false;
        };
        job.status = Status::Running;
        job.updated_at = now;
        true
    }

    /// Ends a job that has not ended; `None` when there is nothing to end.
    pub(super) fn end(
        &self,
        id: &str,
        outcome: &Outcome,
        base: &str,
        now: UnixMillis,
    ) -> Option<JobView> {
        let mut inner = self.inner.lock();
        let job = inner.by_id.get_mut(id).filter(|job| !job.status.is_final())?;
        match outcome {
            Outcome::Never => return None,
            Outcome::Succeed => {
                job.status = Status::Succeeded;
                job.result_urls = (0..job.request.samples)
                    .map(|index| format!("{base}/files/{}", super::files::name(id, index)))
                    .collect();
            }
            Outcome::Fail { code, message } => {
                job.status = Status::Failed;
                job.error = Some((code.clone(), message.clone()));
            }
        }
        job.updated_at = now;
        let job = job.clone();
        drop(inner);
        self.changed.notify_waiters();
        Some(job)
    }

    /// Takes a waiting job of `tenant` back.
    pub(super) fn cancel(
        &self,
        tenant: &str,
        id: &str,
        now: UnixMillis,
    ) -> Result<JobView, NotCanceled> {
        let mut inner = self.inner.lock();
        let job = inner
            .by_id
            .get_mut(id)
            .filter(|job| job.tenant == tenant)
            .ok_or(NotCanceled::NotFound)?;
        if job.status != Status::Queued {
            return Err(NotCanceled::TooLate(job.status));
        }
        job.status = Status::Canceled;
        job.updated_at = now;
        let job = job.clone();
        drop(inner);
        self.changed.notify_waiters();
        Ok(job)
    }

    /// A job of `tenant`.
    pub(super) fn get(&self, tenant: &str, id: &str) -> Option<JobView> {
        self.any(id).filter(|job| job.tenant == tenant)
    }

    /// A job, whoever made it.
    pub(super) fn any(&self, id: &str) -> Option<JobView> {
        self.inner.lock().by_id.get(id).cloned()
    }

    /// The job once it has ended; `None` when it is forgotten before.
    pub(super) async fn ended(&self, id: &str) -> Option<JobView> {
        loop {
            // Before looking, so that no change is missed.
            let change = self.changed.notified();
            let job = self.any(id)?;
            if job.status.is_final() {
                return Some(job);
            }
            change.await;
        }
    }

    /// Jobs of `tenant` before place `before`, newest first, one more than `limit` if there is.
    pub(super) fn list(
        &self,
        tenant: &str,
        status: Option<Status>,
        before: u64,
        limit: usize,
    ) -> Vec<JobView> {
        let inner = self.inner.lock();
        let newest_first = inner.order.iter().rev().filter_map(|id| inner.by_id.get(id));
        newest_first
            .filter(|job| job.tenant == tenant && job.seq < before)
            .filter(|job| status.is_none_or(|status| job.status == status))
            .take(limit.saturating_add(1))
            .cloned()
            .collect()
    }

    /// The newest jobs, whoever made them.
    pub(super) fn newest(&self, count: usize) -> Vec<JobView> {
        let inner = self.inner.lock();
        inner.order.iter().rev().take(count).filter_map(|id| inner.by_id.get(id)).cloned().collect()
    }
}
