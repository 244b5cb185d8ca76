//! What is held of a user and what becomes of it: the export, the end of an account, bans.

mod activity;
mod payers;

use std::time::Duration;

use dream_bff::base::ids::UserId;
use dream_bff::features::account::service::{ban, begin_deletion, unban};
use dream_bff::features::audit::Actor;
use dream_bff::features::gallery::service::changed as gallery_changed;
use dream_bff::features::points::service::books::check_books;
use dream_bff::features::settings::{Section, service::change};
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

use crate::gallery::{finished_job, ids, many, publish, published, start};
use crate::support::{JWT_SECRET, TestApp, User, until};

const OPENID: &str = "oX9zhangwei-openid-7";
const NICK_NAME: &str = "张伟的昵称";
const PHONE: &str = "13987654321";
const PROMPT: &str = "雪山下的一只狐狸望着远方的灯火";
const AVATAR: &str = "https://example.com/avatars/zhangwei.png";

/// Somebody with a name, a picture and a phone number.
async fn zhang(t: &TestApp) -> User {
    let user = t.log_in(OPENID).await;
    let profile = json!({ "nickName": NICK_NAME, "avatarUrl": AVATAR });
    user.patch("/v1/users/me").json(&profile).await.ok();
    let code = t.sandbox.wechat().phone_code(PHONE);
    user.post("/v1/users/me/phone").json(&json!({ "code": code })).await.ok();
    user
}

async fn order(user: &User, plan: &str) -> Value {
    let body = json!({ "planId": plan, "paymentMethod": "wechat" });
    user.post("/v1/orders").json(&body).await.ok()
}

