//! Deletion: what is held of somebody goes, what the books need stays without a name.

use std::sync::Arc;

use serde_json::json;

use super::{begun, changed, finish_soon};
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::account::model::{AccountError, ClosureKind, Remains};
use crate::features::account::store;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::generations::service::accounts::{self, Left};
use crate::features::media::{self, Holder};
use crate::features::{
    auth, favorites, gallery, idempotency, messages, orders, payments, proxy, users, vip,
};

/// Deletes an account, at once and for good, and waits a little for what follows.
///
/// # Errors
/// As [`begin_deletion`].
pub async fn delete(
    app: &Arc<App>,
    user: UserId,
    by: Actor,
    reason: Option<String>,
) -> Result<(), AccountError> {
    // Goes to its end when the client has left.
    let task = {
        let app = Arc::clone(app);
        tokio::spawn(async move {
            begin_deletion(&app, user, by, reason).await?;
            finish_soon(&app, user).await
        })
    };
    task.await.map_err(|_| AccountError::CutShort)?
}

/// The part of a deletion that is one transaction: when this returns, nobody can use the account, nothing
/// public is left of it, and nothing in it says whose it was. The rest follows by itself.
///
/// # Errors
/// `NotFound`; what the database fails with, and nothing has changed then.
pub async fn begin_deletion(
    app: &App,
    user: UserId,
    by: Actor,
    reason: Option<String>,
) -> Result<(), AccountError> {
    let now = app.clock.now();
    let found = app.db.read_inline("account.owner", |tx| users::service::find(tx, user))?;
    // An openid never changes while there is one.
    let openid = found.ok_or(AccountError::NotFound)?.openid;
    let mark = app.keys.openid_marks(&openid)?.into_iter().next();
    let mark = mark.ok_or(crate::app::keys::KeyError)?;
    app.db
        .write("account.delete", move |tx| {
            if !users::service::delete(tx, user, &mark, now)? {
                return Err(AccountError::NotFound);
            }
            auth::service::end_all(tx, user, now)?;
            payments::service::events::forget_openid(tx, user, &openid)?;
            wipe(tx, user, now)?;
            store::open(tx, &begun(user, ClosureKind::Deletion, now))?;
            let entry = AuditEntry {
                actor: by,
                action: "user.deleted",
                object: format!("user:{user}"),
                before: json!({ "deletedAt": null }),
                after: json!({ "deletedAt": now.rfc3339(), "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await?;
    changed(app, user);
    tracing::info!(user.id = %user, "an account is deleted");
    Ok(())
}

/// Removes what is left of a deleted account, in steps that do not hold up other writes; whether something
/// has to end first.
pub(super) async fn erase(app: &App, user: UserId) -> Result<bool, AccountError> {
    loop {
        let now = app.clock.now();
        let remains = app.db.write("account.erase", move |tx| wipe(tx, user, now)).await?;
        if !remains.has_more {
            gallery::service::changed(app);
            return Ok(remains.is_waiting);
        }
    }
}

/// Forgets some of those who are gone and whose payments cannot go back any more, and strikes them from
/// what WeChat told since they left; whether there may be more.
pub(super) fn forget_payers(tx: &Tx<'_>, now: UnixMillis, most: i64) -> Result<bool, AccountError> {
    let forgotten = orders::service::forget_overdue_payers(tx, now, most)?;
    for payer in &forgotten {
        if let Some(openid) = &payer.openid {
            payments::service::events::forget_openid(tx, payer.user, openid)?;
        }
    }
    Ok(i64::try_from(forgotten.len()).unwrap_or(i64::MAX) >= most)
}

/// Every feature forgets the user; again is fine. What may be much goes in parts. A new feature that holds
/// something of a user is called here.
fn wipe(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<Remains, AccountError> {
    auth::service::forget_user(tx, user)?;
    idempotency::service::forget_user(tx, user)?;
    vip::service::reminders::forget_user(tx, user)?;
    media::service::release(tx, &Holder::user(user), now)?;
    proxy::service::forget_user(tx, user)?;
    messages::service::forget_user(tx, user)?;
    favorites::service::delete_all_of(tx, user)?;
    gallery::service::delete_all_of(tx, user, now)?;
    let has_likes = gallery::service::forget_user(tx, user)?;
    let jobs = accounts::forget_user(tx, user, now)?;
    let has_payer = orders::service::forget_payer(tx, user, now)?;
    Ok(Remains {
        has_more: has_likes || jobs == Left::Ended,
        is_waiting: has_payer || jobs == Left::Running,
    })
}
