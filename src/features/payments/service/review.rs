//! Events as administrators look at them.

use serde_json::json;

use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::payments::model::{EventId, EventRecord, EventState};
use crate::features::payments::store;

/// A part of the events of a state, the newest first, behind the one with this number.
///
/// # Errors
/// What the database fails with.
pub async fn of_state(
    app: &App,
    state: EventState,
    before: Option<i64>,
    fetch: i64,
) -> Result<Vec<EventRecord>, DbError> {
    let before = before.unwrap_or(i64::MAX);
    app.db
        .read("payments.browse", move |tx| store::review::of_state(tx, state, before, fetch))
        .await
}

/// The events about an order or a refund, the oldest first; at most a hundred.
///
/// # Errors
/// What the database fails with.
pub fn about(tx: &Tx<'_>, reference: &str) -> Result<Vec<EventRecord>, DbError> {
    store::review::about(tx, reference)
}

/// An event.
///
/// # Errors
/// What the database fails with.
pub fn by_id(app: &App, id: EventId) -> Result<Option<EventRecord>, DbError> {
    app.db.read_inline("payments.event", |tx| store::review::by_id(tx, id))
}

/// Somebody has looked at a flagged event and says what he found. `false` when it is not flagged (any
/// more).
///
/// # Errors
/// What the database fails with.
pub async fn resolve(app: &App, id: EventId, actor: Actor, note: String) -> Result<bool, DbError> {
    let now = app.clock.now();
    app.db
        .write("payments.resolve", move |tx| {
            if !store::review::resolve(tx, id)? {
                return Ok(false);
            }
            let entry = AuditEntry {
                actor,
                action: "payment_event.resolved",
                object: format!("payment_event:{}", id.0),
                before: json!({ "state": "flagged" }),
                after: json!({ "state": "resolved", "note": note }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(true)
        })
        .await
}
