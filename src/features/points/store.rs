//! SQL of points: the ledger and the balance here, the ways to points in files of their own.

pub(super) mod books;
pub(super) mod check_ins;
pub(super) mod invites;
pub(super) mod packs;
pub(super) mod redeem;

use super::model::{Entry, Totals, Transaction, TransactionType};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Whether this reason and reference are in the ledger.
pub(super) fn is_booked(tx: &Tx<'_>, entry: &Entry) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM points_transactions WHERE reason = ?1 AND reference = ?2",
        params![entry.reason.as_str(), entry.reference],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// What was booked under a reason and reference, if something was.
pub(super) fn booked(tx: &Tx<'_>, entry: &Entry) -> Result<Option<Booked>, DbError> {
    tx.query_opt(
        "SELECT user_id, type, amount, balance_after FROM points_transactions
          WHERE reason = ?1 AND reference = ?2",
        params![entry.reason.as_str(), entry.reference],
        |row| {
            let kind: String = row.get(1)?;
            Ok(Booked {
                user: row.get(0)?,
                kind: TransactionType::from_stored(&kind),
                amount: row.get(2)?,
                balance_after: row.get(3)?,
            })
        },
    )
}

/// A row of the ledger, whosever.
pub(super) struct Booked {
    pub(super) user: UserId,
    pub(super) kind: TransactionType,
    pub(super) amount: i64,
    pub(super) balance_after: i64,
}

/// Adds to a balance; the balance after it, or `None` when there is no such user.
pub(super) fn add(
    tx: &Tx<'_>,
    user: UserId,
    amount: i64,
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "UPDATE users SET points_balance = points_balance + ?2, updated_at = ?3
          WHERE id = ?1 RETURNING points_balance",
        params![user, amount, now],
        |row| row.get(0),
    )
}

/// Takes from a balance; the balance after it, or `None` when it does not cover that.
pub(super) fn take(
    tx: &Tx<'_>,
    user: UserId,
    amount: i64,
    now: UnixMillis,
) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "UPDATE users SET points_balance = points_balance - ?2, updated_at = ?3
          WHERE id = ?1 AND points_balance >= ?2 RETURNING points_balance",
        params![user, amount, now],
        |row| row.get(0),
    )
}

/// Whether there is such a user, deleted ones included: their books are kept.
pub(super) fn user_exists(tx: &Tx<'_>, user: UserId) -> Result<bool, DbError> {
    Ok(tx.query_opt("SELECT 1 FROM users WHERE id = ?1", params![user], |_| Ok(()))?.is_some())
}

/// Writes the ledger; the trigger on it keeps the running totals.
pub(super) fn append(
    tx: &Tx<'_>,
    kind: TransactionType,
    entry: &Entry,
    balance_after: i64,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.insert(
        "INSERT INTO points_transactions
           (user_id, type, amount, description, reason, reference, balance_after, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            entry.user,
            kind.as_str(),
            entry.amount,
            entry.description,
            entry.reason.as_str(),
            entry.reference,
            balance_after,
            now
        ],
    )?;
    Ok(())
}

/// What a user has and what his ledger comes to; `None` when there is no such user.
pub(super) fn totals(tx: &Tx<'_>, user: UserId) -> Result<Option<Totals>, DbError> {
    tx.query_opt(
        "SELECT u.points_balance, COALESCE(t.earned, 0), COALESCE(t.spent, 0),
                COALESCE(t.refunded, 0), COALESCE(t.earn_count, 0), COALESCE(t.spend_count, 0),
                COALESCE(t.refund_count, 0)
           FROM users u LEFT JOIN points_totals t ON t.user_id = u.id
          WHERE u.id = ?1",
        params![user],
        |row| {
            Ok(Totals {
                balance: row.get(0)?,
                earned: row.get(1)?,
                spent: row.get(2)?,
                refunded: row.get(3)?,
                earn_count: row.get(4)?,
                spend_count: row.get(5)?,
                refund_count: row.get(6)?,
            })
        },
    )
}

/// A part of a user's ledger, newest first: behind `after` (time and id of a row), `skip` rows left
/// out, `fetch` rows at most. Uses points_transactions_user_idx.
pub(super) fn transactions(
    tx: &Tx<'_>,
    user: UserId,
    after: [i64; 2],
    skip: i64,
    fetch: i64,
) -> Result<Vec<Transaction>, DbError> {
    tx.query_all(
        "SELECT id, type, amount, description, balance_after, reason, reference, created_at
           FROM points_transactions
          WHERE user_id = ?1 AND (created_at, id) < (?2, ?3)
          ORDER BY created_at DESC, id DESC LIMIT ?4 OFFSET ?5",
        params![user, after[0], after[1], fetch, skip],
        transaction_from_row,
    )
}

/// The same of one direction. Uses points_transactions_user_type_idx.
pub(super) fn transactions_of_type(
    tx: &Tx<'_>,
    user: UserId,
    kind: TransactionType,
    after: [i64; 2],
    skip: i64,
    fetch: i64,
) -> Result<Vec<Transaction>, DbError> {
    tx.query_all(
        "SELECT id, type, amount, description, balance_after, reason, reference, created_at
           FROM points_transactions
          WHERE user_id = ?1 AND type = ?2 AND (created_at, id) < (?3, ?4)
          ORDER BY created_at DESC, id DESC LIMIT ?5 OFFSET ?6",
        params![user, kind.as_str(), after[0], after[1], fetch, skip],
        transaction_from_row,
    )
}

fn transaction_from_row(row: &Row<'_>) -> Result<Transaction, DbError> {
    let kind: String = row.get(1)?;
    Ok(Transaction {
        id: row.get(0)?,
        kind: TransactionType::from_stored(&kind),
        amount: row.get(2)?,
        description: row.get(3)?,
        balance_after: row.get(4)?,
        reason: row.get(5)?,
        reference: row.get(6)?,
        created_at: row.get(7)?,
    })
}
