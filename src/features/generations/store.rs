//! SQL of jobs: what changes them here; reading and quota in files of their own.

pub(super) mod attempts;
pub(super) mod browse;
pub(super) mod history;
pub(super) mod quota;
pub(super) mod reads;

use super::model::{Bill, Claimed, Failure, JobId, LateJob, NewJob, Picture, Receipt, Status};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// What a failed job asked for is kept up to this length, in characters, so that it can be made anew. One
/// that brought its picture along is longer: pictures are not kept for that.
const REQUEST_KEPT_MAX: i64 = 16 * 1024;

/// What is waiting, and whose, as a start finds it.
pub(super) struct Waiting {
    pub(super) seq: i64,
    pub(super) user: UserId,
}

/// Stores a job that was paid for; gives its `seq`.
pub(super) fn insert(
    tx: &Tx<'_>,
    job: &NewJob,
    request: &str,
    paid: &Receipt,
) -> Result<i64, DbError> {
    let wish = &job.wish;
    tx.insert(
        "INSERT INTO generations
           (job_id, user_id, prompt, mode, resolution, aspect_ratio, sample_count, template_id,
            template_title, quota_day, quota_used, points_charged, deadline_at, created_at,
            updated_at, request, request_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16)",
        params![
            job.id.as_str(),
            job.user,
            wish.prompt,
            wish.mode_name(),
            wish.resolution_name(),
            wish.aspect_ratio,
            wish.sample_count,
            wish.template_id,
            wish.template_title,
            paid.day,
            paid.free,
            paid.points,
            job.deadline_at,
            job.now,
            request,
            job.request_id
        ],
    )
}

/// Gives a queued job to a worker who goes to `upstream`; `None` when it does not wait any more.
pub(super) fn claim(
    tx: &Tx<'_>,
    seq: i64,
    upstream: &str,
    now: UnixMillis,
) -> Result<Option<Claimed>, DbError> {
    tx.query_opt(
        "UPDATE generations
            SET status = 'RUNNING', upstream = ?2, attempts = 1, started_at = ?3, updated_at = ?3
          WHERE seq = ?1 AND status = 'QUEUED' AND deadline_at > ?3
      RETURNING job_id, user_id, request, upstream, upstream_job_id, attempts, deadline_at,
                next_attempt_at",
        params![seq, upstream, now],
        claimed_from_row,
    )
}

/// Notes under which name the image API knows a job, for whoever goes on with it after a crash. Also
/// of a job that has just reached its deadline: it may be delivered late.
pub(super) fn set_upstream_job(
    tx: &Tx<'_>,
    job: &JobId,
    upstream: &str,
    upstream_job: &str,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE generations SET upstream = ?2, upstream_job_id = ?3, updated_at = ?4
          WHERE job_id = ?1 AND (status = 'RUNNING' OR late_until > ?4)",
        params![job.as_str(), upstream, upstream_job, now],
    )?;
    Ok(changed == 1)
}

/// An attempt went wrong. What the image API is known to have is what `upstream_job` says.
pub(super) fn set_retrying(
    tx: &Tx<'_>,
    job: &JobId,
    upstream_job: Option<&str>,
    next_attempt_at: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE generations
            SET status = 'RETRYING', upstream_job_id = ?2, next_attempt_at = ?3, updated_at = ?4
          WHERE job_id = ?1 AND status = 'RUNNING'",
        params![job.as_str(), upstream_job, next_attempt_at, now],
    )?;
    Ok(changed == 1)
}

/// The next attempt begins, at `upstream`; false when the job has ended meanwhile. A job that runs
/// already is one that a start found at an image API which is not there any more.
pub(super) fn set_running(
    tx: &Tx<'_>,
    job: &JobId,
    upstream: &str,
    upstream_job: Option<&str>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE generations
            SET status = 'RUNNING', upstream = ?2, upstream_job_id = ?3, attempts = attempts + 1,
                next_attempt_at = NULL, updated_at = ?4
          WHERE job_id = ?1 AND status IN ('RUNNING', 'RETRYING')",
        params![job.as_str(), upstream, upstream_job, now],
    )?;
    Ok(changed == 1)
}

/// Cancels a job that does not run; what had been paid, or `None` when it runs or has ended.
pub(super) fn cancel(
    tx: &Tx<'_>,
    job: &JobId,
    user: UserId,
    now: UnixMillis,
) -> Result<Option<(i64, Bill)>, DbError> {
    tx.query_opt(
        "UPDATE generations
            SET status = 'CANCELED', next_attempt_at = NULL, completed_at = ?3, updated_at = ?3,
                request = NULL
          WHERE job_id = ?1 AND user_id = ?2 AND status IN ('QUEUED', 'RETRYING')
      RETURNING user_id, quota_day, sample_count, quota_used, points_charged, points_refunded, seq",
        params![job.as_str(), user, now],
        |row| Ok((row.get(6)?, bill_from_row(row)?)),
    )
}

