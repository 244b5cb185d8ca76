//! `/v1/vip`: plans, quotes, the caller's membership, and what comes with it.

use std::time::Duration;

use dream_bff::base::ids::UserId;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::features::users::VipLevel;
use dream_bff::features::vip::service::{self, monthly, plans, reminders};
use dream_bff::features::vip::{Grant, GrantSource, Membership, Plan, RevokeDays, VipError};
use serde_json::{Value, json};

use crate::support::{TestApp, User};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What an order for `plan` does when it is paid.
async fn pay(t: &TestApp, user: &User, plan: &'static str, order: &'static str) -> Membership {
    let (app, now, id) = (t.app(), t.clock.now(), UserId(user.id));
    let granted = app.db.write("test.pay", move |tx| {
        let plan = service::plan_on_sale(tx, plan)?.unwrap();
        let grant = Grant::of_order(order, id, &plan, plan.current_price);
        service::grant(tx, &grant, now)
    });
    let granted: Result<_, VipError> = granted.await;
    service::changed(&app, id);
    granted.unwrap()
}

/// What a refund of an order does.
async fn refund(t: &TestApp, user: &User, order: &'static str, days: RevokeDays) -> Membership {
    let (app, now) = (t.app(), t.clock.now());
    let left = app.db.write("test.refund", move |tx| service::revoke(tx, order, days, now)).await;
    service::changed(&app, UserId(user.id));
    left.unwrap()
}

async fn set(t: &TestApp, section: Section, wanted: Value) {
    change(&t.app(), section, wanted, "test").await.unwrap();
}

async fn me(user: &User) -> Value {
    user.get("/v1/users/me").await.ok()
}

async fn info(user: &User) -> Value {
    user.get("/v1/vip/info").await.ok()
}

async fn quote(user: &User, plan: &str) -> Value {
    user.get(&format!("/v1/vip/quote?planId={plan}")).header("Accept-Language", "en").await.ok()
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

#[tokio::test]
async fn the_plans_are_public_and_have_a_tag() {
    let t = TestApp::start().await;
    let first = t.get("/v1/vip/plans").await;
    let plans = first.ok();
    let benefits = json!(["每日生成不限次数", "支持 4K 高清", "优先排队", "作品永久保存"]);
    let month = json!({
        "id": "vip_month",
        "name": "VIP 月卡",
        "level": "VIP",
        "duration": 30,
        "originalPrice": 2999,
        "currentPrice": 1999,
        "benefits": benefits,
        "popular": false,
        "points": 0,
    });
    assert_eq!(plans["plans"][0], month);
    let ids: Vec<&str> =
        plans["plans"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["vip_month", "vip_year", "svip_lifetime"]);
    assert_eq!(plans["plans"][1]["popular"], true);
    assert_eq!(plans["plans"][2]["level"], "SVIP");

    let tag = first.header("ETag").unwrap().to_owned();
    let again = t.get("/v1/vip/plans").header("If-None-Match", &tag).await;
    assert_eq!((again.status, again.text().as_str()), (304, ""));
}

fn week() -> Plan {
    Plan {
        id: "vip_week".to_owned(),
        name: " VIP 周卡 ".to_owned(),
        level: VipLevel::Vip,
        days: 7,
        original_price: 999,
        current_price: 700,
        benefits: vec!["试试看".to_owned()],
        is_popular: false,
        points: 20,
        is_on_sale: true,
        sort: 0,
    }
}

#[tokio::test]
async fn a_change_of_the_plans_shows_at_once() {
    let t = TestApp::start().await;
    let app = t.app();
    let listed = async || t.get("/v1/vip/plans").await.ok()["plans"].as_array().unwrap().clone();
    assert_eq!(listed().await.len(), 3);

    plans::create(&app, week()).await.unwrap();
    let first = listed().await.remove(0);
    assert_eq!((&first["name"], &first["points"]), (&json!("VIP 周卡"), &json!(20)));
    let twice = plans::create(&app, week()).await;
    assert!(matches!(twice, Err(VipError::PlanExists)), "{twice:?}");

    let (before, after) = plans::update(&app, Plan { current_price: 600, ..week() }).await.unwrap();
    assert_eq!((before.current_price, after.current_price), (700, 600));
    assert_eq!(listed().await[0]["currentPrice"], 600);

    let alice = t.log_in("alice").await;
    assert_eq!(quote(&alice, "vip_week").await["price"], 600);
    plans::retire(&app, "vip_week").await.unwrap();
    assert_eq!(listed().await.len(), 3);
    alice.get("/v1/vip/quote?planId=vip_week").await.fails(404, "PLAN_NOT_FOUND");
    let unknown = plans::retire(&app, "vip_decade").await;
    assert!(matches!(unknown, Err(VipError::PlanNotFound)), "{unknown:?}");
}

#[tokio::test]
async fn a_wrong_plan_is_refused_and_named() {
    let t = TestApp::start().await;
    let good = week();
    for (plan, field) in [
        (Plan { id: String::new(), ..good.clone() }, "id"),
        (Plan { id: "周".to_owned(), ..good.clone() }, "id"),
        (Plan { name: " ".to_owned(), ..good.clone() }, "name"),
        (Plan { level: VipLevel::Normal, ..good.clone() }, "level"),
        (Plan { days: 0, ..good.clone() }, "duration"),
        (Plan { days: 36_501, ..good.clone() }, "duration"),
        (Plan { current_price: 0, ..good.clone() }, "currentPrice"),
        (Plan { original_price: 699, ..good.clone() }, "originalPrice"),
        (Plan { benefits: vec![String::new()], ..good.clone() }, "benefits"),
        (Plan { benefits: vec!["x".to_owned(); 21], ..good.clone() }, "benefits"),
        (Plan { points: -1, ..good.clone() }, "points"),
    ] {
        for refused in [
            plans::create(&t.app(), plan.clone()).await.map(drop),
            plans::update(&t.app(), plan).await.map(drop),
        ] {
            assert!(matches!(refused, Err(VipError::Invalid(f)) if f == field), "{refused:?}");
        }
    }
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_plans"), 3);
}

#[tokio::test]
async fn without_a_membership_there_is_the_free_quota() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let expected = json!({
        "vipLevel": "NORMAL",
        "vipExpireAt": null,
        "remainingDays": 0,
        "quota": {
            "dailyGenerations": { "used": 0, "limit": 5 },
            "monthlyGenerations": { "used": 0, "limit": null },
            "totalRemaining": 5,
        },
        "benefits": [],
    });
    assert_eq!(info(&alice).await, expected);
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerMonth": 3 } })).await;
    let submitted = alice.post("/v1/jobs").json(&json!({ "prompt": "x", "sampleCount": 2 })).await;
    assert_eq!(submitted.status, 202, "{}", submitted.text());
    let quota = json!({
        "dailyGenerations": { "used": 2, "limit": 5 },
        "monthlyGenerations": { "used": 2, "limit": 3 },
        "totalRemaining": 1,
    });
    assert_eq!(info(&alice).await["quota"], quota);
}

