//! What becomes of jobs and quota with the account of their owner.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::generations::store::{self, history};
use crate::features::media::{self, Holder};

/// Jobs removed in one transaction.
const JOBS_BATCH: i64 = 200;

/// What is left after [`forget_user`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// Jobs that go with the next call.
    Ended,
    /// Jobs that have not ended yet; they hold nothing that their owner wrote.
    Running,
}

/// Counts the free pictures that somebody has had this month (Asia/Shanghai) against his new account.
///
/// # Errors
/// What the database fails with.
pub fn carry_quota(tx: &Tx<'_>, from: UserId, to: UserId, now: UnixMillis) -> Result<(), DbError> {
    let today = now.shanghai_date().to_string();
    let month = today.get(..8).unwrap_or(&today);
    store::quota::carry(tx, from, to, &format!("{month}01"))
}

/// Takes from a deleted user's jobs what he wrote, and removes those that have ended, some at a time,
/// with their pictures. What they cost stays in the ledger.
///
/// # Errors
/// What the database fails with.
pub fn forget_user(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<Left, DbError> {
    store::blank_open(tx, user)?;
    let ended = history::older(tx, user, UnixMillis(i64::MAX), JOBS_BATCH)?;
    for job in &ended {
        media::service::release(tx, &Holder::job(job.as_str()), now)?;
        history::remove(tx, job)?;
    }
    if i64::try_from(ended.len()).unwrap_or(i64::MAX) == JOBS_BATCH {
        return Ok(Left::Ended);
    }
    if !history::is_empty(tx, user)? {
        return Ok(Left::Running);
    }
    history::forget(tx, user)?;
    Ok(Left::Nothing)
}
