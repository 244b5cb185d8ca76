//! Who created which job of the image API; what calls cost is in a file of its own.

pub(super) mod charges;

use super::model::{KnownJob, UpstreamJobId};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Makes the job the user's. A job that is known already keeps its owner: the image API answers a
/// repeated `Idempotency-Key` with the same job.
pub(super) fn insert_job(
    tx: &Tx<'_>,
    job: &UpstreamJobId,
    user: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO proxy_jobs (job_id, user_id, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (job_id) DO NOTHING",
        params![job.as_str(), user, now],
    )?;
    Ok(())
}

/// The job, if anybody here has created it.
pub(super) fn known(tx: &Tx<'_>, job: &UpstreamJobId) -> Result<Option<KnownJob>, DbError> {
    let owner = tx.query_opt(
        "SELECT user_id FROM proxy_jobs WHERE job_id = ?1",
        params![job.as_str()],
        |row| row.get(0),
    )?;
    let Some(owner) = owner else { return Ok(None) };
    Ok(Some(KnownJob { owner, is_paid: charges::is_paid(tx, job)? }))
}
