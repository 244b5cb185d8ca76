//! Passing calls through.

pub mod charges;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use serde::de::IgnoredAny;
use tokio_util::sync::CancellationToken;

use self::charges::Charge;
use super::model::{FORWARDED, Passed, ProxyError, Said, UpstreamJobId, end_to_end, wanted};
use super::store;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::clients::http::{Answer, CallError};
use crate::clients::image_api::Forward;
use crate::features::generations::Pictures;
use crate::features::generations::service::charge;
use crate::features::idempotency::{self, KeyedCall, Ticket};

/// How often the note of an answer is tried before the client is told that it failed.
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

/// Settles what the last process left.
pub async fn start(app: Arc<App>) {
    if let Err(err) = charges::settle_left(&app).await {
        // It comes round again in a minute.
        tracing::error!(error = error_chain(&err), "charges of the last process are not settled");
    }
}

/// `POST /v1/images/generate`: charges, passes it on, makes the job in the answer the caller's, and
/// gives back when the answer is not a good one. Once sent, it goes to its end even when the client
/// has left: what it costs depends on the image API.
///
/// # Errors
/// `Invalid`, `Price`, `Call`, `Garbled`, `Idempotency`; what the database fails with.
pub(super) async fn generate(
    app: &Arc<App>,
    caller: Caller,
    key: Option<KeyedCall>,
    body: Vec<u8>,
) -> Result<Passed, ProxyError> {
    let pictures = wanted(&body)?;
    let user = caller.user;
    let content_type = Some(HeaderValue::from_static("application/json"));
    let call = forward(caller, Method::POST, "/v1/images/generate".to_owned(), content_type, body);
    let left = CancellationToken::new();
    let _client = left.clone().drop_guard();
    let once = Once { app: Arc::clone(app), user, pictures, left };
    // The turn of the key is held by the task too: a repetition waits for a call whose client has left.
    let task = tokio::spawn(async move { once.run(key, call).await });
    task.await.map_err(|_| ProxyError::CutShort)?
}

/// One paid call.
struct Once {
    app: Arc<App>,
    user: UserId,
    pictures: Pictures,
    /// Cancelled when nobody waits for the answer any more.
    left: CancellationToken,
}

impl Once {
    async fn run(&self, key: Option<KeyedCall>, call: Forward) -> Result<Passed, ProxyError> {
        let mut fresh = None;
        let fresh_here = &mut fresh;
        let effect = |ticket| async move {
            let answer = self.answer(call, ticket).await?;
            let kept = kept(&answer);
            *fresh_here = Some(answer);
            Ok::<_, ProxyError>(kept)
        };
        let answer = idempotency::service::run(&self.app, key, effect).await?;
        Ok(fresh.unwrap_or_else(|| again(answer)))
    }

    async fn answer(&self, call: Forward, ticket: Ticket) -> Result<Passed, ProxyError> {
        if self.left.is_cancelled() {
            return Err(ProxyError::ClientGone);
        }
        let (app, user, pictures) = (&*self.app, self.user, self.pictures);
        let now = app.clock.now();
        let tariff = charge::tariff(app, user, now)?;
        if app.image_api.is_full() {
            // Refused at once, without moving points to and fro.
            charge::check_affordable(app, &tariff, user, pictures, now)?;
            return Err(CallError::Overloaded.into());
        }
        let charge = charges::open(app, tariff, user, pictures, now).await?;
        let answer = match self.sent(call).await {
            Ok(answer) if answer.status.is_success() => answer,
            other => {
                self.cancel(&charge).await;
                return other;
            }
        };
        match self.keep(&charge, &ticket, &answer).await {
            Ok(()) => Ok(answer),
            Err(err) => {
                // Not noted, so nobody will find it: it was for nothing.
                self.cancel(&charge).await;
                Err(err)
            }
        }
    }

    async fn sent(&self, call: Forward) -> Result<Passed, ProxyError> {
        let place = tokio::select! {
            biased;
            () = self.left.cancelled() => return Err(ProxyError::ClientGone),
            place = self.app.image_api.place() => place?,
        };
        checked(self.app.image_api.forward_in(place, call).await?)
    }

    /// The image API has acted by now: a passing failure must not lose its answer.
    async fn keep(
        &self,
        charge: &Charge,
        ticket: &Ticket,
        answer: &Passed,
    ) -> Result<(), ProxyError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let job = Said::read(&answer.body).job();
            match charges::keep(&self.app, charge, job, ticket.clone(), kept(answer)).await {
                Err(err) if err.is_transient() && tries < NOTE_TRIES => {
                    tokio::time::sleep(NOTE_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// What cannot be written now is left to `settle_left`.
    async fn cancel(&self, charge: &Charge) {
        if let Err(err) = charges::cancel(&self.app, charge).await {
            tracing::error!(error = error_chain(&err), "a charge could not be given back yet");
        }
    }
}

/// `GET` or `DELETE /v1/jobs/{jobId}` of a job that the caller created. The first answer that shows it
/// lost gives back what it cost.
///
/// # Errors
/// `JobNotFound`, `Call`, `Garbled`; what the database fails with.
pub(super) async fn job(
    app: &App,
    caller: Caller,
    method: Method,
    job: &str,
) -> Result<Passed, ProxyError> {
    let job = UpstreamJobId::parse(job).ok_or(ProxyError::JobNotFound)?;
    let known = app.db.read_inline("proxy.known_job", |tx| store::known(tx, &job))?;
    let known = known.filter(|known| known.owner == caller.user);
    let is_paid = known.ok_or(ProxyError::JobNotFound)?.is_paid;
    let call = forward(caller, method, format!("/v1/jobs/{}", job.as_str()), None, Vec::new());
    let answer = checked(app.image_api.forward(call).await?)?;
    if is_paid && answer.status.is_success() && Said::read(&answer.body).is_lost() {
        charges::job_is_lost(app, job).await?;
    }
    Ok(answer)
}

/// Takes an announcement whose signature was checked: a lost job gives back what it cost.
///
/// # Errors
/// What the database fails with.
pub(super) async fn announced(app: &App, body: &[u8]) -> Result<(), ProxyError> {
    let said = Said::read(body);
    let Some(job) = said.job().filter(|_| said.is_lost()) else { return Ok(()) };
    let is_paid = app.db.read_inline("proxy.announced", |tx| store::charges::is_paid(tx, &job))?;
    if is_paid { charges::job_is_lost(app, job).await } else { Ok(()) }
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
fn checked(answer: Answer) -> Result<Passed, ProxyError> {
    let may_be_empty = answer.status == StatusCode::NO_CONTENT || answer.status.is_redirection();
    let is_json = serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
    let is_nothing = answer.body.is_empty() && may_be_empty;
    if !(is_json || is_nothing) {
        return Err(ProxyError::Garbled(answer.status.as_u16()));
    }
    let Answer { status, headers, body } = answer;
    Ok(Passed { status, headers: end_to_end(&headers), body: Bytes::from(body) })
}

/// An answer as repetitions get it: status and JSON.
fn kept(answer: &Passed) -> idempotency::Answer {
    idempotency::Answer { status: answer.status.as_u16(), body: answer.body.clone() }
}

fn again(answer: idempotency::Answer) -> Passed {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    Passed {
        // Only 2xx answers are stored, so this falls back for nothing.
        status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK),
        headers: [(CONTENT_TYPE, json)].into_iter().collect(),
        body: answer.body,
    }
}
