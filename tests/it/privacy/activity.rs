//! Whatever somebody has done: what is left of it when he is gone.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// What somebody may have done before he leaves.
#[derive(Clone, Copy, Debug)]
enum Act {
    Publish,
    Job,
    Like,
    Favorite,
    CheckIn,
    Order,
    Pay,
    Proxy,
    Name,
    LogIn,
}

async fn act(t: &TestApp, user: &User, act: Act, others: i64) {
    match act {
        Act::Publish => {
            let job = finished_job(user, PROMPT, 1).await;
            publish(user, &job, 0, &["标签"]).await;
        }
        Act::Job => drop(submitted(user, PROMPT).await),
        Act::Like => {
            user.post(&format!("/v1/gallery/images/{others}/like")).await.ok();
        }
        Act::Favorite => {
            let body = json!({ "type": "image", "resourceId": others.to_string() });
            let answer = user.post("/v1/favorites").header("Idempotency-Key", "f").json(&body);
            assert!(answer.await.status < 300);
        }
        Act::CheckIn => drop(user.post("/v1/points/check-in").await),
        Act::Order => drop(order(user, "vip_month").await),
        Act::Pay => {
            let placed = order(user, "vip_month").await;
            t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
            t.deliver_notifications().await;
        }
        Act::Proxy => {
            // A prompt that the proxy passes through leaves a job and a charge.
            user.generate(&json!({ "prompt": PROMPT })).await;
        }
        Act::Name => {
            let body = json!({ "nickName": NICK_NAME, "avatarUrl": AVATAR });
            user.patch("/v1/users/me").json(&body).await.ok();
        }
        Act::LogIn => drop(t.log_in(OPENID).await),
    }
}

/// Whatever somebody did: once he has left, nothing in any table names him, and the books are right.
#[test]
fn after_any_activity_nothing_is_left() {
    use Act::{CheckIn, Favorite, Job, Like, LogIn, Name, Order, Pay, Proxy, Publish};
    let all = [Publish, Job, Like, Favorite, CheckIn, Order, Pay, Proxy, Name, LogIn];
    let acts = prop::collection::vec(prop::sample::select(all.to_vec()), 3..10);
    let config = Config { cases: 4, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    TestRunner::new(config)
        .run(&acts, |acts| {
            runtime.block_on(async {
                let t = start().await;
                let bob = t.log_in("bob").await;
                let others = published(&bob, "别人的").await;
                let user = zhang(&t).await;
                for one in acts {
                    act(&t, &user, one, others).await;
                }
                user.delete("/v1/users/me").await.ok();
                settle(&t).await;
                let texts = [OPENID, NICK_NAME, PHONE, PROMPT, AVATAR];
                until("nothing names him", || places(&t, &texts).is_empty()).await;
                let open = "SELECT COUNT(*) FROM generations WHERE completed_at IS NULL";
                until("what ran has ended", || t.count(open) == 0).await;
                settle(&t).await;
                assert_eq!(t.count("SELECT COUNT(*) FROM account_closures"), 0);
                assert_books_balance(&t).await;
                assert_counters_are_exact(&t);
            });
            Ok(())
        })
        .unwrap();
}
