//! Reading jobs: one, many, and one as it changes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Watch};
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::generations::model::{
    DeliveredPicture, Delivery, Forecast, GenerationError, Job, JobId, Quota, Status,
};
use crate::features::generations::store;
use crate::features::points::PointsError;
use crate::features::settings::{self, Settings};
use crate::features::users::{self, StoredUser};
use crate::http::PageQuery;

/// A user's job, and where it stands in the queue.
///
/// # Errors
/// `NotFound`; what the database fails with.
fn get(app: &App, user: UserId, job: &JobId) -> Result<(Job, Forecast), GenerationError> {
    let found = app.db.read_inline("generations.get", |tx| store::reads::job(tx, job, user))?;
    let job = found.ok_or(GenerationError::NotFound)?;
    let queue = match job.status {
        Status::Queued => {
            let engine = app.states.get::<Engine>();
            engine.position(job.user, job.seq, app.image_jobs.concurrency)
        }
        _ => Forecast::default(),
    };
    Ok((job, queue))
}

/// The same as soon as its status is another than now, it has ended, `most` has passed, or the process
/// is about to end.
///
/// # Errors
/// `NotFound`; what the database fails with.
pub(in crate::features::generations) async fn wait(
    app: &Arc<App>,
    user: UserId,
    job: &JobId,
    most: Duration,
) -> Result<(Job, Forecast), GenerationError> {
    let (mut following, first) = Following::begin(app, user, job.clone())?;
    if first.0.status.is_terminal() || most.is_zero() {
        return Ok(first);
    }
    match tokio::time::timeout(most, following.next()).await {
        Ok(Some(changed)) => Ok(changed),
        Ok(None) | Err(_) => get(app, user, job),
    }
}

/// A job as it is now and at each change of its status, until it has ended or the process is about to.
///
/// # Errors
/// `NotFound`, `TooManyStreams`; what the database fails with. A later failure ends the stream.
pub(in crate::features::generations) fn follow(
    app: &Arc<App>,
    user: UserId,
    job: JobId,
) -> Result<impl Stream<Item = (Job, Forecast)> + Send + 'static, GenerationError> {
    let streaming = app.states.get::<Engine>().stream(user)?;
    let (following, first) = Following::begin(app, user, job)?;
    let first = stream::once(std::future::ready(first));
    let changes = stream::unfold((following, streaming), |(mut following, streaming)| async move {
        Some((following.next().await?, (following, streaming)))
    });
    Ok(first.chain(changes))
}

/// A job whose changes are waited for.
struct Following {
    app: Arc<App>,
    user: UserId,
    job: JobId,
    watch: Watch,
    stop: CancellationToken,
    /// The status that was seen last.
    seen: Status,
}

impl Following {
    /// The job as it is now, and from here on.
    fn begin(
        app: &Arc<App>,
        user: UserId,
        job: JobId,
    ) -> Result<(Self, (Job, Forecast)), GenerationError> {
        let engine = app.states.get::<Engine>();
        // Before the job is read, so that no change is missed in between.
        let watch = engine.watch(&job);
        let first = get(app, user, &job)?;
        let (app, stop, seen) = (Arc::clone(app), engine.stop(), first.0.status);
        Ok((Self { app, user, job, watch, stop, seen }, first))
    }

    /// The job as soon as its status is another one. `None` when there will be no other: it has ended,
    /// it cannot be read any more, or the process is about to end.
    async fn next(&mut self) -> Option<(Job, Forecast)> {
        while !self.seen.is_terminal() {
            self.stop.run_until_cancelled(self.watch.changed()).await?;
            let now = get(&self.app, self.user, &self.job).ok()?;
            if now.0.status != self.seen {
                self.seen = now.0.status;
                return Some(now);
            }
        }
        None
    }
}

/// A part of a user's jobs, newest first, and how many there are in all when that is wanted.
///
/// # Errors
/// What the database fails with.
pub(in crate::features::generations) async fn list(
    app: &App,
    user: UserId,
    status: Option<Status>,
    query: PageQuery,
) -> Result<(Vec<Job>, Option<i64>), GenerationError> {
    let read = move |tx: &Tx<'_>| -> Result<_, GenerationError> {
        let after = query.after().unwrap_or([i64::MAX, i64::MAX]);
        let part = store::reads::Part { after, skip: query.offset(), fetch: query.fetch() };
        let jobs = match status {
            None => store::reads::jobs(tx, user, part)?,
            Some(status) => store::reads::jobs_of_status(tx, user, status, part)?,
        };
        let total = match query.wants_total() {
            true => Some(store::reads::count(tx, user, status)?),
            false => None,
        };
        Ok((jobs, total))
    };
    // A page by number may skip a long history; from a cursor a read is as short as its limit.
    if query.offset() > 0 {
        app.db.read("generations.list_page", read).await
    } else {
        app.db.read_inline("generations.list", read)
    }
}

/// What a user has used of his free pictures.
///
/// # Errors
/// `Points(NoSuchUser)`; what the database fails with.
pub(in crate::features::generations) fn quota(
    app: &App,
    user: UserId,
) -> Result<Quota, GenerationError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    app.db.read_inline("generations.quota", |tx| {
        let found = users::service::find(tx, user)?;
        let user = found.ok_or(GenerationError::Points(PointsError::NoSuchUser))?;
        quota_of(tx, &settings, &user, now)
    })
}

/// The same within a transaction.
///
/// # Errors
/// What the database fails with.
pub fn quota_of(
    tx: &Tx<'_>,
    settings: &Settings,
    user: &StoredUser,
    now: UnixMillis,
) -> Result<Quota, GenerationError> {
    let day = now.shanghai_date().to_string();
    let level = user.level_at(now);
    let may = level.entitlement(&settings.entitlements);
    let used = store::quota::usage(tx, user.id, &day)?;
    Ok(Quota {
        level,
        daily_limit: may.free_per_day.map(i64::from),
        today_used: used.free_today,
        monthly_limit: may.free_per_month.map(i64::from),
        month_used: used.free_month,
        today_remaining: used.free_left(may),
        total_generations: store::quota::succeeded(tx, user.id)?,
    })
}

/// What there is of the picture with this index (from 0) of a user's job.
///
/// # Errors
/// What the database fails with.
pub fn delivered_picture(
    tx: &Tx<'_>,
    user: UserId,
    job: &JobId,
    index: usize,
) -> Result<Delivery, DbError> {
    let Some(mut job) = store::reads::job(tx, job, user)? else { return Ok(Delivery::NoJob) };
    if job.status != Status::Succeeded {
        return Ok(Delivery::Unfinished);
    }
    if index >= job.pictures.len() {
        return Ok(Delivery::NoPicture);
    }
    let picture = job.pictures.swap_remove(index);
    Ok(Delivery::Picture(DeliveredPicture {
        prompt: job.prompt,
        key: picture.key,
        thumbnail_key: picture.thumbnail_key,
        width: picture.width,
        height: picture.height,
    }))
}
