//! `/v1/orders` and the older ways to it: placing, paying, cancelling, expiring, listing.

use std::time::Duration;

use dream_bff::features::settings::{self, Section};
use dream_bff::sandbox::{Fault, PayCall, Platform};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{TestApp, User};

const QUARTER: Duration = Duration::from_secs(15 * 60);

/// Orders a plan through WeChat Pay.
async fn plan(user: &User, plan: &str) -> Value {
    let body = json!({ "planId": plan, "paymentMethod": "wechat" });
    user.post("/v1/orders").json(&body).await.ok()
}

fn id(placed: &Value) -> &str {
    placed["orderId"].as_str().unwrap()
}

async fn order(user: &User, placed: &Value) -> Value {
    user.get(&format!("/v1/orders/{}", id(placed))).await.ok()
}

async fn set(t: &TestApp, change: Value) {
    settings::service::change(&t.app(), Section::Payment, change, "test").await.unwrap();
}

#[tokio::test]
async fn an_order_has_the_fields_of_the_contract() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = plan(&alice, "vip_month").await;
    let number = id(&placed).to_owned();
    assert!((20..=32).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric()));
    let params = placed["wxPayParams"].clone();
    let expected = json!({
        "orderId": number, "amount": 1999, "status": "PENDING",
        "expiresAt": "2026-01-29T12:15:00.000Z", "paymentMethod": "wechat",
        "wxPayParams": params, "virtualPayParams": null,
    });
    assert_eq!(placed, expected);
    let names: Vec<&String> = params.as_object().unwrap().keys().collect();
    assert_eq!(names, ["nonceStr", "package", "paySign", "signType", "timeStamp"]);
    assert_eq!(params["signType"], "RSA");
    assert!(params["timeStamp"].is_string());
    assert!(params["package"].as_str().unwrap().starts_with("prepay_id="));

    let item = json!({
        "orderId": number, "kind": "VIP", "status": "PENDING", "planId": "vip_month",
        "planName": "VIP 月卡", "amount": 1999, "createdAt": "2026-01-29T12:00:00.000Z",
        "paidAt": null, "expiresAt": "2026-01-29T12:15:00.000Z",
    });
    let page = json!({ "items": [item], "hasMore": false, "nextCursor": null });
    assert_eq!(alice.get("/v1/orders").await.ok(), page);
    assert_eq!(alice.get("/v1/vip/orders").await.ok(), page);

    let mut detail = item.as_object().unwrap().clone();
    detail.extend([
        ("plan".to_owned(), json!({ "id": "vip_month", "name": "VIP 月卡", "duration": 30 })),
        ("paymentMethod".to_owned(), json!("wechat")),
        ("vipExpireAt".to_owned(), Value::Null),
        ("refundedAmount".to_owned(), json!(0)),
    ]);
    assert_eq!(order(&alice, &placed).await, Value::Object(detail.clone()));

    t.sandbox.wechat_pay().pay(&params).unwrap();
    t.deliver_notifications().await;
    detail.insert("status".to_owned(), json!("PAID"));
    detail.insert("paidAt".to_owned(), json!("2026-01-29T12:00:00.000Z"));
    detail.insert("vipExpireAt".to_owned(), json!("2026-02-28T12:00:00.000Z"));
    let vip = alice.get(&format!("/v1/vip/orders/{number}")).await.ok();
    assert_eq!(vip, Value::Object(detail));
    let me = alice.get("/v1/users/me").await.ok();
    assert_eq!((&me["vipLevel"], &me["vipExpireAt"]), (&json!("VIP"), &vip["vipExpireAt"]));
    let paid = "SELECT COUNT(*) FROM audit_log WHERE action = 'order.paid'";
    assert_eq!(t.count(paid), 1);
}

