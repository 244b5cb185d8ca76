//! Old jobs, and the `generation_histories` table: when they are looked for.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::generations::model::JobId;

/// Users whose history is to be looked at. Uses generation_histories_review_idx.
pub(in crate::features::generations) fn due(
    tx: &Tx<'_>,
    now: UnixMillis,
    most: i64,
) -> Result<Vec<UserId>, DbError> {
    tx.query_all(
        "SELECT user_id FROM generation_histories WHERE review_at <= ?1
          ORDER BY review_at, user_id LIMIT ?2",
        params![now, most],
        |row| row.get(0),
    )
}

/// Ended jobs of a user that were submitted before, oldest first. Uses generations_user_idx.
pub(in crate::features::generations) fn older(
    tx: &Tx<'_>,
    user: UserId,
    before: UnixMillis,
    most: i64,
) -> Result<Vec<JobId>, DbError> {
    tx.query_all(
        "SELECT job_id FROM generations
          WHERE user_id = ?1 AND created_at < ?2 AND completed_at IS NOT NULL
          ORDER BY created_at, seq LIMIT ?3",
        params![user, before, most],
        |row| Ok(JobId::from_stored(row.get(0)?)),
    )
}

/// Removes an ended job with the rows of its pictures and attempts.
pub(in crate::features::generations) fn remove(tx: &Tx<'_>, job: &JobId) -> Result<(), DbError> {
    tx.execute("DELETE FROM generation_images WHERE job_id = ?1", params![job.as_str()])?;
    super::attempts::remove(tx, job)?;
    tx.execute(
        "DELETE FROM generations WHERE job_id = ?1 AND completed_at IS NOT NULL",
        params![job.as_str()],
    )?;
    Ok(())
}

/// Whether a user has any job. Uses generations_user_idx.
pub(in crate::features::generations) fn is_empty(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM generations WHERE user_id = ?1 LIMIT 1",
        params![user],
        |_| Ok(()),
    )?;
    Ok(found.is_none())
}

/// Looks at the history again then.
pub(in crate::features::generations) fn review_again(
    tx: &Tx<'_>,
    user: UserId,
    at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE generation_histories SET review_at = ?2 WHERE user_id = ?1",
        params![user, at],
    )?;
    Ok(())
}

/// There is nothing to look at until the user's next job.
pub(in crate::features::generations) fn forget(tx: &Tx<'_>, user: UserId) -> Result<(), DbError> {
    tx.execute("DELETE FROM generation_histories WHERE user_id = ?1", params![user])?;
    Ok(())
}
