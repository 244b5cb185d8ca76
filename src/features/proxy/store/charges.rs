//! The `proxy_charges` table. A charge changes its state once in each direction: the update names the
//! state before, and whoever changes the row has won.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::generations::Receipt;
use crate::features::proxy::model::{CallId, GivenUp, UpstreamJobId};

/// Notes what was paid for a call that is about to be sent.
pub(in crate::features::proxy) fn open(
    tx: &Tx<'_>,
    call: &CallId,
    paid: &Receipt,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.insert(
        "INSERT INTO proxy_charges
           (call_id, user_id, quota_day, pictures, quota_used, points, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![call.as_str(), paid.user, paid.day, paid.pictures, paid.free, paid.points, now],
    )?;
    Ok(())
}

/// The call was answered well, with this job if there is one. False when it had been given back.
pub(in crate::features::proxy) fn keep(
    tx: &Tx<'_>,
    call: &CallId,
    job: Option<&UpstreamJobId>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE proxy_charges SET state = 'KEPT', job_id = ?2, updated_at = ?3
          WHERE call_id = ?1 AND state = 'OPEN'",
        params![call.as_str(), job.map(UpstreamJobId::as_str), now],
    )?;
    Ok(changed == 1)
}

/// Gives up the charge of a call that was not answered well; `None` when it is not open any more.
pub(in crate::features::proxy) fn give_up(
    tx: &Tx<'_>,
    call: &CallId,
    now: UnixMillis,
) -> Result<Option<GivenUp>, DbError> {
    tx.query_opt(
        "UPDATE proxy_charges SET state = 'RETURNED', updated_at = ?2
          WHERE call_id = ?1 AND state = 'OPEN'
      RETURNING call_id, user_id, quota_day, pictures, quota_used, points",
        params![call.as_str(), now],
        given_up_from_row,
    )
}

/// Gives up the charge of a job that is lost; `None` when there is none, or none any more.
pub(in crate::features::proxy) fn give_up_job(
    tx: &Tx<'_>,
    job: &UpstreamJobId,
    now: UnixMillis,
) -> Result<Option<GivenUp>, DbError> {
    tx.query_opt(
        "UPDATE proxy_charges SET state = 'RETURNED', updated_at = ?2
          WHERE job_id = ?1 AND state = 'KEPT'
      RETURNING call_id, user_id, quota_day, pictures, quota_used, points",
        params![job.as_str(), now],
        given_up_from_row,
    )
}

/// Whether a charge for this job could be given back. Uses proxy_charges_job_idx.
pub(in crate::features::proxy) fn is_paid(
    tx: &Tx<'_>,
    job: &UpstreamJobId,
) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM proxy_charges WHERE job_id = ?1 AND state = 'KEPT'",
        params![job.as_str()],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Calls without a noted answer behind the row `after`, and their rows. Uses proxy_charges_open_idx.
pub(in crate::features::proxy) fn left_open(
    tx: &Tx<'_>,
    after: i64,
    most: i64,
) -> Result<Vec<(i64, CallId)>, DbError> {
    tx.query_all(
        "SELECT id, call_id FROM proxy_charges WHERE state = 'OPEN' AND id > ?1
          ORDER BY id LIMIT ?2",
        params![after, most],
        |row| Ok((row.get(0)?, CallId::from_stored(row.get(1)?))),
    )
}

fn given_up_from_row(row: &Row<'_>) -> Result<GivenUp, DbError> {
    Ok(GivenUp {
        call: CallId::from_stored(row.get(0)?),
        paid: Receipt {
            user: row.get(1)?,
            day: row.get(2)?,
            pictures: row.get(3)?,
            free: row.get(4)?,
            points: row.get(5)?,
        },
    })
}
