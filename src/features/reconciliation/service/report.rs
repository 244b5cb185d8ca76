//! What was earned, and which days were compared.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::reconciliation::model::{Channel, ComparedDay, Earned, bounds};
use crate::features::reconciliation::store;

/// What was paid and what went back, by day, channel and product, from one day on up to another; in this
/// order.
///
/// # Errors
/// What the database fails with.
pub async fn report(app: &App, from: Date, to: Date) -> Result<Vec<Earned>, DbError> {
    let times: (UnixMillis, UnixMillis) = (bounds(from).0, bounds(to).1);
    let (paid, refunded) = app
        .db
        .read("reconciliation.report", move |tx| {
            Ok::<_, DbError>((store::report::paid(tx, times)?, store::report::refunded(tx, times)?))
        })
        .await?;
    let mut all: BTreeMap<(String, &str, String), Earned> = BTreeMap::new();
    for earned in paid.into_iter().chain(refunded) {
        let key = (earned.day.clone(), earned.channel.as_str(), earned.product.clone());
        match all.get_mut(&key) {
            Some(there) => there.refunded = there.refunded.saturating_add(earned.refunded),
            None => drop(all.insert(key, earned)),
        }
    }
    Ok(all.into_values().collect())
}

/// The days that were compared, or tried to be, from one on up to another; both channels, each the
/// newest first.
///
/// # Errors
/// What the database fails with.
pub async fn days(app: &App, from: Date, to: Date) -> Result<Vec<ComparedDay>, DbError> {
    app.db
        .read("reconciliation.days", move |tx| {
            let (from, to) = (from.to_string(), to.to_string());
            let mut all = store::report::days(tx, Channel::Wechat, (&from, &to))?;
            all.extend(store::report::days(tx, Channel::Virtual, (&from, &to))?);
            Ok(all)
        })
        .await
}
