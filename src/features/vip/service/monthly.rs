//! The points that members get each month.

use std::sync::Arc;

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::points::{self, Entry, PointsError, Reason};
use crate::features::settings::{self, Settings};
use crate::features::users;
use crate::features::vip::model::VipError;
use crate::features::vip::model::monthly::{Due, Schedule, due};
use crate::features::vip::store;

/// Users in one transaction.
const BATCH: i64 = 200;

/// Months of one user in one transaction; what is due beyond them comes with the next.
const MONTHS: usize = 24;

/// Gives all points that are due, those of the time when the server stood still included.
///
/// # Errors
/// What the database fails with; what was given before that stays given, and is not given again.
pub async fn give_due(app: &App) -> Result<(), VipError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    loop {
        let users = app.db.read("vip.monthly_due", move |tx| store::monthly::due(tx, now, BATCH));
        let users = users.await?;
        if users.is_empty() {
            return Ok(());
        }
        let settings = Arc::clone(&settings);
        let given = app
            .db
            .write("vip.give_monthly", move |tx| {
                let mut given = Vec::new();
                for user in users {
                    if give(tx, &settings, user, now)? {
                        given.push(user);
                    }
                }
                Ok::<_, VipError>(given)
            })
            .await?;
        for user in given {
            points::service::changed(app, user);
        }
    }
}

/// Says whether points were given.
fn give(tx: &Tx<'_>, settings: &Settings, user: UserId, now: UnixMillis) -> Result<bool, VipError> {
    let Some(schedule) = store::monthly::schedule(tx, user)? else { return Ok(false) };
    if users::service::find(tx, user)?.is_none() {
        // Deleted: nothing is due any more.
        store::monthly::put(tx, user, Schedule { next_at: None, ..schedule })?;
        return Ok(false);
    }
    let grants = super::live(&store::of_user(tx, user)?);
    let (dues, schedule) = due(&grants, schedule, now, MONTHS);
    let mut is_given = false;
    for Due { at, level } in dues {
        let amount = level.monthly_points(&settings.membership.monthly_points);
        if amount == 0 {
            continue;
        }
        let entry = Entry {
            user,
            amount,
            reason: Reason::VipGrant,
            reference: format!("{user}:{}", at.shanghai_date()),
            description: "会员每月积分".to_owned(),
        };
        match points::service::earn(tx, &entry, now) {
            Ok(_) => is_given = true,
            Err(PointsError::AlreadyBooked) => {}
            Err(err) => return Err(err.into()),
        }
    }
    store::monthly::put(tx, user, schedule)?;
    Ok(is_given)
}
