//! What calls through the proxy cost: taken once, given back once, whatever happens in between.

use dream_bff::base::rng::Rng;
use dream_bff::features::points::service::books::check_books;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::sandbox::{Outcome, Status};
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;

const FOREVER: Duration = Duration::from_secs(3600);

const WEBHOOK_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Free pictures a day for everybody; `None` is no limit.
pub(super) async fn set_quota(t: &TestApp, free_per_day: Option<u32>) {
    let json = json!({ "NORMAL": { "freePerDay": free_per_day } });
    change(&t.app(), Section::Entitlements, json, "test").await.unwrap();
}

/// Everybody pays in points, and rates are no matter of these tests.
async fn paid_with(changes: &[(&str, &str)]) -> TestApp {
    let mut all = vec![("RATE_LIMIT_PER_USER", "0"), ("RATE_LIMIT_GENERATE_PER_USER", "0")];
    all.extend(changes);
    let t = TestApp::with(&all).await;
    set_quota(&t, Some(0)).await;
    t
}

/// One point.
fn draft() -> Value {
    json!({ "prompt": "a fox", "mode": "draft" })
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

async fn used_today(user: &User) -> i64 {
    user.get("/v1/jobs/quota").await.ok()["todayUsed"].as_i64().unwrap()
}

async fn assert_books_balance(t: &TestApp) {
    let app = t.app();
    let report = check_books(&app.db, &app.clock).await.unwrap();
    assert!(report.is_balanced(), "{report:?}");
}

fn charges_in(t: &TestApp, state: &str) -> i64 {
    t.count(&format!("SELECT COUNT(*) FROM proxy_charges WHERE state = '{state}'"))
}

async fn reasons(user: &User) -> Vec<String> {
    let items = user.get("/v1/points/transactions?limit=100").await.ok()["items"].clone();
    let of = |item: &Value| item["reason"].as_str().unwrap().to_owned();
    items.as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn a_call_costs_what_a_job_costs() {
    let t = paid_with(&[]).await;
    for (name, body, price) in [
        ("a", json!({ "prompt": "x" }), 2),
        ("b", draft(), 1),
        ("c", json!({ "prompt": "x", "mode": "draft", "resolution": "2K" }), 2),
        ("d", json!({ "prompt": "x", "resolution": "2K", "sampleCount": 2 }), 8),
        ("e", json!({ "prompt": "x", "n": 3 }), 6),
    ] {
        let user = t.log_in(name).await;
        assert_eq!(user.generate(&body).await.status, 202, "{body}");
        assert_eq!(balance(&user).await, 10 - price, "{body}");
        assert_eq!(reasons(&user).await, ["proxy", "sign_up"]);
    }
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn free_pictures_go_first_and_refusals_come_in_their_order() {
    let t = paid_with(&[]).await;
    set_quota(&t, Some(3)).await;
    let alice = t.log_in("alice").await;
    let of = |count: u32| json!({ "prompt": "x", "mode": "draft", "sampleCount": count });
    assert_eq!(alice.generate(&of(2)).await.status, 202);
    assert_eq!((balance(&alice).await, used_today(&alice).await), (10, 2));
    // A call is never split: with one free picture left, all four are paid.
    assert_eq!(alice.generate(&of(4)).await.status, 202);
    assert_eq!((balance(&alice).await, used_today(&alice).await), (6, 2));

    let sent = asked(&t).len();
    let large = json!({ "prompt": "x", "resolution": "4K" });
    alice.generate(&large).await.fails(403, "VIP_REQUIRED");
    alice.generate(&of(7)).await.fails(402, "INSUFFICIENT_POINTS");
    alice.generate(&json!({ "prompt": "x", "sampleCount": "2" })).await.blames("sampleCount");
    alice.generate(&json!({ "prompt": "x", "n": 0 })).await.blames("n");
    alice.generate(&json!({ "prompt": "x", "mode": 1 })).await.blames("mode");
    let no_points = json!({ "NORMAL": { "pointsAllowed": false } });
    change(&t.app(), Section::Entitlements, no_points, "test").await.unwrap();
    alice.generate(&of(2)).await.fails(403, "QUOTA_EXCEEDED");
    assert_eq!(asked(&t).len(), sent, "nothing that is not paid for is sent");
    assert_eq!((balance(&alice).await, used_today(&alice).await), (6, 2));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn of_a_hundred_at_once_exactly_ten_are_paid_and_sent() {
    let t = paid_with(&[("PROXY_QUEUE", "200")]).await;
    let alice = t.log_in("alice").await;
    let body = draft();
    let answers = join_all((0..100).map(|_| alice.generate(&body).into_future())).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(202), count(402), balance(&alice).await), (10, 90, 0));
    assert_eq!((asked(&t).len(), charges_in(&t, "KEPT")), (10, 10));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn whatever_is_no_good_answer_is_given_back() {
    let t = paid_with(&[("IMAGE_API_TIMEOUT", "1"), ("PROXY_MAX_ANSWER_KIB", "64")]).await;
    let alice = t.log_in("alice").await;
    let faults = t.sandbox.image_api().submit_faults();
    let mut calls = 0;
    for fault in [
        Fault::Error { code: 400 },
        Fault::Error { code: 429 },
        Fault::Error { code: 500 },
        Fault::Error { code: 503 },
        Fault::Html { status: 200 },
        Fault::Html { status: 502 },
        Fault::Drop,
        Fault::Cut,
        Fault::Garbage,
        Fault::Huge { megabytes: 1 },
        Fault::Hang { ms: 5000 },
    ] {
        faults.next(fault.clone(), 1);
        let answer = alice.generate(&draft()).await;
        assert!(answer.status >= 400, "{fault:?}: {}", answer.text());
        calls += 1;
        assert_eq!(balance(&alice).await, 10, "{fault:?}");
        assert_eq!(charges_in(&t, "RETURNED"), calls, "{fault:?}");
    }
    let upstream = Upstream::start(Reaction::answer("307 Elsewhere", &[], b"")).await;
    t.restart_with(&[("IMAGE_API_BASE", &upstream.base())]);
    assert_eq!(alice.generate(&draft()).await.status, 307);
    let (_kept, nowhere) = address_that_refuses();
    t.restart_with(&[("IMAGE_API_BASE", &nowhere)]);
    alice.generate(&draft()).await.fails(502, "PROVIDER_ERROR");
    assert_eq!((balance(&alice).await, charges_in(&t, "OPEN")), (10, 0));

    // Free pictures come back to their day as well.
    set_quota(&t, Some(5)).await;
    alice.generate(&draft()).await.fails(502, "PROVIDER_ERROR");
    assert_eq!((balance(&alice).await, used_today(&alice).await), (10, 0));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_full_queue_costs_nothing_and_tells_the_poor_first() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let base = upstream.base();
    let t =
        paid_with(&[("IMAGE_API_BASE", &base), ("PROXY_CONCURRENCY", "1"), ("PROXY_QUEUE", "0")])
            .await;
    let alice = t.log_in("alice").await;
    let running = tokio::spawn(alice.generate(&draft()).into_future());
    until("the call runs", || upstream.seen().len() == 1).await;
    alice.generate(&draft()).await.fails(503, "SERVICE_OVERLOAD");
    let dear = json!({ "prompt": "x", "sampleCount": 100 });
    alice.generate(&dear).await.fails(402, "INSUFFICIENT_POINTS");
    assert_eq!((balance(&alice).await, charges_in(&t, "RETURNED")), (9, 0));
    upstream.let_go();
    running.await.unwrap().ok();
}

#[tokio::test]
async fn a_job_that_a_read_shows_lost_is_given_back_once() {
    let t = paid_with(&[]).await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let answer = alice.generate(&draft()).await;
        jobs.push(format!("/v1/proxy/jobs/{}", answer.json()["jobId"].as_str().unwrap()));
    }
    let (code, message) = ("PROVIDER_ERROR".to_owned(), "no".to_owned());
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(alice.get(&jobs[0]).await.ok()["status"], "QUEUED");
    assert_eq!(balance(&alice).await, 7);

    assert!(api.end_job(&id(&jobs[0]), &Outcome::Fail { code, message }));
    assert!(api.end_job(&id(&jobs[1]), &Outcome::Succeed));
    let reads = (0..20).map(|_| alice.get(&jobs[0]).into_future());
    for answer in join_all(reads).await {
        assert_eq!(answer.ok()["status"], "FAILED");
    }
    assert_eq!(alice.get(&jobs[1]).await.ok()["status"], "SUCCEEDED");
    assert_eq!(balance(&alice).await, 8);
    // Cancelling shows it too, and what is refused changes nothing.
    assert_eq!(alice.delete(&jobs[2]).await.ok()["status"], "CANCELED");
    assert_eq!(alice.delete(&jobs[2]).await.json()["error"], "INVALID_STATE");
    assert_eq!(alice.delete(&jobs[1]).await.json()["error"], "INVALID_STATE");
    assert_eq!(balance(&alice).await, 9);
    t.restart();
    alice.get(&jobs[0]).await.ok();
    alice.get(&jobs[2]).await.ok();
    assert_eq!((balance(&alice).await, charges_in(&t, "KEPT")), (9, 1));
    assert_books_balance(&t).await;
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn a_job_that_the_webhook_says_is_lost_is_given_back_once() {
    let t = paid_with(&[("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET)]).await;
    t.sandbox.image_api().set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let job = alice.generate(&draft()).await.json()["jobId"].as_str().unwrap().to_owned();
    let call = |body: &str| t.post("/v1/webhooks/image-api").bytes(body.to_owned());
    let said = |status: &str| json!({ "jobId": job, "status": status }).to_string();

    let failed = said("FAILED");
    call(&failed).await.fails(401, "UNAUTHORIZED");
    call(&failed).header("X-Signature", signature("{}")).await.fails(401, "UNAUTHORIZED");
    for early in [said("QUEUED"), said("RUNNING"), json!({ "status": "FAILED" }).to_string()] {
        call(&early).header("X-Signature", signature(&early)).await.ok();
    }
    assert_eq!(balance(&alice).await, 9, "forged and early ones change nothing");
    let again =
        (0..10).map(|_| call(&failed).header("X-Signature", signature(&failed)).into_future());
    for answer in join_all(again).await {
        answer.ok();
    }
    let late = said("CANCELED");
    call(&late).header("X-Signature", signature(&late)).await.ok();
    assert_eq!((balance(&alice).await, charges_in(&t, "RETURNED")), (10, 1));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_and_costs_once() {
    let body = b"{ \"created\" : 1,\n \"data\":[{\"url\":\"https:\\/\\/x\"}] }";
    let upstream = Upstream::start(Reaction::Hold).await;
    let base = upstream.base();
    let t = paid_with(&[("IMAGE_API_BASE", &base)]).await;
    let alice = t.log_in("alice").await;
    let call = |body: &Value| alice.generate(body).header("Idempotency-Key", "k1");

    // Refusals do not burn the key.
    upstream.react(Reaction::answer("503 No", &[], br#"{"error":"SERVICE_OVERLOAD"}"#));
    assert_eq!(call(&draft()).await.status, 503);
    let answer = [("content-type", "application/json")];
    upstream.react(Reaction::answer("201 Made", &answer, body));
    let answers = join_all((0..10).map(|_| call(&draft()).into_future())).await;
    t.restart();
    for answer in answers.into_iter().chain([call(&draft()).await]) {
        assert_eq!((answer.status, answer.body.as_slice()), (201, &body[..]));
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    }
    assert_eq!(upstream.seen().len(), 2);
    for request in upstream.seen() {
        let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
        assert!(head.contains("\r\nidempotency-key: k1\r\n"), "{head}");
    }
    assert_eq!(balance(&alice).await, 9);
    call(&json!({ "prompt": "other" })).await.fails(409, "IDEMPOTENCY_KEY_REUSED");
    let long = "k".repeat(65);
    let answer = alice.generate(&draft()).header("Idempotency-Key", long).await;
    answer.blames("Idempotency-Key");
    // Another user's key is another.
    let bob = t.log_in("bob").await;
    assert_eq!(bob.generate(&draft()).header("Idempotency-Key", "k1").await.status, 201);
    assert_eq!((upstream.seen().len(), balance(&bob).await), (3, 9));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_job_is_paid_once_and_anothers_job_is_not_paid() {
    let t = paid_with(&[]).await;
    t.sandbox.image_api().set_latency(FOREVER);
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let call = |user: &User| user.generate(&draft()).header("Idempotency-Key", "k1");
    let first = call(&alice).await;
    // A day later our answer is forgotten; the image API still knows the key.
    t.clock.advance(Duration::from_secs(25 * 3600));
    let again = call(&alice).await;
    assert_eq!(again.json()["jobId"], first.json()["jobId"]);
    assert_eq!(balance(&alice).await, 9);
    // Bob uses the same key by chance: the job is not his, and costs him nothing.
    assert_eq!(call(&bob).await.status, 202);
    assert_eq!((balance(&bob).await, charges_in(&t, "KEPT")), (10, 1));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_crash_between_charge_and_answer_gives_back() {
    let t = paid_with(&[]).await;
    let api = t.sandbox.image_api();
    api.submit_faults().next(Fault::Hang { ms: 1500 }, 1);
    let alice = t.log_in("alice").await;
    let call = || alice.generate(&draft()).header("Idempotency-Key", "k1").into_future();
    let cut = tokio::spawn(call());
    until("the image API has it", || api.jobs(10).len() == 1).await;
    // What is under way is nobody else's to settle.
    t.run_periodic_tasks().await;
    assert_eq!((balance(&alice).await, charges_in(&t, "OPEN")), (9, 1));
    t.restart();
    until("it is given back", || charges_in(&t, "OPEN") == 0).await;
    assert_eq!((balance(&alice).await, charges_in(&t, "RETURNED")), (10, 1));
    // The answer comes to a process that is no more: it is not kept as well.
    assert!(cut.await.unwrap().status >= 500);
    assert_eq!((balance(&alice).await, charges_in(&t, "KEPT")), (10, 0));

    // The same key is the same job there, and is paid for now.
    assert_eq!(call().await.status, 202);
    assert_eq!((api.jobs(10).len(), balance(&alice).await), (1, 9));
    t.run_periodic_tasks().await;
    assert_eq!((balance(&alice).await, charges_in(&t, "KEPT")), (9, 1));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn what_a_call_costs_does_not_depend_on_the_client_staying() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let base = upstream.base();
    let t =
        paid_with(&[("IMAGE_API_BASE", &base), ("PROXY_CONCURRENCY", "1"), ("PROXY_QUEUE", "5")])
            .await;
    let app = t.app();
    let alice = t.log_in("alice").await;
    let running =
        tokio::spawn(alice.generate(&draft()).header("Idempotency-Key", "k1").into_future());
    until("the call runs", || upstream.seen().len() == 1).await;
    let waiting = tokio::spawn(alice.generate(&draft()).into_future());
    until("another waits", || app.image_api.waiting() == 1).await;
    assert_eq!(balance(&alice).await, 8);
    running.abort();
    waiting.abort();
    // Who only waited is given back; who was sent pays for what he gets.
    until("the queue is left", || charges_in(&t, "RETURNED") == 1).await;
    upstream.let_go();
    until("the answer is noted", || charges_in(&t, "KEPT") == 1).await;
    assert_eq!(upstream.seen().len(), 1);
    assert_eq!(balance(&alice).await, 9);
    let again = alice.generate(&draft()).header("Idempotency-Key", "k1").await;
    assert_eq!((again.status, again.text().as_str()), (200, "{}"));
    assert_eq!((upstream.seen().len(), balance(&alice).await), (1, 9));
    assert_books_balance(&t).await;
}

/// Random calls, answers, reads, announcements, departures and crashes: in the end what is paid is what
/// is kept, in points and in free pictures.
async fn history(seed: u64) {
    let t = paid_with(&[("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET)]).await;
    set_quota(&t, Some(3)).await;
    let rng = Rng::seeded(seed);
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let alice = t.log_in("alice").await;
    let mut calls = Vec::new();
    for step in 0..40 {
        let pick = |count: usize| usize::try_from(rng.below(count as u64)).unwrap();
        let there: Vec<String> = api.jobs(100).into_iter().map(|job| job.id).collect();
        let (code, message) = ("PROVIDER_ERROR".to_owned(), "no".to_owned());
        match rng.below(9) {
            0..=2 => {
                let key = format!("k{}", rng.below(step + 1));
                let call = alice.generate(&draft()).header("Idempotency-Key", key);
                calls.push(tokio::spawn(call.into_future()));
            }
            3 => {
                let faults = [
                    Fault::Drop,
                    Fault::Cut,
                    Fault::Garbage,
                    Fault::Error { code: 503 },
                    Fault::Hang { ms: 40 },
                ];
                api.submit_faults().next(faults[pick(faults.len())].clone(), 1);
            }
            4 if !there.is_empty() => {
                let outcome = [Outcome::Succeed, Outcome::Fail { code, message }];
                api.end_job(&there[pick(there.len())], &outcome[pick(2)]);
            }
            5 if !there.is_empty() => {
                let path = format!("/v1/proxy/jobs/{}", there[pick(there.len())]);
                let answer = if rng.below(3) == 0 { alice.delete(&path) } else { alice.get(&path) };
                assert!([200, 400, 404].contains(&answer.await.status));
            }
            6 if !there.is_empty() => {
                let id = &there[pick(there.len())];
                let status = api.job(id).unwrap().status;
                let body = json!({ "jobId": id, "status": status }).to_string();
                let call = t.post("/v1/webhooks/image-api").bytes(body.clone());
                call.header("X-Signature", signature(&body)).await.ok();
            }
            7 => t.restart(),
            _ if !calls.is_empty() => calls[pick(calls.len())].abort(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(rng.below(15))).await;
    }
    for call in calls {
        if let Ok(answer) = call.await {
            assert!([202, 402, 500, 502, 503].contains(&answer.status), "{}", answer.text());
        }
    }
    t.restart();
    until("nothing is open", || charges_in(&t, "OPEN") == 0).await;
    // Every job that the user has, and no other, is paid for once, unless it is known to be lost.
    for job in api.jobs(100) {
        let path = format!("/v1/proxy/jobs/{}", job.id);
        let is_his = alice.get(&path).await.status == 200;
        let query = format!(
            "SELECT COUNT(*) FROM proxy_charges WHERE state = 'KEPT' AND job_id = '{}'",
            job.id
        );
        let is_lost = matches!(job.status, Status::Failed | Status::Canceled);
        assert_eq!(t.count(&query), i64::from(is_his && !is_lost), "seed {seed}: {job:?}");
    }
    let paid = t.count("SELECT COALESCE(SUM(points), 0) FROM proxy_charges WHERE state = 'KEPT'");
    let free =
        t.count("SELECT COALESCE(SUM(quota_used), 0) FROM proxy_charges WHERE state = 'KEPT'");
    assert_eq!(balance(&alice).await, 10 - paid, "seed {seed}");
    assert_eq!(used_today(&alice).await, free, "seed {seed}");
    assert_books_balance(&t).await;
}

/// `HISTORIES` says how many.
#[tokio::test]
async fn every_history_ends_with_each_call_kept_or_given_back() {
    let histories = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    for seed in 0..histories {
        history(seed).await;
    }
}
