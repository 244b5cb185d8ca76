//! Adding up the ledger, and the `books_checks` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::points::model::{BooksReport, Difference};

/// The highest user id, 0 when there is nobody.
pub(in crate::features::points) fn last_user(tx: &Tx<'_>) -> Result<i64, DbError> {
    tx.query_one("SELECT COALESCE(MAX(id), 0) FROM users", [], |row| row.get(0))
}

/// How many users have ids above `from` up to `to`.
pub(in crate::features::points) fn users(tx: &Tx<'_>, from: i64, to: i64) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM users WHERE id > ?1 AND id <= ?2",
        params![from, to],
        |row| row.get(0),
    )
}

/// Those among them whose books do not balance. Uses points_transactions_order_idx: rows count in the
/// order of their writing, whatever the clock said.
pub(in crate::features::points) fn differences(
    tx: &Tx<'_>,
    from: i64,
    to: i64,
) -> Result<Vec<Difference>, DbError> {
    tx.query_all(
        "WITH ledger AS (
           SELECT user_id, id, balance_after,
                  SUM(CASE type WHEN 'SPEND' THEN -amount ELSE amount END)
                    OVER (PARTITION BY user_id ORDER BY id) AS running
             FROM points_transactions WHERE user_id > ?1 AND user_id <= ?2
         ),
         broken AS (
           SELECT user_id, COUNT(*) AS broken_rows FROM ledger
            WHERE running <> balance_after GROUP BY user_id
         ),
         last AS (
           SELECT l.user_id, l.balance_after, l.running FROM ledger l
             JOIN (SELECT user_id, MAX(id) AS id FROM ledger GROUP BY user_id) m ON m.id = l.id
         ),
         books AS (
           SELECT u.id, u.points_balance AS balance, COALESCE(l.running, 0) AS sum,
                  COALESCE(l.balance_after, 0) AS last_balance_after,
                  COALESCE(t.earned - t.spent + t.refunded, 0) AS totals,
                  COALESCE(b.broken_rows, 0) AS broken_rows
             FROM users u
             LEFT JOIN last l ON l.user_id = u.id
             LEFT JOIN broken b ON b.user_id = u.id
             LEFT JOIN points_totals t ON t.user_id = u.id
            WHERE u.id > ?1 AND u.id <= ?2
         )
         SELECT id, balance, sum, last_balance_after, totals, broken_rows FROM books
          WHERE balance <> sum OR balance <> last_balance_after OR balance <> totals
             OR broken_rows > 0
          ORDER BY id",
        params![from, to],
        |row| {
            Ok(Difference {
                user_id: row.get(0)?,
                balance: row.get(1)?,
                sum: row.get(2)?,
                last_balance_after: row.get(3)?,
                totals: row.get(4)?,
                broken_rows: row.get(5)?,
            })
        },
    )
}

/// Keeps a result, and of the old ones the newest `keep`.
pub(in crate::features::points) fn insert(
    tx: &Tx<'_>,
    report: &BooksReport,
    differences: &str,
    keep: i64,
    now: UnixMillis,
) -> Result<(), DbError> {
    let id = tx.insert(
        "INSERT INTO books_checks (checked_at, users, wrong_users, differences)
         VALUES (?1, ?2, ?3, ?4)",
        params![now, report.users, report.wrong_users, differences],
    )?;
    tx.execute("DELETE FROM books_checks WHERE id <= ?1", params![id.saturating_sub(keep)])?;
    Ok(())
}

/// When the books were last checked.
pub(in crate::features::points) fn last_checked(
    tx: &Tx<'_>,
) -> Result<Option<UnixMillis>, DbError> {
    tx.query_opt("SELECT checked_at FROM books_checks ORDER BY id DESC LIMIT 1", [], |row| {
        row.get(0)
    })
}

/// The last result: when, how many users, how many are wrong, and the first of them as JSON.
pub(in crate::features::points) fn last(
    tx: &Tx<'_>,
) -> Result<Option<(UnixMillis, i64, i64, String)>, DbError> {
    tx.query_opt(
        "SELECT checked_at, users, wrong_users, differences FROM books_checks
          WHERE id = (SELECT MAX(id) FROM books_checks)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )
}
