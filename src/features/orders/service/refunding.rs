//! What refunds do to an order: its states, and which payments must go back.

use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::orders::model::{OrderError, OrderId, RefundDue};
use crate::features::orders::store;

/// `PAID` or `PARTIALLY_REFUNDED` to `REFUNDING`.
///
/// # Errors
/// `NotPayable` when it is in another state (a refund is under way, nothing was paid, all went back);
/// what the database fails with.
pub fn begin_refund(tx: &Tx<'_>, order: &OrderId, now: UnixMillis) -> Result<(), OrderError> {
    if store::begin_refund(tx, order, now)? { Ok(()) } else { Err(OrderError::NotPayable) }
}

/// `REFUNDING` to what it is after `given_back` fen more went back: `REFUNDED`, `PARTIALLY_REFUNDED`,
/// or with 0, because the refund failed, what it was before.
///
/// # Errors
/// `NotPayable` when no refund is under way or more would go back than came; what the database fails
/// with.
pub fn end_refund(
    tx: &Tx<'_>,
    order: &OrderId,
    given_back: i64,
    now: UnixMillis,
) -> Result<(), OrderError> {
    if given_back < 0 {
        return Err(OrderError::Invalid("amount"));
    }
    if !store::end_refund(tx, order, given_back, now)? {
        return Err(OrderError::NotPayable);
    }
    Ok(store::payers::done(tx, order, now)?)
}

/// Payments that must go back in full, oldest first.
///
/// # Errors
/// What the database fails with.
pub fn refunds_due(tx: &Tx<'_>, limit: i64) -> Result<Vec<RefundDue>, DbError> {
    store::payments::refunds_due(tx, limit)
}

/// A refund that was due is in hand: it is not listed any more.
///
/// # Errors
/// What the database fails with.
pub fn refund_taken_up(tx: &Tx<'_>, order: &OrderId, now: UnixMillis) -> Result<(), DbError> {
    store::payments::refund_taken_up(tx, order, now)
}
