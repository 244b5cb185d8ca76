//! Sessions: begin, go on, end; and the judgement of an access token.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::model::{
    ACCESS_LIFE_S, AuthError, CurrentUser, REFRESH_LIFE_S, RefreshHash, SessionId, SessionRecord,
    TokenPair,
};
use super::store;
use super::token::{self, Grant};
use crate::app::{Account, App};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};

/// Tokens that were verified, about 700 bytes each.
const VERIFIED_MAX: u64 = 20_000;

/// See [`signed`]. Bounded; what is not used for an hour goes.
struct VerifiedTokens(Cache<Box<str>, Arc<CurrentUser>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        let idle = Duration::from_secs(3600);
        Self(Cache::builder().max_capacity(VERIFIED_MAX).time_to_idle(idle).build())
    }
}

/// A session about to begin: ids and secrets drawn before the transaction.
#[derive(Debug)]
pub struct NewSession {
    session_id: SessionId,
    refresh: String,
    now: UnixMillis,
}

impl NewSession {
    /// Draws the ids.
    pub fn draw(app: &App) -> Self {
        Self {
            session_id: SessionId(app.rng.token::<16>()),
            refresh: app.rng.token::<32>(),
            now: app.clock.now(),
        }
    }

    /// Stores the session within the login's transaction and says which version its tokens carry.
    ///
    /// # Errors
    /// `Banned`, and what the database fails with.
    pub fn store(&self, tx: &Tx<'_>, user_id: UserId) -> Result<i64, AuthError> {
        let account = store::account(tx, user_id)?.ok_or(AuthError::Invalid)?;
        if account.is_banned {
            return Err(AuthError::Banned);
        }
        store::insert_session(tx, &self.session_id, user_id, self.now)?;
        let expires_at = self.now.plus_seconds(REFRESH_LIFE_S);
        store::insert_refresh(
            tx,
            &hash(&self.refresh),
            &self.session_id,
            user_id,
            self.now,
            expires_at,
        )?;
        Ok(account.token_version)
    }

    /// The tokens, once the transaction is committed.
    ///
    /// # Errors
    /// `Signing`.
    pub fn tokens(self, app: &App, user_id: UserId, version: i64) -> Result<TokenPair, AuthError> {
        pair(app, user_id, &self.session_id, version, self.refresh, self.now)
    }
}

/// Judges an access token.
///
/// # Errors
/// `Invalid`, `Expired`, `Banned`, `Revoked`, in this order.
pub fn verify(app: &App, text: &str) -> Result<Arc<CurrentUser>, AuthError> {
    let user = signed(app, text)?;
    let account = account(app, user.user_id)?.ok_or(AuthError::Invalid)?;
    if account.is_banned {
        return Err(AuthError::Banned);
    }
    let is_over = user.version != account.token_version
        || is_revoked(app, &user.session_id.0)?
        || is_revoked(app, &user.token_id)?;
    if is_over {
        return Err(AuthError::Revoked);
    }
    app.activity.saw(user.user_id, app.clock.now());
    Ok(user)
}

