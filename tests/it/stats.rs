//! Statistics: what is told, and that it is what happened.

use std::time::Duration;

use dream_bff::db::DatabaseLock;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::features::stats::service;
use dream_bff::sandbox::Outcome;
use serde_json::{Value, json};

use crate::gallery::{finished_job, start};
use crate::support::{TestApp, User, command};

const DAY: Duration = Duration::from_secs(86_400);

async fn overview(user: &User) -> Value {
    user.get("/v1/stats/overview").await.ok()
}

async fn account(user: &User) -> Value {
    user.get("/v1/users/me/stats").await.ok()["stats"].clone()
}

async fn info(user: &User) -> Value {
    user.get("/v1/auth/userinfo").await.ok()["user"]["stats"].clone()
}

async fn global(t: &TestApp) -> Value {
    // What is kept is two seconds old at the most.
    t.clock.advance(Duration::from_secs(2));
    t.get("/v1/stats/global").await.ok()
}

/// A job that ends as failed.
async fn failed_job(t: &TestApp, user: &User) {
    let (code, message) = ("PROVIDER_ERROR".to_owned(), "no".to_owned());
    t.sandbox.image_api().outcomes().next(Outcome::Fail { code, message }, 1);
    let body = json!({ "prompt": "a fox", "mode": "draft" });
    let job = user.post("/v1/jobs").json(&body).await.json();
    let path = format!("/v1/jobs/{}?wait=1", job["jobId"].as_str().unwrap());
    for _ in 0..60 {
        if user.get(&path).await.ok()["status"] == "FAILED" {
            return;
        }
        t.clock.advance(Duration::from_secs(1));
    }
    panic!("it did not fail");
}

async fn assert_counters(t: &TestApp) {
    let wrong = service::compare(&t.app().db).await.unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A day's counter.
fn of_day(t: &TestApp, day: &str, counter: &str) -> i64 {
    t.count(&format!("SELECT COALESCE((SELECT {counter} FROM daily_stats WHERE day = '{day}'), 0)"))
}

#[tokio::test]
async fn somebody_who_has_done_nothing_has_zeros() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let expected = json!({ "totalGenerated": 0, "successRate": 0.0, "favoriteCount": 0,
        "weeklyGenerated": 0, "monthlyGenerated": 0, "topCategories": [] });
    assert_eq!(overview(&alice).await, expected);
    let expected = json!({ "totalGenerated": 0, "successRate": 0.0, "monthGenerated": 0 });
    assert_eq!(info(&alice).await, expected);
    let expected = json!({ "totalFavorites": 0, "totalOrders": 0, "totalGenerations": 0,
        "todayGenerations": 0, "todayRemaining": 5, "dailyLimit": 5 });
    assert_eq!(account(&alice).await, expected);
    let me = alice.get("/v1/users/me").await.ok();
    assert_eq!(alice.get("/v1/users/me/stats").await.ok()["user"], me);
    let expected =
        json!({ "totalUsers": 1, "totalGenerated": 0, "totalImages": 0, "totalTemplates": 30 });
    assert_eq!(global(&t).await, expected);
}

