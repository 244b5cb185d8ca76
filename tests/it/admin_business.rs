//! Settings, prices, codes, jobs, bills and books, as operators handle them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gallery::finished_job;
use crate::support::{Admin, Answer, TestApp, User, until};

const API: &str = "/admin/api";

async fn put(admin: &Admin, path: &str, body: &Value) -> Answer {
    admin.call(poem::http::Method::PUT, &format!("{API}{path}")).json(body).await
}

async fn post(admin: &Admin, path: &str, body: &Value) -> Answer {
    admin.post(&format!("{API}{path}")).json(body).await
}

async fn get(admin: &Admin, path: &str) -> Value {
    admin.get(&format!("{API}{path}")).await.ok()
}

fn section<'a>(all: &'a Value, key: &str) -> &'a Value {
    all["sections"].as_array().unwrap().iter().find(|section| section["key"] == key).unwrap()
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

#[tokio::test]
async fn a_price_is_tried_changed_and_in_force_and_nobody_overwrites_another() {
    let t = TestApp::start().await;
    let admin = t.admin("operator");
    let all = get(&admin, "/settings").await;
    let economy = section(&all, "economy");
    let price = |section: &Value| {
        let fields = section["fields"].as_array().unwrap();
        fields.iter().find(|field| field["path"] == "prices.draft.2K").unwrap().clone()
    };
    let field = price(economy);
    assert_eq!(
        (&field["default"], &field["min"], &field["kind"]),
        (&json!(2), &json!(0), &json!("integer"))
    );
    let body = |value: Value, dry_run: bool| {
        json!({
            "change": { "prices": { "draft": { "2K": value } } }, "version": economy["version"],
            "dryRun": dry_run, "reason": "促销",
        })
    };
    let tried = put(&admin, "/settings/economy", &body(json!(7), true)).await.ok();
    let diff = json!([{ "path": "prices.draft.2K", "before": 2, "after": 7 }]);
    assert_eq!(tried["changes"], diff);
    assert_eq!(price(section(&get(&admin, "/settings").await, "economy"))["current"], 2);
    put(&admin, "/settings/economy", &body(json!(-1), false)).await.blames("prices.draft.2K");
    let done = put(&admin, "/settings/economy", &body(json!(7), false)).await.ok();
    assert_eq!((&done["changes"], &price(&done["section"])["current"]), (&diff, &json!(7)));
    let late = put(&admin, "/settings/economy", &body(json!(8), false)).await;
    assert_eq!(late.fails(409, "INVALID_STATE")["details"]["reason"], "OUTDATED");
    put(&admin, "/settings/nothing", &body(json!(8), false)).await.fails(404, "NOT_FOUND");

    let payment = section(&all, "payment")["version"].clone();
    let body = json!({ "change": { "orderMinutes": 20 }, "version": payment });
    put(&admin, "/settings/payment", &body).await.fails(403, "FORBIDDEN");
    put(&t.admin("owner"), "/settings/payment", &body).await.ok();
    let logged = "SELECT COUNT(*) FROM audit_log WHERE action = 'settings.changed'";
    assert_eq!(t.count(logged), 2);
}

