//! Image jobs: what they cost, how they end, and that nothing is lost or charged twice on the way.

mod attempts;
mod history;
mod machine;
mod upstreams;

use std::time::Duration;

use dream_bff::base::secret::Secret;
use dream_bff::features::points::service::books::check_books;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::sandbox::{Fault, Outcome, Webhook};
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Answer, TestApp, User};

const FOREVER: Duration = Duration::from_secs(3600);

/// The longest a job may take here before a test calls it stuck.
const ROUNDS: usize = 60;

async fn start() -> TestApp {
    start_with(&[]).await
}

/// Without limits that are not what these tests are about.
async fn start_with(changes: &[(&str, &str)]) -> TestApp {
    let mut all = vec![
        ("RATE_LIMIT_PER_USER", "0"),
        ("RATE_LIMIT_GENERATE_PER_USER", "0"),
        ("JOB_QUEUE_MAX_PER_USER", "1000"),
    ];
    all.extend(changes);
    TestApp::with(&all).await
}

async fn set(t: &TestApp, section: Section, json: Value) {
    change(&t.app(), section, json, "test").await.unwrap();
}

/// No free pictures: every job is paid in points.
async fn without_quota(t: &TestApp) {
    set(t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": 0 } })).await;
}

fn draft() -> Value {
    json!({ "prompt": "a fox in the snow", "mode": "draft", "aspectRatio": "1:1" })
}

async fn submit(user: &User, body: &Value) -> Answer {
    user.post("/v1/images/generate").json(body).await
}

async fn submitted(user: &User, body: &Value) -> String {
    let answer = submit(user, body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["status"], "QUEUED");
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

async fn job(user: &User, id: &str) -> Value {
    user.get(&format!("/v1/jobs/{id}")).await.ok()
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

async fn used_today(user: &User) -> i64 {
    user.get("/v1/jobs/quota").await.ok()["todayUsed"].as_i64().unwrap()
}

/// The job once its status is one of these.
async fn when(user: &User, id: &str, statuses: &[&str]) -> Value {
    for _ in 0..ROUNDS {
        let found = user.get(&format!("/v1/jobs/{id}?wait=1")).await.ok();
        if statuses.iter().any(|status| found["status"] == *status) {
            return found;
        }
    }
    panic!("not {statuses:?} in time: {}", job(user, id).await);
}

async fn ended(user: &User, id: &str) -> Value {
    when(user, id, &["SUCCEEDED", "FAILED", "CANCELED"]).await
}

/// The job once the image API knows it.
async fn there(t: &TestApp, user: &User, id: &str) -> String {
    when(user, id, &["RUNNING"]).await;
    let query = format!("SELECT upstream_job_id FROM generations WHERE job_id = '{id}'");
    for _ in 0..1000 {
        let found: Option<String> = t.database().query_row(&query, [], |row| row.get(0)).unwrap();
        if let Some(found) = found {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the image API never got {id}");
}

async fn assert_books_balance(t: &TestApp) {
    let app = t.app();
    let report = check_books(&app.db, &app.clock).await.unwrap();
    assert!(report.is_balanced(), "{report:?}");
}

#[tokio::test]
async fn a_job_becomes_a_picture_with_a_thumbnail() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let body =
        json!({ "prompt": " a fox ", "mode": "draft", "sampleCount": 2, "templateTitle": "x" });
    let answer = submit(&alice, &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["pointsCharged"], 0);
    assert_eq!(answer.json()["queuePosition"], 1);
    let id = answer.json()["jobId"].as_str().unwrap().to_owned();
    let done = ended(&alice, &id).await;
    assert_eq!(done["status"], "SUCCEEDED", "{done}");
    for urls in ["resultUrls", "thumbnailUrls"] {
        assert_eq!(done[urls].as_array().unwrap().len(), 2);
        let url = done[urls][0].as_str().unwrap();
        let path = &url[url.find("/media/").unwrap()..];
        assert_eq!(t.get(path).await.status, 200);
    }
    assert_eq!((used_today(&alice).await, balance(&alice).await), (2, 10));
    let list = alice.get("/v1/jobs?status=SUCCEEDED&page=1").await.ok();
    let item = &list["items"][0];
    assert_eq!((&item["prompt"], &item["templateTitle"]), (&json!("a fox"), &json!("x")));
    assert_eq!((&list["total"], &item["resultUrls"]), (&json!(1), &done["resultUrls"]));
    assert_eq!(alice.get("/v1/jobs?status=FAILED").await.ok()["items"], json!([]));
    let bob = t.log_in("bob").await;
    bob.get(&format!("/v1/jobs/{id}")).await.fails(404, "JOB_NOT_FOUND");
    bob.delete(&format!("/v1/jobs/{id}")).await.fails(404, "JOB_NOT_FOUND");
    bob.get(&format!("/v1/jobs/{id}/events")).await.fails(404, "JOB_NOT_FOUND");
    let conflict = alice.delete(&format!("/v1/jobs/{id}")).await;
    conflict.fails(409, "INVALID_STATE");
}

#[tokio::test]
async fn five_hundred_at_once_spend_exactly_the_last_ten_points() {
    let t = start().await;
    without_quota(&t).await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let body = draft();
    let answers = join_all((0..500).map(|_| submit(&alice, &body))).await;
    let accepted = answers.iter().filter(|answer| answer.status == 202).count();
    let refused = answers.iter().filter(|answer| answer.status == 402).count();
    assert_eq!((accepted, refused, balance(&alice).await), (10, 490, 0));
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 10);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn five_hundred_at_once_use_exactly_the_daily_quota() {
    let t = start().await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "pointsAllowed": false } })).await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let body = draft();
    let answers = join_all((0..500).map(|_| submit(&alice, &body))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(202), count(403), used_today(&alice).await), (5, 495, 5));
    submit(&alice, &body).await.fails(403, "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn refusals_come_in_their_order() {
    let t = start_with(&[("JOB_QUEUE_MAX_PER_USER", "1"), ("JOB_QUEUE_MAX", "2")]).await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": 0, "concurrency": 1 } }))
        .await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    submit(&alice, &json!({ "prompt": "x", "resolution": "4K" })).await.fails(403, "VIP_REQUIRED");
    let running = submitted(&alice, &draft()).await;
    when(&alice, &running, &["RUNNING"]).await;
    submitted(&alice, &draft()).await;
    let too_many = submit(&alice, &draft()).await;
    too_many.fails(429, "RATE_LIMIT_EXCEEDED");
    assert!(too_many.header("retry-after").is_some());
    let dear = json!({ "prompt": "x", "resolution": "2K", "sampleCount": 10 });
    submit(&alice, &dear).await.fails(402, "INSUFFICIENT_POINTS");
    submit(&alice, &json!({ "prompt": "x", "resolution": "4K" })).await.fails(403, "VIP_REQUIRED");
    for (field, body) in [
        ("prompt", json!({ "prompt": " " })),
        ("prompt", json!({})),
        ("mode", json!({ "prompt": "x", "mode": "best" })),
        ("aspectRatio", json!({ "prompt": "x", "aspectRatio": "7:3" })),
        ("sampleCount", json!({ "prompt": "x", "sampleCount": 11 })),
        ("inputImageUrl", json!({ "prompt": "x", "inputImageUrl": "http://127.0.0.1/a.png" })),
        ("inputImage", json!({ "prompt": "x", "inputImage": "data:text/html;base64,AAAA" })),
    ] {
        submit(&alice, &body).await.blames(field);
    }
}

