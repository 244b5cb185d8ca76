//! Orders, whoever's, for administrators.

use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::orders::model::{Order, OrderFilter, OrderId, PaymentProgress, Spent};
use crate::features::orders::store::browse;
use crate::http::{Found, MOST_LOOKED_AT, Span};

/// A part of the orders that a filter shows, at most `fetch`, the newest first. `after` are the keys of
/// the last one that was seen, [`Order::keys`], or those where the last search stopped.
///
/// # Errors
/// What the database fails with.
pub async fn browse(
    app: &App,
    filter: OrderFilter,
    after: Option<[i64; 2]>,
    fetch: i64,
) -> Result<Found<Order>, DbError> {
    app.db
        .read("orders.browse", move |tx| {
            let ids: Found<i64> = match (filter.search.as_deref(), after) {
                (Some(number), None) => browse::numbered(tx, number.trim())?.into(),
                (Some(_), Some(_)) => Vec::new().into(),
                (None, after) => Found::newest(
                    Span { from: filter.from, to: filter.to },
                    after,
                    fetch,
                    // What shows every order of its index need not know how far to look.
                    |after| match filter.is_partial() {
                        true => browse::reach(tx, &filter, after, MOST_LOOKED_AT),
                        false => Ok(None),
                    },
                    |after, until| browse::newest(tx, &filter, (after, until), fetch),
                )?,
            };
            Ok(Found { rows: browse::rows(tx, &ids.rows)?, stopped: ids.stopped })
        })
        .await
}

/// How an order is being paid, as far as that is kept.
///
/// # Errors
/// What the database fails with.
pub fn progress(tx: &Tx<'_>, order: &OrderId) -> Result<Option<PaymentProgress>, DbError> {
    browse::progress(tx, order)
}

/// What a user's paid orders come to.
///
/// # Errors
/// What the database fails with.
pub fn spent(tx: &Tx<'_>, user: UserId) -> Result<Spent, DbError> {
    browse::spent(tx, user)
}
