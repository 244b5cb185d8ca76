//! Invitations: who brought whom, and what it gives.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::points::model::{
    Entry, Invites, PointsError, Reason, draw_invite_code, normal_code,
};
use crate::features::points::store;
use crate::features::settings::{Invite, InviteEvent};

/// How many of those that a user brought are listed.
const LISTED: i64 = 100;

/// How often a code is drawn before giving up; with 40 bits the second try is already rare.
const DRAWS: usize = 5;

/// Notes who brought a new user, within the transaction of his first login. A code that is nobody's
/// (any more) is ignored: it must not keep anybody from logging in.
///
/// # Errors
/// What the database fails with.
pub fn accept(tx: &Tx<'_>, new_user: UserId, typed: &str) -> Result<(), PointsError> {
    if let Some(code) = normal_code(typed) {
        store::invites::set_inviter(tx, new_user, &code)?;
    }
    Ok(())
}

/// Rewards whoever brought `invited`, if `event` is what the rule waits for: once for each invited
/// user, and for so many of them as the cap says. To be called within the transaction of the event,
/// at every such event. Gives the inviter whose balance [`changed`](super::changed).
///
/// # Errors
/// What the database fails with.
pub fn reward_inviter(
    tx: &Tx<'_>,
    rule: &Invite,
    invited: UserId,
    event: InviteEvent,
    now: UnixMillis,
) -> Result<Option<UserId>, PointsError> {
    if rule.reward == 0 || rule.on != event {
        return Ok(None);
    }
    let Some(inviter) = store::invites::inviter(tx, invited)? else { return Ok(None) };
    let (rewards, _) = store::invites::rewards(tx, inviter)?;
    if rewards >= i64::from(rule.cap) {
        return Ok(None);
    }
    let entry = Entry {
        user: inviter,
        amount: rule.reward,
        reason: Reason::Invite,
        reference: invited.to_string(),
        description: "邀请好友奖励".to_owned(),
    };
    match super::earn(tx, &entry, now) {
        Ok(_) => Ok(Some(inviter)),
        Err(PointsError::AlreadyBooked) => Ok(None),
        Err(err) => Err(err),
    }
}

/// The user's code, made when it is first asked for, and those he brought.
///
/// # Errors
/// `NoSuchUser`, and what the database fails with.
pub(in crate::features::points) async fn invites(
    app: &App,
    user: UserId,
) -> Result<Invites, PointsError> {
    let code =
        match app.db.read_inline("points.invite_code", |tx| store::invites::code(tx, user))? {
            Some(code) => code,
            None => make_code(app, user).await?,
        };
    app.db.read_inline("points.invites", |tx| {
        let (_, earned) = store::invites::rewards(tx, user)?;
        let invited_count = store::invites::count(tx, user)?;
        let items = store::invites::newest(tx, user, LISTED)?;
        Ok(Invites { code, invited_count, earned, items })
    })
}

async fn make_code(app: &App, user: UserId) -> Result<String, PointsError> {
    let draws: Vec<String> = (0..DRAWS).map(|_| draw_invite_code(&app.rng)).collect();
    app.db
        .write("points.make_invite_code", move |tx| {
            for draw in &draws {
                if store::invites::set_code(tx, user, draw)? {
                    break;
                }
            }
            store::invites::code(tx, user)?.ok_or(PointsError::NoSuchUser)
        })
        .await
}
