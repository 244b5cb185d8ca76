//! Running a call once per key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::model::{Answer, IdempotencyError, KeyedCall, Stored, Ticket, expiry};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// The longest wait for the first call with the same key: what it does, a client waits for no longer.
const WAIT: Duration = Duration::from_secs(30);

/// Runs `effect`, or gives the answer of the call with the same key that came first. A call without a
/// key always runs.
///
/// `effect` gets a [`Ticket`] for [`store_in`]. An answer that it did not store itself is stored here
/// when it is a 2xx.
///
/// # Errors
/// `KeyReused`; `Running` after 30 s; what the database and `effect` fail with.
pub async fn run<E, F, Fut>(app: &App, call: Option<KeyedCall>, effect: F) -> Result<Answer, E>
where
    E: From<IdempotencyError>,
    F: FnOnce(Ticket) -> Fut,
    Fut: Future<Output = Result<Answer, E>>,
{
    let Some(call) = call else { return effect(Ticket::none()).await };
    let running = app.states.get::<Running>();
    let _turn = running.turn(&call).await?;
    if let Some(stored) = find(app, &call)? {
        return if stored.request == call.request {
            Ok(stored.answer)
        } else {
            Err(IdempotencyError::KeyReused.into())
        };
    }
    let ticket = Ticket::of(call);
    let answer = effect(ticket.clone()).await?;
    if !ticket.is_stored() && answer.is_success() {
        keep(app, &ticket, &answer).await?;
    }
    Ok(answer)
}

/// Stores the answer of the call under way, within the transaction of its effect. Does nothing for a
/// call without a key, and for an answer that is not kept.
///
/// # Errors
/// `Running` when another process has answered the same key meanwhile: the transaction must fail, so
/// that the effect happens once. What the database fails with.
pub fn store_in(
    tx: &Tx<'_>,
    ticket: &Ticket,
    answer: &Answer,
    now: UnixMillis,
) -> Result<(), IdempotencyError> {
    let Some(call) = ticket.call().filter(|_| answer.is_success()) else { return Ok(()) };
    if !store::insert(tx, call, answer, expiry(now), now)? {
        return Err(IdempotencyError::Running);
    }
    ticket.set_stored();
    Ok(())
}

/// Forgets all answers to a user whose account is deleted.
///
/// # Errors
/// What the database fails with.
pub fn forget_user(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    store::delete_all(tx, user)
}

/// Forgets answers that are older than a day.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), DbError> {
    let expiry = expiry(app.clock.now());
    while app.db.write("idempotency.sweep", move |tx| store::sweep(tx, expiry)).await? {}
    Ok(())
}

fn find(app: &App, call: &KeyedCall) -> Result<Option<Stored>, IdempotencyError> {
    let expiry = expiry(app.clock.now());
    Ok(app.db.read_inline("idempotency.find", |tx| store::find(tx, call, expiry))?)
}

async fn keep(app: &App, ticket: &Ticket, answer: &Answer) -> Result<(), IdempotencyError> {
    let (ticket, answer, now) = (ticket.clone(), answer.clone(), app.clock.now());
    let kept =
        app.db.write("idempotency.keep", move |tx| store_in(tx, &ticket, &answer, now)).await;
    match kept {
        // The effect has happened and must be answered; another process keeps its own answer.
        Err(IdempotencyError::Running) => Ok(()),
        other => other,
    }
}

/// The calls under way, by user and key. Holds an entry for each call that runs or waits, and those
/// are as many as there are requests.
#[derive(Default)]
struct Running(Mutex<HashMap<CallId, Arc<tokio::sync::Mutex<()>>>>);

type CallId = (UserId, String);

/// One call's turn; the next begins when it is dropped.
struct Turn {
    running: Arc<Running>,
    id: CallId,
    /// `None` only while being dropped.
    lock: Option<OwnedMutexGuard<()>>,
}

impl Running {
    async fn turn(self: &Arc<Self>, call: &KeyedCall) -> Result<Turn, IdempotencyError> {
        let id = (call.user, call.request.key.clone());
        let lock = Arc::clone(self.0.lock().entry(id.clone()).or_default());
        // Made before the wait: whoever leaves while waiting tidies up too.
        let mut turn = Turn { running: Arc::clone(self), id, lock: None };
        let locked = tokio::time::timeout(WAIT, lock.lock_owned()).await;
        turn.lock = Some(locked.map_err(|_| IdempotencyError::Running)?);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.running.0.lock();
        drop(self.lock.take());
        // Taken from the map under its lock only, so one reference means that nobody else has it.
        if all.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::idempotency::model::KeyedRequest;

    fn call(key: &str) -> KeyedCall {
        KeyedRequest::new(key, "/v1/p", b"").unwrap().of(UserId(1))
    }

    #[tokio::test]
    async fn turns_of_one_key_follow_each_other_and_leave_nothing_behind() {
        let running = Arc::new(Running::default());
        let first = running.turn(&call("a")).await.unwrap();
        let other = running.turn(&call("b")).await.unwrap();
        let (again, id) = (Arc::clone(&running), call("a"));
        let mut second = Box::pin(async move { again.turn(&id).await });
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(running.0.lock().len(), 2);
        drop((second, other));
        assert_eq!(running.0.lock().len(), 0);
    }

    #[tokio::test]
    async fn whoever_leaves_while_waiting_leaves_nothing_behind() {
        let running = Arc::new(Running::default());
        let first = running.turn(&call("a")).await.unwrap();
        let (again, id) = (Arc::clone(&running), call("a"));
        let mut second = Box::pin(async move { again.turn(&id).await });
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        drop(first);
        assert!(running.0.lock().is_empty());
    }
}
