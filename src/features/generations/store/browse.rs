//! Lists over all jobs. Each reads an index that holds what it filters by, then the rows of one page.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::generations::model::{
    FailureCount, JobFilter, JobId, JobRecord, Picture, Status,
};

/// Jobs, the newest first, behind the one with the keys `after` and no further than that with the keys
/// `until`.
pub(in crate::features::generations) fn newest(
    tx: &Tx<'_>,
    filter: &JobFilter,
    (after, until): ([i64; 2], [i64; 2]),
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    let status = status(filter);
    // One statement for each filter that few jobs pass, so that it has its index.
    let sql = match (filter.user, status) {
        (Some(_), Some(_)) => {
            "SELECT seq FROM generations
              WHERE user_id = ?5 AND status = ?6 AND (created_at, seq) < (?1, ?2)
                AND created_at >= ?3
                AND (created_at > ?3 OR seq >= ?9) AND (?7 IS NULL OR upstream = ?7)
                AND (?8 IS NULL OR error_code = ?8)
              ORDER BY created_at DESC, seq DESC LIMIT ?4"
        }
        (Some(_), None) => {
            "SELECT seq FROM generations
              WHERE user_id = ?5 AND (created_at, seq) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR seq >= ?9) AND (?7 IS NULL OR upstream = ?7) AND (?8 IS NULL OR error_code = ?8)
                AND ?6 IS NULL
              ORDER BY created_at DESC, seq DESC LIMIT ?4"
        }
        (None, Some(_)) => {
            "SELECT seq FROM generations
              WHERE status = ?6 AND (created_at, seq) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR seq >= ?9) AND (?7 IS NULL OR upstream = ?7) AND (?8 IS NULL OR error_code = ?8)
                AND ?5 IS NULL
              ORDER BY created_at DESC, seq DESC LIMIT ?4"
        }
        (None, None) => {
            "SELECT seq FROM generations
              WHERE (created_at, seq) < (?1, ?2) AND created_at >= ?3
                AND (created_at > ?3 OR seq >= ?9) AND (?7 IS NULL OR upstream = ?7) AND (?8 IS NULL OR error_code = ?8)
                AND ?5 IS NULL AND ?6 IS NULL
              ORDER BY created_at DESC, seq DESC LIMIT ?4"
        }
    };
    let [time, seq] = after;
    let [until_time, until_seq] = until;
    tx.query_all(
        sql,
        params![
            time,
            seq,
            until_time,
            fetch,
            filter.user,
            status.map(Status::as_str),
            filter.upstream,
            filter.error,
            until_seq
        ],
        |row| row.get(0),
    )
}

/// The keys of the job that stands `most` behind `after` in the index that [`newest`] looks through;
/// `None` when there are fewer. One user's jobs are few.
pub(in crate::features::generations) fn reach(
    tx: &Tx<'_>,
    filter: &JobFilter,
    [time, seq]: [i64; 2],
    most: i64,
) -> Result<Option<[i64; 2]>, DbError> {
    let keys = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?]);
    match (filter.user, status(filter)) {
        (Some(_), _) => Ok(None),
        (None, Some(status)) => tx.query_opt(
            "SELECT created_at, seq FROM generations
              WHERE status = ?4 AND (created_at, seq) < (?1, ?2)
              ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET ?3",
            params![time, seq, most, status.as_str()],
            keys,
        ),
        (None, None) => tx.query_opt(
            "SELECT created_at, seq FROM generations WHERE (created_at, seq) < (?1, ?2)
              ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET ?3",
            params![time, seq, most],
            keys,
        ),
    }
}

/// Only failed jobs have the code of a failure, and they have an index.
fn status(filter: &JobFilter) -> Option<Status> {
    match (filter.status, &filter.error) {
        (None, Some(_)) => Some(Status::Failed),
        (status, _) => status,
    }
}

/// The jobs of this name: ours, or that of an image API.
pub(in crate::features::generations) fn numbered(
    tx: &Tx<'_>,
    name: &str,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT seq FROM generations WHERE job_id = ?1
         UNION SELECT seq FROM generations WHERE upstream_job_id = ?1 LIMIT 100",
        params![name],
        |row| row.get(0),
    )
}

