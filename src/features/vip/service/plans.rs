//! What is sold: reading the list, and changing it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::app::App;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::users::VipLevel;
use crate::features::vip::model::{Plan, VipError, checked};
use crate::features::vip::store;

/// Counts the changes of the list since the start.
#[derive(Default)]
struct Version(AtomicU64);

/// Names the list as it is: another number after each change, from before that is acknowledged. What
/// was read after asking may be kept under it.
pub(in crate::features::vip) fn version(app: &App) -> u64 {
    app.states.get::<Version>().0.load(Ordering::SeqCst)
}

/// The plans for sale, in the order of the list.
///
/// # Errors
/// What the database fails with.
pub fn on_sale(app: &App) -> Result<Vec<Plan>, DbError> {
    let mut plans = app.db.read_inline("vip.plans", store::plans::all)?;
    plans.retain(|plan| plan.is_on_sale);
    Ok(plans)
}

/// All plans, those no longer sold included, in the order of the list.
///
/// # Errors
/// What the database fails with.
pub fn all(tx: &Tx<'_>) -> Result<Vec<Plan>, DbError> {
    store::plans::all(tx)
}

/// The benefits of a level, as its plans list them; none for `Normal`. The first plan on sale speaks
/// for its level, else the first that ever was.
///
/// # Errors
/// What the database fails with.
pub fn benefits(tx: &Tx<'_>, level: VipLevel) -> Result<Vec<String>, DbError> {
    let plans = store::plans::all(tx)?;
    let mut of_level = plans.into_iter().filter(|plan| plan.level == level).collect::<Vec<_>>();
    of_level.sort_by_key(|plan| !plan.is_on_sale);
    Ok(of_level.into_iter().next().map(|plan| plan.benefits).unwrap_or_default())
}

/// Adds a plan.
///
/// # Errors
/// `Invalid` naming the field, `PlanExists`, and what the database fails with.
pub async fn create(app: &App, plan: Plan) -> Result<Plan, VipError> {
    let plan = checked(plan)?;
    let stored = plan.clone();
    app.db
        .write("vip.create_plan", move |tx| match store::plans::insert(tx, &stored)? {
            true => Ok(()),
            false => Err(VipError::PlanExists),
        })
        .await?;
    changed(app);
    Ok(plan)
}

/// Changes a plan. What was sold of it keeps its level, days and price. Gives the plan before and
/// after, for the audit log.
///
/// # Errors
/// `Invalid` naming the field, `PlanNotFound`, and what the database fails with.
pub async fn update(app: &App, plan: Plan) -> Result<(Plan, Plan), VipError> {
    let plan = checked(plan)?;
    let stored = plan.clone();
    let before = app
        .db
        .write("vip.update_plan", move |tx| {
            let before = store::plans::by_id(tx, &stored.id)?.ok_or(VipError::PlanNotFound)?;
            store::plans::update(tx, &stored)?;
            Ok::<_, VipError>(before)
        })
        .await?;
    changed(app);
    Ok((before, plan))
}

/// Takes a plan out of the list. It stays on record; [`update`] can bring it back. Gives the plan
/// before and after.
///
/// # Errors
/// `PlanNotFound`, and what the database fails with.
pub async fn retire(app: &App, id: &str) -> Result<(Plan, Plan), VipError> {
    let id = id.to_owned();
    let both = app
        .db
        .write("vip.retire_plan", move |tx| {
            let before = store::plans::by_id(tx, &id)?.ok_or(VipError::PlanNotFound)?;
            let after = Plan { is_on_sale: false, ..before.clone() };
            store::plans::update(tx, &after)?;
            Ok::<_, VipError>((before, after))
        })
        .await?;
    changed(app);
    Ok(both)
}

/// A plan to be stored by an administrator.
#[derive(Clone, Debug)]
pub struct PlanWish {
    pub plan: Plan,
    /// The [`Plan::version`] that he saw; `None` makes a new one.
    pub version: Option<String>,
    /// Only says what would change.
    pub is_dry_run: bool,
    pub actor: Actor,
    pub reason: Option<String>,
}

/// Makes or changes a plan, with the entry in the audit log. Gives it before and after.
///
/// # Errors
/// As [`create`] and [`update`]; `Outdated` when it is another than the caller saw.
pub async fn put(app: &App, wish: PlanWish) -> Result<(Option<Plan>, Plan), VipError> {
    let now = app.clock.now();
    let plan = checked(wish.plan)?;
    let decide = {
        let (plan, version) = (plan.clone(), wish.version);
        move |tx: &Tx<'_>| -> Result<Option<Plan>, VipError> {
            let before = store::plans::by_id(tx, &plan.id)?;
            match (&before, version) {
                (Some(_), None) => Err(VipError::PlanExists),
                (None, Some(_)) => Err(VipError::PlanNotFound),
                (Some(before), Some(version)) if before.version() != version => {
                    Err(VipError::Outdated)
                }
                _ => Ok(before),
            }
        }
    };
    if wish.is_dry_run {
        return Ok((app.db.read_inline("vip.try_plan", decide)?, plan));
    }
    let stored = plan.clone();
    let before = app
        .db
        .write("vip.put_plan", move |tx| {
            let before = decide(tx)?;
            match &before {
                Some(_) => store::plans::update(tx, &stored)?,
                None => store::plans::insert(tx, &stored)?,
            };
            let mut after = stored.to_json();
            after["reason"] = wish.reason.into();
            let entry = AuditEntry {
                actor: wish.actor,
                action: "plan.changed",
                object: format!("plan:{}", stored.id),
                before: before.as_ref().map_or(Value::Null, Plan::to_json),
                after,
            };
            audit::service::record(tx, &entry, now)?;
            Ok::<_, VipError>(before)
        })
        .await?;
    changed(app);
    Ok((before, plan))
}

fn changed(app: &App) {
    app.states.get::<Version>().0.fetch_add(1, Ordering::SeqCst);
}
