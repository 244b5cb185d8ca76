//! One image API over HTTP, in its dialect. Every call is made once.

use std::io;
use std::time::Duration;

use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderValue, Method, Request, StatusCode};

use super::super::call_stats::CallState;
use super::super::http::{Answer, CallError, HttpClient, HttpSettings};
use super::error::UpstreamError;
use super::request::{Dialect, ImageRequest, JobProgress, Submitted};
use super::upstreams::UpstreamConfig;
use super::{openai, saas};
use crate::base::secret::Secret;

/// Longest time of a call in `image-saas`, whose every call answers at once: a connection that hangs
/// must not cost a job minutes.
const SAAS_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer in `image-saas`: a status and a few links.
const SAAS_MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// Places for calls beyond the jobs that count: cancelling, and jobs found again after a restart.
const SPARE_CALLS: u32 = 8;

/// Calls that may wait for a place.
const WAITING_CALLS: u32 = 1024;

/// Answers beyond it are read on a thread for long work.
const LARGE_BYTES: usize = 64 * 1024;

/// See the module.
pub(super) struct ImageClient {
    http: HttpClient,
    /// Without `/v1`, which the paths bring.
    root: String,
    dialect: Dialect,
    model: Option<String>,
    authorization: Option<Secret<HeaderValue>>,
}

impl ImageClient {
    /// # Errors
    /// When the key cannot stand in a header.
    pub(super) fn new(config: &UpstreamConfig) -> io::Result<Self> {
        let (timeout, max_answer_bytes) = match config.dialect {
            Dialect::ImageSaas => (config.timeout.min(SAAS_TIMEOUT), SAAS_MAX_ANSWER_BYTES),
            Dialect::OpenaiImages => (config.timeout, config.max_answer_bytes),
        };
        let http = HttpClient::new(HttpSettings {
            name: "upstream",
            timeout,
            concurrency: config.concurrency.saturating_add(SPARE_CALLS),
            queue: WAITING_CALLS,
            max_answer_bytes,
        });
        let authorization = config.key.as_ref().map(|key| bearer(key, &config.name)).transpose()?;
        // People write the base with or without it.
        let root = config.base.strip_suffix("/v1").unwrap_or(&config.base).to_owned();
        let model = config.model.clone();
        Ok(Self { http, root, dialect: config.dialect, model, authorization })
    }

    /// What became of the calls so far.
    pub(super) fn calls(&self) -> CallState {
        self.http.calls()
    }

    pub(super) async fn submit(
        &self,
        key: &str,
        request: &ImageRequest,
    ) -> Result<Submitted, UpstreamError> {
        let model = self.model.as_deref();
        let (path, body) = match self.dialect {
            Dialect::ImageSaas => ("/v1/images/generate", saas::body(request, model)),
            Dialect::OpenaiImages => ("/v1/images/generations", openai::body(request, model)),
        };
        let answer = self.call(Method::POST, path, Some(key), body).await?;
        if !answer.status.is_success() {
            return Err(UpstreamError::refused(&answer));
        }
        match self.dialect {
            Dialect::ImageSaas => saas::submitted(&answer.body),
            Dialect::OpenaiImages if answer.body.len() < LARGE_BYTES => openai::done(&answer.body),
            Dialect::OpenaiImages => {
                let reading = tokio::task::spawn_blocking(move || openai::done(&answer.body));
                reading.await.unwrap_or_else(|_| Err(UpstreamError::garbled("it cannot be read")))
            }
        }
    }

    pub(super) async fn poll(&self, id: &str) -> Result<JobProgress, UpstreamError> {
        if self.dialect == Dialect::OpenaiImages || !saas::is_job_id(id) {
            return Ok(JobProgress::Unknown);
        }
        let answer = self.call(Method::GET, &format!("/v1/jobs/{id}"), None, Vec::new()).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(JobProgress::Unknown),
            status if status.is_success() => saas::progress(&answer.body, id),
            _ => Err(UpstreamError::refused(&answer)),
        }
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<(), UpstreamError> {
        if self.dialect == Dialect::OpenaiImages || !saas::is_job_id(id) {
            return Ok(());
        }
        let answer = self.call(Method::DELETE, &format!("/v1/jobs/{id}"), None, Vec::new()).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(UpstreamError::refused(&answer)),
        }
    }

    /// Whether the image API answers and takes the key, without making a picture: it is asked about a
    /// job that there is not, or for its models.
    pub(super) async fn probe(&self) -> Result<(), UpstreamError> {
        let path = match self.dialect {
            Dialect::ImageSaas => "/v1/jobs/00000000000000000000000000000000",
            Dialect::OpenaiImages => "/v1/models",
        };
        let answer = self.call(Method::GET, path, None, Vec::new()).await?;
        match answer.status {
            // Beyond the check of the key; some that speak the dialect have no list of models.
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(UpstreamError::refused(&answer)),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, UpstreamError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.root));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.expose());
        }
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body)
            .map_err(|err| UpstreamError::no_answer(CallError::Connect(ureq::Error::Http(err))))?;
        self.http.call(request).await.map_err(UpstreamError::no_answer)
    }
}

fn bearer(key: &Secret<String>, name: &str) -> io::Result<Secret<HeaderValue>> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
        io::Error::other(format!(
            "the key of the image API {name:?} holds characters that no header can carry"
        ))
    })?;
    value.set_sensitive(true);
    Ok(Secret::new(value))
}
