//! Orders, refunds and what WeChat told, as administrators see and handle them.

use std::time::Duration;

use dream_bff::sandbox::{Fault, PayCall};
use serde_json::{Value, json};

use crate::support::{Admin, Answer, TestApp};

const ORDERS: &str = "/admin/api/orders";

async fn found(admin: &Admin, query: &str) -> Vec<String> {
    let list = admin.get(&format!("{ORDERS}?{query}")).await.ok();
    let id = |order: &Value| order["orderId"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(id).collect()
}

async fn refund(admin: &Admin, order: &str, amount: Value, if_spent: &str) -> Answer {
    let body = json!({ "amount": amount, "ifPointsSpent": if_spent, "reason": "不想要了" });
    admin.post(&format!("{ORDERS}/{order}/refunds")).json(&body).await
}

#[tokio::test]
async fn orders_are_found_by_state_channel_user_time_amount_and_number() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let vip = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    let points = t.pay(&bob, json!({ "packId": "points_100" })).await;
    let open = t.place(&bob, json!({ "planId": "vip_year" })).await;
    let open = open["orderId"].as_str().unwrap().to_owned();
    let admin = t.admin("viewer");
    assert_eq!(found(&admin, "").await.len(), 3);
    assert_eq!(found(&admin, "status=PAID").await, [points.clone(), vip.clone()]);
    assert_eq!(found(&admin, "status=PENDING").await, std::slice::from_ref(&open));
    assert_eq!(found(&admin, "kind=POINTS").await, std::slice::from_ref(&points));
    assert_eq!(found(&admin, "method=virtual").await, [""; 0]);
    assert_eq!(found(&admin, &format!("user={}", alice.id)).await, std::slice::from_ref(&vip));
    assert_eq!(
        found(&admin, &format!("user={}&status=PAID", bob.id)).await,
        std::slice::from_ref(&points)
    );
    assert_eq!(found(&admin, "minAmount=1001&maxAmount=1999").await, std::slice::from_ref(&vip));
    assert_eq!(found(&admin, "from=2026-01-30").await, [""; 0]);
    let detail = admin.get(&format!("{ORDERS}/{vip}")).await.ok();
    let number = detail["order"]["transactionId"].as_str().unwrap();
    assert_eq!(found(&admin, &format!("search={number}")).await, std::slice::from_ref(&vip));
    assert_eq!(found(&admin, &format!("search={vip}")).await, std::slice::from_ref(&vip));
    assert_eq!(found(&admin, "search=nothing").await, [""; 0]);
    let text = admin.get(&format!("{ORDERS}/export.csv?status=PAID")).await.text();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("19.99") && text.contains(&vip), "{text}");
    let text = admin.get(&format!("{ORDERS}/export.csv?search={vip}")).await.text();
    assert!(text.lines().count() == 2 && text.contains(&vip), "{text}");
    admin.get(&format!("{ORDERS}/{}", "0".repeat(32))).await.fails(404, "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn an_order_shows_what_wechat_told_of_it_and_not_who_paid() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    let openid = alice.get("/v1/users/me").await.ok()["openid"].as_str().unwrap().to_owned();
    let answer = t.admin("viewer").get(&format!("{ORDERS}/{order}")).await;
    let detail = answer.ok();
    assert!(!answer.text().contains(&openid), "{}", answer.text());
    let events = detail["events"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["state"]), (1, &json!("done")));
    assert_eq!(events[0]["content"]["out_trade_no"], order);
    assert_eq!(events[0]["content"]["amount"]["total"], 1999);
    assert_eq!(detail["grant"]["reference"], order);
    assert_eq!(detail["payment"]["hasPrepay"], true);
}

