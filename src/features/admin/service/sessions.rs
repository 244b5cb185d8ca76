//! Sessions: a cookie with a random token, of which only the hash is stored.

use serde_json::json;

use super::login::{self, Proof};
use crate::app::App;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::admin::model::recovery::digest;
use crate::features::admin::model::{
    AdminError, AdminId, Credentials, CurrentAdmin, OpenedSession, Origin, SessionRow,
};
use crate::features::admin::store;
use crate::features::audit::{self, AuditEntry};

/// How exactly it is known when a session was last used: a write for every request would be too many.
const SEEN_EVERY_MS: i64 = 60_000;

/// Bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Longest `User-Agent` that is kept.
const USER_AGENT_LETTERS: usize = 200;

/// A token that is to become a session.
pub(super) struct Draft {
    token: Secret<String>,
    expires_at: UnixMillis,
}

/// Draws the token of a session that begins at `now`.
pub(super) fn draft(app: &App, now: UnixMillis) -> Draft {
    let token = Secret::new(app.rng.token::<TOKEN_BYTES>());
    Draft { token, expires_at: now.plus_millis(app.admin.lifetime_ms) }
}

/// Opens the session, within the transaction of what proved that it may be.
pub(super) fn open(
    tx: &Tx<'_>,
    draft: Draft,
    of: &Credentials,
    mut origin: Origin,
    now: UnixMillis,
) -> Result<OpenedSession, DbError> {
    origin.user_agent = origin.user_agent.chars().take(USER_AGENT_LETTERS).collect();
    let hash = digest(draft.token.expose());
    let session_id = store::sessions::insert(tx, of.id, &hash, &origin, now, draft.expires_at)?;
    let admin = CurrentAdmin {
        id: of.id,
        username: of.username.clone(),
        role: of.role,
        has_totp: of.is_totp_confirmed,
        session_id,
        expires_at: draft.expires_at,
        stepped_up_until: None,
        origin,
    };
    Ok(OpenedSession { token: draft.token, admin })
}

/// Whose session this is.
///
/// # Errors
/// `NoSession` for a token that is not one, or whose session has ended, rests for too long, or belongs
/// to somebody who is disabled; what the database fails with.
pub async fn current(
    app: &App,
    token: &Secret<String>,
    origin: Origin,
) -> Result<CurrentAdmin, AdminError> {
    let now = app.clock.now();
    let (hash, idle_since) = (digest(token.expose()), now.plus_millis(-app.admin.idle_ms));
    let found = app
        .db
        .read_inline("admin.session", |tx| store::sessions::living(tx, &hash, now, idle_since))?;
    let (admin, seen_at) = found.ok_or(AdminError::NoSession)?;
    if now.0 - seen_at.0 >= SEEN_EVERY_MS {
        let id = admin.session_id;
        app.db.write("admin.seen", move |tx| store::sessions::touch(tx, id, now)).await?;
    }
    Ok(CurrentAdmin { origin, ..admin })
}

/// Whether the session of this administrator goes on, and he may still do what he may.
///
/// # Errors
/// What the database fails with.
pub(super) fn is_living(app: &App, admin: &CurrentAdmin) -> Result<bool, AdminError> {
    let now = app.clock.now();
    let (id, idle_since) = (admin.session_id, now.plus_millis(-app.admin.idle_ms));
    let role = |tx: &Tx<'_>| store::sessions::role_of(tx, id, now, idle_since);
    Ok(app.db.read_inline("admin.is_living", role)? == Some(admin.role))
}

/// Until when this session has stepped up; `None` when it has not. Without step-ups it always has.
pub fn stepped_up_until(app: &App, admin: &CurrentAdmin) -> Option<UnixMillis> {
    if app.admin.step_up_ms == 0 {
        return Some(admin.expires_at);
    }
    admin.stepped_up_until.filter(|until| *until > app.clock.now())
}

/// Lets the session touch money and secrets for a while, once its owner has proved to be there.
///
/// # Errors
/// `Credentials` for a wrong password or code, `Locked` after too many; what the database fails with.
pub async fn step_up(
    app: &App,
    admin: &CurrentAdmin,
    proof: Proof,
) -> Result<UnixMillis, AdminError> {
    login::prove(app, admin, proof).await?;
    let now = app.clock.now();
    // Without step-ups the answer is a formality.
    let until = match app.admin.step_up_ms {
        0 => admin.expires_at,
        millis => now.plus_millis(millis).min(admin.expires_at),
    };
    let entry = AuditEntry {
        actor: admin.actor(),
        action: "admin.stepped_up",
        object: format!("admin:{}", admin.id),
        before: json!({}),
        after: json!({ "until": until.rfc3339() }),
    };
    let session = admin.session_id;
    app.db
        .write("admin.step_up", move |tx| {
            store::sessions::step_up(tx, session, until)?;
            audit::service::record(tx, &entry, now).map(drop)
        })
        .await?;
    Ok(until)
}

/// Ends the caller's session.
///
/// # Errors
/// What the database fails with.
pub async fn log_out(app: &App, admin: &CurrentAdmin) -> Result<(), AdminError> {
    let now = app.clock.now();
    let (id, session) = (admin.id, admin.session_id);
    app.db.write("admin.log_out", move |tx| store::sessions::end(tx, id, session, now)).await?;
    Ok(())
}

/// The living sessions of an administrator, the newest first.
///
/// # Errors
/// `NotFound` for nobody; what the database fails with.
pub async fn list(app: &App, of: AdminId) -> Result<Vec<SessionRow>, AdminError> {
    let now = app.clock.now();
    let idle_since = now.plus_millis(-app.admin.idle_ms);
    app.db
        .read("admin.sessions", move |tx| {
            store::by_id(tx, of)?.ok_or(AdminError::NotFound)?;
            Ok(store::sessions::of_admin(tx, of, now, idle_since)?)
        })
        .await
}

/// Ends one of an administrator's sessions.
///
/// # Errors
/// `NotFound` when he has none of this number that lives; what the database fails with.
pub async fn end(
    app: &App,
    by: &CurrentAdmin,
    of: AdminId,
    session: i64,
) -> Result<(), AdminError> {
    let now = app.clock.now();
    let entry = AuditEntry {
        actor: by.actor(),
        action: "admin.session_ended",
        object: format!("admin:{of}"),
        before: json!({ "session": session }),
        after: json!({ "session": null }),
    };
    app.db
        .write("admin.end_session", move |tx| {
            if !store::sessions::end(tx, of, session, now)? {
                return Err(AdminError::NotFound);
            }
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await
}

/// Ends all sessions of an administrator, but for the caller's own one. Says how many.
///
/// # Errors
/// `NotFound` for nobody; what the database fails with.
pub async fn end_all(app: &App, by: &CurrentAdmin, of: AdminId) -> Result<usize, AdminError> {
    let now = app.clock.now();
    let (actor, own) = (by.actor(), by.session_id);
    app.db
        .write("admin.end_sessions", move |tx| {
            store::by_id(tx, of)?.ok_or(AdminError::NotFound)?;
            let ended = store::sessions::end_all(tx, of, Some(own), now)?;
            let entry = AuditEntry {
                actor,
                action: "admin.sessions_ended",
                object: format!("admin:{of}"),
                before: json!({ "sessions": ended }),
                after: json!({ "sessions": 0 }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(ended)
        })
        .await
}