#[tokio::test]
async fn a_member_sees_what_he_has() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    assert_eq!(me(&alice).await["vipLevel"], "NORMAL");
    pay(&t, &alice, "vip_month", "order-1").await;
    t.clock.advance(Duration::from_millis(1));
    let expected = json!({
        "vipLevel": "VIP",
        "vipExpireAt": "2026-02-28T12:00:00.000Z",
        "remainingDays": 30,
        "quota": {
            "dailyGenerations": { "used": 0, "limit": null },
            "monthlyGenerations": { "used": 0, "limit": null },
            "totalRemaining": null,
        },
        "benefits": ["每日生成不限次数", "支持 4K 高清", "优先排队", "作品永久保存"],
    });
    assert_eq!(info(&alice).await, expected);
    assert_eq!(me(&alice).await["vipLevel"], "VIP");
    pay(&t, &alice, "svip_lifetime", "order-2").await;
    assert_eq!(info(&alice).await["benefits"][2], "最优先排队");
}

#[tokio::test]
async fn a_membership_ends_on_time_wherever_it_is_looked_at() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    pay(&t, &alice, "vip_month", "order-1").await;
    let wanted = json!({ "prompt": "x", "resolution": "4K" });
    t.clock.advance(30 * DAY - Duration::from_millis(1));
    let alice = t.log_in("alice").await;
    assert_eq!(me(&alice).await["vipLevel"], "VIP");
    assert_eq!(info(&alice).await["remainingDays"], 1);
    assert_eq!(alice.get("/v1/jobs/quota").await.ok()["vipLevel"], "VIP");
    assert_eq!(alice.post("/v1/jobs").json(&wanted).await.status, 202);

    // Nothing runs and nothing is written; only time passes.
    t.clock.advance(Duration::from_millis(1));
    let over = me(&alice).await;
    assert_eq!((&over["vipLevel"], &over["vipExpireAt"]), (&json!("NORMAL"), &Value::Null));
    let mut userinfo = alice.get("/v1/auth/userinfo").await.ok()["user"].clone();
    userinfo.as_object_mut().unwrap().remove("stats");
    assert_eq!(userinfo, over);
    let over = info(&alice).await;
    assert_eq!((&over["vipLevel"], &over["remainingDays"]), (&json!("NORMAL"), &json!(0)));
    assert_eq!((&over["vipExpireAt"], &over["benefits"]), (&Value::Null, &json!([])));
    assert_eq!(over["quota"]["dailyGenerations"]["limit"], 5);
    assert_eq!(alice.get("/v1/jobs/quota").await.ok()["vipLevel"], "NORMAL");
    alice.post("/v1/jobs").json(&wanted).await.fails(403, "VIP_REQUIRED");
}

