//! What waits for somebody, counted up to a bound by an index each. Of other features' tables this only
//! reads.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// How many there are, up to the bound, and since when the oldest is.
pub(in crate::features::admin) type Waiting = (i64, Option<UnixMillis>);

fn waiting(row: &Row<'_>) -> Result<Waiting, DbError> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Open differences between the bills and us: payments that were not credited, and all others.
pub(in crate::features::admin) fn differences(
    tx: &Tx<'_>,
    most: i64,
) -> Result<(Waiting, Waiting), DbError> {
    tx.query_one(
        "SELECT COUNT(CASE WHEN kind = 'not_credited' THEN 1 END),
                MIN(CASE WHEN kind = 'not_credited' THEN found_at END),
                COUNT(CASE WHEN kind <> 'not_credited' THEN 1 END),
                MIN(CASE WHEN kind <> 'not_credited' THEN found_at END)
           FROM (SELECT kind, found_at FROM differences WHERE state = 'OPEN'
                  ORDER BY id DESC LIMIT ?1)",
        params![most],
        |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))),
    )
}

/// Notifications that were stored before `before` and not worked on.
pub(in crate::features::admin) fn unprocessed_events(
    tx: &Tx<'_>,
    before: UnixMillis,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(received_at)
           FROM (SELECT received_at FROM payment_events WHERE state = 'received' LIMIT ?2)
          WHERE received_at < ?1",
        params![before, most],
        waiting,
    )
}

/// Notifications that do not fit.
pub(in crate::features::admin) fn flagged_events(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(received_at)
           FROM (SELECT received_at FROM payment_events WHERE state = 'flagged' LIMIT ?1)",
        params![most],
        waiting,
    )
}

/// Refunds under way that meet a problem.
pub(in crate::features::admin) fn refunds_with_problem(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(created_at)
           FROM (SELECT problem, created_at FROM refunds WHERE next_look_at IS NOT NULL LIMIT ?1)
          WHERE problem IS NOT NULL",
        params![most],
        waiting,
    )
}

/// Of the last refunds, those that failed since `since`.
pub(in crate::features::admin) fn failed_refunds(
    tx: &Tx<'_>,
    since: UnixMillis,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(ended_at)
           FROM (SELECT status, ended_at FROM refunds ORDER BY id DESC LIMIT ?2)
          WHERE status = 'FAILED' AND ended_at >= ?1",
        params![since, most],
        waiting,
    )
}

/// Whether the last bill of each channel could not be fetched, and since when.
pub(in crate::features::admin) fn missing_bills(tx: &Tx<'_>) -> Result<Waiting, DbError> {
    let (mut count, mut since) = (0, None);
    for channel in ["wechat", "virtual"] {
        let tried: Option<(bool, UnixMillis)> = tx.query_opt(
            "SELECT problem IS NOT NULL AND compared_at IS NULL, tried_at FROM bill_runs
              WHERE channel = ?1 ORDER BY day DESC LIMIT 1",
            params![channel],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if let Some((true, at)) = tried {
            count += 1;
            since = since.min(Some(at)).or(Some(at));
        }
    }
    Ok((count, since))
}

/// Users whose balance was not what their ledger says, at the last check.
pub(in crate::features::admin) fn unbalanced_points(tx: &Tx<'_>) -> Result<Waiting, DbError> {
    let last = tx.query_opt(
        "SELECT wrong_users, checked_at FROM books_checks ORDER BY id DESC LIMIT 1",
        [],
        waiting,
    )?;
    Ok(last.unwrap_or_default())
}

/// Orders whose books of money did not balance at the last check.
pub(in crate::features::admin) fn unbalanced_money(tx: &Tx<'_>) -> Result<Waiting, DbError> {
    let last = tx.query_opt(
        "SELECT wrong, checked_at FROM money_checks ORDER BY id DESC LIMIT 1",
        [],
        waiting,
    )?;
    Ok(last.unwrap_or_default())
}

/// Jobs that should have ended before `before`.
pub(in crate::features::admin) fn stuck_jobs(
    tx: &Tx<'_>,
    before: UnixMillis,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(deadline_at)
           FROM (SELECT deadline_at FROM generations
                  WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') AND deadline_at < ?1 LIMIT ?2)",
        params![before, most],
        waiting,
    )
}

/// Pictures that wait for a reviewer: no verdict of WeChat is awaited for them.
pub(in crate::features::admin) fn pending_reviews(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), MIN(g.created_at)
           FROM (SELECT id, created_at FROM gallery_images
                  WHERE status = 'PENDING' AND status <> 'APPROVED' ORDER BY id LIMIT ?1) g
           LEFT JOIN media_checks c ON c.image_id = g.id
          WHERE c.state IS NULL OR c.state NOT IN ('WANTED', 'ASKED')",
        params![most],
        waiting,
    )
}

/// Pictures with open reports.
pub(in crate::features::admin) fn reported_pictures(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Waiting, DbError> {
    tx.query_one(
        "SELECT COUNT(*), NULL
           FROM (SELECT id FROM gallery_images WHERE open_reports > 0 LIMIT ?1)",
        params![most],
        waiting,
    )
}