#[tokio::test]
async fn a_plan_and_a_pack_are_changed_by_their_version_and_sold_at_the_new_price() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator"));
    let plan = |price: i64, version: &Value, dry_run: bool| {
        json!({
            "name": "VIP 月卡", "level": "VIP", "duration": 30, "originalPrice": 2999,
            "currentPrice": price, "benefits": ["快"], "onSale": true, "sort": 1,
            "version": version, "dryRun": dry_run,
        })
    };
    let list = get(&admin, "/plans").await;
    let version = list["items"][0]["version"].clone();
    assert_eq!(list["items"][0]["planId"], "vip_month");
    let tried = put(&admin, "/plans/vip_month", &plan(990, &version, true)).await.ok();
    assert_eq!(
        (&tried["before"]["currentPrice"], &tried["after"]["currentPrice"]),
        (&json!(1999), &json!(990))
    );
    assert_eq!(get(&admin, "/plans").await["items"][0]["version"], version);
    put(&admin, "/plans/vip_month", &plan(990, &version, false)).await.ok();
    let late = put(&admin, "/plans/vip_month", &plan(880, &version, false)).await;
    assert_eq!(late.fails(409, "INVALID_STATE")["details"]["reason"], "OUTDATED");
    put(&admin, "/plans/vip_month", &plan(990, &Value::Null, false))
        .await
        .fails(409, "INVALID_STATE");
    put(&admin, "/plans/vip_new", &plan(0, &Value::Null, false)).await.blames("currentPrice");
    put(&admin, "/plans/vip_new", &plan(500, &Value::Null, false)).await.ok();
    let order = t.place(&alice, json!({ "planId": "vip_month" })).await;
    assert_eq!(order["amount"], 990);

    let packs = get(&admin, "/packs").await;
    let version = packs["items"][0]["version"].clone();
    let pack = |on_sale: bool| {
        json!({
            "name": "100 积分", "points": 100, "bonusPoints": 11, "originalPrice": 1000,
            "currentPrice": 900, "onSale": on_sale, "sort": 1, "version": version,
        })
    };
    let shop = async || alice.get("/v1/points/packs").await.ok()["items"].as_array().unwrap().len();
    let before = shop().await;
    put(&admin, "/packs/points_100", &pack(false)).await.ok();
    assert_eq!(shop().await, before - 1, "what is kept of the list is out of date");
    put(&admin, "/packs/points_100", &pack(true)).await.fails(409, "INVALID_STATE");
    let wanted = json!({ "packId": "points_100", "paymentMethod": "wechat" });
    alice.post("/v1/orders").json(&wanted).await.fails(404, "PACK_NOT_FOUND");
    let logged = "SELECT COUNT(*) FROM audit_log WHERE action IN ('plan.changed', 'pack.changed')";
    assert_eq!(t.count(logged), 3);
}