#[tokio::test]
async fn a_quote_tells_what_paying_gives() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let expected = json!({
        "planId": "vip_month",
        "price": 1999,
        "change": "NEW",
        "level": "VIP",
        "expiresAt": "2026-02-28T12:00:00.000Z",
        "planDays": 30,
        "conversion": null,
        "text": "VIP begins when you have paid and lasts 30 days, until 2026-02-28.",
    });
    assert_eq!(quote(&alice, "vip_month").await, expected);
    // Asking is not buying.
    assert_eq!(me(&alice).await["vipLevel"], "NORMAL");

    pay(&t, &alice, "vip_month", "order-1").await;
    let renewal = quote(&alice, "vip_month").await;
    assert_eq!((&renewal["change"], &renewal["conversion"]), (&json!("RENEWAL"), &Value::Null));
    assert_eq!(renewal["text"], "30 more days of VIP: until 2026-03-30 instead of 2026-02-28.");

    t.clock.advance(15 * DAY);
    let alice = t.log_in("alice").await;
    let upgrade = quote(&alice, "svip_lifetime").await;
    // 15 days at 1999/30 fen are 182.5 … at 199900/36500.
    let conversion = json!({ "fromLevel": "VIP", "leftDays": 15.0, "convertedDays": 182.5 });
    assert_eq!(upgrade["conversion"], conversion);
    assert_eq!(upgrade["change"], "UPGRADE");
    let granted = pay(&t, &alice, "svip_lifetime", "order-2").await;
    assert_eq!(upgrade["expiresAt"], granted.expires_at.unwrap().rfc3339());

    let lower = "/v1/vip/quote?planId=vip_year";
    let refused = alice.get(lower).await.fails(409, "INVALID_STATE");
    assert!(refused["message"].as_str().unwrap().contains("SVIP"), "{refused}");
    let zh = alice.get("/v1/vip/quote?planId=svip_lifetime").await.ok();
    assert!(zh["text"].as_str().unwrap().starts_with("续费 SVIP 永久（36500 天）"), "{zh}");
    alice.get("/v1/vip/quote?planId=vip_decade").await.fails(404, "PLAN_NOT_FOUND");
    alice.get("/v1/vip/quote").await.blames("planId");
}

#[tokio::test]
async fn a_refunded_upgrade_leaves_what_was_there_before() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    pay(&t, &alice, "vip_month", "order-1").await;
    let before = me(&alice).await;
    t.clock.advance(Duration::from_secs(3600));
    pay(&t, &alice, "svip_lifetime", "order-2").await;
    assert_eq!(me(&alice).await["vipLevel"], "SVIP");
    refund(&t, &alice, "order-2", RevokeDays::All).await;
    assert_eq!(me(&alice).await, before);
    refund(&t, &alice, "order-1", RevokeDays::Days(10)).await;
    assert_eq!(me(&alice).await["vipExpireAt"], "2026-02-18T12:00:00.000Z");
    refund(&t, &alice, "order-1", RevokeDays::All).await;
    assert_eq!(me(&alice).await["vipLevel"], "NORMAL");
    assert_eq!(info(&alice).await["vipExpireAt"], Value::Null);
}

#[tokio::test]
async fn members_get_their_points_once_a_month() {
    let t = TestApp::start().await;
    let monthly_points = json!({ "monthlyPoints": { "VIP": 100, "SVIP": 300 } });
    set(&t, Section::Membership, monthly_points).await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    pay(&t, &alice, "vip_year", "order-1").await;
    for _ in 0..3 {
        monthly::give_due(&t.app()).await.unwrap();
    }
    assert_eq!((balance(&alice).await, balance(&bob).await), (110, 10));
    let row = alice.get("/v1/points/transactions").await.ok()["items"][0].clone();
    assert_eq!((&row["reason"], &row["amount"]), (&json!("vip_grant"), &json!(100)));
    assert_eq!(row["reference"], format!("{}:2026-01-29", alice.id));

    // Refunded and bought again within the month: nothing more.
    refund(&t, &alice, "order-1", RevokeDays::All).await;
    pay(&t, &alice, "svip_lifetime", "order-2").await;
    monthly::give_due(&t.app()).await.unwrap();
    assert_eq!(balance(&alice).await, 110);

    // The server stands still for a year and catches up, month by month.
    t.clock.advance(365 * DAY);
    t.restart();
    let alice = t.log_in("alice").await;
    assert_eq!(balance(&alice).await, 110);
    tokio::join!(async { monthly::give_due(&t.app()).await.unwrap() }, async {
        monthly::give_due(&t.app()).await.unwrap()
    },);
    assert_eq!(balance(&alice).await, 110 + 12 * 300);
    assert_eq!(me(&alice).await["pointsBalance"], 110 + 12 * 300);
    let app = t.app();
    let books = dream_bff::features::points::service::books::check_books(&app.db, &app.clock);
    assert!(books.await.unwrap().is_balanced());
}

