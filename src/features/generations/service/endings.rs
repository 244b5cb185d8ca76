//! The transactions that end a job: each gives back, or charges, in the same step.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::charge;
use super::engine::Engine;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, AuditEntry};
use crate::features::generations::model::{
    Attempt, Bill, Booking, Failure, GenerationError, JobId, Picture,
};
use crate::features::generations::store;
use crate::features::media::{self, Holder};
use crate::features::messages::{self, MessageKind};
use crate::features::points::{self, Entry, Reason};
use crate::features::settings::{self, InviteEvent, Settings};
use crate::features::users;

/// Jobs of a user found for cancelling at a time.
const CANCEL_BATCH: i64 = 200;

/// Overdue jobs ended in one transaction.
const OVERDUE_BATCH: i64 = 200;

/// Cancels a user's job that does not run, and gives back.
///
/// # Errors
/// `NotFound`; `NotCancelable` when it runs or has ended; what the database fails with.
pub(in crate::features::generations) async fn cancel(
    app: &App,
    user: UserId,
    job: &JobId,
) -> Result<(), GenerationError> {
    cancel_noted(app, user, job, None).await
}

/// The same with an entry in the audit log.
pub(super) async fn cancel_noted(
    app: &App,
    user: UserId,
    job: &JobId,
    entry: Option<AuditEntry>,
) -> Result<(), GenerationError> {
    let now = app.clock.now();
    let id = job.clone();
    let seq = app
        .db
        .write("generations.cancel", move |tx| {
            let Some((seq, bill)) = store::cancel(tx, &id, user, now)? else {
                let exists = store::reads::job(tx, &id, user)?.is_some();
                return Err(match exists {
                    true => GenerationError::NotCancelable,
                    false => GenerationError::NotFound,
                });
            };
            give_back(tx, &id, &bill, now)?;
            // An attempt may have stored some of its pictures.
            media::service::release(tx, &Holder::job(id.as_str()), now)?;
            if let Some(entry) = entry {
                audit::service::record(tx, &entry, now)?;
            }
            Ok(seq)
        })
        .await?;
    let engine = app.states.get::<Engine>();
    engine.remove(user, seq);
    engine.canceled(job);
    engine.changed(job);
    app.events.jobs.add("canceled");
    points::service::changed(app, user);
    Ok(())
}

/// Cancels all of a user's jobs that do not run, and gives back, each in a transaction of its own: for a
/// ban or a deletion, after which nothing new comes. What runs goes to its end. Says how many were
/// cancelled.
///
/// # Errors
/// What the database fails with; a repetition goes on.
pub async fn cancel_all_queued(app: &App, user: UserId) -> Result<usize, GenerationError> {
    let mut canceled = 0;
    loop {
        let found = app.db.read_inline("generations.cancelable", |tx| {
            store::cancelable(tx, user, CANCEL_BATCH)
        })?;
        let before = canceled;
        for job in &found {
            match cancel(app, user, job).await {
                Ok(()) => canceled += 1,
                // It has just begun to run, or its owner was faster.
                Err(GenerationError::NotCancelable | GenerationError::NotFound) => {}
                Err(err) => return Err(err),
            }
        }
        if canceled == before {
            return Ok(canceled);
        }
    }
}

/// Waits no more for a late picture; what came of it is let go.
pub(super) fn end_late(tx: &Tx<'_>, job: &JobId, now: UnixMillis) -> Result<(), GenerationError> {
    if store::end_late(tx, job)? {
        media::service::release(tx, &Holder::job(job.as_str()), now)?;
    }
    Ok(())
}

/// Fails a job that has not ended, and gives back. With `late_until` it may still be delivered until
/// then. False when it had ended; how the `attempt` ended is noted all the same.
pub(super) async fn fail(
    app: &App,
    job: &JobId,
    failure: Failure,
    late_until: Option<UnixMillis>,
    attempt: Option<Attempt>,
) -> Result<bool, GenerationError> {
    let now = app.clock.now();
    let id = job.clone();
    let failed = app
        .db
        .write("generations.fail", move |tx| {
            if let Some(attempt) = &attempt {
                store::attempts::note(tx, &id, attempt)?;
            }
            fail_in(tx, &id, &failure, late_until, now)
        })
        .await?;
    if let Some(user) = failed {
        app.events.jobs.add("failed");
        app.states.get::<Engine>().changed(job);
        points::service::changed(app, user);
    }
    Ok(failed.is_some())
}

