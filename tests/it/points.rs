//! `/v1/points` and `/v1/users/me/invites`.

use std::process::Output;
use std::time::Duration;

use dream_bff::base::ids::UserId;
use dream_bff::base::time::UnixMillis;
use dream_bff::features::points::service::books::check_books;
use dream_bff::features::points::service::invites::reward_inviter;
use dream_bff::features::points::service::{self, redeem::create_batch};
use dream_bff::features::points::{Batch, BooksReport, Entry, PointsError, Reason};
use dream_bff::features::settings::{Invite, InviteEvent, Section};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, TestApp, User, command};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn set(t: &TestApp, section: Section, change: Value) {
    dream_bff::features::settings::service::change(&t.app(), section, change, "test")
        .await
        .unwrap();
}

async fn assert_books_balance(t: &TestApp) -> BooksReport {
    let app = t.app();
    let report = check_books(&app.db, &app.clock).await.unwrap();
    assert!(report.is_balanced(), "{report:?}");
    report
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

async fn codes(t: &TestApp, count: u32, expires_at: Option<UnixMillis>) -> Vec<String> {
    let batch = Batch {
        name: "测试".to_owned(),
        points: 50,
        count,
        expires_at,
        created_by: "test".to_owned(),
    };
    create_batch(&t.app(), batch).await.unwrap().1
}

async fn redeem(user: &User, code: &str) -> Answer {
    user.post("/v1/points/redeem").json(&json!({ "code": code })).await
}

/// Books as other features do.
async fn spend(t: &TestApp, user: &User, amount: i64, job: &str) -> Result<i64, PointsError> {
    let (app, now, user) = (t.app(), t.clock.now(), UserId(user.id));
    let entry = Entry {
        user,
        amount,
        reason: Reason::Job,
        reference: job.to_owned(),
        description: "生成图片".to_owned(),
    };
    let balance = app.db.write("test.spend", move |tx| service::spend(tx, &entry, now)).await?;
    service::changed(&app, user);
    Ok(balance)
}

async fn refund(t: &TestApp, user: &User, amount: i64, job: &str) {
    let (app, now, user) = (t.app(), t.clock.now(), UserId(user.id));
    let entry = Entry {
        user,
        amount,
        reason: Reason::JobRefund,
        reference: job.to_owned(),
        description: "生成失败退回".to_owned(),
    };
    app.db.write("test.refund", move |tx| service::refund(tx, &entry, now)).await.unwrap();
    service::changed(&app, user);
}

#[tokio::test]
async fn a_new_user_gets_the_bonus_once() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let again = t.log_in("alice").await;
    assert_eq!(again.get("/v1/users/me").await.ok()["pointsBalance"], 10);
    let expected = json!({ "balance": 10, "totalEarned": 10, "totalSpent": 0 });
    assert_eq!(alice.get("/v1/points/balance").await.ok(), expected);
    let rows = alice.get("/v1/points/transactions").await.ok();
    let expected = json!({
        "id": rows["items"][0]["id"],
        "type": "EARN",
        "amount": 10,
        "description": "新用户奖励",
        "balanceAfter": 10,
        "reason": "sign_up",
        "reference": alice.id.to_string(),
        "createdAt": "2026-01-29T12:00:00.000Z",
    });
    assert_eq!(rows, json!({ "items": [expected], "hasMore": false, "nextCursor": null }));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn without_a_bonus_a_new_user_has_nothing() {
    let t = TestApp::start().await;
    set(&t, Section::Economy, json!({ "signUpBonus": 0 })).await;
    let alice = t.log_in("alice").await;
    assert_eq!(alice.get("/v1/users/me").await.ok()["pointsBalance"], 0);
    let rows = alice.get("/v1/points/transactions").await.ok();
    assert_eq!(rows, json!({ "items": [], "hasMore": false, "nextCursor": null }));
}

#[tokio::test]
async fn given_back_points_are_neither_earned_nor_spent() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    assert_eq!(alice.get("/v1/users/me").await.ok()["pointsBalance"], 10);
    spend(&t, &alice, 4, "job-1").await.unwrap();
    spend(&t, &alice, 3, "job-2").await.unwrap();
    // What is kept of the user in memory follows.
    assert_eq!(alice.get("/v1/users/me").await.ok()["pointsBalance"], 3);
    refund(&t, &alice, 4, "job-1").await;
    let expected = json!({ "balance": 7, "totalEarned": 10, "totalSpent": 3 });
    assert_eq!(alice.get("/v1/points/balance").await.ok(), expected);
    let poor = spend(&t, &alice, 8, "job-3").await;
    assert!(matches!(poor, Err(PointsError::Insufficient)), "{poor:?}");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn the_bookings_are_listed_by_type_cursor_and_page() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    for job in 0..5 {
        // All at one time: the order is that of the bookings.
        spend(&t, &alice, 1, &format!("job-{job}")).await.unwrap();
    }
    refund(&t, &alice, 1, "job-4").await;
    let list = |query: &str| alice.get(&format!("/v1/points/transactions{query}"));
    let ids = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let all = list("").await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 7);
    assert_eq!(all["items"][0]["type"], "REFUND");
    assert_eq!(all["items"][1]["reference"], "job-4");

    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("?limit=2{cursor}")).await.ok();
        walked.extend(ids(&page));
        // Newer rows do not disturb the walk.
        spend(&t, &alice, 1, &format!("late-{}", walked.len())).await.unwrap();
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(walked, ids(&all));

    let spent = list("?type=SPEND&limit=3&page=2").await.ok();
    assert_eq!(
        (&spent["page"], &spent["limit"], &spent["total"]),
        (&json!(2), &json!(3), &json!(9))
    );
    let of_all: Vec<i64> = ids(&list("?type=SPEND&limit=100").await.ok());
    assert_eq!(ids(&spent), of_all[3..6]);
    let beyond = list("?page=100").await.ok();
    assert_eq!((&beyond["items"], &beyond["total"]), (&json!([]), &json!(11)));
    assert_eq!(bob.get("/v1/points/transactions?page=1").await.ok()["total"], 1);
}

