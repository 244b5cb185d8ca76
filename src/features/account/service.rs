//! Banning, deleting, and finishing what both begin.

mod ban;
mod delete;
mod export;

use std::sync::Arc;
use std::time::Duration;

pub use self::ban::{ban, unban};
pub use self::delete::{begin_deletion, delete};
pub(super) use self::export::export;
pub use self::export::export_as;

use super::model::{AccountError, Closure, ClosureKind};
use super::store;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::{auth, gallery, generations, orders, users};

/// Closures read at a time.
const BATCH: i64 = 100;

/// How long somebody who closes an account waits for what follows; it goes on without him.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so many seconds the month in which somebody left is over, and with it what he had in it.
const LINKED_S: i64 = 32 * 24 * 3600;

/// Takes up what the last process left. What fails now is tried again with the periodic task.
pub async fn start(app: Arc<App>) {
    if let Err(err) = finish_closures(&app).await {
        tracing::warn!(error = error_chain(&err), "closed accounts are not all done with");
    }
}

/// Does what is still to be done for closed accounts, and forgets which account it was of those who left
/// long ago, and who of them paid what cannot go back any more. To be called every half minute.
///
/// # Errors
/// The first failure; the other accounts were looked at all the same.
pub async fn finish_closures(app: &Arc<App>) -> Result<(), AccountError> {
    let (mut after, mut done) = (UserId(0), Ok(()));
    loop {
        let found = app.db.read_inline("account.closures", |tx| store::behind(tx, after, BATCH))?;
        let Some(last) = found.last() else { break };
        after = last.user;
        for closure in found {
            let finished = finish(app, closure).await;
            done = done.and(finished);
        }
    }
    let now = app.clock.now();
    let unlink = move |tx: &Tx<'_>| {
        users::service::unlink_former(tx, now.plus_seconds(-LINKED_S))?;
        delete::forget_payers(tx, now, BATCH)
    };
    while app.db.write("account.unlink", unlink).await? {}
    done
}

/// Does what is to be done for one account now. Whatever comes in between, another call goes on.
async fn finish(app: &Arc<App>, closure: Closure) -> Result<(), AccountError> {
    generations::service::cancel_all_queued(app, closure.user).await?;
    orders::service::cancel_all(app, closure.user).await?;
    let is_waiting = match closure.kind {
        ClosureKind::Ban => false,
        ClosureKind::Deletion => delete::erase(app, closure.user).await?,
    };
    if !is_waiting && closure.has_settled(app.clock.now()) {
        app.db.write("account.close", move |tx| store::close(tx, &closure)).await?;
    }
    Ok(())
}

/// The same after the transaction that began it: whoever asked waits a little, no longer.
async fn finish_soon(app: &Arc<App>, user: UserId) -> Result<(), AccountError> {
    let closure = app.db.read_inline("account.closure", |tx| store::of(tx, user))?;
    let Some(closure) = closure else { return Ok(()) };
    let task = {
        let app = Arc::clone(app);
        tokio::spawn(async move {
            if let Err(err) = finish(&app, closure).await {
                // The account is closed; the periodic task does the rest.
                let error = error_chain(&err);
                tracing::warn!(user.id = %closure.user, error, "not all is done for an account");
            }
        })
    };
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(done) => done.map_err(|_| AccountError::CutShort),
        Err(_) => Ok(()),
    }
}

/// After the commit: nothing that is kept in memory knows the account as it was.
fn changed(app: &App, user: UserId) {
    auth::service::changed(app, user);
    users::service::changed(app, user);
    gallery::service::changed(app);
}

fn begun(user: UserId, kind: ClosureKind, now: UnixMillis) -> Closure {
    Closure { user, kind, begun_at: now }
}
