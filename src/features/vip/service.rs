//! Granting and taking back memberships, for every feature; and what buying one would come to.
//!
//! The functions that take a `Tx` work within the caller's transaction. After its commit the caller
//! calls [`changed`] for each user whose membership moved.

pub mod by_hand;
pub mod monthly;
pub mod plans;
pub mod reminders;

use super::model::{
    Change, DAY_MS, Grant, GrantId, GrantSource, LiveGrant, Membership, Plan, Quote, Rate,
    RevokeDays, StoredGrant, VipError, cheapest, days_for_refund, fold,
};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};

/// Grants a membership and says what the user is then. Repeated for the same order, entry or code it
/// changes nothing.
///
/// It never refuses what was paid for: a lower level than the one that runs extends that.
///
/// # Errors
/// `Invalid` naming the field, `NoSuchUser`, `PlanNotFound` (a gift of a level that no plan sells, so
/// that its time has no worth), and what the database fails with.
pub fn grant(tx: &Tx<'_>, grant: &Grant, now: UnixMillis) -> Result<Membership, VipError> {
    grant.check()?;
    if let Some(before) = store::by_source(tx, &grant.source)? {
        // The same order cannot be another user's: that would be a bug of the caller.
        let is_same = before.user == grant.user;
        return if is_same {
            membership(tx, grant.user, now)
        } else {
            Err(VipError::Invalid("user"))
        };
    }
    if !store::user_exists(tx, grant.user)? {
        return Err(VipError::NoSuchUser);
    }
    let duration_ms = grant.days.saturating_mul(DAY_MS);
    let rate = match grant.price_fen {
        Some(price) => Rate::new(price, duration_ms).ok_or(VipError::Invalid("priceFen"))?,
        // Noted with the grant, so that a price of tomorrow does not change what was given today.
        None => cheapest(&store::plans::all(tx)?, grant.level).ok_or(VipError::PlanNotFound)?,
    };
    store::insert(tx, grant, duration_ms, rate, now)?;
    store::monthly::begin(tx, grant.user, now)?;
    refold(tx, grant.user, now)
}

/// Takes back what an order granted, in whole or in part, and says what the user is then. Taking back
/// all again changes nothing; `Days` are taken each time, so the caller sees to it that each refund
/// comes here once.
///
/// # Errors
/// `GrantNotFound` (nothing was granted for it), `Invalid` (negative days), and what the database
/// fails with.
pub fn revoke(
    tx: &Tx<'_>,
    order_id: &str,
    days: RevokeDays,
    now: UnixMillis,
) -> Result<Membership, VipError> {
    let grant = of_order(tx, order_id)?.ok_or(VipError::GrantNotFound)?;
    take_back(tx, &grant, days, now)
}

/// The same of any grant: what an admin does by hand.
///
/// # Errors
/// As [`revoke`].
pub fn revoke_grant(
    tx: &Tx<'_>,
    id: GrantId,
    days: RevokeDays,
    now: UnixMillis,
) -> Result<Membership, VipError> {
    let grant = store::by_id(tx, id)?.ok_or(VipError::GrantNotFound)?;
    take_back(tx, &grant, days, now)
}

/// How many days a refund takes back of an order, besides those that were taken back before:
/// `refunded_fen` is all that was refunded of it, this refund included. See [`days_for_refund`].
///
/// # Errors
/// `GrantNotFound`, and what the database fails with.
pub fn days_to_revoke(
    tx: &Tx<'_>,
    order_id: &str,
    refunded_fen: i64,
) -> Result<RevokeDays, VipError> {
    let grant = of_order(tx, order_id)?.ok_or(VipError::GrantNotFound)?;
    // The table's CHECK gives every order a price.
    let price = grant.price_fen.ok_or(VipError::GrantNotFound)?;
    if refunded_fen >= price {
        return Ok(RevokeDays::All);
    }
    let in_days = |ms: i64| ms.checked_div(DAY_MS).unwrap_or(0);
    let all = days_for_refund(in_days(grant.duration_ms), price, refunded_fen);
    Ok(RevokeDays::Days(all.saturating_sub(in_days(grant.revoked_ms)).max(0)))
}

