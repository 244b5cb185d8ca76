//! Keeping events: for every feature that WeChat calls.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::payments::model::{EventId, EventOutcome, NewEvent, Source};
use crate::features::payments::store;
use crate::features::settings;

/// What is refused is kept for a month, …
const REFUSED_DAYS: i64 = 30;

/// … what was processed for three years, as long as a payment can be disputed.
const DONE_DAYS: i64 = 3 * 366;

/// Nothing works on an event for longer than this, in seconds: what has been done by now was done by a
/// repeat. Shorter than an alert waits, which is for what was not done.
const WORKED_ON_S: i64 = 60;

/// What nobody has done after so many seconds, in which WeChat repeats it many times, is left to a person.
const GIVEN_UP_S: i64 = 3600;

/// Events forgotten in one transaction.
const BATCH: i64 = 500;

const HOUR_S: i64 = 3600;

const DAY_S: i64 = 24 * 3600;

/// Stores a genuine event as it came, before it is processed. When this returns it is on disk.
///
/// # Errors
/// What the database fails with: the caller must then answer that it failed, so that it is repeated.
pub async fn receive(app: &App, event: NewEvent) -> Result<EventId, DbError> {
    let now = app.clock.now();
    app.db.write("payments.receive", move |tx| store::receive(tx, &event, now)).await
}

/// Keeps a refused event with why, as long as there are not too many of them.
///
/// # Errors
/// What the database fails with.
pub async fn refuse(app: &App, event: NewEvent, why: String) -> Result<(), DbError> {
    let now = app.clock.now();
    let most = i64::from(settings::service::current(app).payment.refused_kept_per_hour);
    let since = now.plus_seconds(-HOUR_S);
    let is_room = app.db.read_inline("payments.room", |tx| {
        Ok::<_, DbError>(store::refused_since(tx, since, most)? < most)
    })?;
    // Asked before writing too, so that a flood costs no commits.
    let kept = is_room
        && app
            .db
            .write("payments.refuse", move |tx| store::refuse(tx, &event, &why, (most, since), now))
            .await?;
    if !kept {
        tracing::debug!("too many refused events; this one is not kept");
    }
    Ok(())
}

/// Notes what became of an event, within the transaction that made it so.
///
/// # Errors
/// What the database fails with.
pub fn finish(
    tx: &Tx<'_>,
    event: EventId,
    outcome: &EventOutcome,
    now: UnixMillis,
) -> Result<(), DbError> {
    store::finish(tx, event, outcome, now)
}

/// Flags what was found by asking: once for each thing and problem, until somebody has looked at it.
///
/// # Errors
/// What the database fails with.
pub async fn flag(app: &App, reference: &str, problem: String) -> Result<(), DbError> {
    let now = app.clock.now();
    let event = NewEvent {
        source: Source::Query,
        headers: serde_json::json!({}),
        body: Vec::new(),
        event_id: None,
        event_type: None,
        reference: Some(reference.to_owned()),
        content: None,
    };
    app.db
        .write("payments.flag", move |tx| {
            let reference = event.reference.as_deref().unwrap_or_default();
            if store::is_flagged(tx, Source::Query, reference, &problem)? {
                return Ok(());
            }
            let id = store::receive(tx, &event, now)?;
            store::finish(tx, id, &EventOutcome::Flagged(problem), now)
        })
        .await
}

/// Takes the openid of a deleted user out of the events about his orders and their refunds, and out of
/// those that name neither; the events stay, for the books.
///
/// # Errors
/// What the database fails with.
pub fn forget_openid(tx: &Tx<'_>, user: UserId, openid: &str) -> Result<(), DbError> {
    store::forget_openid(tx, user, openid)
}

/// Ends what a crash has cut short, and forgets what is old.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), DbError> {
    let now = app.clock.now();
    let before = |days: i64| now.plus_seconds(-days * DAY_S);
    let until = (now.plus_seconds(-WORKED_ON_S), now.plus_seconds(-GIVEN_UP_S));
    let end_cut_short = move |tx: &Tx<'_>| store::end_cut_short(tx, until, BATCH, now);
    while app.db.write("payments.sweep", end_cut_short).await? {}
    let (refused, done) = (before(REFUSED_DAYS), before(DONE_DAYS));
    let forget_refused = move |tx: &Tx<'_>| store::forget_refused(tx, refused, BATCH);
    while app.db.write("payments.sweep", forget_refused).await? {}
    let forget_done = move |tx: &Tx<'_>| store::forget_done(tx, done, BATCH);
    while app.db.write("payments.sweep", forget_done).await? {}
    Ok(())
}
