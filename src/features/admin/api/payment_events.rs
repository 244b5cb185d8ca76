//! `/payment-events`: what WeChat told, masked; and looking at what does not fit.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value;

use super::AdminTag;
use super::auth::{Operator, Viewer};
use super::csv::{self, Csv, Sheet, or_empty};
use super::list::{self, said, shown};
use crate::app::App;
use crate::features::payments::service::review;
use crate::features::payments::{EventId, EventRecord, EventState};
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// Which events are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum PaymentEventState {
    All,
    /// Genuine, and somebody has to look at it.
    Flagged,
    /// Not believed.
    Refused,
}

impl From<PaymentEventState> for EventState {
    fn from(state: PaymentEventState) -> Self {
        match state {
            PaymentEventState::All => Self::All,
            PaymentEventState::Flagged => Self::Flagged,
            PaymentEventState::Refused => Self::Refused,
        }
    }
}

/// What WeChat told, or said when it was asked. Who paid is masked.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PaymentEvent {
    id: i64,
    /// `notify`, `refund_notify`, `push` or `query`.
    source: String,
    /// `received`, `refused`, `done`, `repeated`, `flagged` or `resolved`.
    state: String,
    event_id: Option<String>,
    event_type: Option<String>,
    /// The order or refund it is about.
    reference: Option<String>,
    /// Why it was refused or flagged.
    problem: Option<String>,
    /// What it says, decrypted.
    content: Option<Value>,
    headers: Value,
    /// As it came; it is encrypted.
    body_bytes: i64,
    received_at: String,
    processed_at: Option<String>,
}

impl From<EventRecord> for PaymentEvent {
    fn from(event: EventRecord) -> Self {
        Self {
            id: event.id.0,
            source: event.source,
            state: event.state,
            event_id: event.event_id,
            event_type: event.event_type,
            reference: event.reference,
            problem: event.problem,
            content: event.content,
            headers: event.headers,
            body_bytes: event.body_bytes,
            received_at: event.received_at.rfc3339(),
            processed_at: shown(event.processed_at),
        }
    }
}

fn sheet() -> Sheet<EventRecord, i64> {
    Sheet {
        name: "payment-events.csv",
        columns: &[
            "id",
            "source",
            "state",
            "eventId",
            "eventType",
            "reference",
            "problem",
            "receivedAt",
            "processedAt",
        ],
        keys: |event| event.id.0,
        record: |event| {
            vec![
                event.id.0.to_string(),
                event.source.clone(),
                event.state.clone(),
                or_empty(event.event_id.as_ref()),
                or_empty(event.event_type.as_ref()),
                or_empty(event.reference.as_ref()),
                or_empty(event.problem.as_ref()),
                event.received_at.rfc3339(),
                or_empty(shown(event.processed_at)),
            ]
        },
    }
}

/// What somebody found.
#[derive(Debug, Object)]
struct ResolveEventRequest {
    /// For the audit log; 1–500 characters.
    #[oai(validator(min_length = 1, max_length = 500))]
    note: String,
}

/// What WeChat told.
pub(super) struct PaymentEventsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/payment-events", tag = "AdminTag::Orders")]
impl PaymentEventsApi {
    /// List what WeChat told
    ///
    /// The newest first; those flagged unless `state` says otherwise.
    #[oai(path = "/", method = "get", operation_id = "listPaymentEvents")]
    async fn list(
        &self,
        _admin: Viewer,
        state: Query<Option<PaymentEventState>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<PaymentEvent>>, ApiError> {
        let part = list::part::<1>(limit.0, cursor.0.as_deref())?;
        let state = state.0.unwrap_or(PaymentEventState::Flagged).into();
        let before = part.after().map(|[id]| id);
        let found = review::of_state(&self.app, state, before, part.fetch()).await?;
        Ok(Json(part.answer(found, None, |event| [event.id.0], PaymentEvent::from)))
    }

    /// Export what WeChat told
    ///
    /// As CSV, with the filter of the list; without what it says.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportPaymentEvents")]
    async fn export(
        &self,
        _admin: Viewer,
        state: Query<Option<PaymentEventState>>,
    ) -> Result<Csv, ApiError> {
        let state: EventState = state.0.unwrap_or(PaymentEventState::Flagged).into();
        csv::export(&self.app, sheet(), state, |app, state, before, fetch| async move {
            review::of_state(&app, state, before, fetch).await
        })
        .await
    }

    /// Mark a flagged event as looked at
    ///
    /// Errors: `NOT_FOUND`; `INVALID_STATE` when it is not flagged.
    #[oai(path = "/:id/resolve", method = "post", operation_id = "resolvePaymentEvent")]
    async fn resolve(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ResolveEventRequest>,
    ) -> Result<Json<PaymentEvent>, ApiError> {
        let (id, note) = (EventId(id.0), said("note", &body.0.note)?);
        let there = || review::by_id(&self.app, id)?.ok_or(ApiError::new(ErrorCode::NotFound));
        there()?;
        if !review::resolve(&self.app, id, admin.actor(), note).await? {
            return Err(ErrorCode::InvalidState.into());
        }
        Ok(Json(there()?.into()))
    }
}
