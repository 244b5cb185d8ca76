//! Jobs, orders, notifications, refunds, the books, the day so far, and the periodic tasks.

use super::text::{Families, number, one, signed};
use crate::app::App;
use crate::base::measure::Tally;
use crate::base::time::UnixMillis;
use crate::features::vitals::{Check, Vitals};
use crate::jobs::{JobBoard, JobState};

/// Milliseconds as seconds.
const MILLIS: f64 = 1_000.0;

pub(super) fn collect(
    families: &mut Families,
    app: &App,
    board: &JobBoard,
    vitals: Option<&Vitals>,
) {
    let ends = |tally: &Tally, label: &'static str| {
        let rows = tally.all().into_iter();
        rows.map(|(kind, count)| (one(label, kind), number(count))).collect::<Vec<_>>()
    };
    let events = &app.events;
    families.counters("dream_jobs_ended", "Jobs by how they ended", ends(&events.jobs, "result"));
    families.counters(
        "dream_orders_ended",
        "Orders by how they ended; mismatch is a payment that does not fit its order",
        ends(&events.orders, "result"),
    );
    families.counters(
        "dream_notifications",
        "Notifications of payments and refunds, by what became of them",
        ends(&events.notifications, "result"),
    );
    families.counters(
        "dream_alerts",
        "Messages to the operator by what became of them; capped were too many",
        ends(&events.alerts, "result"),
    );
    open(families, vitals);
    books(families, vitals);
    today(families, vitals);
    tasks(families, board);
}

fn open(families: &mut Families, vitals: Option<&Vitals>) {
    let kinds = |rows: &[(String, i64)], label: &'static str| {
        rows.iter().map(|(kind, count)| (one(label, kind.as_str()), signed(*count))).collect()
    };
    let jobs: Vec<_> = vitals.map(|vitals| kinds(&vitals.jobs, "state")).unwrap_or_default();
    families.gauges("dream_jobs_open", "Jobs that have not ended, by state", jobs);
    let count = |read: fn(&Vitals) -> i64| vitals.map(|vitals| signed(read(vitals)));
    let age = |read: fn(&Vitals) -> Option<UnixMillis>| {
        vitals.map(|vitals| {
            let since = read(vitals).unwrap_or(vitals.at);
            signed(vitals.at.0.saturating_sub(since.0).max(0)) / MILLIS
        })
    };
    families.gauge(
        "dream_jobs_oldest_seconds",
        "For how long the oldest job that has not ended has been there",
        age(|vitals| vitals.oldest_job),
    );
    families.gauge(
        "dream_orders_pending",
        "Orders that wait for their payment",
        count(|vitals| vitals.orders_pending),
    );
    families.gauge(
        "dream_payment_events_open",
        "What WeChat has told and nobody has processed yet",
        count(|vitals| vitals.events_open.count),
    );
    families.gauge(
        "dream_payment_events_oldest_seconds",
        "For how long the oldest of these has waited",
        age(|vitals| vitals.events_open.since),
    );
    families.gauge(
        "dream_payment_events_flagged",
        "What WeChat has told and somebody must look at",
        count(|vitals| vitals.events_flagged),
    );
    let differences: Vec<_> =
        vitals.map(|vitals| kinds(&vitals.differences, "kind")).unwrap_or_default();
    families.gauges(
        "dream_differences_open",
        "Differences between WeChat's bills and ours that nobody has resolved, by kind",
        differences,
    );
    families.gauge(
        "dream_payments_not_credited",
        "Payments on WeChat's bills that are not credited here",
        count(Vitals::not_credited),
    );
    families.gauge(
        "dream_refunds_due",
        "Payments that are to go back and have not been asked for",
        count(|vitals| vitals.refunds_due.count),
    );
    families.gauge(
        "dream_refunds_open",
        "Refunds that have not ended",
        count(|vitals| vitals.refunds_open),
    );
}

fn books(families: &mut Families, vitals: Option<&Vitals>) {
    let checks: Vec<(&str, Check)> = vitals
        .into_iter()
        .flat_map(|vitals| [("points", vitals.points_check), ("money", vitals.money_check)])
        .filter_map(|(books, check)| Some((books, check?)))
        .collect();
    families.gauges(
        "dream_books_wrong",
        "Users, payments or refunds that did not balance in the last check",
        checks.iter().map(|(books, check)| (one("books", *books), signed(check.wrong))),
    );
    families.gauges(
        "dream_books_checked_timestamp_seconds",
        "When the books were last checked, since 1970",
        checks.iter().map(|(books, check)| (one("books", *books), signed(check.at.0) / MILLIS)),
    );
}

fn today(families: &mut Families, vitals: Option<&Vitals>) {
    let rows = vitals.map(|vitals| vitals.today).into_iter().flat_map(|today| {
        [
            ("new_users", today.new_users),
            ("active_users", today.active_users),
            ("jobs_succeeded", today.jobs_succeeded),
            ("jobs_failed", today.jobs_failed),
            ("jobs_canceled", today.jobs_canceled),
            ("orders_paid", today.orders_paid),
            ("revenue_fen", today.revenue),
            ("refunded_fen", today.refunded),
        ]
    });
    families.gauges(
        "dream_today",
        "The day so far in Asia/Shanghai; it begins anew at midnight there",
        rows.map(|(what, count)| (one("what", what), signed(count))),
    );
}

fn tasks(families: &mut Families, board: &JobBoard) {
    let tasks = board.all();
    let rows = |read: fn(&JobState) -> Option<f64>| {
        let row = move |task: &JobState| Some((one("task", task.name), read(task)?));
        tasks.iter().filter_map(row).collect::<Vec<_>>()
    };
    families.counters(
        "dream_task_runs",
        "Runs of the periodic tasks",
        rows(|task| Some(number(task.runs))),
    );
    families.counters(
        "dream_task_failures",
        "Runs of the periodic tasks that went wrong",
        rows(|task| Some(number(task.failures))),
    );
    families.gauges(
        "dream_task_seconds",
        "How long the last run of a periodic task took",
        rows(|task| task.took.map(|took| took.as_secs_f64())),
    );
    families.gauges(
        "dream_task_success_timestamp_seconds",
        "When a periodic task last ended well, since 1970",
        rows(|task| task.succeeded_at.map(|at| signed(at.0) / MILLIS)),
    );
}
