//! The `payment_events` table; what administrators look at stands in `review`.

pub(super) mod review;

use super::model::{EventId, EventOutcome, NewEvent, Source};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Stores a genuine event, not processed yet.
pub(super) fn receive(tx: &Tx<'_>, event: &NewEvent, now: UnixMillis) -> Result<EventId, DbError> {
    let id = tx.insert(
        "INSERT INTO payment_events
           (source, received_at, headers, body, state, event_id, event_type, reference, content)
         VALUES (?1, ?2, ?3, ?4, 'received', ?5, ?6, ?7, ?8)",
        params![
            event.source.as_str(),
            now,
            event.headers.to_string(),
            event.body,
            event.event_id,
            event.event_type,
            event.reference,
            event.content
        ],
    )?;
    Ok(EventId(id))
}

/// Stores a refused event, unless `most` have been since `since`; `false` when it was not.
pub(super) fn refuse(
    tx: &Tx<'_>,
    event: &NewEvent,
    problem: &str,
    (most, since): (i64, UnixMillis),
    now: UnixMillis,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        "INSERT INTO payment_events
           (source, received_at, headers, body, state, problem, processed_at)
         SELECT ?1, ?2, ?3, ?4, 'refused', ?5, ?2
          WHERE (SELECT COUNT(*) FROM payment_events
                  WHERE state = 'refused' AND received_at > ?6) < ?7",
        params![
            event.source.as_str(),
            now,
            event.headers.to_string(),
            event.body,
            problem,
            since,
            most
        ],
    )?;
    Ok(inserted == 1)
}

/// Notes what became of an event.
pub(super) fn finish(
    tx: &Tx<'_>,
    event: EventId,
    outcome: &EventOutcome,
    now: UnixMillis,
) -> Result<(), DbError> {
    let (state, problem) = match outcome {
        EventOutcome::Done => ("done", None),
        EventOutcome::Repeated => ("repeated", None),
        EventOutcome::Flagged(why) => ("flagged", Some(why.as_str())),
    };
    tx.execute(
        "UPDATE payment_events SET state = ?2, problem = ?3, processed_at = ?4
          WHERE id = ?1 AND state = 'received'",
        params![event.0, state, problem, now],
    )?;
    Ok(())
}

/// Whether this is flagged about an order already and nobody has looked yet.
pub(super) fn is_flagged(
    tx: &Tx<'_>,
    source: Source,
    reference: &str,
    problem: &str,
) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM payment_events
          WHERE reference = ?1 AND state = 'flagged' AND source = ?2 AND problem = ?3",
        params![reference, source.as_str(), problem],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Ends some events that nobody works on any more: the server died between storing and processing them.
/// What came before `told_again` and was done since, by a repeat or by asking, is ended as repeated; what
/// came before `given_up` and was not is flagged. `false` when none are left. Uses
/// payment_events_open_idx.
pub(super) fn end_cut_short(
    tx: &Tx<'_>,
    (told_again, given_up): (UnixMillis, UnixMillis),
    batch: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let ended = tx.execute(
        "WITH told(id, received_at, is_done) AS (
           SELECT e.id, e.received_at,
                  EXISTS (SELECT 1 FROM payment_events other
                           WHERE other.reference = e.reference
                             AND other.event_type IS e.event_type
                             AND other.state IN ('done', 'repeated'))
                  OR (e.event_type IN ('TRANSACTION.SUCCESS', 'xpay_goods_deliver_notify')
                      AND EXISTS (SELECT 1 FROM orders
                                   WHERE order_id = e.reference AND paid_at IS NOT NULL))
             FROM payment_events e
            WHERE e.state = 'received' AND e.received_at < ?1),
         over(id, is_done) AS (
           SELECT id, is_done FROM told WHERE is_done OR received_at < ?2 ORDER BY id LIMIT ?3)
         UPDATE payment_events
            SET state = CASE WHEN over.is_done THEN 'repeated' ELSE 'flagged' END,
                problem = CASE WHEN over.is_done THEN NULL
                               ELSE 'the server ended before it was processed' END,
                processed_at = ?4
           FROM over
          WHERE payment_events.id = over.id",
        params![told_again, given_up, batch, now],
    )?;
    Ok(ended > 0)
}

/// Forgets some events of a state that came before `until`; `false` when none are left. What is
/// flagged is never forgotten.
pub(super) fn forget_refused(tx: &Tx<'_>, until: UnixMillis, batch: i64) -> Result<bool, DbError> {
    let gone = tx.execute(
        "DELETE FROM payment_events WHERE id IN
           (SELECT id FROM payment_events WHERE state = 'refused' AND received_at < ?1 LIMIT ?2)",
        params![until, batch],
    )?;
    Ok(gone > 0)
}

/// The same for events that were processed without a question left.
pub(super) fn forget_done(tx: &Tx<'_>, until: UnixMillis, batch: i64) -> Result<bool, DbError> {
    let gone = tx.execute(
        "DELETE FROM payment_events WHERE id IN
           (SELECT id FROM payment_events
             WHERE received_at < ?1 AND state IN ('done', 'repeated') LIMIT ?2)",
        params![until, batch],
    )?;
    Ok(gone > 0)
}

/// How many refused events there are since then, counted up to `most`.
pub(super) fn refused_since(tx: &Tx<'_>, since: UnixMillis, most: i64) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM (SELECT 1 FROM payment_events
          WHERE state = 'refused' AND received_at > ?1 LIMIT ?2)",
        params![since, most],
        |row| row.get(0),
    )
}

/// Strikes an openid from the events about a user's orders and their refunds, and from those that name
/// neither. What is encrypted in a body stays so. Uses payment_events_reference_idx and
/// payment_events_loose_idx.
pub(super) fn forget_openid(tx: &Tx<'_>, user: UserId, openid: &str) -> Result<(), DbError> {
    tx.execute(
        "UPDATE payment_events SET
           headers = replace(headers, ?2, '-'), content = replace(content, ?2, '-'),
           body = CAST(replace(CAST(body AS TEXT), ?2, '-') AS BLOB)
         WHERE id IN (
                 SELECT id FROM payment_events
                  WHERE reference IN (
                    SELECT order_id FROM orders WHERE user_id = ?1
                    UNION ALL SELECT r.refund_id FROM orders o JOIN refunds r
                                  ON r.order_id = o.order_id WHERE o.user_id = ?1)
                 UNION ALL SELECT id FROM payment_events
                            WHERE reference IS NULL AND state <> 'refused')
           AND (instr(headers, ?2) > 0 OR instr(content, ?2) > 0
                OR instr(body, CAST(?2 AS BLOB)) > 0)",
        params![user, openid],
    )?;
    Ok(())
}
