//! Bans: everything is as before when they are lifted, but for the sessions.

use std::sync::Arc;

use serde_json::json;

use super::{begun, changed, finish_soon};
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::Tx;
use crate::features::account::model::{AccountError, ClosureKind};
use crate::features::account::store;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::{auth, gallery, users};

/// Bans a user: his tokens are dead and his pictures off the public lists at once, what waits is
/// cancelled. A job that runs goes to its end, and a payment that still arrives is honoured. Banning
/// whom is banned changes nothing.
///
/// # Errors
/// `NotFound` for nobody and for a deleted one; what the database fails with.
pub async fn ban(
    app: &Arc<App>,
    user: UserId,
    by: Actor,
    reason: String,
) -> Result<(), AccountError> {
    let now = app.clock.now();
    let is_new = app
        .db
        .write("account.ban", move |tx| {
            check_there(tx, user)?;
            if !users::service::ban(tx, user, now)? {
                return Ok(false);
            }
            auth::service::end_all(tx, user, now)?;
            let hidden = gallery::service::hide_all_of(tx, user, now)?;
            store::open(tx, &begun(user, ClosureKind::Ban, now))?;
            let entry = AuditEntry {
                actor: by,
                action: "user.banned",
                object: format!("user:{user}"),
                before: json!({ "bannedAt": null }),
                after: json!({
                    "bannedAt": now.rfc3339(), "reason": reason, "imagesHidden": hidden,
                }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, AccountError>(true)
        })
        .await?;
    changed(app, user);
    if is_new {
        tracing::info!(user.id = %user, "a user is banned");
        finish_soon(app, user).await?;
    }
    Ok(())
}

/// Lifts a ban: the user may log in again, and his pictures are where they were. Tokens from before stay
/// dead, and what was cancelled stays cancelled. Without a ban nothing changes.
///
/// # Errors
/// `NotFound` for nobody and for a deleted one; what the database fails with.
pub async fn unban(app: &App, user: UserId, by: Actor, reason: String) -> Result<(), AccountError> {
    let now = app.clock.now();
    app.db
        .write("account.unban", move |tx| {
            let standing = check_there(tx, user)?;
            if !users::service::unban(tx, user, now)? {
                return Ok(());
            }
            let shown = gallery::service::restore_all_of(tx, user, now)?;
            store::drop_ban(tx, user)?;
            let since = standing.banned_at.map(crate::base::time::UnixMillis::rfc3339);
            let entry = AuditEntry {
                actor: by,
                action: "user.unbanned",
                object: format!("user:{user}"),
                before: json!({ "bannedAt": since }),
                after: json!({ "bannedAt": null, "reason": reason, "imagesShown": shown }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, AccountError>(())
        })
        .await?;
    changed(app, user);
    Ok(())
}

fn check_there(tx: &Tx<'_>, user: UserId) -> Result<users::Standing, AccountError> {
    let standing = users::service::standing(tx, user)?;
    standing.filter(|standing| standing.deleted_at.is_none()).ok_or(AccountError::NotFound)
}