#[tokio::test]
async fn a_wrong_parameter_of_the_list_is_named() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("type=earn", "type"),
        ("type=GIFT", "type"),
    ] {
        alice.get(&format!("/v1/points/transactions?{query}")).await.blames(field);
    }
    spend(&t, &alice, 1, "job").await.unwrap();
    let page = alice.get("/v1/points/transactions?limit=1").await.ok();
    let cursor = page["nextCursor"].as_str().unwrap();
    alice.get(&format!("/v1/points/transactions?page=1&cursor={cursor}")).await.blames("page");
}

#[tokio::test]
async fn the_packs_have_a_tag_and_the_smallest_is_the_documented_one() {
    let t = TestApp::start().await;
    let answer = t.get("/v1/points/packs").await;
    let packs = answer.ok();
    assert!(packs["items"].as_array().unwrap().len() >= 3);
    let smallest = json!({
        "id": "points_100", "name": "100 积分", "points": 100, "bonusPoints": 0,
        "originalPrice": 1000, "currentPrice": 1000, "popular": false,
    });
    assert_eq!(packs["items"][0], smallest);
    let tag = answer.header("etag").unwrap();
    assert!(tag.starts_with('"'), "{tag}");
    let same = t.get("/v1/points/packs").header("if-none-match", tag).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
}

#[tokio::test]
async fn check_ins_count_calendar_days_in_shanghai() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let check_in = || alice.post("/v1/points/check-in");
    let first = check_in().await.ok();
    assert_eq!(first, json!({ "balance": 11, "earned": 1, "streak": 1 }));
    check_in().await.fails(409, "INVALID_STATE");
    // 20:00 in Shanghai by now: one millisecond before midnight is the same day.
    t.clock.advance(Duration::from_millis(4 * 3_600_000 - 1));
    check_in().await.fails(409, "INVALID_STATE");
    t.clock.advance(Duration::from_millis(1));
    assert_eq!(check_in().await.ok(), json!({ "balance": 13, "earned": 2, "streak": 2 }));
    for (streak, earned) in [(3, 3), (4, 4), (5, 5), (6, 6)] {
        t.clock.advance(DAY);
        let done = check_in().await.ok();
        assert_eq!((&done["streak"], &done["earned"]), (&json!(streak), &json!(earned)));
    }
    // The token of the first day has ended.
    t.clock.advance(DAY);
    let alice = t.log_in("alice").await;
    for streak in [7, 8] {
        let done = alice.post("/v1/points/check-in").await.ok();
        assert_eq!((&done["streak"], &done["earned"]), (&json!(streak), &json!(7)));
        t.clock.advance(DAY);
    }
    t.clock.advance(DAY);
    let done = alice.post("/v1/points/check-in").await.ok();
    assert_eq!((&done["streak"], &done["earned"]), (&json!(1), &json!(1)));
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn of_many_check_ins_at_once_one_counts() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let alice = alice.clone();
        calls.spawn(async move { alice.post("/v1/points/check-in").await.status });
    }
    let statuses = calls.join_all().await;
    let count = |status| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!((count(200), count(409)), (1, 49));
    assert_eq!(balance(&alice).await, 11);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn of_a_hundred_users_with_one_code_one_wins() {
    let t = TestApp::start().await;
    let code = codes(&t, 1, None).await.remove(0);
    let mut users = Vec::new();
    for number in 0..100 {
        users.push(t.log_in(&format!("user-{number}")).await);
    }
    let mut calls = JoinSet::new();
    for user in users {
        let code = code.clone();
        calls.spawn(async move { redeem(&user, &code).await.status });
    }
    let statuses = calls.join_all().await;
    let count = |status| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!((count(200), count(409)), (1, 99));
    assert_eq!(t.count("SELECT SUM(points_balance) FROM users"), 100 * 10 + 50);
    assert_eq!(assert_books_balance(&t).await.users, 100);
}