#[tokio::test]
async fn a_cancelled_job_gives_back_once() {
    let t = start().await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": 1, "concurrency": 1 } }))
        .await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let running = submitted(&alice, &draft()).await;
    when(&alice, &running, &["RUNNING"]).await;
    let waiting = submitted(&alice, &draft()).await;
    assert_eq!(balance(&alice).await, 9);
    let found = job(&alice, &waiting).await;
    assert_eq!((&found["queuePosition"], &found["pointsCharged"]), (&json!(1), &json!(1)));
    let path = format!("/v1/jobs/{waiting}");
    let answers = join_all((0..20).map(|_| alice.delete(&path).into_future())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 19);
    let found = job(&alice, &waiting).await;
    assert_eq!((&found["status"], &found["pointsRefunded"]), (&json!("CANCELED"), &json!(1)));
    assert_eq!((balance(&alice).await, used_today(&alice).await), (10, 1));
    alice.delete(&format!("/v1/jobs/{running}")).await.fails(409, "INVALID_STATE");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_given_back() {
    let t = start().await;
    without_quota(&t).await;
    set(&t, Section::Jobs, json!({ "retry": { "firstDelayMs": 20 } })).await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    for fault in [Fault::Error { code: 503 }, Fault::Drop, Fault::Cut, Fault::Error { code: 429 }] {
        api.submit_faults().next(fault.clone(), 1);
        let id = submitted(&alice, &draft()).await;
        let mut done = job(&alice, &id).await;
        for _ in 0..ROUNDS {
            if done["status"] == "SUCCEEDED" {
                break;
            }
            // The pause that an image API asks for goes by the clock.
            t.clock.advance(Duration::from_secs(1));
            done = alice.get(&format!("/v1/jobs/{id}?wait=1")).await.ok();
        }
        assert_eq!(done["status"], "SUCCEEDED", "{fault:?}: {done}");
    }
    // The one that was cut had been taken: the same key found it again.
    assert_eq!(api.jobs(100).len(), 4);
    assert_eq!(balance(&alice).await, 6);

    let (code, message) = ("PROVIDER_ERROR".to_owned(), "no".to_owned());
    api.outcomes().next(Outcome::Fail { code, message }, 1);
    let failed = submitted(&alice, &draft()).await;
    let failed = ended(&alice, &failed).await;
    assert_eq!(failed["error"], json!({ "code": "PROVIDER_ERROR", "message": "no" }), "{failed}");
    assert_eq!((&failed["pointsCharged"], &failed["pointsRefunded"]), (&json!(1), &json!(1)));
    api.submit_faults().next(Fault::Error { code: 400 }, 1);
    let rejected = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &rejected).await["error"]["code"], "INVALID_REQUEST");
    assert_eq!(balance(&alice).await, 6);
    assert_books_balance(&t).await;
}