#[tokio::test]
async fn a_payment_that_nobody_told_of_is_found_by_asking() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator"));
    let placed = t.place(&alice, json!({ "planId": "vip_month" })).await;
    let order = placed["orderId"].as_str().unwrap();
    let uri = format!("{ORDERS}/{order}/check");
    let unpaid = admin.post(&uri).json(&json!({})).await.ok();
    assert_eq!(unpaid["outcome"], "UNPAID");
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    let paid = admin.post(&uri).json(&json!({})).await.ok();
    assert_eq!(paid["outcome"], "PAID");
    assert_eq!(paid["order"]["order"]["status"], "PAID");
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "VIP");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_part_and_then_the_rest_goes_back_with_what_it_had_bought() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator"));
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    refund(&admin, &order, json!(1000), "refuse").await.fails(403, "STEP_UP_REQUIRED");
    let admin = admin.stepped_up(&t);
    let preview = admin.get(&format!("{ORDERS}/{order}/refund-preview")).await.ok();
    assert_eq!((&preview["leftFen"], &preview["unusedDays"]), (&json!(1999), &json!(30)));
    let too_much = refund(&admin, &order, json!(2000), "refuse").await;
    too_much.blames("amount");
    assert_eq!(too_much.json()["details"]["leftFen"], 1999);
    let done = refund(&admin, &order, json!(1000), "refuse").await.ok();
    assert_eq!((&done["amount"], &done["origin"]), (&json!(1000), &json!("asked")));
    assert!(done["actor"].as_str().unwrap().starts_with("admin:operator-"), "{done}");
    refund(&admin, &order, Value::Null, "refuse").await.fails(409, "INVALID_STATE");
    t.deliver_notifications().await;
    t.clock.advance(Duration::from_secs(61));
    t.run_periodic_tasks().await;
    refund(&admin, &order, Value::Null, "refuse").await.ok();
    t.deliver_notifications().await;
    t.clock.advance(Duration::from_secs(61));
    t.run_periodic_tasks().await;
    let detail = admin.get(&format!("{ORDERS}/{order}")).await.ok();
    assert_eq!(detail["order"]["status"], "REFUNDED", "{detail}");
    assert_eq!(detail["refunds"].as_array().unwrap().len(), 2);
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "NORMAL");
    let list = admin.get("/admin/api/refunds?status=REFUNDED&limit=1").await.ok();
    assert_eq!((&list["items"][0]["amount"], &list["hasMore"]), (&json!(999), &json!(true)));
    let cursor = list["nextCursor"].as_str().unwrap();
    let next = admin.get(&format!("/admin/api/refunds?cursor={cursor}")).await.ok();
    assert_eq!(next["items"][0]["amount"], 1000);
    let csv = admin.get("/admin/api/refunds/export.csv").await.text();
    assert_eq!(csv.lines().count(), 3);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn spent_points_are_a_question_and_not_a_surprise() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator").stepped_up(&t));
    let order = t.pay(&alice, json!({ "packId": "points_100" })).await;
    let body = json!({ "amount": -50, "reason": "test" });
    let uri = format!("/admin/api/users/{}/points/adjust", alice.id);
    admin.post(&uri).header("idempotency-key", "k").json(&body).await.ok();
    let refused = refund(&admin, &order, Value::Null, "refuse").await;
    let refused = refused.fails(409, "INVALID_STATE");
    assert_eq!(refused["details"]["reason"], "POINTS_SPENT");
    let done = refund(&admin, &order, Value::Null, "take_what_is_left").await.ok();
    assert_eq!((&done["points"], &done["pointsTaken"]), (&json!(100), &json!(60)));
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_refund_that_does_not_go_on_is_listed_and_tried_again() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator").stepped_up(&t));
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    t.sandbox.wechat_pay().faults_of(PayCall::Refund).always(Fault::Error { code: 500 });
    let made = refund(&admin, &order, Value::Null, "refuse").await.ok();
    let listed = admin.get("/admin/api/refunds?problem=true").await.ok();
    assert_eq!(listed["items"][0]["refundId"], made["refundId"], "{listed}");
    t.sandbox.wechat_pay().faults_of(PayCall::Refund).clear();
    let uri = format!("/admin/api/refunds/{}/retry", made["refundId"].as_str().unwrap());
    admin.post(&uri).json(&json!({ "ifPointsSpent": "refuse" })).await.ok();
    let listed = admin.get("/admin/api/refunds?problem=true").await.ok();
    assert_eq!(listed["items"], json!([]));
    let nothing = "/admin/api/refunds/nothing/retry";
    let nothing = admin.post(nothing).json(&json!({ "ifPointsSpent": "refuse" })).await;
    nothing.fails(404, "NOT_FOUND");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn what_does_not_fit_is_listed_until_somebody_has_looked() {
    let t = TestApp::start().await;
    let admin = t.admin("operator");
    t.sql(
        "INSERT INTO payment_events
           (source, received_at, headers, body, state, reference, content, problem, processed_at)
         VALUES ('notify', 1, '{}', x'00', 'flagged', 'x', '{\"payer\":{\"openid\":\"oSECRET42\"}}',
                 'the amount differs', 2)",
    );
    let list = admin.get("/admin/api/payment-events").await;
    assert!(!list.text().contains("oSECRET42"));
    let event = &list.ok()["items"][0];
    assert_eq!(event["problem"], "the amount differs");
    let export = admin.get("/admin/api/payment-events/export.csv").await.text();
    assert!(export.lines().count() == 2 && export.contains("the amount differs"), "{export}");
    let export = admin.get("/admin/api/payment-events/export.csv?state=refused").await.text();
    assert_eq!(export.lines().count(), 1, "{export}");
    let uri = format!("/admin/api/payment-events/{}/resolve", event["id"]);
    let note = json!({ "note": "已核对" });
    assert_eq!(admin.post(&uri).json(&note).await.ok()["state"], "resolved");
    admin.post(&uri).json(&note).await.fails(409, "INVALID_STATE");
    assert_eq!(admin.get("/admin/api/payment-events").await.ok()["items"], json!([]));
    let all = admin.get("/admin/api/payment-events?state=all").await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    let logged = "SELECT COUNT(*) FROM audit_log WHERE action = 'payment_event.resolved'";
    assert_eq!(t.count(logged), 1);
    let unknown = "/admin/api/payment-events/99/resolve";
    admin.post(unknown).json(&note).await.fails(404, "NOT_FOUND");
}

