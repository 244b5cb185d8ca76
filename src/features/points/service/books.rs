//! The books check: every user's balance against his ledger.

use crate::app::App;
use crate::base::clock::Clock;
use crate::base::time::UnixMillis;
use crate::db::{Db, DbError};
use crate::features::points::model::{BooksReport, PointsError};
use crate::features::points::store;

/// Ids in one read: the check is one snapshot per chunk, and other reads come in between.
const CHUNK: i64 = 2000;

/// How many differences a report names.
const NAMED: usize = 100;

/// How many reports are kept.
const KEPT: i64 = 1000;

/// The nightly check is due from 3 o'clock (Asia/Shanghai), when it is quiet.
const DUE_AFTER_MIDNIGHT_S: i64 = 3 * 3600;

/// Checks the books of all users and stores the result. A difference is also an error in the log.
///
/// # Errors
/// What the database fails with.
pub async fn check_books(db: &Db, clock: &Clock) -> Result<BooksReport, PointsError> {
    let report = examine(db).await?;
    store(db, &report, clock.now()).await?;
    if !report.is_balanced() {
        tracing::error!(
            users = report.users,
            wrong_users = report.wrong_users,
            first = report.differences.first().map(ToString::to_string),
            "the books do not balance; `dream-bff books` names the users"
        );
    }
    Ok(report)
}

/// Checks the books of all users and stores nothing: for a copy that is only read.
///
/// # Errors
/// What the database fails with.
pub async fn examine(db: &Db) -> Result<BooksReport, DbError> {
    let last = db.read("points.books_last_user", store::books::last_user).await?;
    let mut report = BooksReport { users: 0, wrong_users: 0, differences: Vec::new() };
    let mut from = 0;
    while from < last {
        let to = from.saturating_add(CHUNK);
        let (users, wrong) = db
            .read("points.books_chunk", move |tx| {
                let users = store::books::users(tx, from, to)?;
                Ok::<_, DbError>((users, store::books::differences(tx, from, to)?))
            })
            .await?;
        report.users = report.users.saturating_add(users);
        report.wrong_users =
            report.wrong_users.saturating_add(i64::try_from(wrong.len()).unwrap_or(i64::MAX));
        let room = NAMED.saturating_sub(report.differences.len());
        report.differences.extend(wrong.into_iter().take(room));
        from = to;
    }
    Ok(report)
}

/// Checks the books once a night; otherwise does nothing.
///
/// # Errors
/// What the database fails with.
pub async fn check_nightly(app: &App) -> Result<(), PointsError> {
    let night = |at: UnixMillis| at.plus_seconds(-DUE_AFTER_MIDNIGHT_S).shanghai_date();
    let last = app.db.read_inline("points.books_last_checked", store::books::last_checked)?;
    if last.is_none_or(|last| night(last) < night(app.clock.now())) {
        check_books(&app.db, &app.clock).await?;
    }
    Ok(())
}

/// When the books were last checked, and what was found.
///
/// # Errors
/// What the database fails with.
pub fn last(app: &App) -> Result<Option<(UnixMillis, BooksReport)>, DbError> {
    let found = app.db.read_inline("points.last_books_check", store::books::last)?;
    Ok(found.map(|(at, users, wrong_users, differences)| {
        // Written by the check.
        let differences = serde_json::from_str(&differences).unwrap_or_default();
        (at, BooksReport { users, wrong_users, differences })
    }))
}

async fn store(db: &Db, report: &BooksReport, now: UnixMillis) -> Result<(), DbError> {
    // Numbers in a plain struct always serialise.
    let differences = serde_json::to_string(&report.differences).unwrap_or_default();
    let report = report.clone();
    db.write("points.store_books_check", move |tx| {
        store::books::insert(tx, &report, &differences, KEPT, now)
    })
    .await
}