/// Runs a job into its deadline while the image API has it; gives its names here and there.
async fn overdue(t: &TestApp, alice: &User) -> (String, String) {
    t.sandbox.image_api().set_latency(FOREVER);
    let id = submitted(alice, &draft()).await;
    let there = there(t, alice, &id).await;
    t.clock.advance(Duration::from_secs(601));
    t.run_periodic_tasks().await;
    let failed = ended(alice, &id).await;
    assert_eq!(failed["error"]["code"], "PROVIDER_TIMEOUT", "{failed}");
    (id, there)
}

#[tokio::test]
async fn a_late_picture_is_delivered_and_paid_as_far_as_it_can_be() {
    let t = start().await;
    without_quota(&t).await;
    let alice = t.log_in("alice").await;
    let (id, there) = overdue(&t, &alice).await;
    assert_eq!(balance(&alice).await, 10);
    assert!(t.sandbox.image_api().end_job(&there, &Outcome::Succeed));
    t.run_periodic_tasks().await;
    t.run_periodic_tasks().await;
    let late = job(&alice, &id).await;
    assert_eq!((&late["status"], &late["error"]), (&json!("SUCCEEDED"), &Value::Null), "{late}");
    assert_eq!(balance(&alice).await, 9);

    // Spent meanwhile: the picture is free.
    let (id, there) = overdue(&t, &alice).await;
    let rest = json!({ "prompt": "x", "mode": "draft", "sampleCount": 9 });
    submitted(&alice, &rest).await;
    assert_eq!(balance(&alice).await, 0);
    assert!(t.sandbox.image_api().end_job(&there, &Outcome::Succeed));
    t.run_periodic_tasks().await;
    assert_eq!(job(&alice, &id).await["status"], "SUCCEEDED");
    assert_eq!(balance(&alice).await, 0);

    // Beyond the grace there is nothing more to come.
    set(&t, Section::Jobs, json!({ "lateGraceS": 10 })).await;
    let bob = t.log_in("bob").await;
    let (id, there) = overdue(&t, &bob).await;
    t.clock.advance(Duration::from_secs(11));
    assert!(t.sandbox.image_api().end_job(&there, &Outcome::Succeed));
    t.run_periodic_tasks().await;
    assert_eq!(job(&bob, &id).await["status"], "FAILED");
    assert_eq!(balance(&bob).await, 10);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_start_takes_up_what_the_last_process_left() {
    let t = start().await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "concurrency": 1 } })).await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let known = submitted(&alice, &draft()).await;
    let there = there(&t, &alice, &known).await;
    let waiting = submitted(&alice, &draft()).await;
    t.restart();
    api.set_latency(Duration::ZERO);
    assert!(api.end_job(&there, &Outcome::Succeed));
    assert_eq!(ended(&alice, &known).await["status"], "SUCCEEDED");
    assert_eq!(ended(&alice, &waiting).await["status"], "SUCCEEDED");
    assert_eq!(api.jobs(100).len(), 2);

    // The image API had got it, but the process died before it knew: the same key finds it.
    api.set_latency(FOREVER);
    api.submit_faults().next(Fault::Hang { ms: 60_000 }, 1);
    let unknown = submitted(&alice, &draft()).await;
    when(&alice, &unknown, &["RUNNING"]).await;
    crate::support::until("the image API has it", || api.jobs(100).len() == 3).await;
    t.restart();
    let there = self::there(&t, &alice, &unknown).await;
    assert!(api.end_job(&there, &Outcome::Succeed));
    assert_eq!(ended(&alice, &unknown).await["status"], "SUCCEEDED");
    assert_eq!((api.jobs(100).len(), used_today(&alice).await), (3, 3));
}

