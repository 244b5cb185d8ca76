//! The first page.

use std::time::Duration;

use dream_bff::app::tls::TlsSource;
use dream_bff::features::backups::Cause;
use dream_bff::features::backups::service::{self, Wish};
use serde_json::{Value, json};

use crate::support::{Admin, TestApp};

const HOME: &str = "/admin/api/home";

async fn home(admin: &Admin) -> Value {
    admin.get(HOME).await.ok()
}

/// The kinds of what needs somebody, with how much.
fn needs(home: &Value) -> Vec<(String, i64)> {
    let needs = home["needsYou"].as_array().unwrap().iter();
    needs
        .map(|need| (need["kind"].as_str().unwrap().to_owned(), need["count"].as_i64().unwrap()))
        .collect()
}

#[tokio::test]
async fn today_is_what_happened_today_and_yesterday_what_had_by_this_hour() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    let alice = t.log_in("alice").await;
    let pay = async |plan: &str| {
        let wish = json!({ "planId": plan, "paymentMethod": "wechat" });
        let placed = alice.post("/v1/orders").json(&wish).await.ok();
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        t.deliver_notifications().await;
    };
    pay("vip_month").await;
    t.run_periodic_tasks().await;
    let first = home(&admin).await;
    assert_eq!(first["today"]["revenue"], 1999);
    assert_eq!(first["today"]["netRevenue"], 1999);
    assert_eq!(first["today"]["payingUsers"], 1);
    assert_eq!(first["today"]["newUsers"], 1);
    assert_eq!(first["yesterday"], Value::Null, "nobody noted it");
    assert_eq!(first["today"]["successRate"], Value::Null);

    // An hour later on that day another is paid: it is not yet in what is compared tomorrow at noon.
    t.clock.advance(Duration::from_secs(3600));
    let pack = json!({ "packId": "points_500", "paymentMethod": "wechat" });
    let placed = alice.post("/v1/orders").json(&pack).await.ok();
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    t.run_periodic_tasks().await;
    let second = home(&admin).await;
    assert_eq!(second["today"]["revenue"], 1999 + 4800);
    assert_eq!(second["today"]["payingUsers"], 1, "the same user");
    assert_eq!(second["today"]["pointsSold"], 550);

    t.clock.advance(Duration::from_secs(23 * 3600));
    // Who rests so long is logged out.
    let admin = t.admin("viewer");
    let next = home(&admin).await;
    assert_eq!(next["today"]["revenue"], 0);
    assert_eq!(next["yesterday"]["revenue"], 1999);
    t.clock.advance(Duration::from_secs(3600));
    assert_eq!(home(&admin).await["yesterday"]["revenue"], 1999 + 4800);

    let series = next["series"].as_array().unwrap();
    assert_eq!(series.len(), 30);
    assert_eq!(
        (&series[28]["day"], &series[29]["day"]),
        (&json!("2026-01-29"), &json!("2026-01-30"))
    );
    assert_eq!((&series[28]["revenue"], &series[28]["payingUsers"]), (&json!(6799), &json!(1)));
    assert_eq!(series[0]["revenue"], 0);
    let longer = admin.get(&format!("{HOME}?days=366")).await.ok();
    assert_eq!(longer["series"].as_array().unwrap().len(), 366);
    for bad in ["0", "367", "-1", "x"] {
        admin.get(&format!("{HOME}?days={bad}")).await.blames("days");
    }
}