#[tokio::test]
async fn without_points_in_the_setting_nothing_is_booked() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    pay(&t, &alice, "vip_month", "order-1").await;
    t.run_periodic_tasks().await;
    assert_eq!(balance(&alice).await, 10);
    // What was due then is not made up when points are set.
    set(&t, Section::Membership, json!({ "monthlyPoints": { "VIP": 100 } })).await;
    t.run_periodic_tasks().await;
    assert_eq!(balance(&alice).await, 10);
    // When the next month begins the membership has ended.
    t.clock.advance(31 * DAY);
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_monthly_points WHERE next_at IS NULL"), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM points_transactions WHERE reason = 'vip_grant'"), 0);
}

#[tokio::test]
async fn each_ending_is_reminded_of_once() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    pay(&t, &alice, "vip_month", "order-1").await;
    pay(&t, &bob, "vip_year", "order-2").await;
    let unsent = || {
        let (app, now) = (t.app(), t.clock.now());
        app.db.read_inline("test.unsent", |tx| reminders::unsent(tx, now, 10)).unwrap()
    };
    t.run_periodic_tasks().await;
    assert!(unsent().is_empty());

    t.clock.advance(27 * DAY);
    for _ in 0..2 {
        reminders::note_due(&t.app()).await.unwrap();
    }
    let [due] = unsent().try_into().unwrap();
    assert_eq!((due.user, due.level), (UserId(alice.id), VipLevel::Vip));
    assert_eq!(due.expires_at.rfc3339(), "2026-02-28T12:00:00.000Z");
    let (app, now) = (t.app(), t.clock.now());
    for expected in [true, false] {
        let marked = app.db.write("test.mark", move |tx| reminders::mark_sent(tx, due.id, now));
        assert_eq!(marked.await.unwrap(), expected);
    }
    reminders::note_due(&app).await.unwrap();
    assert!(unsent().is_empty());

    // A renewal has an end of its own; a note of an end that has moved is void.
    pay(&t, &alice, "vip_month", "order-3").await;
    t.clock.advance(30 * DAY);
    reminders::note_due(&app).await.unwrap();
    assert_eq!(unsent().len(), 1);
    pay(&t, &alice, "vip_month", "order-4").await;
    assert!(unsent().is_empty());

    // Nobody is reminded of what is over, and old notes go.
    t.clock.advance(100 * DAY);
    reminders::note_due(&app).await.unwrap();
    assert!(unsent().is_empty());
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_reminders"), 0);
    set(&t, Section::Membership, json!({ "reminderDays": 0 })).await;
    reminders::note_due(&app).await.unwrap();
}

#[tokio::test]
async fn an_admin_gives_and_takes_by_hand() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let (app, now, id) = (t.app(), t.clock.now(), UserId(alice.id));
    let gift = Grant {
        user: id,
        source: GrantSource::Admin("audit-1".to_owned()),
        plan_id: None,
        level: VipLevel::Svip,
        days: 3,
        price_fen: None,
    };
    let given = gift.clone();
    app.db.write("test.gift", move |tx| service::grant(tx, &given, now)).await.unwrap();
    service::changed(&app, id);
    assert_eq!(me(&alice).await["vipExpireAt"], "2026-02-01T12:00:00.000Z");
    let [stored] = app
        .db
        .read_inline("test.grants", |tx| service::grants(tx, id))
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!((&stored.source, stored.price_fen), (&gift.source, None));
    let days = RevokeDays::Days(1);
    app.db
        .write("test.revoke", move |tx| service::revoke_grant(tx, stored.id, days, now))
        .await
        .unwrap();
    service::changed(&app, id);
    assert_eq!(me(&alice).await["vipExpireAt"], "2026-01-31T12:00:00.000Z");
}
