//! Who created which job of the image API.

use super::model::UpstreamJobId;
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

/// Whether the user created the job.
pub(super) fn is_owner(tx: &Tx<'_>, job: &UpstreamJobId, user: UserId) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM proxy_jobs WHERE job_id = ?1 AND user_id = ?2",
        params![job.as_str(), user],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
