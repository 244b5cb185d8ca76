//! What the image API answers to which call.

use std::time::Duration;

use poem::http::header::RETRY_AFTER;
use poem::http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::jobs::{JobView, NewJob, NotCanceled, Refused, Status};
use super::{ImageApiSim, files, openai, request};
use crate::sandbox::journal::Journal;
use crate::sandbox::listener::{Call, Reply, Simulator};
use crate::sandbox::plan::Faults;

const SUBMIT: &str = "/v1/images/generate";
const SUBMIT_OPENAI: &str = "/v1/images/generations";
const JOBS: &str = "/v1/jobs";
const FILES: &str = "/files/";

impl Simulator for ImageApiSim {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn faults(&self, call: &Call) -> Option<&Faults> {
        match call.path.as_str() {
            SUBMIT | SUBMIT_OPENAI => Some(&self.submit_faults),
            path if path.starts_with(JOBS) => Some(&self.poll_faults),
            path if path.starts_with(FILES) => Some(&self.file_faults),
            _ => None,
        }
    }

    fn error(&self, call: &Call, code: i64) -> Reply {
        let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if call.path == SUBMIT_OPENAI {
            return openai::error(status, "the sandbox was told to fail");
        }
        let name = match status.as_u16() {
            401 => "INVALID_API_KEY",
            404 => "JOB_NOT_FOUND",
            429 => "RATE_LIMIT_EXCEEDED",
            503 => "SERVICE_OVERLOAD",
            400..=499 => "INVALID_REQUEST",
            _ => "PROVIDER_ERROR",
        };
        failure(status, name, "the sandbox was told to fail")
    }

    async fn answer(&self, call: &Call) -> Reply {
        if call.path == "/health" {
            return Reply::json(StatusCode::OK, &json!({ "status": "ok" }));
        }
        if let Some(name) = call.path.strip_prefix(FILES) {
            return self.file(name).await;
        }
        let Some(tenant) = self.tenant(call) else {
            let text = "the API key is missing or unknown";
            if call.path == SUBMIT_OPENAI {
                return openai::error(StatusCode::UNAUTHORIZED, text);
            }
            return failure(StatusCode::UNAUTHORIZED, "INVALID_API_KEY", text);
        };
        let job_id = call.path.strip_prefix("/v1/jobs/");
        match (call.path.as_str(), &call.method, job_id) {
            (SUBMIT | SUBMIT_OPENAI, &Method::POST, _) => self.submission(call, tenant).await,
            (JOBS, &Method::GET, _) => self.list(call, &tenant),
            (_, &Method::GET, Some(id)) => match self.jobs.get(&tenant, id) {
                Some(job) => Reply::json(StatusCode::OK, &job_json(&job)),
                None => no_job(),
            },
            (_, &Method::DELETE, Some(id)) => self.cancel(&tenant, id),
            (SUBMIT | SUBMIT_OPENAI | JOBS, ..) | (_, _, Some(_)) => failure(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "this path has other methods",
            ),
            _ => failure(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path"),
        }
    }
}

impl ImageApiSim {
    /// Who calls; `None` is nobody it knows.
    fn tenant(&self, call: &Call) -> Option<String> {
        let (scheme, key) = call.header("authorization").split_once(' ')?;
        let key = key.trim();
        let known = key == Self::API_KEY
            || self.accept_any_key.load(std::sync::atomic::Ordering::Relaxed) && !key.is_empty();
        if !known || !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(format!("tenant_{}", files::hex(&Sha256::digest(key)[..6])))
    }