/// Fails a job that has not ended; what had been paid, or `None` when it has. With `late_until` it
/// may still be delivered until then.
pub(super) fn fail(
    tx: &Tx<'_>,
    job: &JobId,
    failure: &Failure,
    late_until: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<Option<Bill>, DbError> {
    tx.query_opt(
        "UPDATE generations
            SET status = 'FAILED', error_code = ?2, error_message = ?3,
                late_until = CASE status WHEN 'QUEUED' THEN NULL ELSE ?4 END,
                next_attempt_at = NULL, completed_at = ?5, updated_at = ?5,
                request = CASE WHEN length(request) <= ?6 THEN request END
          WHERE job_id = ?1 AND status IN ('QUEUED', 'RUNNING', 'RETRYING')
      RETURNING user_id, quota_day, sample_count, quota_used, points_charged, points_refunded",
        params![job.as_str(), failure.code, failure.message, late_until, now, REQUEST_KEPT_MAX],
        bill_from_row,
    )
}

/// Delivers a running job; false when it does not run.
pub(super) fn succeed(tx: &Tx<'_>, job: &JobId, now: UnixMillis) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE generations
            SET status = 'SUCCEEDED', completed_at = ?2, updated_at = ?2, request = NULL
          WHERE job_id = ?1 AND status = 'RUNNING'",
        params![job.as_str(), now],
    )?;
    Ok(changed == 1)
}

/// Delivers a job that has failed and may come late; what had been paid, or `None` when it is too
/// late or has been delivered.
pub(super) fn succeed_late(
    tx: &Tx<'_>,
    job: &JobId,
    now: UnixMillis,
) -> Result<Option<Bill>, DbError> {
    tx.query_opt(
        "UPDATE generations
            SET status = 'SUCCEEDED', error_code = NULL, error_message = NULL, late_until = NULL,
                completed_at = ?2, updated_at = ?2, request = NULL
          WHERE job_id = ?1 AND status = 'FAILED' AND late_until > ?2
      RETURNING user_id, quota_day, sample_count, quota_used, points_charged, points_refunded",
        params![job.as_str(), now],
        bill_from_row,
    )
}

/// Notes what was given back.
pub(super) fn set_given_back(tx: &Tx<'_>, job: &JobId, points: i64) -> Result<(), DbError> {
    tx.execute(
        "UPDATE generations SET quota_used = 0, points_refunded = points_refunded + ?2
          WHERE job_id = ?1",
        params![job.as_str(), points],
    )?;
    Ok(())
}

/// Notes what was taken again for a job that came late.
pub(super) fn set_taken_again(
    tx: &Tx<'_>,
    job: &JobId,
    quota: i64,
    points: i64,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE generations SET quota_used = ?2, points_charged = points_charged + ?3
          WHERE job_id = ?1",
        params![job.as_str(), quota, points],
    )?;
    Ok(())
}

pub(super) fn insert_picture(
    tx: &Tx<'_>,
    job: &JobId,
    index: usize,
    picture: &Picture,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO generation_images (job_id, idx, key, thumbnail_key, width, height)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            job.as_str(),
            i64::try_from(index).unwrap_or(i64::MAX),
            picture.key,
            picture.thumbnail_key,
            picture.width,
            picture.height
        ],
    )?;
    Ok(())
}

/// Jobs past their deadline, oldest first. The index is named, or the planner takes one by status and
/// sorts.
pub(super) fn overdue(
    tx: &Tx<'_>,
    now: UnixMillis,
    most: i64,
) -> Result<Vec<(JobId, Waiting)>, DbError> {
    tx.query_all(
        "SELECT job_id, seq, user_id FROM generations INDEXED BY generations_open_idx
          WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') AND deadline_at <= ?1
          ORDER BY deadline_at, seq LIMIT ?2",
        params![now, most],
        |row| {
            let waiting = Waiting { seq: row.get(1)?, user: row.get(2)? };
            Ok((JobId::from_stored(row.get(0)?), waiting))
        },
    )
}

/// All that waits, in the order of submission. Uses generations_open_idx, which is in the order of
/// deadlines: what is open is few, whatever has ended.
pub(super) fn waiting(tx: &Tx<'_>) -> Result<Vec<Waiting>, DbError> {
    let mut found = tx.query_all(
        "SELECT seq, user_id FROM generations
          WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') AND deadline_at >= 0
            AND status = 'QUEUED'",
        params![],
        |row| Ok(Waiting { seq: row.get(0)?, user: row.get(1)? }),
    )?;
    found.sort_unstable_by_key(|job| job.seq);
    Ok(found)
}