/// Spends a refresh token and gives a new pair of the same session.
///
/// # Errors
/// `Invalid` when it is unknown, `Expired`, `Banned`, `Revoked`. A token that was spent before this
/// call began ends its whole session.
pub async fn refresh(app: &App, text: &str) -> Result<TokenPair, AuthError> {
    let now = app.clock.now();
    let old = hash(text);
    let next = app.rng.token::<32>();
    let next_hash = hash(&next);
    let known = app
        .db
        .read_inline("auth.refresh_known", |tx| Ok::<_, AuthError>(store::refresh(tx, &old)?))?;
    let known = known.ok_or(AuthError::Invalid)?;
    if known.is_spent {
        end_session(app, &known.session_id, None).await?;
        return Err(AuthError::Revoked);
    }
    let (user_id, session_id) = (known.user_id, known.session_id.clone());
    let version = app
        .db
        .write("auth.refresh", move |tx| {
            let current = store::refresh(tx, &old)?.ok_or(AuthError::Invalid)?;
            let account = store::account(tx, current.user_id)?.ok_or(AuthError::Invalid)?;
            if current.expires_at <= now {
                return Err(AuthError::Expired);
            }
            if account.is_banned {
                return Err(AuthError::Banned);
            }
            if current.session_is_over || !store::spend_refresh(tx, &old, now)? {
                return Err(AuthError::Revoked);
            }
            let expires_at = now.plus_seconds(REFRESH_LIFE_S);
            store::insert_refresh(
                tx,
                &next_hash,
                &current.session_id,
                current.user_id,
                now,
                expires_at,
            )?;
            Ok(account.token_version)
        })
        .await?;
    pair(app, user_id, &session_id, version, next, now)
}

/// Ends the caller's session: all its tokens, access and refresh.
///
/// # Errors
/// What the database fails with; nothing is ended then.
pub async fn log_out(app: &App, user: &CurrentUser) -> Result<(), AuthError> {
    end_session(app, &user.session_id, Some(&user.token_id)).await
}

/// Ends every session of the user.
///
/// # Errors
/// What the database fails with; nothing is ended then.
pub async fn log_out_everywhere(app: &App, user_id: UserId) -> Result<(), AuthError> {
    let now = app.clock.now();
    app.db
        .write("auth.log_out_everywhere", move |tx| {
            store::raise_token_version(tx, user_id, now)?;
            store::end_sessions(tx, user_id, now)
        })
        .await?;
    app.accounts.invalidate(user_id);
    Ok(())
}

