//! `Idempotency-Key`: DESIGN's promise to clients that repeat a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dream_bff::base::ids::UserId;
use dream_bff::features::idempotency::{Answer, IdempotencyError, KeyedRequest, service};
use dream_bff::features::points::Batch;
use dream_bff::features::points::service::redeem::create_batch;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::{Answer as Got, TestApp, User};

const KEY: &str = "Idempotency-Key";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn codes(t: &TestApp, count: u32) -> Vec<String> {
    let batch = Batch {
        name: "测试".to_owned(),
        points: 50,
        count,
        expires_at: None,
        created_by: "test".to_owned(),
    };
    create_batch(&t.app(), batch).await.unwrap().1
}

async fn redeem(user: &User, code: &str, key: &str) -> Got {
    user.post("/v1/points/redeem").json(&json!({ "code": code })).header(KEY, key).await
}

async fn check_in(user: &User, key: &str) -> Got {
    user.post("/v1/points/check-in").header(KEY, key).await
}

#[tokio::test]
async fn a_repeated_call_has_the_first_answer_and_one_effect() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let codes = codes(&t, 2).await;
    let first = redeem(&alice, &codes[0], "k").await;
    assert_eq!(first.ok(), json!({ "balance": 60, "earned": 50 }));
    // The balance has moved on; the answer has not.
    check_in(&alice, "other").await.ok();
    for _ in 0..2 {
        let again = redeem(&alice, &codes[0], "k").await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("content-type"), first.header("content-type"));
    }
    t.restart();
    let again = redeem(&alice, &codes[0], "k").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(t.count("SELECT points_balance FROM users"), 61);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_user() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let codes = codes(&t, 2).await;
    redeem(&alice, &codes[0], "k").await.ok();
    redeem(&alice, &codes[1], "k").await.fails(409, "IDEMPOTENCY_KEY_REUSED");
    check_in(&alice, "k").await.fails(409, "IDEMPOTENCY_KEY_REUSED");
    // Bob's keys are his own.
    assert_eq!(redeem(&bob, &codes[1], "k").await.ok()["balance"], 60);
}

#[tokio::test]
async fn a_refused_request_does_not_burn_its_key() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    redeem(&alice, "0000", "k").await.fails(404, "CODE_NOT_FOUND");
    redeem(&alice, "", "k").await.blames("code");
    let code = codes(&t, 1).await.remove(0);
    redeem(&alice, &code, "k").await.ok();
    // The other way round: what was good stays good, though it would be refused by now.
    check_in(&alice, "c").await.ok();
    check_in(&alice, "d").await.fails(409, "INVALID_STATE");
    check_in(&alice, "c").await.ok();
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    check_in(&alice, "k").await.ok();
    t.clock.advance(DAY - Duration::from_millis(1));
    assert_eq!(check_in(&alice, "k").await.ok()["streak"], 1);
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM idempotency_keys"), 1);
    t.clock.advance(Duration::from_millis(1));
    assert_eq!(check_in(&alice, "k").await.ok()["streak"], 2, "also before it is swept");
    t.clock.advance(DAY);
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM idempotency_keys"), 0);
}

#[tokio::test]
async fn a_key_has_1_to_64_characters() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let long = "k".repeat(65);
    for key in [b"".as_slice(), long.as_bytes(), "梦".as_bytes(), b"\xff"] {
        let answer = alice.post("/v1/points/check-in").header(KEY, key).await;
        answer.blames(KEY);
    }
    let twice = alice.post("/v1/points/check-in").header(KEY, "a").header(KEY, "b");
    twice.await.blames(KEY);
    // The token is judged first.
    t.post("/v1/points/check-in").header(KEY, &long).await.fails(401, "UNAUTHORIZED");
    check_in(&alice, &long[1..]).await.ok();
}

#[tokio::test]
async fn calls_at_once_with_one_key_have_one_answer_and_one_effect() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let code = codes(&t, 1).await.remove(0);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let (alice, code) = (alice.clone(), code.clone());
        calls.spawn(async move { redeem(&alice, &code, "k").await.ok() });
    }
    for answer in calls.join_all().await {
        assert_eq!(answer, json!({ "balance": 60, "earned": 50 }));
    }
    assert_eq!(t.count("SELECT points_balance FROM users"), 60);
}

#[tokio::test]
async fn a_second_call_waits_for_the_first() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let (app, id) = (t.app(), UserId(alice.id));
    let (runs, begun, go) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let call = || {
        let (app, runs) = (Arc::clone(&app), Arc::clone(&runs));
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        let call = KeyedRequest::new("k", "/v1/x", b"body").unwrap().of(id);
        tokio::spawn(async move {
            service::run(&app, Some(call), |_| async move {
                runs.fetch_add(1, Ordering::SeqCst);
                begun.notify_one();
                go.notified().await;
                // Not stored by the effect: it is stored after it.
                Ok::<_, IdempotencyError>(Answer::json(201, &"done".to_owned()))
            })
            .await
        })
    };
    let first = call();
    begun.notified().await;
    let second = call();
    go.notify_one();
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_eq!(first.status, 201);
    assert_eq!(first, second);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_effect_of_another_process_is_not_repeated() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let (app, id) = (t.app(), UserId(alice.id));
    let call = KeyedRequest::new("k", "/v1/x", b"body").unwrap().of(id);
    let other = call.clone();
    let now = t.clock.now();
    let store = |app: Arc<dream_bff::app::App>, ticket| async move {
        app.db
            .write("test.effect", move |tx| {
                tx.execute("UPDATE users SET nick_name = COALESCE(nick_name, '') || 'x'", [])?;
                service::store_in(tx, &ticket, &Answer::json(200, &1), now)?;
                Ok::<_, IdempotencyError>(Answer::json(200, &1))
            })
            .await
    };
    let outcome = service::run(&app, Some(call), |ticket| {
        let app = Arc::clone(&app);
        async move {
            // Another process, which our turns do not know of, does the same meanwhile.
            t.sql(
                "INSERT INTO idempotency_keys
                   (user_id, key, path, body_hash, status, answer, created_at)
                 SELECT id, 'k', '/v1/x', zeroblob(32), 200, x'32', 1769688000000 FROM users",
            );
            store(app, ticket).await
        }
    })
    .await;
    assert!(matches!(outcome, Err(IdempotencyError::Running)), "{outcome:?}");
    assert_eq!(alice.get("/v1/users/me").await.ok()["nickName"], "微信用户", "undone");
    let reused = service::run(&app, Some(other), |_| async move { unreachable!() }).await;
    assert!(matches!(reused, Err::<Answer, _>(IdempotencyError::KeyReused)), "{reused:?}");
}
