//! Old jobs go: as old as the level of their owner says, with their pictures. What they cost stays in
//! the ledger, and that they were counts on.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::generations::model::GenerationError;
use crate::features::generations::store::history;
use crate::features::media::{self, Holder};
use crate::features::settings::{self, Entitlements};
use crate::features::users;

/// Between two looks at one history: a changed setting or level holds within this time.
const REVIEW_S: i64 = 24 * 3600;

const DAY_S: i64 = 24 * 3600;

/// Histories looked at in one transaction.
const USERS_BATCH: i64 = 20;

/// Jobs of one user removed in one transaction; the rest has its turn in the next.
const JOBS_BATCH: i64 = 100;

/// Removes ended jobs that are older than the level of their owner keeps, and lets their pictures go.
/// What is published in the gallery is held by the gallery. Looks only at users who are due, and each
/// once a day. To be called every few minutes.
///
/// # Errors
/// What the database fails with; the rest follows at the next call.
pub async fn remove_old(app: &App) -> Result<(), GenerationError> {
    loop {
        let now = app.clock.now();
        let by_level = settings::service::current(app).entitlements;
        let looked_at = app
            .db
            .write("generations.remove_old", move |tx| {
                let due = history::due(tx, now, USERS_BATCH)?;
                for user in &due {
                    review(tx, &by_level, *user, now)?;
                }
                Ok::<_, GenerationError>(due.len())
            })
            .await?;
        if looked_at == 0 {
            return Ok(());
        }
    }
}

fn review(
    tx: &Tx<'_>,
    by_level: &Entitlements,
    user: UserId,
    now: UnixMillis,
) -> Result<(), GenerationError> {
    let next = now.plus_seconds(REVIEW_S);
    let owner = users::service::find(tx, user)?;
    // A deleted user's jobs are nobody's history; they go as anybody's do.
    let may = owner.map_or(&by_level.normal, |owner| owner.level_at(now).entitlement(by_level));
    let Some(days) = may.history_days else {
        return Ok(history::review_again(tx, user, next)?);
    };
    let before = now.plus_seconds(i64::from(days).saturating_mul(-DAY_S));
    let old = history::older(tx, user, before, JOBS_BATCH)?;
    for job in &old {
        media::service::release(tx, &Holder::job(job.as_str()), now)?;
        history::remove(tx, job)?;
    }
    if i64::try_from(old.len()).unwrap_or(i64::MAX) == JOBS_BATCH {
        // There may be more: due still.
        return Ok(());
    }
    match history::is_empty(tx, user)? {
        true => history::forget(tx, user)?,
        false => history::review_again(tx, user, next)?,
    }
    Ok(())
}
