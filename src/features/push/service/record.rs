//! Keeping pushes, the refused ones too, among the events of payment.

use serde_json::json;

use crate::app::App;
use crate::clients::wechat::push::{Push, PushEvent, PushQuery};
use crate::db::DbError;
use crate::features::payments::{self, EventId, EventOutcome, NewEvent, Source};
use crate::features::push::model::PushFailure;

/// How much of a parameter is kept, in characters.
const PARAMETER_MAX: usize = 128;

/// A genuine push, to be stored before anything is made of it.
pub(super) fn as_it_came(query: &PushQuery, body: &[u8], push: &Push) -> NewEvent {
    NewEvent {
        source: Source::Push,
        headers: parameters(query),
        body: body.to_vec(),
        // Pushes carry no number of their own.
        event_id: None,
        event_type: Some(push.event.name().to_owned()),
        reference: reference(&push.event),
        content: Some(push.plaintext.clone()),
    }
}

/// Keeps some of what is refused, for looking at. Not being able to changes nothing of the answer.
pub(super) async fn refused(app: &App, query: &PushQuery, body: &[u8], why: &PushFailure) {
    let event = NewEvent::refused(Source::Push, parameters(query), body);
    let kept = payments::service::events::refuse(app, event, why.to_string()).await;
    if let Err(failed) = kept {
        tracing::warn!(error = %failed, "a refused push cannot be kept");
    }
}

/// Notes what became of a push that changed nothing else.
///
/// # Errors
/// What the database fails with.
pub(super) async fn finish(app: &App, id: EventId, outcome: EventOutcome) -> Result<(), DbError> {
    let now = app.clock.now();
    if let EventOutcome::Flagged(why) = &outcome {
        tracing::warn!(event.id = id.0, problem = why, "a push waits for somebody to look at it");
    }
    app.db
        .write("push.finish", move |tx| payments::service::events::finish(tx, id, &outcome, now))
        .await
}

/// The order, the picture's check, or whatever it is about.
fn reference(event: &PushEvent) -> Option<String> {
    match event {
        PushEvent::GoodsDeliver(told) => Some(told.order_id.clone()),
        PushEvent::Refund(told) => told.order_id.clone().or_else(|| told.wx_order_id.clone()),
        PushEvent::AppleRefundQuery(asked) => Some(asked.order_id.clone()),
        PushEvent::MediaCheck(verdict) => Some(verdict.trace_id.clone()),
        PushEvent::Complaint
        | PushEvent::CoinPay
        | PushEvent::Unreadable { .. }
        | PushEvent::Unknown { .. } => None,
    }
}

/// What the push was signed by.
fn parameters(query: &PushQuery) -> serde_json::Value {
    let kept = |value: &Option<String>| -> Option<String> {
        Some(value.as_ref()?.chars().take(PARAMETER_MAX).collect())
    };
    json!({
        "timestamp": kept(&query.timestamp),
        "nonce": kept(&query.nonce),
        "encrypt_type": kept(&query.encrypt_type),
        "msg_signature": kept(&query.msg_signature),
    })
}