#[tokio::test]
async fn points_are_credited_when_they_are_paid() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let recharge = async |body: Value| {
        let before = balance(&t);
        let placed = alice.post("/v1/points/recharge").json(&body).await.ok();
        assert_eq!(balance(&t), before, "placing gives nothing");
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        t.deliver_notifications().await;
        order(&alice, &placed).await
    };
    let pack = recharge(json!({ "packId": "points_500", "paymentMethod": "wechat" })).await;
    assert_eq!(
        (&pack["kind"], &pack["planId"], &pack["plan"]),
        (&json!("POINTS"), &Value::Null, &Value::Null)
    );
    assert_eq!((&pack["planName"], &pack["amount"]), (&json!("500 积分"), &json!(4800)));
    assert_eq!(balance(&t), 10 + 550);
    // By default virtual payment sells everything but free amounts.
    let amount = recharge(json!({ "amount": 1234 })).await;
    assert_eq!((&amount["amount"], &amount["paymentMethod"]), (&json!(1234), &json!("wechat")));
    assert_eq!(balance(&t), 10 + 550 + 123);
    let vip = alice.get(&format!("/v1/vip/orders/{}", id(&amount))).await;
    vip.fails(404, "ORDER_NOT_FOUND");
    assert_eq!(alice.get("/v1/vip/orders").await.ok()["items"], json!([]));
}

fn balance(t: &TestApp) -> i64 {
    t.count("SELECT points_balance FROM users WHERE openid = 'alice'")
}

#[tokio::test]
async fn what_cannot_be_bought_is_named() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let orders = |body: Value| alice.post("/v1/orders").json(&body);
    orders(json!({})).await.blames("planId");
    orders(json!({ "planId": "vip_month", "packId": "points_100" })).await.blames("packId");
    orders(json!({ "planId": "vip_month", "paymentMethod": "cash" })).await.blames("paymentMethod");
    orders(json!({ "planId": 7 })).await.blames("planId");
    orders(json!({ "planId": "vip_week" })).await.fails(404, "PLAN_NOT_FOUND");
    orders(json!({ "packId": "points_1" })).await.fails(404, "PACK_NOT_FOUND");
    let recharge = |body: Value| alice.post("/v1/points/recharge").json(&body);
    recharge(json!({})).await.blames("packId");
    for amount in [json!(0), json!(-1), json!(1_000_001), json!(1.5), json!("100")] {
        recharge(json!({ "amount": amount })).await.blames("amount");
    }
    recharge(json!({ "amount": 100, "paymentMethod": "virtual" })).await.blames("paymentMethod");
    recharge(json!({ "amount": 1, "packId": "points_100" })).await.blames("amount");
    alice.post("/v1/vip/purchase").json(&json!({})).await.blames("planId");
    t.sql("UPDATE vip_plans SET on_sale = 0 WHERE plan_id = 'vip_month'");
    orders(json!({ "planId": "vip_month" })).await.fails(404, "PLAN_NOT_FOUND");
    assert_eq!(t.count("SELECT COUNT(*) FROM orders"), 0);
}

#[tokio::test]
async fn a_pending_order_is_taken_again_while_its_price_holds() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let alice = alice.clone();
        calls.spawn(async move { id(&plan(&alice, "vip_month").await).to_owned() });
    }
    let mut ids = calls.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "of many at once one was placed");
    t.clock.advance(Duration::from_secs(60));
    let again = plan(&alice, "vip_month").await;
    assert_eq!(id(&again), ids[0]);
    assert_ne!(id(&plan(&alice, "vip_year").await), ids[0]);

    t.sql("UPDATE vip_plans SET current_price = 999 WHERE plan_id = 'vip_month'");
    let cheaper = plan(&alice, "vip_month").await;
    assert_ne!(id(&cheaper), ids[0]);
    assert_eq!(cheaper["amount"], 999);
    assert_eq!(order(&alice, &again).await["status"], "CANCELLED");
    t.sandbox.wechat_pay().pay(&again["wxPayParams"]).unwrap_err();
    // Paying too late is a new order.
    t.clock.advance(QUARTER);
    assert_ne!(id(&plan(&alice, "vip_month").await), id(&cheaper));
    assert_eq!(order(&alice, &cheaper).await["status"], "EXPIRED");
}

