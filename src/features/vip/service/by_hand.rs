//! Memberships that an administrator gives or takes back, and what either would come to.

use serde_json::{Value, json};

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::users::VipLevel;
use crate::features::vip::model::{
    DAY_MS, Grant, GrantId, GrantSource, LiveGrant, Membership, RevokeDays, StoredGrant, VipError,
    cheapest, fold, level_text,
};
use crate::features::vip::store;

/// A membership before and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub before: Membership,
    pub after: Membership,
}

/// Days of membership that are given for nothing.
#[derive(Clone, Debug)]
pub struct Gift {
    pub user: UserId,
    /// Not `Normal`.
    pub level: VipLevel,
    pub days: i64,
    /// Why, for the audit log.
    pub reason: String,
    pub actor: Actor,
    /// Names the request: it grants once.
    pub key: String,
}

/// What taking back is about.
#[derive(Clone, Debug)]
pub struct TakeBack {
    pub user: UserId,
    pub grant: GrantId,
    pub days: RevokeDays,
    /// Why, for the audit log.
    pub reason: String,
    pub actor: Actor,
}

/// Gives days of membership, once for each actor and key.
///
/// # Errors
/// As [`super::grant`].
pub async fn give(app: &App, gift: Gift) -> Result<Moved, VipError> {
    let (now, user) = (app.clock.now(), gift.user);
    let moved = app
        .db
        .write("vip.give", move |tx| {
            let before = super::membership(tx, user, now)?;
            let grant = Grant {
                user,
                source: GrantSource::Admin(format!("{}:{}", gift.actor, gift.key)),
                plan_id: None,
                level: gift.level,
                days: gift.days,
                price_fen: None,
            };
            let is_new = store::by_source(tx, &grant.source)?.is_none();
            let moved = Moved { before, after: super::grant(tx, &grant, now)? };
            if is_new {
                let more = json!({
                    "level": level_text(gift.level), "days": gift.days, "reason": gift.reason,
                });
                note(tx, gift.actor, "membership.granted", user, moved, &more, now)?;
            }
            Ok::<_, VipError>(moved)
        })
        .await?;
    super::changed(app, user);
    Ok(moved)
}

/// What [`give`] would come to.
///
/// # Errors
/// As [`give`].
pub fn preview(app: &App, user: UserId, level: VipLevel, days: i64) -> Result<Moved, VipError> {
    let now = app.clock.now();
    app.db.read_inline("vip.preview", |tx| {
        let grant = Grant {
            user,
            source: GrantSource::Admin("preview".to_owned()),
            plan_id: None,
            level,
            days,
            price_fen: None,
        };
        grant.check()?;
        if !store::user_exists(tx, user)? {
            return Err(VipError::NoSuchUser);
        }
        let rate = cheapest(&store::plans::all(tx)?, level).ok_or(VipError::PlanNotFound)?;
        let live_ms = days.saturating_mul(DAY_MS);
        let given = LiveGrant { level, granted_at: now, live_ms, rate };
        let mut running = fold(&super::live(&store::of_user(tx, user)?), now);
        let before = running.membership();
        running.add(&given);
        Ok(Moved { before, after: running.membership() })
    })
}

/// Takes a grant of this user back, in whole or in part. Days are taken each time.
///
/// # Errors
/// `GrantNotFound` (also for another user's), `Invalid`, and what the database fails with.
pub async fn take_back(app: &App, wish: TakeBack) -> Result<Moved, VipError> {
    let (now, user) = (app.clock.now(), wish.user);
    let moved = app
        .db
        .write("vip.take_back", move |tx| {
            let grant = of_user(tx, user, wish.grant)?;
            let before = super::membership(tx, user, now)?;
            let after = super::take_back(tx, &grant, wish.days, now)?;
            let moved = Moved { before, after };
            let days = match wish.days {
                RevokeDays::All => Value::Null,
                RevokeDays::Days(days) => days.into(),
            };
            let more = json!({ "grant": grant.id.0, "days": days, "reason": wish.reason });
            note(tx, wish.actor, "membership.revoked", user, moved, &more, now)?;
            Ok::<_, VipError>(moved)
        })
        .await?;
    super::changed(app, user);
    Ok(moved)
}

/// What [`take_back`] would come to.
///
/// # Errors
/// As [`take_back`].
pub fn preview_take_back(
    app: &App,
    user: UserId,
    grant: GrantId,
    days: RevokeDays,
) -> Result<Moved, VipError> {
    let now = app.clock.now();
    app.db.read_inline("vip.preview_take_back", |tx| {
        let taken = of_user(tx, user, grant)?;
        let ms = super::ms_to_take(&taken, days)?;
        let mut grants = store::of_user(tx, user)?;
        let before = fold(&super::live(&grants), now).membership();
        for grant in grants.iter_mut().filter(|grant| grant.id == taken.id) {
            grant.revoked_ms = grant.revoked_ms.saturating_add(ms);
        }
        Ok(Moved { before, after: fold(&super::live(&grants), now).membership() })
    })
}

fn of_user(tx: &Tx<'_>, user: UserId, id: GrantId) -> Result<StoredGrant, VipError> {
    let grant = store::by_id(tx, id)?;
    grant.filter(|grant| grant.user == user).ok_or(VipError::GrantNotFound)
}

fn note(
    tx: &Tx<'_>,
    actor: Actor,
    action: &'static str,
    user: UserId,
    moved: Moved,
    more: &Value,
    now: UnixMillis,
) -> Result<(), DbError> {
    let shown = |membership: Membership| {
        json!({
            "level": level_text(membership.level),
            "expiresAt": membership.expires_at.map(UnixMillis::rfc3339),
        })
    };
    let entry = AuditEntry {
        actor,
        action,
        object: format!("user:{user}"),
        before: json!({ "membership": shown(moved.before) }),
        after: json!({ "membership": shown(moved.after), "change": more }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}