#[tokio::test]
async fn codes_are_made_used_found_and_revoked() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator").stepped_up(&t));
    let wish = json!({ "name": "新年", "points": 30, "count": 3, "expiresAt": "2026-03-01" });
    let made = post(&admin, "/codes/batches", &wish).await.ok();
    let codes = made["codes"].as_array().unwrap();
    let code = |at: usize| codes[at].as_str().unwrap().to_owned();
    assert_eq!((codes.len(), &made["batch"]["codes"]), (3, &json!(3)));
    let redeem =
        async |code: String| alice.post("/v1/points/redeem").json(&json!({ "code": code })).await;
    redeem(code(0)).await.ok();
    assert_eq!(balance(&alice).await, 40);
    let uri = format!("/codes/find?code={}", code(0).to_lowercase());
    assert_eq!(get(&admin, &uri).await["redeemedBy"], alice.id);
    let revoke = |code: String| json!({ "code": code, "reason": "泄露" });
    post(&admin, "/codes/revoke", &revoke(code(0))).await.fails(409, "INVALID_STATE");
    post(&admin, "/codes/revoke", &revoke(code(1))).await.ok();
    redeem(code(1)).await.fails(409, "INVALID_STATE");
    let batch = made["batch"]["batchId"].as_i64().unwrap();
    let csv = admin.get(&format!("{API}/codes/batches/{batch}/export.csv")).await.text();
    assert!(csv.lines().count() == 4 && csv.contains(&code(2)), "{csv}");
    let page = get(&admin, &format!("/codes/batches/{batch}/codes?limit=2")).await;
    let next = page["nextCursor"].as_str().unwrap();
    let rest = get(&admin, &format!("/codes/batches/{batch}/codes?limit=2&cursor={next}")).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let why = json!({ "reason": "结束" });
    let revoked = post(&admin, &format!("/codes/batches/{batch}/revoke"), &why).await.ok();
    assert_eq!((revoked["revokedAt"].is_null(), &revoked["redeemed"]), (false, &json!(1)));
    redeem(code(2)).await.fails(409, "INVALID_STATE");
    assert_eq!(get(&admin, "/codes/batches").await["items"][0]["batchId"], batch);
    let past = json!({ "name": "x", "points": 1, "count": 1, "expiresAt": "2020-01-01" });
    post(&admin, "/codes/batches", &past).await.blames("expiresAt");
    post(&admin, "/codes/batches/99/revoke", &why).await.fails(404, "NOT_FOUND");
    let text: String = t
        .database()
        .query_row("SELECT group_concat(after) FROM audit_log", [], |row| row.get(0))
        .unwrap();
    assert!(!text.contains(&code(2)), "a code that may be worth something is in the log");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn what_a_delivered_job_cost_goes_back_once() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator").stepped_up(&t));
    let job = finished_job(&alice, "a fox", 2).await;
    let used = async || alice.get("/v1/jobs/quota").await.ok()["todayUsed"].clone();
    assert_eq!(used().await, 2);
    let shown = get(&admin, &format!("/jobs/{job}")).await;
    assert_eq!((&shown["canRefund"], shown["images"].as_array().unwrap().len()), (&json!(true), 2));
    let why = json!({ "reason": "画坏了" });
    post(&admin, &format!("/jobs/{job}/refund"), &why).await.ok();
    assert_eq!(used().await, 0);
    post(&admin, &format!("/jobs/{job}/refund"), &why).await.fails(409, "INVALID_STATE");
    post(&admin, &format!("/jobs/{job}/cancel"), &why).await.fails(409, "INVALID_STATE");
    post(&admin, &format!("/jobs/{job}/retry"), &why).await.fails(409, "INVALID_STATE");
    let paid_job =
        json!({ "prompt": "a fox", "mode": "draft", "resolution": "1K", "sampleCount": 6 });
    let body = json!({ "amount": 90, "reason": "x" });
    let uri = format!("{API}/users/{}/points/adjust", alice.id);
    admin.post(&uri).header("idempotency-key", "k").json(&body).await.ok();
    for _ in 0..2 {
        let paid = alice.post("/v1/jobs").json(&paid_job).await.json()["jobId"].clone();
        let job = paid.as_str().unwrap().to_owned();
        for _ in 0..60 {
            let now = alice.get(&format!("/v1/jobs/{job}?wait=1")).await.ok();
            if now["status"] == "SUCCEEDED" {
                break;
            }
        }
        let before = balance(&alice).await;
        let shown = get(&admin, &format!("/jobs/{job}")).await;
        let charged = shown["pointsCharged"].as_i64().unwrap();
        post(&admin, &format!("/jobs/{job}/refund"), &why).await.ok();
        assert_eq!(balance(&alice).await, before + charged);
    }
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_failed_job_is_listed_counted_and_made_anew_for_nothing() {
    let t = TestApp::with(&[("IMAGE_API_CONCURRENCY", "1")]).await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator"));
    let wish = json!({ "prompt": "a fox that fails", "mode": "draft" });
    // Nobody makes it: it waits until its time is over.
    t.sandbox.image_api().submit_faults().always(dream_bff::sandbox::Fault::Error { code: 503 });
    let job = alice.post("/v1/jobs").json(&wish).await.json()["jobId"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        t.clock.advance(Duration::from_secs(700));
        t.run_periodic_tasks().await;
    }
    let status =
        format!("SELECT COUNT(*) FROM generations WHERE job_id = '{job}' AND status = 'FAILED'");
    until("it fails", || t.count(&status) == 1).await;
    t.sandbox.image_api().submit_faults().clear();
    let list = get(&admin, "/jobs?status=FAILED").await;
    let code = list["items"][0]["errorCode"].as_str().unwrap();
    assert_eq!(list["items"][0]["jobId"], job);
    assert_eq!(get(&admin, &format!("/jobs?error={code}")).await["items"][0]["jobId"], job);
    assert_eq!(get(&admin, "/jobs?error=NOTHING").await["items"], json!([]));
    assert_eq!(
        get(&admin, &format!("/jobs?user={}&status=QUEUED", alice.id)).await["items"],
        json!([])
    );
    assert_eq!(get(&admin, &format!("/jobs?search={job}")).await["items"][0]["jobId"], job);
    let failures = get(&admin, "/jobs/failures?from=2026-01-29&to=2026-01-30").await;
    assert_eq!(failures["items"][0], json!({ "day": "2026-01-29", "errorCode": code, "jobs": 1 }));
    let bad = admin.get(&format!("{API}/jobs/failures?from=2026-01-29&to=2027-01-29")).await;
    bad.blames("to");
    let csv = admin.get(&format!("{API}/jobs/export.csv")).await.text();
    assert!(csv.contains(&job) && !csv.contains("a fox"), "{csv}");

    let why = json!({ "reason": "上游故障" });
    t.clock.advance(Duration::from_secs(700));
    let new = post(&admin, &format!("/jobs/{job}/retry"), &why).await.ok();
    let new = new["jobId"].as_str().unwrap();
    post(&admin, &format!("/jobs/{job}/retry"), &why).await.fails(409, "INVALID_STATE");
    let made = async || alice.get(&format!("/v1/jobs/{new}?wait=1")).await.ok()["status"].clone();
    for _ in 0..60 {
        if made().await == "SUCCEEDED" {
            break;
        }
    }
    assert_eq!(made().await, "SUCCEEDED");
    let shown = get(&admin, &format!("/jobs/{new}")).await;
    assert_eq!((&shown["pointsCharged"], &shown["quotaUsed"]), (&json!(0), &json!(0)));
    assert_eq!(balance(&alice).await, 10);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn the_image_apis_are_shown_and_asked_whether_they_are_there() {
    let t = TestApp::start().await;
    let admin = t.admin("operator");
    let list = get(&admin, "/upstreams").await;
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["breaker"]),
        (&json!("default"), &json!("closed"))
    );
    let probe = post(&admin, "/upstreams/default/test", &json!({})).await.ok();
    assert_eq!((&probe["ok"], &probe["problem"]), (&json!(true), &Value::Null), "{probe}");
    post(&admin, "/upstreams/nothing/test", &json!({})).await.fails(404, "NOT_FOUND");
    let broken = TestApp::with(&[("IMAGE_API_KEY", "not-the-key-77")]).await;
    let admin = broken.admin("operator");
    let probe = post(&admin, "/upstreams/default/test", &json!({})).await.ok();
    assert_eq!(probe["ok"], false, "{probe}");
    assert!(!probe.to_string().contains("not-the-key-77"), "{probe}");
}