const WEBHOOK_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn the_webhook_is_a_hint_and_only_when_it_is_signed() {
    let t = start_with(&[("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET)]).await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let id = submitted(&alice, &draft()).await;
    let there = there(&t, &alice, &id).await;
    let body = json!({ "jobId": there, "status": "SUCCEEDED" }).to_string();
    let call = |body: &str| t.post("/v1/webhooks/image-api").bytes(body.to_owned());
    call(&body).await.fails(401, "UNAUTHORIZED");
    for forged in ["sha256=", "sha256=00", "x", &signature("{}"), &signature(&body)[7..]] {
        call(&body).header("X-Signature", forged).await.fails(401, "UNAUTHORIZED");
    }
    // Early: it says what is not so.
    call(&body).header("X-Signature", signature(&body)).await.ok();
    assert_eq!(job(&alice, &id).await["status"], "RUNNING");
    for odd in ["{}", "[]", "no json", r#"{"jobId":"job_unknown"}"#] {
        call(odd).header("X-Signature", signature(odd)).await.ok();
    }
    api.end_job(&there, &Outcome::Succeed);
    for _ in 0..3 {
        call(&body).header("X-Signature", signature(&body)).await.ok();
    }
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
    call(&body).header("X-Signature", signature(&body)).await.ok();
    assert_eq!(t.count("SELECT COUNT(*) FROM generation_images"), 1);

    // Without a secret nobody is believed; the simulator's own signature is understood.
    t.restart_with(&[("IMAGE_API_WEBHOOK_SECRET", "")]);
    call(&body).header("X-Signature", signature(&body)).await.fails(401, "UNAUTHORIZED");
    t.restart_with(&[("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET)]);
    let listening = t.listen();
    let url = format!("http://{}/v1/webhooks/image-api", listening.address);
    api.set_webhook(Some(Webhook { url, secret: Secret::new(WEBHOOK_SECRET.to_owned()) }));
    let id = submitted(&alice, &draft()).await;
    let there = self::there(&t, &alice, &id).await;
    api.end_job(&there, &Outcome::Succeed);
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let id = submitted(&alice, &draft()).await;
    let there = there(&t, &alice, &id).await;
    let events = alice.get(&format!("/v1/jobs/{id}/events")).into_future();
    let end = async { api.end_job(&there, &Outcome::Succeed) };
    let (events, _) = tokio::join!(events, end);
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let text = events.text();
    let statuses: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| serde_json::from_str::<Value>(data.trim()).unwrap()["status"].to_string())
        .collect();
    assert_eq!(statuses, ["\"RUNNING\"", "\"SUCCEEDED\""], "{text}");
    assert!(text.contains("event: status") || text.contains("event:status"), "{text}");
    alice.get(&format!("/v1/jobs/{id}?wait=99")).await.ok();
    alice.get(&format!("/v1/jobs/{id}?wait=-1")).await.blames("wait");
    alice.get("/v1/jobs/nothing").await.fails(404, "JOB_NOT_FOUND");
}

#[tokio::test]
async fn a_repeated_submission_is_one_job() {
    let t = start().await;
    without_quota(&t).await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let body = draft();
    let call = || alice.post("/v1/jobs").header("Idempotency-Key", "k1").json(&body).into_future();
    let answers = join_all((0..20).map(|_| call())).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!((t.count("SELECT COUNT(*) FROM generations"), balance(&alice).await), (1, 9));
    let other =
        alice.post("/v1/jobs").header("Idempotency-Key", "k1").json(&json!({ "prompt": "y" }));
    other.await.fails(409, "IDEMPOTENCY_KEY_REUSED");
    let ids: Vec<String> = {
        let mut ids = vec![answers[0].json()["jobId"].as_str().unwrap().to_owned()];
        for _ in 0..4 {
            ids.push(submitted(&alice, &body).await);
        }
        ids.into_iter().rev().collect()
    };
    let first = alice.get("/v1/jobs?limit=3").await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = alice.get(&format!("/v1/jobs?limit=3&cursor={cursor}")).await.ok();
    let of = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!([of(&first), of(&rest)].concat(), ids);
    assert_eq!((&rest["hasMore"], &rest["nextCursor"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn of_a_job_that_is_not_delivered_no_picture_is_kept() {
    let t = start().await;
    set(&t, Section::Jobs, json!({ "retry": { "maxAttempts": 1 } })).await;
    let files = t.sandbox.image_api().file_faults();
    // The first picture comes, the second does not.
    files.next(Fault::Hang { ms: 1 }, 1);
    files.always(Fault::Error { code: 404 });
    let alice = t.log_in("alice").await;
    let mut body = draft();
    body["sampleCount"] = json!(2);
    let id = submitted(&alice, &body).await;
    when(&alice, &id, &["FAILED"]).await;
    assert_eq!(
        t.count("SELECT COUNT(*) FROM media_objects"),
        2,
        "picture and thumbnail were stored"
    );
    let kept = "SELECT COUNT(*) FROM media_objects WHERE unused_since IS NULL";
    assert_eq!(t.count(kept), 0, "nothing would ever remove them");
}

#[tokio::test]
async fn a_running_job_goes_elsewhere_when_its_image_api_was_taken_out_of_the_settings() {
    let t = start().await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let id = submitted(&alice, &draft()).await;
    when(&alice, &id, &["RUNNING"]).await;
    api.set_latency(Duration::ZERO);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("upstreams.json");
    // Another name, and the key is another customer there: nothing is known of the job.
    let other = json!([{ "name": "other", "base": api.base(), "key": "sk-other-customer" }]);
    std::fs::write(&file, other.to_string()).unwrap();
    api.set_accept_any_key(true);
    t.restart_with(&[("IMAGE_UPSTREAMS_PATH", file.to_str().unwrap())]);
    when(&alice, &id, &["SUCCEEDED"]).await;
}
