//! Comparing, repairing, checking.

pub mod money;
mod repair;
mod report;
mod virtual_payment;
mod wechat_pay;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::json;

pub use self::repair::repair;
pub use self::report::{days, report};

use super::model::{
    Channel, Difference, DifferenceId, DifferenceState, Found, ReconciliationError, Run, days_due,
    last_ready,
};
use super::store;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::refunds::{self, RefundId};

/// Days compared in one run of a channel: what is missed longer is caught up by the next runs.
const DAYS_AT_ONCE: usize = 10;

/// A day whose bill is refused for good is tried for so many days.
const REFUSED_DAYS: i64 = 3;

/// The longest resolution, in characters.
const NOTE_MAX: usize = 500;

/// Resolves what the next comparison does not find any more.
const GONE: &str = "the next comparison of the day does not find it";

/// Compares the days that are due, and checks money once a night.
///
/// # Errors
/// What the database fails with. A bill that is not to be had is no error: it is asked for again.
pub async fn nightly(app: &Arc<App>) -> Result<(), ReconciliationError> {
    for channel in [Channel::Wechat, Channel::Virtual] {
        catch_up(app, channel).await?;
    }
    Ok(money::check_nightly(app).await?)
}

/// The days of a channel that are due, in their order, up to the first that cannot be compared now.
async fn catch_up(app: &Arc<App>, channel: Channel) -> Result<(), ReconciliationError> {
    let is_configured = match channel {
        Channel::Wechat => app.wechat_pay.is_some(),
        Channel::Virtual => app.virtual_payment.is_some(),
    };
    if !is_configured {
        return Ok(());
    }
    let now = app.clock.now();
    let days = app.db.read_inline("reconciliation.due", |tx| {
        let first = store::ours::first_order(tx, channel)?;
        // Anything older than any bill.
        let oldest = now.plus_seconds(-120 * 24 * 3600).shanghai_date().to_string();
        let done: HashSet<String> =
            store::compared_days(tx, channel, &oldest)?.into_iter().collect();
        Ok::<_, ReconciliationError>(days_due(first, |day| done.contains(day), now))
    })?;
    for day in days.into_iter().take(DAYS_AT_ONCE) {
        match compare_day(app, channel, day).await {
            Ok(_) => {}
            Err(err @ (ReconciliationError::Bill(_) | ReconciliationError::Unavailable(_))) => {
                if !put_off(app, channel, day, &err).await? {
                    return Ok(());
                }
            }
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Notes why a day cannot be compared. `true`: it never will, and the next may be.
async fn put_off(
    app: &App,
    channel: Channel,
    day: Date,
    err: &ReconciliationError,
) -> Result<bool, ReconciliationError> {
    let now = app.clock.now();
    let is_final = matches!(err, ReconciliationError::Bill(err) if !err.is_retryable());
    let is_old = last_ready(now).is_some_and(|last| {
        last.since(day).is_ok_and(|span| i64::from(span.get_days()) >= REFUSED_DAYS)
    });
    let is_given_up = is_final && is_old;
    let problem = error_chain(err);
    tracing::warn!(%day, channel = channel.as_str(), problem, "a day cannot be compared");
    app.db
        .write("reconciliation.put_off", move |tx| {
            let day = day.to_string();
            store::not_compared(tx, channel, &day, &problem, is_given_up, now)
        })
        .await?;
    Ok(is_given_up)
}

/// Compares a day with what WeChat says of it, now or again.
///
/// # Errors
/// `NotConfigured`, `Bill`, `Unavailable`, and what the database fails with.
pub async fn compare_day(
    app: &Arc<App>,
    channel: Channel,
    day: Date,
) -> Result<Run, ReconciliationError> {
    let compared = match channel {
        Channel::Wechat => wechat_pay::compare_day(app, day).await?,
        Channel::Virtual => virtual_payment::compare_day(app, day).await?,
    };
    let now = app.clock.now();
    let run = app
        .db
        .write("reconciliation.note", move |tx| note(tx, channel, day, &compared, now))
        .await?;
    if run.differing > 0 {
        tracing::error!(
            %day, channel = channel.as_str(), differences = run.differing,
            "WeChat says otherwise than we"
        );
    }
    Ok(run)
}

/// What the comparison of a day came to.
struct Compared {
    /// What WeChat lists.
    listed: usize,
    found: Vec<Found>,
    /// The refunds of ours that it lists.
    billed: Vec<RefundId>,
    /// What WeChat keeps of it, in fen, if it says.
    fee: Option<i64>,
}

fn note(
    tx: &Tx<'_>,
    channel: Channel,
    day: Date,
    compared: &Compared,
    now: UnixMillis,
) -> Result<Run, ReconciliationError> {
    let text = day.to_string();
    for refund in &compared.billed {
        refunds::service::billed(tx, refund, &text)?;
    }
    for difference in store::open_of_day(tx, channel, &text)? {
        let is_found = compared
            .found
            .iter()
            .any(|found| found.kind == difference.kind && found.reference == difference.reference);
        if !is_found {
            end(tx, &difference, GONE, Actor::System, now)?;
        }
    }
    for found in &compared.found {
        store::insert(tx, channel, &text, found, now)?;
    }
    let count = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
    let (listed, differing) = (count(compared.listed), count(compared.found.len()));
    let run = Run { channel, day, listed, differing };
    store::compared(tx, &run, compared.fee, now)?;
    Ok(run)
}

/// Differences of a state, newest first, behind `before`; at most `limit`.
///
/// # Errors
/// What the database fails with.
pub fn differences(
    app: &App,
    state: DifferenceState,
    before: Option<DifferenceId>,
    limit: i64,
) -> Result<Vec<Difference>, ReconciliationError> {
    let before = before.map_or(i64::MAX, |id| id.0);
    Ok(app.db.read_inline("reconciliation.list", |tx| store::list(tx, state, before, limit))?)
}

/// A difference.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub fn difference(app: &App, id: DifferenceId) -> Result<Difference, ReconciliationError> {
    let found = app.db.read_inline("reconciliation.find", |tx| store::by_id(tx, id))?;
    found.ok_or(ReconciliationError::NotFound)
}

/// Resolves a difference by hand: somebody has seen to it, and says how.
///
/// # Errors
/// `NotFound`, `AlreadyResolved`, `Note`, and what the database fails with.
pub async fn resolve(
    app: &App,
    id: DifferenceId,
    how: String,
    actor: Actor,
) -> Result<(), ReconciliationError> {
    let length = how.trim().chars().count();
    if !(1..=NOTE_MAX).contains(&length) {
        return Err(ReconciliationError::Note);
    }
    let now = app.clock.now();
    app.db
        .write("reconciliation.resolve", move |tx| {
            let difference = store::by_id(tx, id)?.ok_or(ReconciliationError::NotFound)?;
            end(tx, &difference, how.trim(), actor, now)
        })
        .await
}

/// Resolves it, with its entry in the audit log.
fn end(
    tx: &Tx<'_>,
    difference: &Difference,
    how: &str,
    actor: Actor,
    now: UnixMillis,
) -> Result<(), ReconciliationError> {
    if !store::resolve(tx, difference.id, how, &actor.to_string(), now)? {
        return Err(ReconciliationError::AlreadyResolved);
    }
    let entry = AuditEntry {
        actor,
        action: "difference.resolved",
        object: format!("difference:{}", difference.id.0),
        before: json!({ "kind": difference.kind.as_str(), "reference": difference.reference }),
        after: json!({ "resolution": how }),
    };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}