/// Every part of a list answers soon; whoever goes on behind it comes to what is far back.
#[tokio::test]
async fn a_filter_that_fits_little_is_answered_in_parts() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    t.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO orders (order_id, user_id, kind, plan_id, product_name, status, method, amount,
                             expires_at, created_at, updated_at)
         SELECT printf('%032d', i), {user}, 'VIP', 'vip_month', 'VIP', 'EXPIRED', 'wechat',
                CASE WHEN i IN (7, 8) THEN 5 ELSE 1999 END, 0, 1000 * (i / 3), 0
           FROM n",
        user = alice.id
    ));
    let wanted: Vec<String> = [8, 7].map(|i| format!("{i:032}")).into();
    let admin = t.admin("viewer");
    for filter in ["maxAmount=5", "status=EXPIRED&maxAmount=5"] {
        let first = admin.get(&format!("{ORDERS}?{filter}")).await.ok();
        assert_eq!(first["items"], json!([]));
        assert_eq!(first["hasMore"], json!(true));
        let cursor = first["nextCursor"].as_str().unwrap();
        let second = admin.get(&format!("{ORDERS}?{filter}&cursor={cursor}")).await.ok();
        assert_eq!(second["hasMore"], json!(false), "{second}");
        let ids = second["items"].as_array().unwrap().iter().map(|order| order["orderId"].clone());
        assert_eq!(ids.collect::<Vec<_>>(), wanted);
        let text = admin.get(&format!("{ORDERS}/export.csv?{filter}")).await.text();
        assert_eq!(text.lines().count(), 3, "{text}");
        // Who limits the time comes to the end at once.
        let filter = format!("{filter}&from=1970-01-01T05:00:00Z");
        let last = admin.get(&format!("{ORDERS}?{filter}")).await.ok();
        assert_eq!(last["hasMore"], json!(false), "{last}");
        // One user's orders are looked through at once.
        assert_eq!(found(&admin, &format!("user={}&maxAmount=5", alice.id)).await, wanted);
    }
}