#[tokio::test]
async fn jobs_are_counted_and_timed() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    let alice = t.log_in("alice").await;
    for _ in 0..2 {
        let made = alice.post("/v1/jobs").json(&json!({ "prompt": "a cat" })).await.json();
        let path = format!("/v1/jobs/{}?wait=25", made["jobId"].as_str().unwrap());
        while alice.get(&path).await.ok()["status"] != "SUCCEEDED" {}
    }
    let today = home(&admin).await["today"].clone();
    assert_eq!((&today["jobsSucceeded"], &today["jobsFailed"]), (&json!(2), &json!(0)));
    assert_eq!(today["successRate"], 1.0);
    // The clock stands still.
    assert_eq!((&today["p50Ms"], &today["p95Ms"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_needs_somebody_is_named_and_all_else_is_silent() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    assert_eq!(needs(&home(&admin).await), []);
    let alice = t.log_in("alice").await;
    let now = t.clock.now().0;
    let database = t.database();
    let run = |sql: &str| assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
    run(&format!(
        "INSERT INTO differences (channel, day, kind, reference, order_id, theirs, found_at)
         VALUES ('wechat', '2026-01-28', 'not_credited', 'a', 'a', 1, {now}),
                ('wechat', '2026-01-28', 'amount', 'b', 'b', 2, {now}),
                ('wechat', '2026-01-28', 'amount', 'c', 'c', 2, {now})"
    ));
    run(&format!(
        "INSERT INTO payment_events (source, received_at, headers, body, state, problem, processed_at)
         VALUES ('notify', {now}, '{{}}', x'00', 'flagged', 'amount', {now})"
    ));
    run(&format!(
        "INSERT INTO payment_events (source, received_at, headers, body, state)
         VALUES ('notify', {}, '{{}}', x'00', 'received'), ('notify', {now}, '{{}}', x'00', 'received')",
        now - 121_000
    ));
    run(&format!(
        "INSERT INTO money_checks (checked_at, orders, wrong, findings) VALUES ({now}, 9, 2, '[]')"
    ));
    run(&format!(
        "INSERT INTO bill_runs (channel, day, tried_at, problem) VALUES ('wechat', '2026-01-28', {now}, 'x')"
    ));
    run(&format!(
        "INSERT INTO generations (job_id, user_id, prompt, mode, resolution, aspect_ratio,
           sample_count, quota_day, quota_used, points_charged, deadline_at, created_at, updated_at)
         VALUES ('{}', {}, 'p', 'draft', '1K', '1:1', 1, '2026-01-29', 0, 0, {}, {now}, {now})",
        "0".repeat(32),
        alice.id,
        now - 61_000
    ));
    let seen = home(&admin).await;
    let expected = [
        ("paidNotCredited", 1),
        ("moneyUnbalanced", 2),
        ("eventUnprocessed", 1),
        ("eventFlagged", 1),
        ("difference", 2),
        ("billMissing", 1),
        ("jobStuck", 1),
    ];
    assert_eq!(needs(&seen), expected.map(|(kind, count)| (kind.to_owned(), count)));
    assert_eq!(seen["needsYou"][0]["since"], "2026-01-29T12:00:00.000Z");
    // The next check of the books is content again.
    run(&format!(
        "INSERT INTO money_checks (checked_at, orders, wrong, findings) VALUES ({now}, 9, 0, '[]')"
    ));
    assert!(!needs(&home(&admin).await).iter().any(|(kind, _)| kind == "moneyUnbalanced"));
}

#[tokio::test]
async fn a_full_disk_and_a_dead_upstream_need_somebody() {
    let t = TestApp::with(&[("MIN_FREE_DISK_MIB", "1000000")]).await;
    let admin = t.admin("viewer");
    assert_eq!(needs(&home(&admin).await), [("diskLow".to_owned(), 1)]);
}

#[tokio::test]
async fn a_backup_that_failed_or_is_late_and_a_certificate_that_ends_need_somebody() {
    let t = TestApp::with(&[("BACKUP_HOURS", "24")]).await;
    let kinds = async || -> Vec<String> {
        // Anew each time: who rests so long is logged out.
        needs(&home(&t.admin("viewer")).await).into_iter().map(|(kind, _)| kind).collect()
    };
    assert_eq!(kinds().await, [""; 0], "the first backup is on its way");
    let run = async || service::run_now(&t.app(), Cause::Admin, Wish::default()).await;
    run().await.unwrap();
    assert_eq!(kinds().await, ["drillLate"]);
    service::drill_now(&t.app(), Cause::Admin).await.unwrap();
    assert_eq!(kinds().await, [""; 0]);
    t.clock.advance(Duration::from_secs(48 * 3600 + 1));
    assert_eq!(kinds().await, ["backupLate"]);
    t.sql(
        "INSERT INTO backup_runs (kind, cause, started_at, ended_at, took_ms, plain_bytes, bytes, problem)
         VALUES ('backup', 'schedule', 1, 2, 1, 0, 0, 'the disk is full')",
    );
    let seen = home(&t.admin("viewer")).await;
    assert_eq!(needs(&seen), [("backupFailed".to_owned(), 1)], "that it is late follows from it");
    assert_eq!(seen["needsYou"][0]["since"], "1970-01-01T00:00:00.002Z");
    run().await.unwrap();
    assert_eq!(kinds().await, [""; 0]);

    let day = 86_400_000;
    let serve = |days: i64, is_placeholder: bool| {
        let end = t.clock.now().plus_millis(days * day);
        t.app().tls.update(|tls| {
            tls.source = TlsSource::Acme;
            tls.not_after = Some(end);
            tls.is_placeholder = is_placeholder;
        });
    };
    serve(14, false);
    assert_eq!(kinds().await, [""; 0]);
    serve(13, false);
    assert_eq!(kinds().await, ["certificateEnds"]);
    serve(90, true);
    assert_eq!(kinds().await, ["certificateEnds"]);
}