#[tokio::test]
async fn a_code_is_good_once_and_until_it_expires() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let end = t.clock.now().plus_seconds(60);
    let codes = codes(&t, 3, Some(end)).await;
    assert_eq!(redeem(&alice, &codes[0]).await.ok(), json!({ "balance": 60, "earned": 50 }));
    redeem(&alice, &codes[0]).await.fails(409, "INVALID_STATE");
    // As people write it.
    let (head, tail) = codes[1].split_at(4);
    let typed = format!(" {}-{}", head.to_lowercase(), tail);
    assert_eq!(redeem(&alice, &typed).await.ok()["balance"], 110);
    t.clock.advance(Duration::from_secs(60));
    redeem(&alice, &codes[2]).await.fails(409, "INVALID_STATE");
    for unknown in ["0000-0000-0000-0000", "梦想", "?", "'; DROP TABLE users"] {
        redeem(&alice, unknown).await.fails(404, "CODE_NOT_FOUND");
    }
    redeem(&alice, "").await.blames("code");
    assert_eq!(balance(&alice).await, 110);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_batch_out_of_range_is_not_made() {
    let t = TestApp::start().await;
    let batch = |count, points, expires_at| Batch {
        name: String::new(),
        points,
        count,
        expires_at,
        created_by: "test".to_owned(),
    };
    for wrong in [
        batch(0, 1, None),
        batch(10_001, 1, None),
        batch(1, 0, None),
        batch(1, -5, None),
        batch(1, 1, Some(t.clock.now())),
    ] {
        assert!(create_batch(&t.app(), wrong.clone()).await.is_err(), "{wrong:?}");
    }
    assert_eq!(t.count("SELECT COUNT(*) FROM redeem_batches"), 0);
}

/// Logs in for the first time with somebody's code.
async fn invited(t: &TestApp, name: &str, invite_code: &str) -> User {
    let body = json!({ "code": format!("dev-{name}"), "inviteCode": invite_code });
    t.post("/v1/auth/wechat-login").json(&body).await.ok();
    t.log_in(name).await
}

/// What the first finished job of a user leads to.
async fn first_job(t: &TestApp, user: &User, rule: Invite) -> Option<UserId> {
    let (app, now, user) = (t.app(), t.clock.now(), UserId(user.id));
    let rewarded = app.db.write("test.first_job", move |tx| {
        reward_inviter(tx, &rule, user, InviteEvent::FirstJob, now)
    });
    rewarded.await.unwrap()
}