/// What an order granted, if anything.
///
/// # Errors
/// What the database fails with.
pub fn of_order(tx: &Tx<'_>, order_id: &str) -> Result<Option<StoredGrant>, DbError> {
    store::by_source(tx, &GrantSource::Order(order_id.to_owned()))
}

/// All grants of a user in order of time, those that were taken back included.
///
/// # Errors
/// What the database fails with.
pub fn grants(tx: &Tx<'_>, user: UserId) -> Result<Vec<StoredGrant>, DbError> {
    store::of_user(tx, user)
}

/// What the grants of a user come to at `now`. For who counts as a member, the columns of the user
/// say the same at less cost: `StoredUser::level_at`.
///
/// # Errors
/// What the database fails with.
pub fn membership(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<Membership, VipError> {
    Ok(fold(&live(&store::of_user(tx, user)?), now).membership())
}

/// What buying this plan now would come to.
///
/// # Errors
/// `PlanNotFound` (also when it is not for sale), `LowerLevel`, `LongEnough`, and what the database
/// fails with.
pub fn quote(tx: &Tx<'_>, user: UserId, plan_id: &str, now: UnixMillis) -> Result<Quote, VipError> {
    let plan = plan_on_sale(tx, plan_id)?.ok_or(VipError::PlanNotFound)?;
    let duration_ms = plan.days.saturating_mul(DAY_MS);
    let bought = LiveGrant {
        level: plan.level,
        granted_at: now,
        live_ms: duration_ms,
        rate: Rate::new(plan.current_price, duration_ms).ok_or(VipError::PlanNotFound)?,
    };
    let mut running = fold(&live(&store::of_user(tx, user)?), now);
    let current = running.membership();
    let change = running.add(&bought);
    if let (Change::Extends { .. }, Some(until)) = (change, current.expires_at) {
        return Err(VipError::LowerLevel { running: current.level, until });
    }
    if running.is_beyond_writing() {
        return Err(VipError::LongEnough);
    }
    Ok(Quote { plan, current, change, after: running.membership() })
}

/// The same for whoever asks before paying.
///
/// # Errors
/// As [`quote`].
pub(super) fn quote_now(app: &App, user: UserId, plan_id: &str) -> Result<Quote, VipError> {
    let now = app.clock.now();
    app.db.read_inline("vip.quote", |tx| quote(tx, user, plan_id, now))
}

/// A plan, on sale or not.
///
/// # Errors
/// What the database fails with.
pub fn plan(tx: &Tx<'_>, id: &str) -> Result<Option<Plan>, DbError> {
    store::plans::by_id(tx, id)
}

/// A plan that can be bought.
///
/// # Errors
/// What the database fails with.
pub fn plan_on_sale(tx: &Tx<'_>, id: &str) -> Result<Option<Plan>, DbError> {
    Ok(plan(tx, id)?.filter(|plan| plan.is_on_sale))
}

/// To be called after the commit of a grant or a revocation, before it is answered: what is kept of
/// the user in memory holds his level.
pub fn changed(app: &App, user: UserId) {
    app.profiles.invalidate(user);
}

fn take_back(
    tx: &Tx<'_>,
    grant: &StoredGrant,
    days: RevokeDays,
    now: UnixMillis,
) -> Result<Membership, VipError> {
    let ms = ms_to_take(grant, days)?;
    if ms > 0 {
        store::take_back(tx, grant.id, ms, now)?;
    }
    refold(tx, grant.user, now)
}

/// What is taken of a grant: never more than is left of it.
fn ms_to_take(grant: &StoredGrant, days: RevokeDays) -> Result<i64, VipError> {
    let left = grant.duration_ms.saturating_sub(grant.revoked_ms);
    match days {
        RevokeDays::All => Ok(left),
        RevokeDays::Days(days) if days < 0 => Err(VipError::Invalid("days")),
        RevokeDays::Days(days) => Ok(days.saturating_mul(DAY_MS).min(left)),
    }
}

/// Adds the user's grants up again and notes the result with him.
fn refold(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<Membership, VipError> {
    let membership = membership(tx, user, now)?;
    store::set_membership(tx, user, membership, now)?;
    Ok(membership)
}

fn live(grants: &[StoredGrant]) -> Vec<LiveGrant> {
    grants.iter().filter_map(StoredGrant::live).collect()
}

#[cfg(test)]
mod tests;
