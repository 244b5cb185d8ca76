//! Finding anything, and what happened to it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Admin, TestApp, User};

/// What is found by `text`: kind, id, by which name.
async fn found(admin: &Admin, text: &str) -> Vec<(String, String, String)> {
    let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let answer = admin.get(&format!("/admin/api/search?q={query}")).await.ok();
    let part = |hit: &Value, name: &str| hit[name].as_str().unwrap().to_owned();
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|hit| (part(hit, "kind"), part(hit, "id"), part(hit, "matched"))).collect()
}

/// A paid order: its answer when it was placed.
async fn paid(t: &TestApp, user: &User) -> (Value, String) {
    let wish = json!({ "planId": "vip_month", "paymentMethod": "wechat" });
    let answer = user.post("/v1/orders").json(&wish).await;
    let request = answer.header("x-request-id").unwrap().to_owned();
    let placed = answer.ok();
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    (placed, request)
}

#[tokio::test]
async fn each_thing_is_found_by_each_of_its_names() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    let alice = t.log_in("alice").await;
    alice.patch("/v1/users/me").json(&json!({ "nickName": "Alice 王小明" })).await.ok();
    let id = alice.id.to_string();
    let (placed, request) = paid(&t, &alice).await;
    let order = placed["orderId"].as_str().unwrap().to_owned();
    let text = |sql: &str| -> String { t.database().query_row(sql, [], |row| row.get(0)).unwrap() };
    let transaction = text("SELECT transaction_id FROM orders");
    let openid = text("SELECT openid FROM users");
    let answer = alice.post("/v1/jobs").json(&json!({ "prompt": "a cat" })).await;
    let job_request = answer.header("x-request-id").unwrap().to_owned();
    let job = answer.json()["jobId"].as_str().unwrap().to_owned();
    let hit = |kind: &str, id: &str, by: &str| vec![(kind.into(), id.into(), by.into())];

    assert_eq!(found(&admin, &order).await, hit("order", &order, "orderId"));
    assert_eq!(
        found(&admin, &format!(" {transaction} ")).await,
        hit("order", &order, "transactionId")
    );
    assert_eq!(found(&admin, &request).await, hit("order", &order, "requestId"));
    assert_eq!(found(&admin, &openid).await, hit("user", &id, "openid"));
    assert_eq!(found(&admin, &id).await, hit("user", &id, "userId"));
    assert_eq!(found(&admin, "alice 王").await, hit("user", &id, "nickName"));
    assert_eq!(found(&admin, "ALICE").await, hit("user", &id, "nickName"));
    assert_eq!(found(&admin, &job).await, hit("job", &job, "jobId"));
    assert_eq!(found(&admin, &job_request).await, hit("job", &job, "requestId"));
    for nothing in ["bob", "王", "%", "a_ice", "'; --"] {
        assert_eq!(found(&admin, nothing).await, [], "{nothing}");
    }
    for bad in ["", "%20", &"x".repeat(129)] {
        admin.get(&format!("/admin/api/search?q={bad}")).await.blames("q");
    }

    // An administrator's own change is found by its request too.
    let owner = t.admin("owner").stepped_up(&t);
    let body = json!({ "username": "bob", "role": "viewer" });
    let answer =
        owner.post("/admin/api/admins").header("x-request-id", "req-find-me-01").json(&body);
    answer.await.ok();
    let entries = found(&admin, "req-find-me-01").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].0, "audit");
    let entry = admin.get(&format!("/admin/api/audit/{}", entries[0].1)).await.ok();
    assert_eq!(
        (&entry["action"], &entry["requestId"]),
        (&json!("admin.created"), &json!("req-find-me-01"))
    );
}

/// All pages of a timeline: kinds, the newest first.
async fn timeline(admin: &Admin, about: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/admin/api/timeline?{about}&limit={limit}{cursor}");
        let page = admin.get(&path).await.ok();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_timeline_tells_everything_in_its_order_on_pages_of_any_size() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    let alice = t.log_in("alice").await;
    t.clock.advance(Duration::from_secs(60));
    let (placed, _) = paid(&t, &alice).await;
    let order = placed["orderId"].as_str().unwrap().to_owned();
    t.clock.advance(Duration::from_secs(60));
    let made = alice.post("/v1/jobs").json(&json!({ "prompt": "a cat" })).await.json();
    let job = made["jobId"].as_str().unwrap().to_owned();
    while alice.get(&format!("/v1/jobs/{job}?wait=25")).await.ok()["status"] != "SUCCEEDED" {}
    let by = dream_bff::features::audit::Actor::admin("root");
    dream_bff::features::account::service::ban(
        &t.app(),
        dream_bff::base::ids::UserId(alice.id),
        by,
        "spam".to_owned(),
    )
    .await
    .unwrap();

    let about = format!("user={}", alice.id);
    let whole = timeline(&admin, &about, 100).await;
    for size in [1, 2, 3] {
        assert_eq!(timeline(&admin, &about, size).await, whole, "pages of {size}");
    }
    let seen = kinds(&whole);
    for kind in
        ["login", "order", "payment", "notification", "membership", "job", "ledger", "audit"]
    {
        assert!(seen.contains(&kind), "{kind}: {seen:?}");
    }
    let times: Vec<&str> = whole.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");

    let of_order = timeline(&admin, &format!("order={order}"), 2).await;
    let seen = kinds(&of_order);
    for kind in ["order", "payment", "notification", "membership", "audit"] {
        assert!(seen.contains(&kind), "{kind}: {seen:?}");
    }
    // What WeChat said is shown without who paid.
    let openid: String =
        t.database().query_row("SELECT openid FROM users", [], |row| row.get(0)).unwrap();
    let told = of_order.iter().find(|entry| entry["kind"] == "notification").unwrap();
    assert_eq!(told["data"]["content"]["out_trade_no"], *order);
    let text = serde_json::to_string(&of_order).unwrap();
    assert!(!text.contains(&openid) && text.contains("…"), "{text}");

    let of_job = timeline(&admin, &format!("job={job}"), 1).await;
    let seen = kinds(&of_job);
    for kind in ["job", "jobStarted", "jobEnded"] {
        assert!(seen.contains(&kind), "{kind}: {seen:?}");
    }
    for nothing in ["order=00000000000000000000", "job=x"] {
        admin.get(&format!("/admin/api/timeline?{nothing}")).await.fails(404, "NOT_FOUND");
    }
    for bad in ["", "user=1&order=x", "limit=5"] {
        admin.get(&format!("/admin/api/timeline?{bad}")).await.blames("user");
    }
    assert_eq!(timeline(&admin, "user=987654", 10).await, [] as [Value; 0]);
}