/// The jobs of these rows, in their order.
pub(in crate::features::generations) fn rows(
    tx: &Tx<'_>,
    seqs: &[i64],
) -> Result<Vec<JobRecord>, DbError> {
    // A list of numbers always serialises.
    let wanted = serde_json::to_string(seqs).unwrap_or_else(|_| "[]".to_owned());
    let mut found = tx.query_all(
        "SELECT g.seq, g.job_id, g.user_id, g.status, g.prompt, g.mode, g.resolution,
                g.aspect_ratio, g.sample_count, g.template_title, g.quota_used, g.points_charged,
                g.points_refunded, g.upstream, g.upstream_job_id, g.attempts, g.next_attempt_at,
                g.deadline_at, g.late_until, g.error_code, g.error_message,
                g.request IS NOT NULL, g.created_at, g.started_at, g.completed_at
           FROM json_each(?1) AS wanted JOIN generations g ON g.seq = wanted.value",
        params![wanted],
        |row| {
            let status: String = row.get(3)?;
            Ok(JobRecord {
                seq: row.get(0)?,
                id: JobId::from_stored(row.get(1)?),
                user: row.get(2)?,
                status: Status::from_stored(&status),
                prompt: row.get(4)?,
                mode: row.get(5)?,
                resolution: row.get(6)?,
                aspect_ratio: row.get(7)?,
                sample_count: row.get(8)?,
                template_title: row.get(9)?,
                quota_used: row.get(10)?,
                points_charged: row.get(11)?,
                points_refunded: row.get(12)?,
                upstream: row.get(13)?,
                upstream_job_id: row.get(14)?,
                attempts: row.get(15)?,
                next_attempt_at: row.get(16)?,
                deadline_at: row.get(17)?,
                late_until: row.get(18)?,
                error_code: row.get(19)?,
                error_message: row.get(20)?,
                has_request: row.get(21)?,
                created_at: row.get(22)?,
                started_at: row.get(23)?,
                completed_at: row.get(24)?,
                pictures: Vec::new(),
                ended_attempts: Vec::new(),
            })
        },
    )?;
    found.sort_by_key(|job| seqs.iter().position(|seq| *seq == job.seq));
    Ok(found)
}

/// The pictures of a job, in their order.
pub(in crate::features::generations) fn pictures(
    tx: &Tx<'_>,
    job: &JobId,
) -> Result<Vec<Picture>, DbError> {
    tx.query_all(
        "SELECT key, thumbnail_key, width, height FROM generation_images
          WHERE job_id = ?1 ORDER BY idx",
        params![job.as_str()],
        |row| {
            Ok(Picture {
                key: row.get(0)?,
                thumbnail_key: row.get(1)?,
                width: row.get(2)?,
                height: row.get(3)?,
            })
        },
    )
}

/// Why jobs failed that were submitted from one time on and before another, by day. Uses
/// generations_status_browse_idx alone.
pub(in crate::features::generations) fn failures(
    tx: &Tx<'_>,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Vec<FailureCount>, DbError> {
    tx.query_all(
        "SELECT date((created_at + 28800000) / 1000, 'unixepoch') AS day, error_code, COUNT(*)
           FROM generations
          WHERE status = 'FAILED' AND created_at >= ?1 AND created_at < ?2
          GROUP BY day, error_code",
        params![from, to],
        |row| Ok(FailureCount { day: row.get(0)?, error_code: row.get(1)?, jobs: row.get(2)? }),
    )
}

/// Stores a job like one that failed, for nothing; gives its `seq`. What the failed one asked for goes
/// over to it, so that there is one such job and not two. `None` when that is not known any more.
pub(in crate::features::generations) fn again(
    tx: &Tx<'_>,
    failed: &JobId,
    new: &JobId,
    (day, deadline_at): (&str, UnixMillis),
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    let inserted = tx.query_opt(
        "INSERT INTO generations
           (job_id, user_id, prompt, mode, resolution, aspect_ratio, sample_count, template_id,
            template_title, quota_day, quota_used, points_charged, deadline_at, created_at,
            updated_at, request)
         SELECT ?2, user_id, prompt, mode, resolution, aspect_ratio, sample_count, template_id,
                template_title, ?3, 0, 0, ?4, ?5, ?5, request
           FROM generations
          WHERE job_id = ?1 AND status = 'FAILED' AND request IS NOT NULL
            AND (late_until IS NULL OR late_until <= ?5)
         RETURNING seq",
        params![failed.as_str(), new.as_str(), day, deadline_at, now],
        |row| row.get(0),
    )?;
    if inserted.is_some() {
        tx.execute(
            "UPDATE generations SET request = NULL WHERE job_id = ?1",
            params![failed.as_str()],
        )?;
    }
    Ok(inserted)
}

/// What a delivered job cost; `None` when it is not one.
pub(in crate::features::generations) fn cost(
    tx: &Tx<'_>,
    job: &JobId,
) -> Result<Option<super::Bill>, DbError> {
    tx.query_opt(
        "SELECT user_id, quota_day, sample_count, quota_used, points_charged, points_refunded
           FROM generations WHERE job_id = ?1 AND status = 'SUCCEEDED'",
        params![job.as_str()],
        super::bill_from_row,
    )
}