async fn submitted(user: &User, prompt: &str) -> String {
    let body = json!({ "prompt": prompt, "mode": "draft" });
    let answer = user.post("/v1/jobs").json(&body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

async fn running(user: &User, job: &str) {
    for _ in 0..60 {
        if user.get(&format!("/v1/jobs/{job}?wait=1")).await.ok()["status"] == "RUNNING" {
            return;
        }
    }
    panic!("it does not run");
}

fn admin() -> Actor {
    Actor::admin("root")
}

/// The time in which requests under way may leave something is over.
async fn settle(t: &TestApp) {
    t.clock.advance(Duration::from_secs(61));
    t.run_periodic_tasks().await;
}

async fn assert_books_balance(t: &TestApp) {
    let report = check_books(&t.app().db, &t.app().clock).await.unwrap();
    assert!(report.is_balanced(), "{report:?}");
}

/// Counters that triggers and services keep up, against the rows they count.
fn assert_counters_are_exact(t: &TestApp) {
    for (what, query) in [
        (
            "likes",
            "SELECT COUNT(*) FROM gallery_images g WHERE likes - base_likes <>
               (SELECT COUNT(*) FROM image_likes l WHERE l.image_id = g.id)",
        ),
        (
            "favorites",
            "SELECT COUNT(*) FROM favorite_counts c WHERE favorites <>
               (SELECT COUNT(*) FROM favorites f WHERE f.user_id = c.user_id AND f.type = c.type)",
        ),
        (
            "public pictures",
            "SELECT COUNT(*) FROM gallery_counts c WHERE author_id > 0 AND images <>
               (SELECT COUNT(*) FROM gallery_images g WHERE g.author_id = c.author_id
                 AND g.category_id = c.category_id AND g.status = 'APPROVED')",
        ),
        (
            "jobs",
            "SELECT COUNT(*) FROM generation_counts c WHERE jobs <>
               (SELECT COUNT(*) FROM generations g
                 WHERE g.user_id = c.user_id AND g.status = c.status)",
        ),
    ] {
        assert_eq!(t.count(query), 0, "{what}");
    }
}

/// Where in the whole database one of these texts stands.
fn places(t: &TestApp, needles: &[&str]) -> Vec<String> {
    let database = t.database();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut found = Vec::new();
    let tables = list("SELECT name FROM sqlite_master WHERE type = 'table'");
    assert!(tables.len() > 30, "{tables:?}");
    for table in tables.iter().filter(|table| table.as_str() != "gallery_search") {
        let columns = list(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let sql = format!("SELECT \"{}\" FROM \"{table}\"", columns.join("\", \""));
        let mut statement = database.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (at, column) in columns.iter().enumerate() {
                let bytes = match row.get::<_, Cell>(at).unwrap() {
                    Cell::Text(text) => text.into_bytes(),
                    Cell::Blob(bytes) => bytes,
                    _ => continue,
                };
                for needle in needles {
                    if bytes.windows(needle.len()).any(|part| part == needle.as_bytes()) {
                        found.push(format!("{table}.{column}: {needle}"));
                    }
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn the_export_holds_everything_and_no_secret() {
    let t = start().await;
    let (user, bob) = (zhang(&t).await, t.log_in("bob").await);
    let image = published(&user, PROMPT).await;
    let others = published(&bob, "别人的提示词").await;
    user.post(&format!("/v1/gallery/images/{others}/like")).await.ok();
    let favorite = json!({ "type": "image", "resourceId": others.to_string() });
    assert_eq!(user.post("/v1/favorites").json(&favorite).await.status, 201);
    user.post("/v1/points/check-in").await.ok();
    let placed = order(&user, "vip_month").await;
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;

    let answer = user.get("/v1/users/me/export").await;
    let all = answer.ok();
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment"));
    assert!(answer.header("cache-control").unwrap().contains("no-store"));
    let me = &all["user"][0];
    assert_eq!((&me["openid"], &me["phone"]), (&json!(OPENID), &json!(PHONE)));
    assert_eq!((&me["nickName"], &me["avatarUrl"]), (&json!(NICK_NAME), &json!(AVATAR)));
    assert_eq!(me["createdAt"], "2026-01-29T12:00:00.000Z");
    assert_eq!(all["jobs"][0]["prompt"], PROMPT);
    assert_eq!(
        (&all["galleryImages"][0]["id"], &all["likes"][0]["imageId"]),
        (&json!(image), &json!(others))
    );
    assert_eq!(all["favorites"][0]["resourceId"], others.to_string());
    assert_eq!(all["orders"][0]["orderId"], placed["orderId"]);
    assert_eq!(all["orders"][0]["status"], "PAID");
    assert_eq!(all["orderPayments"][0]["payerOpenid"], OPENID);
    assert_eq!(all["membershipGrants"][0]["level"], "VIP");
    assert_eq!(all["checkIns"][0]["day"], "2026-01-29");
    let booked = all["pointsTransactions"].as_array().unwrap().len();
    let mine = format!("SELECT COUNT(*) FROM points_transactions WHERE user_id = {}", user.id);
    assert_eq!(i64::try_from(booked).unwrap(), t.count(&mine));

    let text = answer.text();
    assert!(!text.to_lowercase().contains("session_key") && !text.contains("sessionKey"));
    assert!(!text.contains(&t.sandbox.wechat().session_key(OPENID).unwrap()));
    assert!(!text.contains(&user.token) && !text.contains(&user.refresh_token));
    assert!(!text.contains("别人的提示词"), "of nobody else");
    let left = std::fs::read_dir(t.app().scratch_dir.clone()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.contains("export")), "no file is left behind");

    user.get("/v1/users/me/export").await.ok();
    user.get("/v1/users/me/export").await.fails(429, "RATE_LIMIT_EXCEEDED");
    bob.get("/v1/users/me/export").await.ok();
}

#[tokio::test]
async fn a_long_history_is_exported_whole() {
    let t = start().await;
    let user = t.log_in("alice").await;
    let rows = 100_000;
    // Any table with many rows of one user will do.
    t.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO favorites (user_id, type, resource_id, created_at)
         SELECT {}, 'image', CAST(i AS TEXT), i FROM n",
        user.id
    ));
    let answer = user.get("/v1/users/me/export").await;
    let all = answer.ok();
    assert_eq!(all["favorites"].as_array().unwrap().len(), rows);
    assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_that_names_its_owner() {
    let t = start().await;
    let (user, bob) = (zhang(&t).await, t.log_in("bob").await);
    let second_session = t.log_in(OPENID).await;
    published(&user, PROMPT).await;
    let others = published(&bob, "别人的提示词").await;
    user.post(&format!("/v1/gallery/images/{others}/like")).await.ok();
    user.post(&format!("/v1/gallery/images/{others}/report"))
        .json(&json!({ "reason": "other", "detail": NICK_NAME }))
        .await;
    let favorite = json!({ "type": "image", "resourceId": others.to_string() });
    assert_eq!(user.post("/v1/favorites").json(&favorite).await.status, 201);
    let keyed = json!({ "prompt": PROMPT, "mode": "draft" });
    let submit = user.post("/v1/jobs").header("Idempotency-Key", "k").json(&keyed).await;
    assert_eq!(submit.status, 202);
    let placed = order(&user, "vip_month").await;
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    order(&user, "vip_year").await;
    assert!(!places(&t, &[OPENID]).is_empty() && !places(&t, &[PROMPT]).is_empty());
    let kept = ["orders", "points_transactions", "vip_grants", "payment_events"];
    let rows = |table: &&str| t.count(&format!("SELECT COUNT(*) FROM {table}"));
    let before: Vec<i64> = kept.iter().map(rows).collect();

    let answer = user.delete("/v1/users/me").await.ok();
    assert!(answer["message"].as_str().unwrap().contains("会员"));
    for session in [&user, &second_session] {
        session.check().await.fails(401, "INVALID_TOKEN");
        session.refresh().await.fails(401, "INVALID_TOKEN");
    }
    user.delete("/v1/users/me").await.fails(401, "INVALID_TOKEN");
    assert_eq!(ids(&t.get("/v1/gallery/images").await.ok()), [others]);
    let liked = bob.get(&format!("/v1/gallery/images/{others}")).await.ok();
    assert_eq!(liked["likes"], 0);

    settle(&t).await;
    let all = [OPENID, NICK_NAME, PHONE, PROMPT, AVATAR];
    until("the report of the delivery is done with", || places(&t, &all).is_empty()).await;
    let open = "SELECT COUNT(*) FROM generations WHERE completed_at IS NULL";
    until("what ran has ended", || t.count(open) == 0).await;
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM account_closures"), 0);
    let gone = ["favorites", "image_likes", "generation_images"];
    for table in gone {
        let mine = match table {
            "generation_images" => "job_id NOT IN (SELECT job_id FROM generations)".to_owned(),
            _ => format!("user_id = {}", user.id),
        };
        assert_eq!(t.count(&format!("SELECT COUNT(*) FROM {table} WHERE {mine}")), 0, "{table}");
    }
    let after: Vec<i64> = kept.iter().map(rows).collect();
    assert!(before.iter().zip(&after).all(|(before, after)| after >= before), "{after:?}");
    let audit = format!(
        "SELECT COUNT(*) FROM audit_log WHERE action = 'user.deleted' AND object = 'user:{}'",
        user.id
    );
    assert_eq!(t.count(&audit), 1);
    assert_books_balance(&t).await;
    assert_counters_are_exact(&t);
}

#[tokio::test]
async fn whoever_comes_back_is_new_and_not_welcomed_twice() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let code = bob.get("/v1/users/me/invites").await.ok()["inviteCode"].clone();
    finished_job(&alice, PROMPT, 1).await;
    let used = alice.get("/v1/jobs/quota").await.ok()["todayUsed"].clone();
    assert_eq!(used, 1);
    assert!(alice.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap() > 0);
    alice.delete("/v1/users/me").await.ok();

    // The keys change meanwhile: she is known all the same, and from now on by the new one.
    let new = "another-secret-of-more-than-32-bytes-here";
    t.restart_with(&[("JWT_SECRET", new), ("JWT_SECRET_PREVIOUS", JWT_SECRET)]);
    let body = json!({ "code": "dev-alice", "inviteCode": code });
    let answer = t.post("/v1/auth/wechat-login").json(&body).await.ok();
    assert_eq!((&answer["isNewUser"], &answer["user"]["pointsBalance"]), (&json!(true), &json!(0)));
    assert_ne!(answer["user"]["id"], alice.id);
    let back = t.log_in("alice").await;
    assert_eq!(back.get("/v1/jobs/quota").await.ok()["todayUsed"], used, "the quota of the day");
    assert_eq!(back.get("/v1/vip/info").await.ok()["vipLevel"], "NORMAL");
    assert_eq!(bob.get("/v1/users/me/invites").await.ok()["invitedCount"], 0);

    back.delete("/v1/users/me").await.ok();
    t.restart_with(&[("JWT_SECRET_PREVIOUS", "")]);
    let third = t.log_in_with_code("dev-alice").await.ok();
    assert_eq!(third["user"]["pointsBalance"], 0, "known by the new secret alone");
    // Somebody else is welcomed as ever.
    assert!(t.log_in_with_code("dev-carol").await.ok()["user"]["pointsBalance"].as_i64() > Some(0));
    assert_books_balance(&t).await;

    assert_eq!(t.count("SELECT COUNT(*) FROM former_users WHERE user_id IS NOT NULL"), 1);
    t.clock.advance(Duration::from_secs(33 * 24 * 3600));
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM former_users WHERE user_id IS NULL"), 1);
}

#[tokio::test]
async fn a_deletion_cancels_what_waits_and_keeps_no_result_of_what_runs() {
    let t = start().await;
    let once = json!({ "NORMAL": { "freePerDay": 0, "concurrency": 1 } });
    change(&t.app(), Section::Entitlements, once, "test").await.unwrap();
    t.sandbox.image_api().set_latency(Duration::from_secs(5));
    let alice = t.log_in("alice").await;
    let first = submitted(&alice, PROMPT).await;
    running(&alice, &first).await;
    submitted(&alice, PROMPT).await;
    let balance = format!("SELECT points_balance FROM users WHERE id = {}", alice.id);
    let charged = t.count(&balance);
    alice.delete("/v1/users/me").await.ok();
    assert_eq!(t.count(&balance), charged + 1, "the waiting one is given back");
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 1, "the running one is left");
    assert_eq!(places(&t, &[PROMPT]), [""; 0]);
    settle(&t).await;
    let ended = "SELECT COUNT(*) FROM generations WHERE status = 'SUCCEEDED'";
    until("it is made", || t.count(ended) == 1).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM generation_images"), 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM media_holds"), 0, "nobody keeps its picture");
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM account_closures"), 0);
    assert_books_balance(&t).await;
    assert_counters_are_exact(&t);
}

#[tokio::test]
async fn an_order_of_a_deleted_user_is_closed_and_its_money_goes_back() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let (paid, unpaid) = (order(&alice, "vip_month").await, order(&bob, "vip_month").await);
    for user in [&alice, &bob] {
        user.delete("/v1/users/me").await.ok();
    }
    assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'CANCELLED'"), 2);
    // Faster than we can close it.
    t.sandbox.wechat_pay().pay(&paid["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    let due = format!(
        "SELECT COUNT(*) FROM orders JOIN order_payments USING (order_id)
          WHERE status = 'PAID' AND refund_due = 'user_deleted' AND order_id = {}",
        paid["orderId"].to_string().replace('"', "'")
    );
    assert_eq!(t.count(&due), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_grants"), 0);
    settle(&t).await;
    assert!(t.sandbox.wechat_pay().pay(&unpaid["wxPayParams"]).is_err(), "closed there too");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let t = start().await;
    let alice = zhang(&t).await;
    t.sandbox.image_api().set_latency(Duration::from_secs(3600));
    let once = json!({ "NORMAL": { "concurrency": 1 } });
    change(&t.app(), Section::Entitlements, once, "test").await.unwrap();
    running(&alice, &submitted(&alice, PROMPT).await).await;
    submitted(&alice, PROMPT).await;
    order(&alice, "vip_month").await;
    let likes = many(&t, 1200, None);
    let values: Vec<String> = likes.iter().map(|id| format!("({}, {id}, 1)", alice.id)).collect();
    t.sql(&format!("INSERT INTO image_likes VALUES {}", values.join(",")));
    t.sql("UPDATE gallery_images SET likes = likes + 1");

    begin_deletion(&t.app(), UserId(alice.id), admin(), None).await.unwrap();
    assert_eq!(t.count("SELECT COUNT(*) FROM generations WHERE status = 'QUEUED'"), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'PENDING'"), 1);
    assert!(t.count("SELECT COUNT(*) FROM image_likes") > 0, "more than one step");
    assert_eq!(places(&t, &[OPENID, NICK_NAME, PHONE, PROMPT]), [""; 0]);
    t.restart();
    alice.check().await.fails(401, "INVALID_TOKEN");
    until("the rest is done", || {
        t.count("SELECT COUNT(*) FROM generations WHERE status = 'QUEUED'") == 0
            && t.count("SELECT COUNT(*) FROM orders WHERE status = 'PENDING'") == 0
            && t.count("SELECT COUNT(*) FROM image_likes") == 0
    })
    .await;
    assert_counters_are_exact(&t);
}

#[tokio::test]
async fn a_ban_holds_at_once_and_is_lifted_as_if_it_had_not_been() {
    let t = start().await;
    let once = json!({ "NORMAL": { "freePerDay": 1, "concurrency": 1 } });
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let (first, others) = (published(&alice, PROMPT).await, published(&bob, "b").await);
    let hidden = published(&bob, "c").await;
    t.sql(&format!(
        "UPDATE gallery_images SET status = 'HIDDEN', author_id = {} WHERE id = {hidden}",
        alice.id
    ));
    gallery_changed(&t.app());
    let listed = async || ids(&t.get("/v1/gallery/images").await.ok());
    let before = listed().await;
    assert_eq!(before, [others, first]);
    change(&t.app(), Section::Entitlements, once, "test").await.unwrap();
    t.sandbox.image_api().set_latency(Duration::from_secs(3600));
    running(&alice, &submitted(&alice, PROMPT).await).await;
    submitted(&alice, PROMPT).await;
    let placed = order(&alice, "vip_month").await;

    let id = UserId(alice.id);
    ban(&t.app(), id, admin(), "广告".to_owned()).await.unwrap();
    ban(&t.app(), id, admin(), "again".to_owned()).await.unwrap();
    for uri in ["/v1/users/me", "/v1/auth/check", "/v1/users/me/export"] {
        alice.get(uri).await.fails(403, "USER_BANNED");
    }
    alice.delete("/v1/users/me").await.fails(403, "USER_BANNED");
    alice.refresh().await.fails(403, "USER_BANNED");
    t.log_in_with_code("dev-alice").await.fails(403, "USER_BANNED");
    assert_eq!(listed().await, [others]);
    assert_eq!(t.count("SELECT COUNT(*) FROM generations WHERE status = 'CANCELED'"), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM generations WHERE status = 'RUNNING'"), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'CANCELLED'"), 1);
    // Money that comes all the same is honoured.
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_grants"), 1);
    t.restart();
    alice.check().await.fails(403, "USER_BANNED");

    unban(&t.app(), id, admin(), "appeal".to_owned()).await.unwrap();
    unban(&t.app(), id, admin(), "appeal".to_owned()).await.unwrap();
    assert_eq!(listed().await, before, "in their old places, and what was hidden stays so");
    alice.check().await.fails(401, "TOKEN_REVOKED");
    alice.refresh().await.fails(401, "TOKEN_REVOKED");
    let back = t.log_in("alice").await;
    assert_eq!(back.id, alice.id);
    assert_eq!(back.get("/v1/vip/info").await.ok()["vipLevel"], "VIP");
    let log = format!("SELECT COUNT(*) FROM audit_log WHERE object = 'user:{}'", alice.id);
    assert_eq!(t.count(&log), 2, "one each: repeated, nothing changed");
    settle(&t).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM account_closures"), 0);
    assert!(ban(&t.app(), UserId(4711), admin(), String::new()).await.is_err());
    assert_books_balance(&t).await;
    assert_counters_are_exact(&t);
}
