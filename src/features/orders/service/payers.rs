//! Who paid the orders of users who are gone: kept where money can go back by it alone, and no longer.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::orders::model::{FormerPayer, OrderId};
use crate::features::orders::store::payers;

/// Forgets by which openid a deleted user's orders were to be paid. An order whose delivery is still to be
/// reported, or whose money is to go back, keeps it until that is done: `true` when there is one, and this
/// is to be called again. An order of virtual payment keeps it with a term, see [`forget_overdue_payers`].
///
/// # Errors
/// What the database fails with.
pub fn forget_payer(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<bool, DbError> {
    payers::forget(tx, user, now)?;
    payers::is_waiting(tx, user)
}

/// Forgets who paid where the money cannot go back any more: a year after the payment, a day after all of
/// it has gone back, or after the end of an order that was not paid. Gives whom, `most` at a time.
///
/// # Errors
/// What the database fails with.
pub fn forget_overdue_payers(
    tx: &Tx<'_>,
    now: UnixMillis,
    most: i64,
) -> Result<Vec<FormerPayer>, DbError> {
    let overdue = payers::overdue(tx, now, most)?;
    overdue.iter().try_for_each(|payer| payers::strike(tx, &payer.order))?;
    Ok(overdue)
}

/// A user who is gone has paid through virtual payment, as `openid` if that was told.
pub(super) fn keep_payer(
    tx: &Tx<'_>,
    order: &OrderId,
    openid: Option<&str>,
    paid_at: UnixMillis,
) -> Result<(), DbError> {
    payers::keep(tx, order, openid, paid_at)
}
