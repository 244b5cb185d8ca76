//! Reading jobs.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::generations::model::{Job, JobId, Picture, Status};

/// A user's job.
pub(in crate::features::generations) fn job(
    tx: &Tx<'_>,
    job: &JobId,
    user: UserId,
) -> Result<Option<Job>, DbError> {
    let rows = tx.query_all(
        "SELECT g.job_id, g.seq, g.user_id, g.status, g.prompt, g.mode, g.resolution,
                g.aspect_ratio, g.template_title, g.points_charged, g.points_refunded,
                g.error_code, g.error_message, g.created_at, g.updated_at, g.completed_at,
                i.key, i.thumbnail_key, i.width, i.height
           FROM generations g LEFT JOIN generation_images i ON i.job_id = g.job_id
          WHERE g.job_id = ?1 AND g.user_id = ?2 ORDER BY i.idx",
        params![job.as_str(), user],
        job_from_row,
    )?;
    Ok(folded(rows).pop())
}

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::generations) struct Part {
    /// Behind the row of this time and `seq`.
    pub(in crate::features::generations) after: [i64; 2],
    pub(in crate::features::generations) skip: i64,
    pub(in crate::features::generations) fetch: i64,
}

/// A user's jobs, newest first. Uses generations_user_idx.
pub(in crate::features::generations) fn jobs(
    tx: &Tx<'_>,
    user: UserId,
    part: Part,
) -> Result<Vec<Job>, DbError> {
    let rows = tx.query_all(
        "SELECT g.job_id, g.seq, g.user_id, g.status, g.prompt, g.mode, g.resolution,
                g.aspect_ratio, g.template_title, g.points_charged, g.points_refunded,
                g.error_code, g.error_message, g.created_at, g.updated_at, g.completed_at,
                i.key, i.thumbnail_key, i.width, i.height
           FROM (SELECT seq FROM generations
                  WHERE user_id = ?1 AND (created_at, seq) < (?2, ?3)
                  ORDER BY created_at DESC, seq DESC LIMIT ?4 OFFSET ?5) p
           JOIN generations g ON g.seq = p.seq
           LEFT JOIN generation_images i ON i.job_id = g.job_id
          ORDER BY g.created_at DESC, g.seq DESC, i.idx",
        params![user, part.after[0], part.after[1], part.fetch, part.skip],
        job_from_row,
    )?;
    Ok(folded(rows))
}

/// The same of one status. Uses generations_user_status_idx.
pub(in crate::features::generations) fn jobs_of_status(
    tx: &Tx<'_>,
    user: UserId,
    status: Status,
    part: Part,
) -> Result<Vec<Job>, DbError> {
    let rows = tx.query_all(
        "SELECT g.job_id, g.seq, g.user_id, g.status, g.prompt, g.mode, g.resolution,
                g.aspect_ratio, g.template_title, g.points_charged, g.points_refunded,
                g.error_code, g.error_message, g.created_at, g.updated_at, g.completed_at,
                i.key, i.thumbnail_key, i.width, i.height
           FROM (SELECT seq FROM generations
                  WHERE user_id = ?1 AND status = ?6 AND (created_at, seq) < (?2, ?3)
                  ORDER BY created_at DESC, seq DESC LIMIT ?4 OFFSET ?5) p
           JOIN generations g ON g.seq = p.seq
           LEFT JOIN generation_images i ON i.job_id = g.job_id
          ORDER BY g.created_at DESC, g.seq DESC, i.idx",
        params![user, part.after[0], part.after[1], part.fetch, part.skip, status.as_str()],
        job_from_row,
    )?;
    Ok(folded(rows))
}

/// How many jobs a user has, of one status or in all.
pub(in crate::features::generations) fn count(
    tx: &Tx<'_>,
    user: UserId,
    status: Option<Status>,
) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COALESCE(SUM(jobs), 0) FROM generation_counts
          WHERE user_id = ?1 AND (?2 IS NULL OR status = ?2)",
        params![user, status.map(Status::as_str)],
        |row| row.get(0),
    )
}

/// One row a picture becomes one job with its pictures; rows of a job follow each other.
fn folded(rows: Vec<Job>) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::with_capacity(rows.len());
    for row in rows {
        match jobs.last_mut() {
            Some(job) if job.seq == row.seq => job.pictures.extend(row.pictures),
            _ => jobs.push(row),
        }
    }
    jobs
}

fn job_from_row(row: &Row<'_>) -> Result<Job, DbError> {
    let status: String = row.get(3)?;
    let key: Option<String> = row.get(16)?;
    let picture = |key| -> Result<Picture, DbError> {
        Ok(Picture { key, thumbnail_key: row.get(17)?, width: row.get(18)?, height: row.get(19)? })
    };
    Ok(Job {
        id: JobId::from_stored(row.get(0)?),
        seq: row.get(1)?,
        user: row.get(2)?,
        status: Status::from_stored(&status),
        prompt: row.get(4)?,
        mode: row.get(5)?,
        resolution: row.get(6)?,
        aspect_ratio: row.get(7)?,
        template_title: row.get(8)?,
        points_charged: row.get(9)?,
        points_refunded: row.get(10)?,
        error_code: row.get(11)?,
        error_message: row.get(12)?,
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
        completed_at: row.get(15)?,
        pictures: key.map(picture).transpose()?.into_iter().collect(),
    })
}
