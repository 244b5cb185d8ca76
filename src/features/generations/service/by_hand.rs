//! Jobs, whoever's, for administrators: looking for them, and what can be done about one.

use std::sync::Arc;

use serde_json::json;

use super::charge;
use super::engine::Engine;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::generations::model::{
    Booking, FailureCount, GenerationError, JobFilter, JobId, JobRecord, PictureKeys, Status,
};
use crate::features::generations::store::{self, attempts, browse};
use crate::features::points::{self, Reason};
use crate::features::settings;
use crate::http::{Found, MOST_LOOKED_AT, Span};

/// A part of the jobs that a filter shows, at most `fetch`, the newest first. `after` are the keys of
/// the last one that was seen, [`JobRecord::keys`], or those where the last search stopped.
///
/// # Errors
/// What the database fails with.
pub async fn list(
    app: &App,
    filter: JobFilter,
    after: Option<[i64; 2]>,
    fetch: i64,
) -> Result<Found<JobRecord>, DbError> {
    app.db
        .read("generations.browse", move |tx| {
            let seqs: Found<i64> = match (filter.search.as_deref(), after) {
                (Some(name), None) => browse::numbered(tx, name.trim())?.into(),
                (Some(_), Some(_)) => Vec::new().into(),
                (None, after) => Found::newest(
                    Span { from: filter.from, to: filter.to },
                    after,
                    fetch,
                    // What shows every job of its index need not know how far to look.
                    |after| match filter.upstream.is_some() || filter.error.is_some() {
                        true => browse::reach(tx, &filter, after, MOST_LOOKED_AT),
                        false => Ok(None),
                    },
                    |after, until| browse::newest(tx, &filter, (after, until), fetch),
                )?,
            };
            Ok(Found { rows: browse::rows(tx, &seqs.rows)?, stopped: seqs.stopped })
        })
        .await
}

/// A job with its pictures and its attempts.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub fn record(app: &App, id: &JobId) -> Result<JobRecord, GenerationError> {
    app.db.read_inline("generations.record", |tx| {
        let seqs = browse::numbered(tx, id.as_str())?;
        let mut found = browse::rows(tx, &seqs)?.into_iter();
        let mut job = found.find(|job| job.id == *id).ok_or(GenerationError::NotFound)?;
        job.pictures = browse::pictures(tx, id)?.into_iter().map(PictureKeys::from).collect();
        job.ended_attempts = attempts::of(tx, id)?;
        Ok(job)
    })
}

/// Why jobs failed that were submitted from one time on and before another, by day and reason.
///
/// # Errors
/// What the database fails with.
pub async fn failures(
    app: &App,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Vec<FailureCount>, DbError> {
    app.db.read("generations.failures", move |tx| browse::failures(tx, from, to)).await
}

/// Cancels a job that does not run, and gives back.
///
/// # Errors
/// `NotFound`; `NotCancelable`; what the database fails with.
pub async fn cancel(
    app: &App,
    id: &JobId,
    actor: Actor,
    reason: String,
) -> Result<(), GenerationError> {
    let job = record(app, id)?;
    let entry = AuditEntry {
        actor,
        action: "job.canceled",
        object: format!("job:{id}"),
        before: json!({ "status": job.status.as_str() }),
        after: json!({ "status": Status::Canceled.as_str(), "reason": reason }),
    };
    super::endings::cancel_noted(app, job.user, id, Some(entry)).await
}

/// Gives back what a delivered job cost: its points, and its free pictures to their day. Once.
///
/// # Errors
/// `NotFound`; `NothingToGiveBack` for a job that was not delivered (what it cost went back by itself),
/// cost nothing, or was given back; what the database fails with.
pub async fn refund(
    app: &App,
    id: &JobId,
    actor: Actor,
    reason: String,
) -> Result<(), GenerationError> {
    let (job, now) = (record(app, id)?, app.clock.now());
    let id = id.clone();
    app.db
        .write("generations.refund", move |tx| {
            let bill = browse::cost(tx, &id)?;
            let mut paid = bill.as_ref().ok_or(GenerationError::NothingToGiveBack)?.receipt();
            if paid.points == 0 && paid.free == 0 {
                return Err(GenerationError::NothingToGiveBack);
            }
            // Pictures that were paid with points stay counted; only what was free goes back.
            paid.pictures = paid.free;
            let booking = Booking {
                reason: Reason::Admin,
                reference: format!("job:{id}"),
                description: "客服退还生成消耗".to_owned(),
            };
            charge::give_back(tx, &paid, booking, now)?;
            store::set_given_back(tx, &id, paid.points)?;
            let entry = AuditEntry {
                actor,
                action: "job.refunded",
                object: format!("job:{id}"),
                before: json!({ "points": paid.points, "freePictures": paid.free }),
                after: json!({ "points": 0, "freePictures": 0, "reason": reason }),
            };
            audit::service::record(tx, &entry, now)?;
            Ok(())
        })
        .await?;
    points::service::changed(app, job.user);
    Ok(())
}

/// Makes a failed job anew, for nothing: what the failed one cost has gone back to its user, and he did
/// not ask again. Gives the new job. Of one failed job there is one new one.
///
/// # Errors
/// `NotFound`; `NotRepeatable` for a job that has not failed, may still be delivered late, was made anew
/// before, or whose request was too large to be kept; `TooManyWaiting`, `QueueFull`; what the database
/// fails with.
pub async fn retry(
    app: &Arc<App>,
    id: &JobId,
    actor: Actor,
    reason: String,
) -> Result<JobId, GenerationError> {
    // A job that is stored must also be queued, whoever has left.
    let task = {
        let (app, id) = (Arc::clone(app), id.clone());
        tokio::spawn(async move { make_again(&app, &id, actor, reason).await })
    };
    task.await.map_err(|_| GenerationError::CutShort)?
}

async fn make_again(
    app: &App,
    failed: &JobId,
    actor: Actor,
    reason: String,
) -> Result<JobId, GenerationError> {
    let (job, now) = (record(app, failed)?, app.clock.now());
    if job.status != Status::Failed || !job.has_request {
        return Err(GenerationError::NotRepeatable);
    }
    let settings = settings::service::current(app);
    let by_level = settings.entitlements;
    let terms =
        app.db.read_inline("generations.terms", |tx| super::terms(tx, &by_level, job.user, now))?;
    let place = app.states.get::<Engine>().reserve(job.user, terms, &app.image_jobs)?;
    let new = JobId::generate(now, &app.rng);
    let (id, failed) = (new.clone(), failed.clone());
    let deadline = now.plus_seconds(i64::from(settings.jobs.deadline_s));
    let seq = app
        .db
        .write("generations.retry", move |tx| {
            let day = now.shanghai_date().to_string();
            let seq = browse::again(tx, &failed, &id, (&day, deadline), now)?;
            let seq = seq.ok_or(GenerationError::NotRepeatable)?;
            // Counted like any other, and taken back when it fails.
            store::quota::add(tx, job.user, &day, 0, job.sample_count)?;
            note_retry(tx, actor, &failed, &id, &reason, now)?;
            Ok::<_, GenerationError>(seq)
        })
        .await?;
    place.fill(seq);
    Ok(new)
}

fn note_retry(
    tx: &Tx<'_>,
    actor: Actor,
    failed: &JobId,
    new: &JobId,
    reason: &str,
    now: UnixMillis,
) -> Result<(), DbError> {
    let entry = AuditEntry {
        actor,
        action: "job.retried",
        object: format!("job:{failed}"),
        before: json!({ "status": Status::Failed.as_str() }),
        after: json!({ "newJob": new.as_str(), "reason": reason }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}