/// What a worker had when the process ended, in the order of submission. Uses generations_open_idx.
pub(super) fn under_way(tx: &Tx<'_>) -> Result<Vec<(Claimed, Status)>, DbError> {
    let mut found = tx.query_all(
        "SELECT job_id, user_id, request, upstream, upstream_job_id, attempts, deadline_at,
                next_attempt_at, status, seq
           FROM generations
          WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') AND deadline_at >= 0
            AND status IN ('RUNNING', 'RETRYING')",
        params![],
        |row| {
            let status: String = row.get(8)?;
            let seq: i64 = row.get(9)?;
            Ok((seq, (claimed_from_row(row)?, Status::from_stored(&status))))
        },
    )?;
    found.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(found.into_iter().map(|(_, job)| job).collect())
}

/// Failed jobs that an image API may still finish.
pub(super) fn late(tx: &Tx<'_>, now: UnixMillis, most: i64) -> Result<Vec<LateJob>, DbError> {
    tx.query_all(
        "SELECT job_id, user_id, upstream, upstream_job_id FROM generations
          WHERE late_until > ?1 AND upstream_job_id IS NOT NULL ORDER BY late_until LIMIT ?2",
        params![now, most],
        late_from_row,
    )
}

/// The same of one job.
pub(super) fn late_job(
    tx: &Tx<'_>,
    job: &JobId,
    now: UnixMillis,
) -> Result<Option<LateJob>, DbError> {
    tx.query_opt(
        "SELECT job_id, user_id, upstream, upstream_job_id FROM generations
          WHERE job_id = ?1 AND late_until > ?2 AND upstream_job_id IS NOT NULL",
        params![job.as_str(), now],
        late_from_row,
    )
}

/// Waits for this job no more. False when it was not waited for.
pub(super) fn end_late(tx: &Tx<'_>, job: &JobId) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE generations SET late_until = NULL WHERE job_id = ?1 AND late_until IS NOT NULL",
        params![job.as_str()],
    )?;
    Ok(changed == 1)
}

/// Jobs that are waited for no more. Uses generations_late_idx.
pub(super) fn too_late(tx: &Tx<'_>, now: UnixMillis, most: i64) -> Result<Vec<JobId>, DbError> {
    tx.query_all(
        "SELECT job_id FROM generations WHERE late_until <= ?1 ORDER BY late_until LIMIT ?2",
        params![now, most],
        |row| Ok(JobId::from_stored(row.get(0)?)),
    )
}

/// Jobs of a user that could be cancelled now. Uses generations_user_status_idx.
pub(super) fn cancelable(tx: &Tx<'_>, user: UserId, most: i64) -> Result<Vec<JobId>, DbError> {
    tx.query_all(
        "SELECT job_id FROM generations
          WHERE user_id = ?1 AND status IN ('QUEUED', 'RETRYING') LIMIT ?2",
        params![user, most],
        |row| Ok(JobId::from_stored(row.get(0)?)),
    )
}

/// Takes from jobs that have not ended what their owner wrote: of these nothing is kept.
pub(super) fn blank_open(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    tx.execute(
        "UPDATE generations
            SET prompt = '-', request = NULL, template_id = NULL, template_title = NULL
          WHERE user_id = ?1 AND status IN ('QUEUED', 'RUNNING', 'RETRYING')
            AND (prompt <> '-' OR request IS NOT NULL)",
        params![user],
    )?;
    Ok(())
}

/// Which jobs an image API means by this name; two image APIs may use the same.
pub(super) fn by_upstream_job(tx: &Tx<'_>, upstream_job: &str) -> Result<Vec<JobId>, DbError> {
    tx.query_all(
        "SELECT job_id FROM generations WHERE upstream_job_id = ?1 LIMIT 10",
        params![upstream_job],
        |row| Ok(JobId::from_stored(row.get(0)?)),
    )
}

fn late_from_row(row: &Row<'_>) -> Result<LateJob, DbError> {
    Ok(LateJob {
        id: JobId::from_stored(row.get(0)?),
        user: row.get(1)?,
        upstream: row.get(2)?,
        upstream_job: row.get(3)?,
    })
}

fn claimed_from_row(row: &Row<'_>) -> Result<Claimed, DbError> {
    let request: Option<String> = row.get(2)?;
    Ok(Claimed {
        id: JobId::from_stored(row.get(0)?),
        user: row.get(1)?,
        request: request.unwrap_or_default(),
        upstream: row.get(3)?,
        upstream_job: row.get(4)?,
        attempts: row.get(5)?,
        deadline_at: row.get(6)?,
        next_attempt_at: row.get(7)?,
    })
}

fn bill_from_row(row: &Row<'_>) -> Result<Bill, DbError> {
    Ok(Bill {
        user: row.get(0)?,
        day: row.get(1)?,
        sample_count: row.get(2)?,
        quota_used: row.get(3)?,
        points_charged: row.get(4)?,
        points_refunded: row.get(5)?,
    })
}
