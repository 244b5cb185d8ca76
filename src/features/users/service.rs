//! Finding, making and changing users.

pub mod browse;

use super::model::{Arrival, Former, ProfileChange, SessionKey, Standing, StoredUser, UserError};
use super::store;
use crate::app::keys::{KeyError, OpenidMark};
use crate::app::{App, Profile};
use crate::base::ids::UserId;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// The user of this openid, made if there is none. Says whether it was made.
///
/// # Errors
/// What the database fails with.
pub fn find_or_create(
    tx: &Tx<'_>,
    arrival: &Arrival,
    now: UnixMillis,
) -> Result<(StoredUser, bool), DbError> {
    match store::update_arrived(tx, arrival, now)? {
        Some(user) => Ok((user, false)),
        None => Ok((store::insert(tx, arrival, now)?, true)),
    }
}

/// The user, ready to send: from memory, or loaded and rendered by `render`.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub fn profile(
    app: &App,
    id: UserId,
    render: impl Fn(&StoredUser, UnixMillis) -> Profile,
) -> Result<Profile, UserError> {
    let now = app.clock.now();
    match app.profiles.get(id) {
        Some(profile) if profile.valid_until.is_none_or(|end| end > now) => Ok(profile),
        _ => app.profiles.load(id, || Ok(render(&get(app, id)?, now))),
    }
}

/// The user as stored.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub fn get(app: &App, id: UserId) -> Result<StoredUser, UserError> {
    let user = app.db.read_inline("users.get", |tx| Ok::<_, UserError>(store::by_id(tx, id)?))?;
    user.ok_or(UserError::NotFound)
}

/// The same within a transaction; `None` when there is no such user.
///
/// # Errors
/// What the database fails with.
pub fn find(tx: &Tx<'_>, id: UserId) -> Result<Option<StoredUser>, DbError> {
    store::by_id(tx, id)
}

/// Changes the caller's own profile.
///
/// # Errors
/// `NickName`, `AvatarUrl`, `NotFound`, and what the database fails with.
pub async fn change_profile(app: &App, id: UserId, change: ProfileChange) -> Result<(), UserError> {
    let now = app.clock.now();
    let change = change.checked()?;
    let found = app
        .db
        .write("users.change_profile", move |tx| {
            Ok::<_, UserError>(store::change_profile(tx, id, &change, now)?)
        })
        .await?;
    app.profiles.invalidate(id);
    // Lists name the authors of pictures.
    app.gallery.changed();
    if found { Ok(()) } else { Err(UserError::NotFound) }
}

/// Asks WeChat for the number behind `code` and keeps it.
///
/// # Errors
/// `Wechat`, `NotFound`, and what the database fails with.
pub(super) async fn set_phone(app: &App, id: UserId, code: &str) -> Result<(), UserError> {
    let now = app.clock.now();
    let phone = app.wechat.phone_number(code).await?;
    let found = app
        .db
        .write("users.set_phone", move |tx| {
            Ok::<_, UserError>(store::set_phone(tx, id, &phone, now)?)
        })
        .await?;
    app.profiles.invalidate(id);
    if found { Ok(()) } else { Err(UserError::NotFound) }
}

/// Whether an account may be used; `None` when there never was one.
///
/// # Errors
/// What the database fails with.
pub fn standing(tx: &Tx<'_>, id: UserId) -> Result<Option<Standing>, DbError> {
    store::standing(tx, id)
}

/// Bans a user; `false` when he is banned already, or gone.
///
/// # Errors
/// What the database fails with.
pub fn ban(tx: &Tx<'_>, id: UserId, now: UnixMillis) -> Result<bool, DbError> {
    store::ban(tx, id, now)
}

/// Lifts a ban; `false` when there is none.
///
/// # Errors
/// What the database fails with.
pub fn unban(tx: &Tx<'_>, id: UserId, now: UnixMillis) -> Result<bool, DbError> {
    store::unban(tx, id, now)
}

/// Deletes an account: takes from it all that says whose it is, frees the openid, and keeps the mark
/// (the first of [`Keys::openid_marks`]). `false` when there is no such user any more.
///
/// [`Keys::openid_marks`]: crate::app::keys::Keys::openid_marks
///
/// # Errors
/// What the database fails with.
pub fn delete(
    tx: &Tx<'_>,
    id: UserId,
    mark: &OpenidMark,
    now: UnixMillis,
) -> Result<bool, DbError> {
    if !store::delete(tx, id, now)? {
        return Ok(false);
    }
    store::former::remember(tx, mark, id, now)?;
    Ok(true)
}

/// Whether somebody with one of these marks had an account that was deleted. One who is known by the
/// mark of the previous secret is known by that of the current one from now on.
///
/// # Errors
/// What the database fails with.
pub fn former(tx: &Tx<'_>, marks: &[OpenidMark]) -> Result<Option<Former>, DbError> {
    for mark in marks {
        let Some(former) = store::former::find(tx, mark)? else { continue };
        if let Some(current) = marks.first().filter(|current| *current != mark) {
            store::former::replace_mark(tx, mark, current)?;
        }
        return Ok(Some(former));
    }
    Ok(None)
}

/// Forgets which account it was of those who left before a time.
///
/// # Errors
/// What the database fails with.
pub fn unlink_former(tx: &Tx<'_>, before: UnixMillis) -> Result<usize, DbError> {
    store::former::unlink(tx, before)
}

/// To be called after the commit of whatever changes a user: he is read anew.
pub fn changed(app: &App, id: UserId) {
    app.profiles.invalidate(id);
}

/// Encrypts a session key so that it opens for this openid alone.
///
/// # Errors
/// Only when the crypto library is broken.
pub fn seal_session_key(
    app: &App,
    openid: &str,
    key: &Secret<String>,
) -> Result<Vec<u8>, KeyError> {
    app.keys.seal(&app.rng, openid, key.expose().as_bytes())
}

/// The session key of the newest login; `None` when there is none or it cannot be opened any more, for
/// both of which logging in again helps.
///
/// # Errors
/// What the database fails with.
pub fn session_key(app: &App, id: UserId) -> Result<Option<SessionKey>, DbError> {
    let found = app.db.read_inline("users.session_key", |tx| store::session_key(tx, id))?;
    let Some((openid, sealed, since)) = found else { return Ok(None) };
    let opened = app.keys.open(&openid, &sealed).and_then(|key| String::from_utf8(key).ok());
    Ok(opened.map(|key| SessionKey { key: Secret::new(key), openid, since }))
}

/// The same, if WeChat does not call the key dead; a dead one is forgotten. When WeChat cannot be asked,
/// the key is believed: the client's call shows whether it lives.
///
/// # Errors
/// What the database fails with.
pub async fn living_session_key(app: &App, id: UserId) -> Result<Option<SessionKey>, DbError> {
    let Some(session) = session_key(app, id)? else { return Ok(None) };
    match app.weixin.session_lives(&session.openid, &session.key).await {
        Ok(true) => Ok(Some(session)),
        Ok(false) => {
            // Unless a newer login has replaced it meanwhile.
            let since = session.since;
            app.db
                .write("users.forget_session_key", move |tx| {
                    store::forget_session_key(tx, id, since)
                })
                .await?;
            Ok(None)
        }
        Err(err) => {
            tracing::warn!(error = %err, "WeChat does not say whether a session key lives");
            Ok(Some(session))
        }
    }
}
