//! What a push makes happen.

mod deliver;
mod record;

use std::sync::Arc;
use std::time::Duration;

use super::model::{Admission, Evidence, Nonces, PushFailure, Reply, Turn};
use crate::app::App;
use crate::clients::wechat::push::{AppleRefundQuery, Push, PushEvent, PushQuery};
use crate::features::orders::{self, OrderId};
use crate::features::payments::{self, EventId, EventOutcome};
use crate::features::users;

/// WeChat gives up on an answer after 5 seconds, Apple's question after 3.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// Why WeChat is to come again.
const LATER: &str = "try again later";
const NOT_OURS: &str = "it does not fit";

/// What proves to WeChat's console that the address is ours.
///
/// # Errors
/// `NotConfigured`, `Refused`.
pub(super) fn check_url(app: &App, query: &PushQuery) -> Result<String, PushFailure> {
    let keys = app.push.as_ref().ok_or(PushFailure::NotConfigured)?;
    Ok(keys.check_url(query, app.clock.now())?)
}

/// Takes a push as it came. What cannot be done in time, or at all, is answered so that WeChat repeats it;
/// what was begun goes on to its end even when WeChat has hung up.
///
/// # Errors
/// [`PushFailure`]: none of it was believed, or nothing of it was done.
pub(super) async fn take(
    app: &Arc<App>,
    query: &PushQuery,
    body: &[u8],
) -> Result<Reply, PushFailure> {
    let keys = app.push.as_ref().ok_or(PushFailure::NotConfigured)?;
    let now = app.clock.now();
    let opened = keys.open(query, body, now).map_err(PushFailure::from);
    let admitted = opened.and_then(|push| match app.states.get::<Nonces>().admit(&push, now) {
        Admission::Reused => Err(PushFailure::NonceReused),
        Admission::Full => Err(PushFailure::Full),
        admission => Ok((push, admission)),
    });
    let (push, turn) = match admitted {
        Ok((push, Admission::New(turn))) => (push, Some(turn)),
        // Asked again, Apple's question is answered again: nobody remembers the answer.
        Ok((push, Admission::Repeated)) if is_question(&push) => (push, None),
        Ok((push, Admission::Repeated)) => return Ok(taken(&push)),
        Ok((push, _)) => return Ok(Reply::Again(push.format, LATER)),
        Err(err) => {
            record::refused(app, query, body, &err).await;
            return Err(err);
        }
    };
    let format = push.format;
    let event = record::as_it_came(query, body, &push);
    let task = {
        let app = Arc::clone(app);
        tokio::spawn(async move { work(&app, push, event, turn).await })
    };
    match tokio::time::timeout(ANSWER_WITHIN, task).await {
        Ok(done) => done.map_err(|_| PushFailure::CutShort)?,
        Err(_) => Ok(Reply::Again(format, LATER)),
    }
}

async fn work(
    app: &Arc<App>,
    push: Push,
    event: payments::NewEvent,
    turn: Option<Turn>,
) -> Result<Reply, PushFailure> {
    let reply = match push.event {
        // Not kept: it is about no money, and every user who writes to the service makes some.
        PushEvent::Unknown { event } => {
            tracing::info!(event, "WeChat pushed something that is nothing to us");
            Reply::Success
        }
        known => {
            let id = payments::service::events::receive(app, event).await?;
            act(app, id, push.format, known).await?
        }
    };
    if let Some(turn) = turn.filter(|_| reply.is_final()) {
        turn.taken();
    }
    Ok(reply)
}

async fn act(
    app: &Arc<App>,
    id: EventId,
    format: crate::clients::wechat::push::Format,
    event: PushEvent,
) -> Result<Reply, PushFailure> {
    let flagged = |why: &str| EventOutcome::Flagged(why.to_owned());
    let (outcome, reply) = match event {
        PushEvent::GoodsDeliver(told) => {
            let is_delivered = deliver::deliver(app, id, told).await?;
            return Ok(match is_delivered {
                true => Reply::Done(format),
                false => Reply::Again(format, NOT_OURS),
            });
        }
        PushEvent::AppleRefundQuery(asked) => return evidence(app, id, asked).await,
        // The seam of refunds: until they take it, somebody must.
        PushEvent::Refund(_) => (flagged("a refund has ended"), Reply::Done(format)),
        PushEvent::Complaint => (flagged("a user complains"), Reply::Done(format)),
        PushEvent::CoinPay => (flagged("coins are not sold here"), Reply::Done(format)),
        // The seam of moderation: the verdict is kept under its trace id.
        PushEvent::MediaCheck(_) => (EventOutcome::Done, Reply::Success),
        PushEvent::Unreadable { .. } | PushEvent::Unknown { .. } => {
            (flagged("it lacks what it must have"), Reply::Again(format, NOT_OURS))
        }
    };
    record::finish(app, id, outcome).await?;
    Ok(reply)
}

/// What we know of an order that a user wants his money back for, at Apple.
async fn evidence(app: &App, id: EventId, asked: AppleRefundQuery) -> Result<Reply, PushFailure> {
    let now = app.clock.now();
    let evidence = app
        .db
        .write("push.evidence", move |tx| {
            let order = match OrderId::parse(&asked.order_id) {
                Some(order) => orders::service::by_id(tx, &order)?,
                None => None,
            };
            let evidence = match order {
                None => Evidence::unknown(),
                Some(order) => {
                    let user = users::service::find(tx, order.user)?;
                    let balance = user.map_or(0, |user| user.points_balance);
                    Evidence::about(&order, balance, now)
                }
            };
            payments::service::events::finish(tx, id, &EventOutcome::Done, now)?;
            Ok::<_, PushFailure>(evidence)
        })
        .await?;
    Ok(Reply::Evidence(evidence))
}

fn is_question(push: &Push) -> bool {
    matches!(push.event, PushEvent::AppleRefundQuery(_))
}

/// The answer to a push that was taken before.
fn taken(push: &Push) -> Reply {
    match push.event {
        PushEvent::MediaCheck(_) | PushEvent::Unknown { .. } => Reply::Success,
        _ => Reply::Done(push.format),
    }
}