fn fail_in(
    tx: &Tx<'_>,
    job: &JobId,
    failure: &Failure,
    late_until: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<Option<UserId>, GenerationError> {
    let Some(bill) = store::fail(tx, job, failure, late_until, now)? else { return Ok(None) };
    give_back(tx, job, &bill, now)?;
    if late_until.is_none() {
        // An attempt may have stored some of its pictures. What may come late keeps its own.
        media::service::release(tx, &Holder::job(job.as_str()), now)?;
    }
    Ok(Some(bill.user))
}

/// Delivers a job with its pictures: in time, or late within the grace. From then on the job holds
/// them, not before: of a job that is not delivered nothing is kept. False when it was not delivered
/// by this call.
pub(super) async fn deliver(
    app: &App,
    job: &JobId,
    user: UserId,
    pictures: Vec<Picture>,
    attempt: Option<Attempt>,
) -> Result<bool, GenerationError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let id = job.clone();
    let delivered = app
        .db
        .write("generations.deliver", move |tx| {
            if !store::succeed(tx, &id, now)? {
                let Some(bill) = store::succeed_late(tx, &id, now)? else { return Ok(None) };
                charge_again(tx, &settings, &id, &bill, now)?;
            }
            if let Some(attempt) = &attempt {
                store::attempts::note(tx, &id, attempt)?;
            }
            if users::service::find(tx, user)?.is_none() {
                // Deleted meanwhile: nobody is left to keep them for.
                return Ok(Some(None));
            }
            let holder = Holder::job(id.as_str());
            for (index, picture) in pictures.iter().enumerate() {
                for key in [&picture.key, &picture.thumbnail_key] {
                    if !media::service::hold(tx, &holder, key, now)? {
                        return Err(GenerationError::PictureGone);
                    }
                }
                store::insert_picture(tx, &id, index, picture)?;
            }
            let about = (user, MessageKind::ImageReady, id.as_str());
            messages::service::note(tx, &settings.messages, about, || ready(tx, user, &id), now);
            let rule = &settings.economy.invite;
            let event = InviteEvent::FirstJob;
            let inviter = points::service::invites::reward_inviter(tx, rule, user, event, now)?;
            Ok::<_, GenerationError>(Some(inviter))
        })
        .await?;
    let Some(inviter) = delivered else { return Ok(false) };
    app.events.jobs.add("succeeded");
    app.states.get::<Engine>().changed(job);
    for user in std::iter::once(user).chain(inviter) {
        points::service::changed(app, user);
    }
    Ok(true)
}

/// What a user is told of a job that is done.
fn ready(tx: &Tx<'_>, user: UserId, id: &JobId) -> Result<Map<String, Value>, DbError> {
    let mut details = Map::new();
    if let Some(job) = store::reads::job(tx, id, user)? {
        details.insert("jobId".to_owned(), job.id.as_str().into());
        details.insert("prompt".to_owned(), job.prompt.into());
        details.insert("count".to_owned(), job.pictures.len().into());
    }
    Ok(details)
}

/// Ends every job that is past its deadline, wherever it is: the net under the workers' own timers,
/// and what ends a job that never had its turn.
///
/// # Errors
/// What the database fails with; the rest follows at the next call.
pub async fn end_overdue(app: &Arc<App>) -> Result<(), GenerationError> {
    let engine = app.states.get::<Engine>();
    engine.tick();
    engine.sweep();
    loop {
        let now = app.clock.now();
        let jobs = settings::service::current(app).jobs;
        let late_until = now.plus_seconds(i64::from(jobs.late_grace_s));
        let ended = app
            .db
            .write("generations.end_overdue", move |tx| {
                let overdue = store::overdue(tx, now, OVERDUE_BATCH)?;
                for (job, _) in &overdue {
                    fail_in(tx, job, &Failure::timeout(), Some(late_until), now)?;
                }
                Ok::<_, GenerationError>(overdue)
            })
            .await?;
        for (job, waiting) in &ended {
            app.events.jobs.add("failed");
            engine.remove(waiting.user, waiting.seq);
            engine.changed(job);
            points::service::changed(app, waiting.user);
        }
        if i64::try_from(ended.len()).unwrap_or(i64::MAX) < OVERDUE_BATCH {
            return Ok(());
        }
    }
}

/// Returns what a job had cost: points to the balance, pictures to the day of submission.
fn give_back(
    tx: &Tx<'_>,
    job: &JobId,
    bill: &Bill,
    now: UnixMillis,
) -> Result<(), GenerationError> {
    let paid = bill.receipt();
    let booking = Booking {
        reason: Reason::JobRefund,
        reference: job.to_string(),
        description: "图片未生成，退还积分".to_owned(),
    };
    charge::give_back(tx, &paid, booking, now)?;
    store::set_given_back(tx, job, paid.points)?;
    Ok(())
}

/// Takes again what was given back for a job that comes late: as far as the quota of its day and the
/// balance allow. What they do not cover is free: the delay was not the user's.
fn charge_again(
    tx: &Tx<'_>,
    settings: &Settings,
    job: &JobId,
    bill: &Bill,
    now: UnixMillis,
) -> Result<(), GenerationError> {
    let Some(user) = users::service::find(tx, bill.user)? else { return Ok(()) };
    let (free, points) = if bill.points_refunded > 0 {
        (0, bill.points_refunded.min(user.points_balance))
    } else {
        let may = user.level_at(now).entitlement(&settings.entitlements);
        let used = store::quota::usage(tx, bill.user, &bill.day)?;
        let left = used.free_left(may).unwrap_or(bill.sample_count);
        (left.min(bill.sample_count), 0)
    };
    if points > 0 {
        let entry = Entry {
            user: bill.user,
            amount: points,
            reason: Reason::JobLate,
            reference: job.to_string(),
            description: "图片延迟送达".to_owned(),
        };
        points::service::spend(tx, &entry, now)?;
    }
    store::quota::add(tx, bill.user, &bill.day, free, bill.sample_count.saturating_sub(free))?;
    store::set_taken_again(tx, job, free, points)?;
    Ok(())
}