#[tokio::test]
async fn the_other_method_closes_the_order_before() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let first = plan(&alice, "vip_month").await;
    let second = alice.post("/v1/orders").json(&json!({ "planId": "vip_month" })).await.ok();
    assert_eq!(
        (&second["paymentMethod"], &second["wxPayParams"]),
        (&json!("virtual"), &Value::Null)
    );
    let data: Value =
        serde_json::from_str(second["virtualPayParams"]["signData"].as_str().unwrap()).unwrap();
    assert_eq!(data["outTradeNo"], second["orderId"]);
    assert_eq!((&data["productId"], &data["goodsPrice"]), (&json!("vip_month"), &json!(1999)));
    assert_eq!(order(&alice, &first).await["status"], "CANCELLED");
    t.sandbox.wechat_pay().pay(&first["wxPayParams"]).unwrap_err();

    // Paid and not told: asking for the other method finds it.
    let third = plan(&alice, "vip_month").await;
    assert_eq!(order(&alice, &second).await["status"], "CANCELLED");
    t.sandbox.wechat_pay().pay_silently(id(&third)).unwrap();
    let body = json!({ "planId": "vip_month", "paymentMethod": "virtual" });
    alice.post("/v1/orders").json(&body).await.fails(409, "INVALID_STATE");
    assert_eq!(order(&alice, &third).await["status"], "PAID");
}

#[tokio::test]
async fn a_virtual_order_is_found_by_asking() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let body = json!({ "planId": "vip_year", "platform": "android" });
    let placed = alice.post("/v1/vip/purchase").json(&body).await.ok();
    let wechat = t.sandbox.wechat();
    let params = &placed["virtualPayParams"];
    wechat.pay_virtually_in_silence("alice", params, Platform::Android).unwrap();
    let synced = alice.get(&format!("/v1/orders/{}?sync=true", id(&placed))).await.ok();
    assert_eq!(synced["status"], "PAID");
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "VIP");
}

#[tokio::test]
async fn without_a_session_key_a_new_login_is_asked_for() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let place = || alice.post("/v1/orders").json(&json!({ "packId": "points_100" }));
    let placed = place().await.ok();
    t.sql("UPDATE users SET session_key_sealed = NULL, session_key_at = NULL");
    place().await.fails(409, "WECHAT_SESSION_EXPIRED");
    let pay = format!("/v1/orders/{}/pay", id(&placed));
    alice.post(&pay).await.fails(409, "WECHAT_SESSION_EXPIRED");
    t.log_in("alice").await;
    let signed = alice.post(&pay).await.ok();
    assert_eq!(id(&signed), id(&placed));
    let wechat = t.sandbox.wechat();
    wechat.pay_virtually("alice", &signed["virtualPayParams"], Platform::Android).unwrap();
}

#[tokio::test]
async fn a_cancelled_order_stays_cancelled_and_closed() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = plan(&alice, "vip_month").await;
    let cancel = format!("/v1/orders/{}/cancel", id(&placed));
    assert_eq!(alice.post(&cancel).await.ok()["status"], "CANCELLED");
    assert_eq!(alice.post(&cancel).await.ok()["status"], "CANCELLED");
    let pay = format!("/v1/orders/{}/pay", id(&placed));
    alice.post(&pay).await.fails(409, "INVALID_STATE");
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap_err();

    // WeChat does not answer: it is over here, and closed there later.
    let placed = plan(&alice, "vip_year").await;
    t.sandbox.wechat_pay().faults_of(PayCall::Close).always(Fault::Error { code: 500 });
    let cancelled = alice.post(&format!("/v1/orders/{}/cancel", id(&placed))).await.ok();
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(t.count("SELECT COUNT(*) FROM order_payments WHERE close_pending = 1"), 1);
    t.sandbox.wechat_pay().faults_of(PayCall::Close).clear();
    t.clock.advance(Duration::from_secs(60));
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM order_payments WHERE close_pending = 1"), 0);
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap_err();
}

#[tokio::test]
async fn cancelling_what_is_paid_finds_the_payment() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = plan(&alice, "vip_month").await;
    t.sandbox.wechat_pay().pay_silently(id(&placed)).unwrap();
    let cancel = format!("/v1/orders/{}/cancel", id(&placed));
    alice.post(&cancel).await.fails(409, "INVALID_STATE");
    assert_eq!(order(&alice, &placed).await["status"], "PAID");
    let pay = format!("/v1/orders/{}/pay", id(&placed));
    alice.post(&pay).await.fails(409, "INVALID_STATE");
}

