//! What a push makes happen.

use std::time::Duration;

use super::model::{Admission, Nonces, PushFailure, Reply};
use crate::app::App;
use crate::clients::wechat::push::{Push, PushEvent, PushQuery};

/// WeChat gives up on an answer after 5 seconds, Apple's question after 3.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// Why WeChat is to come again.
const LATER: &str = "try again later";

/// What proves to WeChat's console that the address is ours.
///
/// # Errors
/// `NotConfigured`, `Refused`.
pub(super) fn check_url(app: &App, query: &PushQuery) -> Result<String, PushFailure> {
    let keys = app.push.as_ref().ok_or(PushFailure::NotConfigured)?;
    Ok(keys.check_url(query, app.clock.now())?)
}

/// Takes a push as it came. What cannot be done in time, or at all, is answered so that WeChat repeats it.
///
/// # Errors
/// [`PushFailure`]: none of it was believed, or nothing of it was done.
pub(super) async fn take(app: &App, query: &PushQuery, body: &[u8]) -> Result<Reply, PushFailure> {
    let keys = app.push.as_ref().ok_or(PushFailure::NotConfigured)?;
    let now = app.clock.now();
    let push = keys.open(query, body, now)?;
    let nonces = app.states.get::<Nonces>();
    let turn = match nonces.admit(&push, now) {
        Admission::New(turn) => turn,
        Admission::Repeated => return Ok(taken(&push)),
        Admission::Running => return Ok(Reply::Again(push.format, LATER)),
        Admission::Reused => return Err(PushFailure::NonceReused),
        Admission::Full => return Err(PushFailure::Full),
    };
    let worked = tokio::time::timeout(ANSWER_WITHIN, work(app, &push)).await;
    let reply = worked.unwrap_or(Ok(Reply::Again(push.format, LATER)))?;
    if reply.is_final() {
        turn.taken();
    }
    Ok(reply)
}

async fn work(_app: &App, push: &Push) -> Result<Reply, PushFailure> {
    match &push.event {
        PushEvent::Unknown { event } => {
            tracing::info!(event, "WeChat pushed something that is nothing to us");
            Ok(Reply::Success)
        }
        _ => Ok(Reply::Again(push.format, LATER)),
    }
}

/// The answer to a push that was taken before.
fn taken(push: &Push) -> Reply {
    match push.event {
        PushEvent::MediaCheck(_) | PushEvent::Unknown { .. } => Reply::Success,
        _ => Reply::Done(push.format),
    }
}