#[tokio::test]
async fn bringing_users_is_rewarded_once_each_up_to_the_cap() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let invites = || alice.get("/v1/users/me/invites");
    let code = invites().await.ok()["inviteCode"].as_str().unwrap().to_owned();
    assert_eq!(invites().await.ok()["inviteCode"], code.as_str(), "it stays");
    let rule = Invite { reward: 20, on: InviteEvent::FirstJob, cap: 2 };

    let mut friends = Vec::new();
    for name in ["bob", "carol", "dave"] {
        t.clock.advance(Duration::from_secs(1));
        friends.push(invited(&t, name, &format!(" {} ", code.to_lowercase())).await);
    }
    assert_eq!(balance(&alice).await, 10, "logging in proves nothing");
    assert_eq!(first_job(&t, &friends[0], rule).await, Some(UserId(alice.id)));
    assert_eq!(first_job(&t, &friends[0], rule).await, None, "once each");
    let other_event = Invite { on: InviteEvent::FirstPayment, ..rule };
    assert_eq!(first_job(&t, &friends[1], other_event).await, None);
    assert_eq!(first_job(&t, &friends[1], rule).await, Some(UserId(alice.id)));
    assert_eq!(first_job(&t, &friends[2], rule).await, None, "the cap");
    assert_eq!(balance(&alice).await, 50);

    let expected = json!({
        "inviteCode": code, "invitedCount": 3, "earned": 40,
        "items": [
            { "nickName": "微信用户", "rewarded": false, "points": 0,
              "createdAt": "2026-01-29T12:00:03.000Z" },
            { "nickName": "微信用户", "rewarded": true, "points": 20,
              "createdAt": "2026-01-29T12:00:02.000Z" },
            { "nickName": "微信用户", "rewarded": true, "points": 20,
              "createdAt": "2026-01-29T12:00:01.000Z" },
        ],
    });
    assert_eq!(invites().await.ok(), expected);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn an_invitation_counts_for_new_users_only_and_never_for_oneself() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let code = alice.get("/v1/users/me/invites").await.ok()["inviteCode"].clone();
    let code = code.as_str().unwrap();
    let rule = Invite::default();
    invited(&t, "bob", code).await;
    invited(&t, "alice", code).await;
    assert_eq!(first_job(&t, &bob, rule).await, None);
    assert_eq!(first_job(&t, &alice, rule).await, None);
    // A code that is nobody's keeps nobody out.
    for (name, code) in [("carol", "ZZZZ-ZZZZ"), ("dave", "no code at all"), ("erin", "")] {
        let user = invited(&t, name, code).await;
        assert_eq!(first_job(&t, &user, rule).await, None);
    }
    // Nor does one of somebody who was banned.
    let frank = invited(&t, "frank", code).await;
    t.sql("UPDATE users SET banned_at = 1 WHERE openid = 'alice'");
    assert_eq!(first_job(&t, &frank, rule).await, None);
    let grace = invited(&t, "grace", code).await;
    t.sql("UPDATE users SET banned_at = NULL WHERE openid = 'alice'");
    assert_eq!(first_job(&t, &grace, rule).await, None);
    assert_eq!(first_job(&t, &frank, rule).await, Some(UserId(alice.id)));
}

#[tokio::test]
async fn the_books_are_checked_once_a_night() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let checks = || t.count("SELECT COUNT(*) FROM books_checks");
    t.run_periodic_tasks().await;
    t.run_periodic_tasks().await;
    assert_eq!(checks(), 1);
    // 20:00 in Shanghai; the next is due at 3:00.
    t.clock.advance(Duration::from_secs(7 * 3600 - 1));
    t.run_periodic_tasks().await;
    assert_eq!(checks(), 1);
    t.clock.advance(Duration::from_secs(1));
    t.run_periodic_tasks().await;
    t.restart();
    t.run_periodic_tasks().await;
    assert_eq!(checks(), 2);
    assert_eq!(t.count("SELECT SUM(wrong_users) FROM books_checks"), 0);
}

#[tokio::test]
async fn the_command_line_checks_the_books() {
    let t = TestApp::start().await;
    let (alice, _bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let file: String = t
        .database()
        .query_row("SELECT file FROM pragma_database_list", [], |row| row.get(0))
        .unwrap();
    let folder = std::path::Path::new(&file).parent().unwrap();
    let books = || -> Output {
        command(folder).args(["books", "--data-dir"]).arg(folder).output().unwrap()
    };
    let good = books();
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let printed = String::from_utf8(good.stdout).unwrap();
    let both = "the books of all 2 users balance\nthe books of all 0 paid orders balance\n";
    assert_eq!(printed, both);

    t.sql("UPDATE users SET points_balance = 11 WHERE openid = 'alice'");
    let bad = books();
    assert_eq!(bad.status.code(), Some(1));
    let printed = String::from_utf8(bad.stdout).unwrap();
    assert!(printed.starts_with(&format!("user {}: balance 11, ledger 10", alice.id)), "{printed}");
    assert_eq!(t.count("SELECT wrong_users FROM books_checks ORDER BY id DESC LIMIT 1"), 1);

    let nowhere = tempfile::tempdir().unwrap();
    let none = command(nowhere.path()).arg("books").output().unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(!nowhere.path().join("data").exists(), "a check makes no database");
}
