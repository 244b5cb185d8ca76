//! The money check: orders, memberships, ledger and refunds against each other.

use crate::app::App;
use crate::base::clock::Clock;
use crate::base::time::UnixMillis;
use crate::db::{Db, DbError};
use crate::features::reconciliation::model::{Finding, MoneyReport};
use crate::features::reconciliation::store::money::{self, RULES, Rule, Table};
use crate::features::reconciliation::store::report::last_money_check;

/// Ids in one read: other reads come in between.
const CHUNK: i64 = 2000;

/// How many findings a report names.
const NAMED: usize = 100;

/// How many reports are kept.
const KEPT: i64 = 1000;

/// The nightly check is due from 3 o'clock (Asia/Shanghai), when it is quiet.
const DUE_AFTER_MIDNIGHT_S: i64 = 3 * 3600;

/// Checks every rule over all rows and stores the result. A finding is also an error in the log.
///
/// # Errors
/// What the database fails with.
pub async fn check_money(db: &Db, clock: &Clock) -> Result<MoneyReport, DbError> {
    let report = examine(db).await?;
    // Texts in a plain struct always serialise.
    let findings = serde_json::to_string(&report.findings).unwrap_or_default();
    let (stored, now) = (report.clone(), clock.now());
    db.write("reconciliation.store_money", move |tx| {
        money::insert(tx, &stored, &findings, KEPT, now)
    })
    .await?;
    if !report.is_balanced() {
        tracing::error!(
            orders = report.orders,
            wrong = report.wrong,
            first = report.findings.first().map(ToString::to_string),
            "the books of money do not balance; `dream-bff books` says what is wrong"
        );
    }
    Ok(report)
}

/// Checks every rule over all rows and stores nothing: for a copy that is only read.
///
/// # Errors
/// What the database fails with.
pub async fn examine(db: &Db) -> Result<MoneyReport, DbError> {
    let mut report = MoneyReport { orders: paid(db).await?, wrong: 0, findings: Vec::new() };
    for rule in &RULES {
        check_rule(db, rule, &mut report).await?;
    }
    Ok(report)
}

/// Checks money once a night; otherwise does nothing.
///
/// # Errors
/// What the database fails with.
pub(super) async fn check_nightly(app: &App) -> Result<(), DbError> {
    let night = |at: UnixMillis| at.plus_seconds(-DUE_AFTER_MIDNIGHT_S).shanghai_date();
    let last = app.db.read_inline("reconciliation.money_checked", money::last_checked)?;
    if last.is_none_or(|last| night(last) < night(app.clock.now())) {
        check_money(&app.db, &app.clock).await?;
    }
    Ok(())
}

async fn check_rule(db: &Db, rule: &'static Rule, report: &mut MoneyReport) -> Result<(), DbError> {
    let table = rule.table;
    let last = db.read("reconciliation.last", move |tx| money::last(tx, table)).await?;
    let mut from = 0;
    while from < last {
        let to = from.saturating_add(CHUNK);
        // One read for each part: within it the rows belong together.
        let broken =
            db.read("reconciliation.rule", move |tx| money::broken(tx, rule, from, to)).await?;
        report.wrong = report.wrong.saturating_add(i64::try_from(broken.len()).unwrap_or(i64::MAX));
        let room = NAMED.saturating_sub(report.findings.len());
        let named = broken.into_iter().take(room);
        report
            .findings
            .extend(named.map(|reference| Finding { rule: rule.broken.to_owned(), reference }));
        from = to;
    }
    Ok(())
}

async fn paid(db: &Db) -> Result<i64, DbError> {
    let last = db.read("reconciliation.last", |tx| money::last(tx, Table::Orders)).await?;
    let (mut from, mut paid) = (0, 0_i64);
    while from < last {
        let to = from.saturating_add(CHUNK);
        let some = db.read("reconciliation.paid", move |tx| money::paid(tx, from, to)).await?;
        paid = paid.saturating_add(some);
        from = to;
    }
    Ok(paid)
}

/// When money was last checked, and what was found.
///
/// # Errors
/// What the database fails with.
pub fn last(app: &App) -> Result<Option<(UnixMillis, MoneyReport)>, DbError> {
    let found = app.db.read_inline("reconciliation.last_money", last_money_check)?;
    Ok(found.map(|(at, orders, wrong, findings)| {
        // Written by the check.
        let findings = serde_json::from_str(&findings).unwrap_or_default();
        (at, MoneyReport { orders, wrong, findings })
    }))
}