#[tokio::test]
async fn what_was_done_is_told_to_him_and_to_all() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = finished_job(&alice, "水墨山水", 2).await;
    finished_job(&alice, "胶片人像", 1).await;
    failed_job(&t, &alice).await;
    for (index, category) in [(0, "landscape"), (1, "landscape")] {
        let body = json!({ "jobId": job, "index": index, "categoryId": category });
        alice.post("/v1/gallery/publish").json(&body).await.ok();
    }
    let body = json!({ "type": "prompt", "resourceId": "guofeng-ink" });
    assert_eq!(alice.post("/v1/favorites").json(&body).await.status, 201);
    t.sql(&format!(
        "INSERT INTO orders (order_id, user_id, kind, product_name, method, amount, expires_at,
                             created_at, updated_at)
         VALUES ('O1234567890123456789', {}, 'POINTS', 'x', 'wechat', 1000, 0, 1, 1)",
        alice.id
    ));

    let seen = overview(&alice).await;
    assert_eq!((&seen["totalGenerated"], &seen["favoriteCount"]), (&json!(2), &json!(1)));
    assert_eq!((&seen["weeklyGenerated"], &seen["monthlyGenerated"]), (&json!(2), &json!(2)));
    assert!((seen["successRate"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{seen}");
    assert_eq!(seen["topCategories"], json!([{ "name": "风景", "count": 2 }]));
    let told = info(&alice).await;
    assert_eq!((&told["totalGenerated"], &told["monthGenerated"]), (&json!(2), &json!(2)));
    assert_eq!(told["successRate"], seen["successRate"]);
    let expected = json!({ "totalFavorites": 1, "totalOrders": 1, "totalGenerations": 2,
        "todayGenerations": 3, "todayRemaining": 2, "dailyLimit": 5 });
    assert_eq!(account(&alice).await, expected, "what failed was given back");
    assert_eq!(overview(&bob).await["totalGenerated"], 0);
    let all = global(&t).await;
    assert_eq!((&all["totalUsers"], &all["totalGenerated"]), (&json!(2), &json!(2)));
    assert_eq!((&all["totalImages"], &all["totalTemplates"]), (&json!(2), &json!(30)));
    assert_counters(&t).await;
}

#[tokio::test]
async fn weeks_and_months_are_those_of_shanghai() {
    // 2026-01-29 is a Thursday.
    let t = start().await;
    let alice = t.log_in("alice").await;
    finished_job(&alice, "一", 1).await;
    let recent = async |user: &User| {
        let seen = overview(user).await;
        let number = |field: &str| seen[field].as_i64().unwrap();
        assert_eq!(number("monthlyGenerated"), info(user).await["monthGenerated"]);
        (number("totalGenerated"), number("weeklyGenerated"), number("monthlyGenerated"))
    };
    assert_eq!(recent(&alice).await, (1, 1, 1));
    // Sunday, the first of February, one second after midnight there: still January in UTC.
    t.clock.advance(2 * DAY + Duration::from_secs(4 * 3600 + 1));
    finished_job(&alice, "二", 1).await;
    assert_eq!(recent(&alice).await, (2, 2, 1));
    assert_eq!(of_day(&t, "2026-02-01", "jobs_succeeded"), 1);
    t.clock.advance(DAY);
    assert_eq!(recent(&alice).await, (2, 0, 1));
    t.clock.advance(28 * DAY);
    let alice = t.log_in("alice").await;
    assert_eq!(recent(&alice).await, (2, 0, 0));
    assert_counters(&t).await;
}

#[tokio::test]
async fn a_user_is_active_once_a_day() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let today = "2026-01-29";
    for _ in 0..3 {
        alice.check().await.ok();
        bob.get("/v1/gallery/images").await.ok();
        service::flush(&t.app()).await.unwrap();
    }
    assert_eq!((of_day(&t, today, "active_users"), of_day(&t, today, "new_users")), (2, 2));
    // Not even after a restart, which forgets who was here.
    t.restart();
    alice.check().await.ok();
    t.log_in("carol").await;
    t.get("/v1/gallery/images").await.ok();
    service::flush(&t.app()).await.unwrap();
    assert_eq!(of_day(&t, today, "active_users"), 3, "a login is activity, a stranger is nobody");
    t.clock.advance(DAY);
    alice.check().await.ok();
    service::flush(&t.app()).await.unwrap();
    assert_eq!(of_day(&t, "2026-01-30", "active_users"), 1);
    assert_counters(&t).await;
    // Long after, it is known how many there were, not who.
    t.clock.advance(101 * DAY);
    service::sweep(&t.app()).await.unwrap();
    assert_eq!(t.count("SELECT COUNT(*) FROM active_days"), 0);
    assert_eq!(of_day(&t, today, "active_users"), 3);
    assert_counters(&t).await;
}

#[tokio::test]
async fn points_go_into_the_day_they_moved() {
    let t = start().await;
    let free = json!({ "NORMAL": { "freePerDay": 0 } });
    change(&t.app(), Section::Entitlements, free, "test").await.unwrap();
    let alice = t.log_in("alice").await;
    alice.post("/v1/points/check-in").await.ok();
    finished_job(&alice, "山", 1).await;
    failed_job(&t, &alice).await;
    let totals = alice.get("/v1/points/balance").await.ok();
    let day = |counter: &str| of_day(&t, "2026-01-29", counter);
    assert_eq!(day("points_earned"), totals["totalEarned"].as_i64().unwrap());
    let net = day("points_spent") - day("points_refunded");
    assert_eq!(net, totals["totalSpent"].as_i64().unwrap());
    assert!(day("points_spent") > 0 && day("points_refunded") > 0);
    assert_eq!((day("jobs_succeeded"), day("jobs_failed")), (1, 1));
    assert_counters(&t).await;
}

#[tokio::test]
async fn the_counts_of_the_service_are_kept_for_two_seconds() {
    let t = start().await;
    let first = global(&t).await;
    t.log_in("alice").await;
    let answer = t.get("/v1/stats/global").await;
    assert_eq!(answer.ok(), first);
    let tag = answer.header("etag").unwrap().to_owned();
    let same = t.get("/v1/stats/global").header("if-none-match", tag).await;
    assert_eq!(same.status, 304);
    assert_eq!(global(&t).await["totalUsers"], 1);
    // One who deletes his account is no user any more.
    t.sql("UPDATE users SET openid = NULL, deleted_at = 1");
    assert_eq!(global(&t).await["totalUsers"], 0);
}

#[tokio::test]
async fn a_wrong_counter_is_named_and_mended() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    finished_job(&alice, "山", 1).await;
    t.sql("UPDATE daily_stats SET jobs_succeeded = 7");
    let wrong = service::compare(&t.app().db).await.unwrap();
    let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["daily_stats.jobs_succeeded of 2026-01-29 is 7, the rows come to 1"]);
    service::rebuild(&t.app().db).await.unwrap();
    assert_counters(&t).await;
    finished_job(&alice, "水", 1).await;
    assert_eq!(of_day(&t, "2026-01-29", "jobs_succeeded"), 2);
    assert_counters(&t).await;
}

