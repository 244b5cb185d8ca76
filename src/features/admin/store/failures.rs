//! The `admin_login_failures` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::admin::model::throttle::{Failures, Subject};

pub(in crate::features::admin) fn of(
    tx: &Tx<'_>,
    subject: &Subject,
) -> Result<Option<Failures>, DbError> {
    tx.query_opt(
        "SELECT failures, last_at, locked_until FROM admin_login_failures WHERE subject = ?1",
        params![subject.key()],
        |row| {
            Ok(Failures { failures: row.get(0)?, last_at: row.get(1)?, locked_until: row.get(2)? })
        },
    )
}

pub(in crate::features::admin) fn put(
    tx: &Tx<'_>,
    subject: &Subject,
    failures: &Failures,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO admin_login_failures (subject, failures, last_at, locked_until)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (subject) DO UPDATE
           SET failures = excluded.failures, last_at = excluded.last_at,
               locked_until = excluded.locked_until",
        params![subject.key(), failures.failures, failures.last_at, failures.locked_until],
    )
    .map(drop)
}

/// Forgets the failures of a subject.
pub(in crate::features::admin) fn clear(tx: &Tx<'_>, subject: &Subject) -> Result<(), DbError> {
    tx.execute("DELETE FROM admin_login_failures WHERE subject = ?1", params![subject.key()])
        .map(drop)
}

/// Takes one failure back: what was tried has succeeded.
pub(in crate::features::admin) fn take_back(tx: &Tx<'_>, subject: &Subject) -> Result<(), DbError> {
    tx.execute(
        "UPDATE admin_login_failures SET failures = failures - 1, locked_until = 0
          WHERE subject = ?1 AND failures > 0",
        params![subject.key()],
    )
    .map(drop)
}

/// Forgets what is too old to count.
pub(in crate::features::admin) fn sweep(tx: &Tx<'_>, before: UnixMillis) -> Result<usize, DbError> {
    tx.execute(
        "DELETE FROM admin_login_failures WHERE last_at < ?1 AND locked_until < ?1",
        params![before],
    )
}
