//! Events as administrators look at them.

use crate::db::prelude::*;
use crate::features::payments::model::{EventId, EventRecord, EventState};

/// Events of a state, the newest first, behind this number. Each state that somebody has to look at has
/// an index; what was processed is found by its order.
pub(in crate::features::payments) fn of_state(
    tx: &Tx<'_>,
    state: EventState,
    before: i64,
    fetch: i64,
) -> Result<Vec<EventRecord>, DbError> {
    let sql = match state {
        EventState::Flagged => {
            "SELECT id, source, received_at, headers, length(body), state, event_id, event_type,
                    reference, content, problem, processed_at
               FROM payment_events
              WHERE state = 'flagged' AND id < ?1 ORDER BY id DESC LIMIT ?2"
        }
        EventState::Refused => {
            "SELECT id, source, received_at, headers, length(body), state, event_id, event_type,
                    reference, content, problem, processed_at
               FROM payment_events
              WHERE state = 'refused' AND id < ?1 ORDER BY id DESC LIMIT ?2"
        }
        EventState::All => {
            "SELECT id, source, received_at, headers, length(body), state, event_id, event_type,
                    reference, content, problem, processed_at
               FROM payment_events WHERE id < ?1 ORDER BY id DESC LIMIT ?2"
        }
    };
    tx.query_all(sql, params![before, fetch], from_row)
}

/// Events about an order or a refund. Uses payment_events_reference_idx.
pub(in crate::features::payments) fn about(
    tx: &Tx<'_>,
    reference: &str,
) -> Result<Vec<EventRecord>, DbError> {
    tx.query_all(
        "SELECT id, source, received_at, headers, length(body), state, event_id, event_type,
                reference, content, problem, processed_at
           FROM payment_events WHERE reference = ?1 ORDER BY id LIMIT 100",
        params![reference],
        from_row,
    )
}

pub(in crate::features::payments) fn by_id(
    tx: &Tx<'_>,
    id: EventId,
) -> Result<Option<EventRecord>, DbError> {
    tx.query_opt(
        "SELECT id, source, received_at, headers, length(body), state, event_id, event_type,
                reference, content, problem, processed_at
           FROM payment_events WHERE id = ?1",
        params![id.0],
        from_row,
    )
}

/// Somebody has looked at it; `false` when it is not flagged.
pub(in crate::features::payments) fn resolve(tx: &Tx<'_>, id: EventId) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE payment_events SET state = 'resolved' WHERE id = ?1 AND state = 'flagged'",
        params![id.0],
    )?;
    Ok(changed == 1)
}

fn from_row(row: &Row<'_>) -> Result<EventRecord, DbError> {
    let (headers, content): (String, Option<String>) = (row.get(3)?, row.get(9)?);
    Ok(EventRecord {
        id: EventId(row.get(0)?),
        source: row.get(1)?,
        received_at: row.get(2)?,
        headers: EventRecord::masked_headers(&headers),
        body_bytes: row.get(4)?,
        state: row.get(5)?,
        event_id: row.get(6)?,
        event_type: row.get(7)?,
        reference: row.get(8)?,
        content: content.as_deref().map(EventRecord::masked_content),
        problem: row.get(10)?,
        processed_at: row.get(11)?,
    })
}