#[tokio::test]
async fn a_command_names_wrong_counters_and_counts_them_anew() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let file: String = t
        .database()
        .query_row("SELECT file FROM pragma_database_list", [], |row| row.get(0))
        .unwrap();
    let file = std::path::PathBuf::from(file);
    let folder = file.parent().unwrap();
    let run = |more: &[&str]| -> (Option<i32>, String, String) {
        let mut command = command(folder);
        let output = command.args(["statistics", "--data-dir"]).arg(folder).args(more).output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let all_well = "every counter is what the rows come to\n";
    assert_eq!(run(&[]), (Some(0), all_well.to_owned(), String::new()));

    t.sql("UPDATE stats_totals SET users = 7");
    let wrong = "stats_totals.users of the service is 7, the rows come to 1\n";
    let (code, said, complaint) = run(&[]);
    assert_eq!((code, &*said), (Some(1), wrong));
    assert!(complaint.contains("statistics --recount"), "{complaint}");

    let serving = DatabaseLock::take(&file).unwrap();
    let (code, _, complaint) = run(&["--recount"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("in use by process"), "{complaint}");
    drop(serving);
    assert_eq!(t.count("SELECT users FROM stats_totals"), 7, "nothing changed under a server");

    let mended = format!("{wrong}1 counters were wrong and are counted anew\n{all_well}");
    assert_eq!(run(&["--recount"]), (Some(0), mended, String::new()));
    assert_eq!(t.count("SELECT users FROM stats_totals"), 1);
    let nowhere = tempfile::tempdir().unwrap();
    let none = command(nowhere.path()).args(["statistics", "--recount"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(!nowhere.path().join("data").exists(), "a check makes no database");
}