#[tokio::test]
async fn an_order_that_nobody_pays_expires_after_asking() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let (unpaid, paid) = (plan(&alice, "vip_month").await, plan(&bob, "vip_month").await);
    t.sandbox.wechat_pay().pay_silently(id(&paid)).unwrap();
    t.clock.advance(QUARTER);
    t.run_periodic_tasks().await;
    assert_eq!(order(&alice, &unpaid).await["status"], "EXPIRED");
    assert_eq!(order(&bob, &paid).await["status"], "PAID");
    let number = id(&unpaid);
    alice.post(&format!("/v1/orders/{number}/pay")).await.fails(409, "ORDER_EXPIRED");
    alice.post(&format!("/v1/orders/{number}/cancel")).await.fails(409, "ORDER_EXPIRED");
    t.sandbox.wechat_pay().pay(&unpaid["wxPayParams"]).unwrap_err();
    t.clock.advance(Duration::from_secs(120));
    t.run_periodic_tasks().await;
    let open = "SELECT COUNT(*) FROM order_payments WHERE next_ask_at IS NOT NULL";
    assert_eq!(t.count(open), 0, "nothing is left to ask");
}

#[tokio::test]
async fn an_order_does_not_expire_on_wechats_silence() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = plan(&alice, "vip_month").await;
    t.sandbox.wechat_pay().faults_of(PayCall::Query).always(Fault::Error { code: 500 });
    t.clock.advance(QUARTER);
    t.run_periodic_tasks().await;
    assert_eq!(order(&alice, &placed).await["status"], "PENDING");
    t.sandbox.wechat_pay().faults_of(PayCall::Query).clear();
    t.clock.advance(Duration::from_secs(10));
    t.run_periodic_tasks().await;
    assert_eq!(order(&alice, &placed).await["status"], "EXPIRED");
}

#[tokio::test]
async fn an_unreachable_wechat_pay_leaves_an_order_to_be_taken_again() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let pay = t.sandbox.wechat_pay();
    let body = json!({ "planId": "vip_month", "paymentMethod": "wechat" });
    // It is done there, and the answer is lost: the very same is sent again.
    pay.faults_of(PayCall::Prepay).always(Fault::Silence);
    let lost = alice.post("/v1/orders").json(&body).header("idempotency-key", "k").await;
    lost.fails(503, "PAYMENT_UNAVAILABLE");
    assert!(lost.header("retry-after").is_some());
    let number: String =
        t.database().query_row("SELECT order_id FROM orders", [], |row| row.get(0)).unwrap();
    pay.faults_of(PayCall::Prepay).clear();
    t.clock.advance(Duration::from_secs(5));
    let placed = alice.post("/v1/orders").json(&body).header("idempotency-key", "k").await.ok();
    assert_eq!(id(&placed), number);
    pay.pay(&placed["wxPayParams"]).unwrap();
    let prepays = pay.journal().requests_to("/v3/pay/transactions/jsapi");
    let bodies: Vec<_> = prepays.iter().map(|request| request.json()).collect();
    assert!(bodies.len() >= 2);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "word for word");
}

#[tokio::test]
async fn an_order_closed_at_wechat_is_replaced() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let first = plan(&alice, "vip_month").await;
    // As if the answer to its preparation had been lost and somebody closed it there.
    t.app().wechat_pay.as_ref().unwrap().close_order(id(&first)).await.unwrap();
    t.sql("UPDATE order_payments SET prepay_id = NULL, started_at = NULL");
    let second = plan(&alice, "vip_month").await;
    assert_ne!(id(&second), id(&first));
    assert_eq!(order(&alice, &first).await["status"], "CANCELLED");
    t.sandbox.wechat_pay().pay(&second["wxPayParams"]).unwrap();
}

#[tokio::test]
async fn a_channel_that_is_not_configured_is_unavailable() {
    let nothing: Vec<(&str, &str)> = [
        "WECHAT_PAY_PRIVATE_KEY_PATH",
        "WECHAT_PAY_PUBLIC_KEY_PATH",
        "WECHAT_PAY_MCHID",
        "WECHAT_PAY_SERIAL_NO",
        "WECHAT_PAY_APIV3_KEY",
        "WECHAT_PAY_PUBLIC_KEY_ID",
        "WECHAT_VIRTUAL_PAY_OFFER_ID",
        "WECHAT_VIRTUAL_PAY_APP_KEY",
    ]
    .map(|name| (name, ""))
    .to_vec();
    let t = TestApp::with(&nothing).await;
    let alice = t.log_in("alice").await;
    for method in [json!("wechat"), json!("virtual"), Value::Null] {
        let body = json!({ "planId": "vip_month", "paymentMethod": method });
        alice.post("/v1/orders").json(&body).await.fails(503, "PAYMENT_UNAVAILABLE");
    }
    let body = json!({ "amount": 100 });
    alice.post("/v1/points/recharge").json(&body).await.fails(503, "PAYMENT_UNAVAILABLE");
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM orders"), 0);
}

