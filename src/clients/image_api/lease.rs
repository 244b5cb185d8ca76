//! A place at an image API, and all that is said through it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::breaker::Pass;
use super::error::UpstreamError;
use super::request::{ImageRequest, JobProgress, Submitted};
use super::upstreams::Upstream;

/// Holds the place while it is alive. The calls are made once each; what came of the job is told
/// with [`Lease::succeeded`] or [`Lease::failed`], or not at all when it says nothing about the image
/// API (a refused prompt, a cancelled job).
pub struct Lease {
    upstream: Arc<Upstream>,
    /// A trial is used up by the first report.
    pass: Mutex<Pass>,
    freed: Arc<Notify>,
}

impl Lease {
    pub(super) fn new(upstream: Arc<Upstream>, pass: Pass, freed: Arc<Notify>) -> Self {
        Self { upstream, pass: Mutex::new(pass), freed }
    }

    /// The upstream's name, to be stored with the job.
    pub fn name(&self) -> &str {
        &self.upstream.config.name
    }

    /// The upstream's address as configured, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.upstream.config.base
    }

    /// Hands a job in; with the same `key` again it is the same job (`Idempotency-Key`), where the
    /// image API knows such keys: in the dialect `image-saas`.
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn submit(
        &self,
        key: &str,
        request: &ImageRequest,
    ) -> Result<Submitted, UpstreamError> {
        self.heard(self.upstream.client.submit(key, request).await)
    }

    /// How far the job of this id is; [`JobProgress::Unknown`] in a dialect that has no jobs.
    ///
    /// # Errors
    /// [`UpstreamError`]
    pub async fn poll(&self, id: &str) -> Result<JobProgress, UpstreamError> {
        self.heard(self.upstream.client.poll(id).await)
    }

    /// Takes a job back. One that is unknown there counts as taken back.
    ///
    /// # Errors
    /// [`UpstreamError`]; rejected when it is too late.
    pub async fn cancel(&self, id: &str) -> Result<(), UpstreamError> {
        self.heard(self.upstream.client.cancel(id).await)
    }

    /// The job was made, in so much time. Closes the breaker.
    pub fn succeeded(&self, took: Duration) {
        self.upstream.succeeded(self.report(), took);
        self.freed.notify_one();
    }

    /// The image API failed: see [`UpstreamError::is_outage`]. Feeds the breaker.
    pub fn failed(&self) {
        self.upstream.failed(self.report());
    }

    fn report(&self) -> Pass {
        std::mem::replace(&mut *self.pass.lock(), Pass::Ordinary)
    }

    /// What an error means for all jobs of this upstream.
    fn heard<T>(&self, heard: Result<T, UpstreamError>) -> Result<T, UpstreamError> {
        if let Err(err) = &heard {
            if let Some(pause) = err.pause() {
                self.upstream.pause(pause);
            }
            if err.is_refused_key() {
                self.upstream.complain_about_key(err);
            }
        }
        heard
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.upstream.give_back(self.report());
        self.freed.notify_one();
    }
}
