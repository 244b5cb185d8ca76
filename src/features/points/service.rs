//! Booking points, for every feature; and reading one's own.
//!
//! The functions that take a `Tx` book within the caller's transaction. After its commit the caller
//! calls [`changed`] for each user whose balance moved.

pub mod books;
pub mod by_hand;
pub mod check_in;
pub mod codes;
pub mod invites;
pub mod packs;
pub mod redeem;

use super::model::{
    Entry, Pack, PointsError, Reason, Totals, Transaction, TransactionType, check_amount,
};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::settings::Economy;
use crate::http::PageQuery;

/// Credits points. Gives the balance after it.
///
/// # Errors
/// `AlreadyBooked` (nothing happened), `NoSuchUser`, `Amount`, and what the database fails with.
pub fn earn(tx: &Tx<'_>, entry: &Entry, now: UnixMillis) -> Result<i64, PointsError> {
    book(tx, TransactionType::Earn, entry, now)
}

/// Takes points. Gives the balance after it.
///
/// # Errors
/// `Insufficient` and `AlreadyBooked` (nothing happened), `NoSuchUser`, `Amount`, and what the
/// database fails with.
pub fn spend(tx: &Tx<'_>, entry: &Entry, now: UnixMillis) -> Result<i64, PointsError> {
    book(tx, TransactionType::Spend, entry, now)
}

/// Gives back what a spend took. Gives the balance after it.
///
/// # Errors
/// `AlreadyBooked` (nothing happened), `NoSuchUser`, `Amount`, and what the database fails with.
pub fn refund(tx: &Tx<'_>, entry: &Entry, now: UnixMillis) -> Result<i64, PointsError> {
    book(tx, TransactionType::Refund, entry, now)
}

/// To be called after the commit of a booking, before it is answered: what is kept of the user in
/// memory holds his balance.
pub fn changed(app: &App, user: UserId) {
    app.profiles.invalidate(user);
}

/// What a new user gets, within the transaction of his first login. Gives his balance.
///
/// # Errors
/// What the database fails with.
pub fn sign_up(
    tx: &Tx<'_>,
    economy: &Economy,
    user: UserId,
    now: UnixMillis,
) -> Result<i64, PointsError> {
    if economy.sign_up_bonus == 0 {
        return Ok(0);
    }
    let entry = Entry {
        user,
        amount: economy.sign_up_bonus,
        reason: Reason::SignUp,
        reference: user.to_string(),
        description: "新用户奖励".to_owned(),
    };
    earn(tx, &entry, now)
}

/// A user's balance and what his ledger comes to.
///
/// # Errors
/// `NoSuchUser`, and what the database fails with.
pub(super) fn totals(app: &App, user: UserId) -> Result<Totals, PointsError> {
    let totals = app.db.read_inline("points.totals", |tx| store::totals(tx, user))?;
    totals.ok_or(PointsError::NoSuchUser)
}

/// A part of a user's ledger, newest first, and how many rows there are in all when that is wanted.
///
/// # Errors
/// What the database fails with.
pub(super) async fn transactions(
    app: &App,
    user: UserId,
    kind: Option<TransactionType>,
    query: PageQuery,
) -> Result<(Vec<Transaction>, Option<i64>), PointsError> {
    let read = move |tx: &Tx<'_>| -> Result<_, PointsError> {
        let after = query.after().unwrap_or([i64::MAX, i64::MAX]);
        let (skip, fetch) = (query.offset(), query.fetch());
        let rows = match kind {
            None => store::transactions(tx, user, after, skip, fetch)?,
            Some(kind) => store::transactions_of_type(tx, user, kind, after, skip, fetch)?,
        };
        let total = if query.wants_total() {
            Some(store::totals(tx, user)?.unwrap_or_default().count(kind))
        } else {
            None
        };
        Ok((rows, total))
    };
    // A page by number may skip a long ledger; from a cursor a read is as short as its limit.
    if query.offset() > 0 {
        app.db.read("points.transactions_page", read).await
    } else {
        app.db.read_inline("points.transactions", read)
    }
}

/// The packs for sale.
///
/// # Errors
/// What the database fails with.
pub(super) fn packs_on_sale(app: &App) -> Result<Vec<Pack>, DbError> {
    app.db.read_inline("points.packs", store::packs::on_sale)
}

/// A pack that can be bought.
///
/// # Errors
/// What the database fails with.
pub fn pack_on_sale(tx: &Tx<'_>, id: &str) -> Result<Option<Pack>, DbError> {
    store::packs::on_sale_by_id(tx, id)
}

/// The balance and the ledger move together: whoever calls this is inside one transaction.
fn book(
    tx: &Tx<'_>,
    kind: TransactionType,
    entry: &Entry,
    now: UnixMillis,
) -> Result<i64, PointsError> {
    check_amount(entry.amount)?;
    // Asked first, so that a repetition has no effect even when its caller goes on; nobody can come
    // between, for there is one writer, and if somebody did, the unique index would undo us.
    if store::is_booked(tx, entry)? {
        return Err(PointsError::AlreadyBooked);
    }
    let balance = match kind {
        TransactionType::Earn | TransactionType::Refund => {
            store::add(tx, entry.user, entry.amount, now)?
        }
        TransactionType::Spend => store::take(tx, entry.user, entry.amount, now)?,
    };
    let Some(balance) = balance else {
        let exists = store::user_exists(tx, entry.user)?;
        return Err(if exists { PointsError::Insufficient } else { PointsError::NoSuchUser });
    };
    store::append(tx, kind, entry, balance, now)?;
    Ok(balance)
}

#[cfg(test)]
mod tests;