    async fn submission(&self, call: &Call, tenant: String) -> Reply {
        let is_openai = call.path == SUBMIT_OPENAI;
        if let Err(wait) = self.rate.admit(&tenant, self.rate_per_minute()) {
            let text = "too many requests this minute";
            let reply = if is_openai {
                openai::error(StatusCode::TOO_MANY_REQUESTS, text)
            } else {
                failure(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", text)
            };
            return retry_after(reply, wait);
        }
        if is_openai {
            return self.generations(call, tenant).await;
        }
        let Some(body) = call.json() else { return invalid("the body is not a JSON object") };
        let request = match request::parse(&body) {
            Ok(request) => request,
            Err(text) => return invalid(&text),
        };
        let idempotency_key =
            Some(call.header("idempotency-key")).filter(|key| !key.is_empty()).map(str::to_owned);
        match self.submit(NewJob { tenant, idempotency_key, request }) {
            Ok(job) => {
                let body = json!({ "jobId": job.id, "status": job.status });
                Reply::json(StatusCode::ACCEPTED, &body)
            }
            Err(Refused) => failure(
                StatusCode::SERVICE_UNAVAILABLE,
                "SERVICE_OVERLOAD",
                "too many unfinished jobs",
            ),
        }
    }

    fn list(&self, call: &Call, tenant: &str) -> Reply {
        let limit = match call.query("limit") {
            "" => 20,
            text => match text.parse() {
                Ok(limit) if (1..=100).contains(&limit) => limit,
                _ => return invalid("limit must be a number from 1 to 100"),
            },
        };
        let before = match call.query("cursor") {
            "" => u64::MAX,
            text => match text.parse() {
                Ok(before) => before,
                Err(_) => return invalid("cursor is not one of ours"),
            },
        };
        let status = match call.query("status") {
            "" => None,
            text => match serde_json::from_value::<Status>(text.into()) {
                Ok(status) => Some(status),
                Err(_) => return invalid("status is none that a job can have"),
            },
        };
        let mut jobs = self.jobs.list(tenant, status, before, limit);
        let has_more = jobs.len() > limit;
        jobs.truncate(limit);
        let next = jobs.last().filter(|_| has_more).map(|job| job.seq.to_string());
        let items: Vec<Value> = jobs.iter().map(job_json).collect();
        let body = json!({ "items": items, "hasMore": has_more, "nextCursor": next });
        Reply::json(StatusCode::OK, &body)
    }

    fn cancel(&self, tenant: &str, id: &str) -> Reply {
        match self.jobs.cancel(tenant, id, self.clock.now()) {
            Ok(job) => {
                self.webhooks.send(&job, self.clock.now(), &self.rng, &self.tasks);
                let body = json!({ "jobId": job.id, "status": job.status });
                Reply::json(StatusCode::OK, &body)
            }
            Err(NotCanceled::NotFound) => no_job(),
            Err(NotCanceled::TooLate(status)) => failure(
                StatusCode::BAD_REQUEST,
                "INVALID_STATE",
                &format!("a job that is {status:?} cannot be canceled"),
            ),
        }
    }

    async fn file(&self, name: &str) -> Reply {
        match self.picture(name).await {
            Some(body) => Reply {
                status: StatusCode::OK,
                content_type: "image/png",
                headers: Vec::new(),
                body,
            },
            None => failure(StatusCode::NOT_FOUND, "NOT_FOUND", "no such file"),
        }
    }
}

fn job_json(job: &JobView) -> Value {
    let completed = job.status.is_final().then(|| job.updated_at.rfc3339());
    let error = job.error.as_ref();
    json!({
        "id": job.id,
        "jobId": job.id,
        "status": job.status,
        "prompt": job.request.prompt,
        "mode": job.request.mode,
        "model": job.request.model,
        "resolution": job.request.resolution,
        "aspectRatio": job.request.aspect_ratio,
        "sampleCount": job.request.samples,
        "resultUrls": job.result_urls,
        "error": error.map(|(code, message)| json!({ "code": code, "message": message })),
        "createdAt": job.created_at.rfc3339(),
        "updatedAt": job.updated_at.rfc3339(),
        "completedAt": completed,
    })
}

fn invalid(text: &str) -> Reply {
    failure(StatusCode::BAD_REQUEST, "INVALID_REQUEST", text)
}

fn no_job() -> Reply {
    failure(StatusCode::NOT_FOUND, "JOB_NOT_FOUND", "no such job")
}

fn failure(status: StatusCode, error: &str, message: &str) -> Reply {
    with_retry_after(Reply::json(status, &json!({ "error": error, "message": message })))
}

/// Adds `Retry-After: 1` where the status asks for it.
pub(super) fn with_retry_after(reply: Reply) -> Reply {
    if matches!(reply.status.as_u16(), 429 | 503) {
        return retry_after(reply, Duration::from_secs(1));
    }
    reply
}

fn retry_after(mut reply: Reply, wait: Duration) -> Reply {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    reply.headers.retain(|(name, _)| name != RETRY_AFTER);
    match HeaderValue::from_str(&seconds.to_string()) {
        Ok(value) => reply.with_header(RETRY_AFTER, value),
        Err(_) => reply,
    }
}