#[tokio::test]
async fn the_channel_follows_the_settings() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let method = async |body: Value| {
        alice.post("/v1/orders").json(&body).await.ok()["paymentMethod"].clone()
    };
    assert_eq!(method(json!({ "planId": "vip_month", "platform": "ios" })).await, "virtual");
    set(&t, json!({ "channels": { "vip": { "android": "wechat", "ios": "virtual_only" } } })).await;
    assert_eq!(method(json!({ "planId": "vip_month", "platform": "android" })).await, "wechat");
    let forced = json!({ "planId": "vip_month", "platform": "ios", "paymentMethod": "wechat" });
    assert_eq!(method(forced).await, "virtual");
}

#[tokio::test]
async fn a_lower_level_is_not_sold_while_a_higher_runs() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let low = plan(&alice, "vip_month").await;
    let high = plan(&alice, "svip_lifetime").await;
    t.sandbox.wechat_pay().pay(&high["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    let body = json!({ "planId": "vip_month", "paymentMethod": "wechat" });
    alice.post("/v1/orders").json(&body).await.fails(409, "INVALID_STATE");
    // A payment that arrives all the same extends what runs.
    let before = alice.get("/v1/users/me").await.ok()["vipExpireAt"].clone();
    t.sandbox.wechat_pay().pay(&low["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    let me = alice.get("/v1/users/me").await.ok();
    assert_eq!(me["vipLevel"], "SVIP");
    assert!(me["vipExpireAt"].as_str() > before.as_str());
}

#[tokio::test]
async fn too_many_waiting_orders_are_refused() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    set(&t, json!({ "maxPendingPerUser": 2 })).await;
    plan(&alice, "vip_month").await;
    plan(&alice, "vip_year").await;
    let body = json!({ "planId": "svip_lifetime", "paymentMethod": "wechat" });
    let refused = alice.post("/v1/orders").json(&body).await;
    refused.fails(429, "RATE_LIMIT_EXCEEDED");
    plan(&alice, "vip_month").await;
}

#[tokio::test]
async fn orders_are_listed_by_status_cursor_and_page() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    for amount in 1..=5 {
        alice.post("/v1/points/recharge").json(&json!({ "amount": amount })).await.ok();
    }
    let placed = plan(&alice, "vip_month").await;
    alice.post(&format!("/v1/orders/{}/cancel", id(&placed))).await.ok();
    let all = alice.get("/v1/orders").await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 6);
    assert_eq!(all["items"][0]["orderId"], placed["orderId"], "newest first");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("/v1/orders?status=PENDING&limit=2{cursor}")).await.ok();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["amount"].clone()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let page = alice.get("/v1/orders?page=2&limit=4").await.ok();
    assert_eq!((&page["total"], page["items"].as_array().unwrap().len()), (&json!(6), 2));
    let vip = alice.get("/v1/vip/orders?page=1&status=CANCELLED").await.ok();
    assert_eq!((&vip["total"], &vip["items"][0]["planId"]), (&json!(1), &json!("vip_month")));
    alice.get("/v1/orders?status=paid").await.blames("status");
    assert_eq!(bob.get("/v1/orders?page=1").await.ok()["total"], 0);
    bob.get(&format!("/v1/orders/{}", id(&placed))).await.fails(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn the_same_key_gives_the_same_order() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let body = json!({ "packId": "points_100", "paymentMethod": "wechat" });
    let place = || alice.post("/v1/points/recharge").header("idempotency-key", "k").json(&body);
    let first = place().await;
    first.ok();
    t.clock.advance(QUARTER * 2);
    assert_eq!(place().await.body, first.body, "byte for byte, expired or not");
    let other = alice.post("/v1/points/recharge").header("idempotency-key", "k");
    other.json(&json!({ "amount": 1 })).await.fails(409, "IDEMPOTENCY_KEY_REUSED");
}
