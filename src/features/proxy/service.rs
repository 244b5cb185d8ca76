//! Passing calls through.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::model::{FORWARDED, ProxyError, UpstreamJobId};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::clients::http::Answer;
use crate::clients::image_api::Forward;

/// How often the note of a new job's owner is tried before the client is told that it failed.
const NOTE_TRIES: u32 = 3;

/// Between two tries.
const NOTE_PAUSE: Duration = Duration::from_millis(100);

/// The caller's part of a call.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user: UserId,
    pub(super) headers: HeaderMap,
    /// As he sent it; goes upstream only when we have no key of our own.
    pub(super) authorization: HeaderValue,
    pub(super) request_id: Option<HeaderValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    job_id: Option<String>,
}

/// `POST /v1/images/generate`: passes it on and makes the job in the answer the caller's.
pub(super) async fn generate(
    app: &App,
    caller: Caller,
    body: Vec<u8>,
) -> Result<Answer, ProxyError> {
    let user = caller.user;
    let content_type = Some(HeaderValue::from_static("application/json"));
    let call = forward(caller, Method::POST, "/v1/images/generate".to_owned(), content_type, body);
    let answer = checked(app.image_api.forward(call).await?)?;
    if answer.status.is_success()
        && let Some(job) = created_job(&answer.body)
    {
        note_owner(app, job, user).await?;
    }
    Ok(answer)
}

/// `GET` or `DELETE /v1/jobs/{jobId}` of a job that the caller created.
pub(super) async fn job(
    app: &App,
    caller: Caller,
    method: Method,
    job: &str,
) -> Result<Answer, ProxyError> {
    let job = UpstreamJobId::parse(job).ok_or(ProxyError::JobNotFound)?;
    let user = caller.user;
    let is_owner = app.db.read_inline("proxy.is_owner", |tx| store::is_owner(tx, &job, user))?;
    if !is_owner {
        return Err(ProxyError::JobNotFound);
    }
    let call = forward(caller, method, format!("/v1/jobs/{}", job.as_str()), None, Vec::new());
    checked(app.image_api.forward(call).await?)
}

fn forward(
    caller: Caller,
    method: Method,
    path: String,
    content_type: Option<HeaderValue>,
    body: Vec<u8>,
) -> Forward {
    let mut headers: Vec<_> = FORWARDED
        .into_iter()
        .filter_map(|name| caller.headers.get(&name).cloned().map(|value| (name, value)))
        .collect();
    if let Some(id) = caller.request_id {
        headers.push((HeaderName::from_static("x-request-id"), id));
    }
    Forward { method, path, content_type, headers, caller: caller.authorization, body }
}

/// An answer with a body that is no JSON is not the image API's: a gateway's page, or damage.
fn checked(answer: Answer) -> Result<Answer, ProxyError> {
    let may_be_empty = answer.status == StatusCode::NO_CONTENT || answer.status.is_redirection();
    let is_json = serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
    if is_json || (may_be_empty && answer.body.is_empty()) {
        Ok(answer)
    } else {
        Err(ProxyError::Garbled(answer.status.as_u16()))
    }
}

fn created_job(body: &[u8]) -> Option<UpstreamJobId> {
    let created: Created = serde_json::from_slice(body).ok()?;
    UpstreamJobId::parse(&created.job_id?)
}

/// The job exists upstream by now: without this note its own user could not reach it.
async fn note_owner(app: &App, job: UpstreamJobId, user: UserId) -> Result<(), ProxyError> {
    let now = app.clock.now();
    let mut tries = 0;
    loop {
        tries += 1;
        let note = job.clone();
        match app
            .db
            .write("proxy.note_owner", move |tx| store::insert_job(tx, &note, user, now))
            .await
        {
            Err(err) if err.is_transient() && tries < NOTE_TRIES => {
                tokio::time::sleep(NOTE_PAUSE).await;
            }
            other => return Ok(other?),
        }
    }
}