/// The same by an administrator, with the entry in the audit log that tells of it. `false` for nobody and
/// for a deleted one.
///
/// # Errors
/// What the database fails with; nothing is ended then.
pub async fn log_out_everywhere_as(
    app: &App,
    user_id: UserId,
    actor: Actor,
    reason: String,
) -> Result<bool, AuthError> {
    let now = app.clock.now();
    let is_there = app
        .db
        .write("auth.log_out_everywhere_as", move |tx| {
            if store::account(tx, user_id)?.is_none() {
                return Ok(false);
            }
            let is_open = |session: &&SessionRecord| session.ended_at.is_none();
            let open = store::sessions(tx, user_id)?.iter().filter(is_open).count();
            end_all(tx, user_id, now)?;
            let entry = AuditEntry {
                actor,
                action: "user.logged_out",
                object: format!("user:{user_id}"),
                before: json!({ "openSessions": open }),
                after: json!({ "openSessions": 0, "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, AuthError>(true)
        })
        .await?;
    changed(app, user_id);
    Ok(is_there)
}

/// The sessions of a user that are on record, the newest first.
///
/// # Errors
/// What the database fails with.
pub fn sessions(app: &App, user_id: UserId) -> Result<Vec<SessionRecord>, DbError> {
    let mut found = app.db.read_inline("auth.sessions", |tx| store::sessions(tx, user_id))?;
    // Of one moment, the one that goes on comes first.
    found.sort_by_key(|session| (Reverse(session.created_at), session.ended_at.is_some()));
    Ok(found)
}

/// Ends every session of a user within the caller's transaction: his account is banned, and what was
/// signed before stays dead. After the commit the caller calls [`changed`].
///
/// # Errors
/// What the database fails with.
pub fn end_all(tx: &Tx<'_>, user_id: UserId, now: UnixMillis) -> Result<(), DbError> {
    store::raise_token_version(tx, user_id, now)?;
    store::end_sessions(tx, user_id, now)
}

/// Forgets every session of a user within the caller's transaction: his account is deleted.
///
/// # Errors
/// What the database fails with.
pub fn forget_user(tx: &Tx<'_>, user_id: UserId) -> Result<(), DbError> {
    store::delete_sessions(tx, user_id)
}

/// To be called after the commit of whatever ends sessions, bans or deletes: the next check of a token
/// asks the database.
pub fn changed(app: &App, user_id: UserId) {
    app.accounts.invalidate(user_id);
}

/// Loads what was ended before the last stop. To be called before serving.
///
/// # Errors
/// What the database fails with.
pub fn load_revoked(app: &App) -> Result<(), DbError> {
    let now = app.clock.now();
    let all = app.db.read_inline("auth.load_revoked", |tx| store::revoked(tx, now))?;
    for (id, until) in all {
        app.revoked.add(id, until);
    }
    Ok(())
}

/// Forgets what has expired by itself.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), DbError> {
    let now = app.clock.now();
    app.db.write("auth.sweep", move |tx| store::sweep(tx, now)).await?;
    app.revoked.sweep(now);
    Ok(())
}

async fn end_session(
    app: &App,
    session_id: &SessionId,
    token_id: Option<&str>,
) -> Result<(), AuthError> {
    let now = app.clock.now();
    // The session's youngest access token was made now at the latest.
    let until = now.plus_seconds(ACCESS_LIFE_S);
    let session = session_id.clone();
    let ids: Vec<String> =
        std::iter::once(session_id.0.clone()).chain(token_id.map(str::to_owned)).collect();
    let stored = ids.clone();
    app.db
        .write("auth.end_session", move |tx| {
            store::end_session(tx, &session, now)?;
            stored.iter().try_for_each(|id| store::insert_revoked(tx, id, until))
        })
        .await?;
    for id in ids {
        app.revoked.add(id, until);
    }
    Ok(())
}

/// Signature, claims and time. What was found good is remembered by the token's whole text, so that
/// the arithmetic is done once; time is judged anew.
fn signed(app: &App, text: &str) -> Result<Arc<CurrentUser>, AuthError> {
    let now = app.clock.now();
    let known = app.states.get::<VerifiedTokens>();
    match known.0.get(text) {
        Some(user) if user.expires_at > now => Ok(user),
        Some(_) => Err(AuthError::Expired),
        None => {
            let user = Arc::new(token::verify(&app.keys, text, now)?);
            known.0.insert(text.into(), Arc::clone(&user));
            Ok(user)
        }
    }
}

fn account(app: &App, user_id: UserId) -> Result<Option<Account>, AuthError> {
    if let Some(account) = app.accounts.get(user_id) {
        return Ok(Some(account));
    }
    let loaded = app.accounts.load(user_id, || {
        app.db.read_inline("auth.account", |tx| {
            store::account(tx, user_id)?.ok_or(AuthError::Invalid)
        })
    });
    match loaded {
        Ok(account) => Ok(Some(account)),
        Err(AuthError::Invalid) => Ok(None),
        Err(err) => Err(err),
    }
}

fn is_revoked(app: &App, id: &str) -> Result<bool, AuthError> {
    match app.revoked.knows(id) {
        Some(answer) => Ok(answer),
        None => Ok(app.db.read_inline("auth.is_revoked", |tx| store::is_revoked(tx, id))?),
    }
}

fn pair(
    app: &App,
    user_id: UserId,
    session_id: &SessionId,
    version: i64,
    refresh: String,
    now: UnixMillis,
) -> Result<TokenPair, AuthError> {
    let grant = Grant { user_id, session_id, token_id: app.rng.token::<16>(), version };
    let (access, access_expires_at) = token::sign(&app.keys, grant, now)?;
    Ok(TokenPair {
        access,
        access_expires_at,
        refresh,
        refresh_expires_at: now.plus_seconds(REFRESH_LIFE_S),
    })
}

/// SHA-256 of a token. Anything that is not one of ours hashes to something unknown.
fn hash(token: &str) -> RefreshHash {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_else(|_| token.as_bytes().to_vec());
    Sha256::digest(bytes).into()
}