#[tokio::test]
async fn a_day_is_compared_what_was_earned_is_told_and_a_difference_is_seen_to() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator").stepped_up(&t));
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    t.pay(&alice, json!({ "packId": "points_100" })).await;
    let body = json!({ "amount": 500, "ifPointsSpent": "refuse", "reason": "x" });
    post(&admin, &format!("/orders/{order}/refunds"), &body).await.ok();
    t.deliver_notifications().await;
    let today = json!({ "channel": "wechat", "day": "2026-01-29" });
    post(&admin, "/reconciliation/compare", &today).await.blames("day");
    t.clock.advance(Duration::from_secs(14 * 3600 + 15 * 60));
    let admin = t.admin("operator");
    t.sql(&format!("UPDATE orders SET amount = 1998 WHERE order_id = '{order}'"));
    let run = post(&admin, "/reconciliation/compare", &today).await.ok();
    assert_eq!(
        (&run["listed"], run["differing"].as_i64().unwrap() > 0),
        (&json!(3), true),
        "{run}"
    );
    let list = get(&admin, "/reconciliation/differences").await;
    let id = list["items"][0]["id"].as_i64().unwrap();
    t.sql(&format!("UPDATE orders SET amount = 1999 WHERE order_id = '{order}'"));
    let repaired = admin.post(&format!("{API}/reconciliation/differences/{id}/repair")).await.ok();
    assert_eq!(repaired["resolved"], true, "{repaired}");
    let resolve = format!("/reconciliation/differences/{id}/resolve");
    post(&admin, &resolve, &json!({ "note": "x" })).await.fails(409, "INVALID_STATE");
    let csv =
        admin.get(&format!("{API}/reconciliation/differences/export.csv?state=RESOLVED")).await;
    assert!(csv.text().contains(&order), "{}", csv.text());
    let days = get(&admin, "/reconciliation/days?from=2026-01-01&to=2026-01-31").await;
    assert_eq!(days["items"][0]["day"], "2026-01-29");

    let revenue = get(&admin, "/revenue?from=2026-01-29&to=2026-01-29").await;
    assert_eq!((&revenue["orders"], &revenue["paid"]), (&json!(2), &json!(2999)), "{revenue}");
    assert_eq!(revenue["refunded"], 500);
    assert_eq!(revenue["items"][1]["product"], "plan:vip_month");
    let csv = admin.get(&format!("{API}/revenue/export.csv?from=2026-01-29&to=2026-01-29")).await;
    assert!(csv.text().contains("19.99"), "{}", csv.text());
    let none = get(&admin, "/revenue?from=2026-02-01&to=2026-02-28").await;
    assert_eq!((&none["paid"], &none["items"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn the_books_are_checked_when_somebody_asks() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("operator"));
    let none = get(&admin, "/books").await;
    assert_eq!(
        (&none["points"], &none["money"], &none["running"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
    let good = post(&admin, "/books/check", &json!({})).await.ok();
    assert_eq!((&good["points"]["wrongUsers"], &good["money"]["wrong"]), (&json!(0), &json!(0)));
    t.sql(&format!("UPDATE users SET points_balance = 11 WHERE id = {}", alice.id));
    let bad = post(&admin, "/books/check", &json!({})).await.ok();
    let wrong = &bad["points"]["differences"][0];
    assert_eq!(
        (&wrong["userId"], &wrong["balance"], &wrong["sum"]),
        (&json!(alice.id), &json!(11), &json!(10))
    );
    assert_eq!(get(&admin, "/books").await["points"]["wrongUsers"], 1);
}
