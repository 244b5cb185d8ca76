//! Points, payments and what somebody must look at.

use super::Patient;
use super::data::unusable;
use crate::features::doctor::model::Finding;
use crate::features::points::service::books;
use crate::features::reconciliation::service::money as orders;
use crate::features::vitals;

/// A notification that is processed takes milliseconds.
const STUCK_MS: i64 = 60_000;

pub(super) async fn points(patient: &Patient) -> Finding {
    const CHECK: &str = "points_books";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    match books::examine(&patient.app.db).await {
        Ok(report) if report.is_balanced() => {
            Finding::pass(CHECK, format!("the balances of all {} users are right", report.users))
        }
        Ok(report) => Finding::fail(
            CHECK,
            format!("the balances of {} users are not what their ledgers say", report.wrong_users),
            "run `dream-bff books`, which names them; do not change balances by hand",
        ),
        Err(err) => Finding::fail(CHECK, err.to_string(), "see the log of the server"),
    }
}

pub(super) async fn money(patient: &Patient) -> Finding {
    const CHECK: &str = "money_books";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    match orders::examine(&patient.app.db).await {
        Ok(report) if report.is_balanced() => Finding::pass(
            CHECK,
            format!("all {} paid orders have what they paid for", report.orders),
        ),
        Ok(report) => Finding::fail(
            CHECK,
            format!("{} payments or refunds do not fit what was given for them", report.wrong),
            "run `dream-bff books`, which names them; then docs/payments.md",
        ),
        Err(err) => Finding::fail(CHECK, err.to_string(), "see the log of the server"),
    }
}

pub(super) async fn payments(patient: &Patient) -> Finding {
    const CHECK: &str = "payments";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    let vitals = match vitals::service::vitals(&patient.app).await {
        Ok(vitals) => vitals,
        Err(err) => return Finding::fail(CHECK, err.to_string(), "see the log of the server"),
    };
    let stuck = vitals.events_open.since.is_some_and(|since| vitals.at.0 - since.0 > STUCK_MS);
    if vitals.not_credited() > 0 || stuck {
        return Finding::fail(
            CHECK,
            format!(
                "{} payments of WeChat's bills are not credited, {} notifications wait",
                vitals.not_credited(),
                vitals.events_open.count
            ),
            "repair them on the admin page, Reconciliation; see docs/payments.md",
        );
    }
    let others = vitals.differences_open() + vitals.events_flagged;
    if others > 0 {
        return Finding::warn(
            CHECK,
            format!("{others} payments or refunds wait for somebody to look at them"),
            "the admin page lists them; see docs/payments.md",
        );
    }
    Finding::pass(CHECK, "nothing waits for anybody")
}
