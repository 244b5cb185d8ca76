//! Reading statistics; keeping who is active.

mod check;
pub mod moments;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use check::{compare, rebuild};

use super::model::{Account, Calendar, DayStats, Global, Overview, Personal, StatsError};
use super::store;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::{favorites, gallery, generations, settings, users};

/// Between two writes of who is active; what a crash can lose.
const EVERY: Duration = Duration::from_millis(900);

/// Users noted in one transaction.
const ACTIVE_BATCH: usize = 5_000;

/// So long it is known who was active on a day; how many is kept for ever.
const ACTIVE_KEPT_S: i64 = 100 * 86_400;

/// Forgotten in one transaction.
const FORGET_BATCH: i64 = 2_000;

/// Categories that an overview names.
const TOP_CATEGORIES: usize = 5;

/// The caller with what `auth/userinfo` tells of him.
///
/// # Errors
/// `NoSuchUser`, and what the database fails with.
pub(super) fn personal(app: &App, id: UserId) -> Result<Personal, StatsError> {
    let calendar = Calendar::at(app.clock.now());
    app.db.read_inline("stats.personal", |tx| {
        let user = users::service::find(tx, id)?.ok_or(StatsError::NoSuchUser)?;
        let totals = store::totals(tx, id)?;
        Ok(Personal { user, totals, recent: store::recent(tx, id, &calendar)? })
    })
}

/// The caller with what he has, and his quota of today.
///
/// # Errors
/// `NoSuchUser`, and what the database fails with.
pub(super) fn account(app: &App, id: UserId) -> Result<Account, StatsError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    app.db.read_inline("stats.account", |tx| {
        let user = users::service::find(tx, id)?.ok_or(StatsError::NoSuchUser)?;
        let quota = generations::service::quota_of(tx, &settings, &user, now)?;
        let favorites = favorites::service::count(tx, id)?;
        Ok(Account { totals: store::totals(tx, id)?, favorites, quota, user })
    })
}

/// The caller's overview.
///
/// # Errors
/// What the database fails with.
pub(super) fn overview(app: &App, id: UserId) -> Result<Overview, StatsError> {
    let calendar = Calendar::at(app.clock.now());
    app.db.read_inline("stats.overview", |tx| {
        let mut categories = store::categories(tx, id)?;
        categories.sort_by_key(|(_, images)| std::cmp::Reverse(*images));
        categories.truncate(TOP_CATEGORIES);
        Ok(Overview {
            totals: store::totals(tx, id)?,
            recent: store::recent(tx, id, &calendar)?,
            favorites: favorites::service::count(tx, id)?,
            categories,
        })
    })
}

/// The whole service.
///
/// # Errors
/// What the database fails with.
pub(super) fn global(app: &App) -> Result<Global, StatsError> {
    app.db.read_inline("stats.global", |tx| {
        let images = gallery::service::count_public(tx)?;
        Ok(Global { images, ..store::global(tx)? })
    })
}

/// The days from `from` to `to` (`YYYY-MM-DD`, both included) on which anything happened, in order.
///
/// # Errors
/// What the database fails with.
pub fn days(tx: &Tx<'_>, from: &str, to: &str) -> Result<Vec<DayStats>, DbError> {
    store::days(tx, from, to)
}

/// Writes down who was active since the last time, if anybody was.
///
/// # Errors
/// What the database fails with; the next call writes it.
pub async fn flush(app: &App) -> Result<(), StatsError> {
    let mut left = app.activity.take();
    while !left.is_empty() {
        let rest = left.split_off(left.len().min(ACTIVE_BATCH));
        let batch = by_day(&left);
        let write = move |tx: &Tx<'_>| {
            batch.iter().try_for_each(|(day, ids)| {
                // A list of numbers always serialises.
                let ids = serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
                store::insert_active(tx, day, &ids)
            })
        };
        if let Err(err) = app.db.write("stats.active", write).await {
            left.extend(rest);
            app.activity.put_back(left);
            return Err(StatsError::Db(err));
        }
        left = rest;
    }
    Ok(())
}

fn by_day(users: &[(UserId, UnixMillis)]) -> BTreeMap<String, Vec<i64>> {
    let mut days: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (user, at) in users {
        days.entry(at.shanghai_date().to_string()).or_default().push(user.0);
    }
    days
}

/// Writes once a second until `stop`. Requests may still come then: whoever stops calls [`flush`] when
/// the last was answered.
pub async fn keep_flushing(app: Arc<App>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(err) = flush(&app).await {
            tracing::warn!(problem = error_chain(&err), "who is active is not written yet");
        }
    }
}

/// Forgets who was active long ago, a part at each call.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<(), StatsError> {
    let day = app.clock.now().plus_seconds(-ACTIVE_KEPT_S).shanghai_date().to_string();
    let write = move |tx: &Tx<'_>| store::forget_active(tx, &day, FORGET_BATCH);
    let forgotten: Result<usize, DbError> = app.db.write("stats.sweep", write).await;
    forgotten?;
    Ok(())
}

#[cfg(test)]
mod tests;
