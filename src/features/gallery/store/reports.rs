//! `reports`, and the number of open ones that stands with the picture.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::gallery::model::Report;

/// Notes a report; `false` when this user has reported the picture before.
pub(in crate::features::gallery) fn insert(
    tx: &Tx<'_>,
    user: UserId,
    image: i64,
    (reason, detail): (&str, Option<&str>),
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "INSERT INTO reports (image_id, user_id, reason, detail, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (image_id, user_id) DO NOTHING",
        params![image, user, reason, detail, now],
    )?;
    Ok(changed == 1)
}

/// Counts one more; gives how many are open now.
pub(in crate::features::gallery) fn count(tx: &Tx<'_>, image: i64) -> Result<i64, DbError> {
    tx.query_one(
        "UPDATE gallery_images SET open_reports = open_reports + 1 WHERE id = ?1
         RETURNING open_reports",
        params![image],
        |row| row.get(0),
    )
}

/// Decides all open reports of a picture.
pub(in crate::features::gallery) fn decide(
    tx: &Tx<'_>,
    image: i64,
    are_right: bool,
    now: UnixMillis,
) -> Result<(), DbError> {
    let status = if are_right { "UPHELD" } else { "DISMISSED" };
    tx.execute(
        "UPDATE reports SET status = ?2, decided_at = ?3 WHERE image_id = ?1 AND status = 'OPEN'",
        params![image, status, now],
    )?;
    tx.execute(
        "UPDATE gallery_images SET open_reports = 0 WHERE id = ?1 AND open_reports > 0",
        params![image],
    )?;
    Ok(())
}

/// The open reports of a picture.
pub(in crate::features::gallery) fn open_of(
    tx: &Tx<'_>,
    image: i64,
    most: i64,
) -> Result<Vec<Report>, DbError> {
    tx.query_all(
        "SELECT id, image_id, user_id, reason, detail, created_at
           FROM reports WHERE image_id = ?1 AND status = 'OPEN' LIMIT ?2",
        params![image, most],
        |row| {
            Ok(Report {
                id: row.get(0)?,
                image: row.get(1)?,
                user: row.get(2)?,
                reason: row.get(3)?,
                detail: row.get(4)?,
                created_at: row.get(5)?,
            })
        },
    )
}

/// Forgets what a user wrote in his reports; that he reported stays.
pub(in crate::features::gallery) fn forget_details(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE reports SET detail = NULL WHERE user_id = ?1 AND detail IS NOT NULL",
        params![user],
    )?;
    Ok(())
}
