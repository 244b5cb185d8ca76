//! Rate limits on the page: what is in force, and changing it.

use poem::http::Method;
use serde_json::{Value, json};

use crate::support::{Admin, Answer, TestApp};

async fn in_force(admin: &Admin, name: &str) -> Value {
    let all = admin.get("/admin/api/limits").await.ok();
    let items = all["items"].as_array().unwrap().iter();
    items.clone().find(|limit| limit["name"] == name).unwrap().clone()
}

async fn put(admin: &Admin, change: Value) -> Answer {
    let all = admin.get("/admin/api/settings").await.ok();
    let sections = all["sections"].as_array().unwrap().iter();
    let limits = sections.clone().find(|one| one["key"] == "limits").unwrap();
    let body = json!({ "change": change, "version": limits["version"] });
    admin.call(Method::PUT, "/admin/api/settings/limits").json(&body).await
}

#[tokio::test]
async fn a_changed_limit_holds_at_once_and_the_others_go_on_counting() {
    let t =
        TestApp::with(&[("RATE_LIMIT_PER_USER", "3"), ("RATE_LIMIT_EXPORT_PER_USER", "1")]).await;
    let owner = t.admin("owner");
    let alice = t.log_in("alice").await;
    alice.get("/v1/users/me/export").await.ok();
    alice.get("/v1/users/me/export").await.fails(429, "RATE_LIMIT_EXCEEDED");
    alice.get("/v1/users/me").await.ok();
    alice.get("/v1/users/me").await.fails(429, "RATE_LIMIT_EXCEEDED");
    let limit = in_force(&owner, "user").await;
    assert_eq!(
        (&limit["perMinute"], &limit["configured"], &limit["refused"]),
        (&json!(3), &json!(3), &json!(1))
    );

    put(&owner, json!({ "perUser": 5 })).await.ok();
    let limit = in_force(&owner, "user").await;
    assert_eq!((&limit["perMinute"], &limit["configured"]), (&json!(5), &json!(3)));
    for _ in 0..4 {
        alice.get("/v1/users/me").await.ok();
    }
    // This one was not changed, and has not forgotten.
    alice.get("/v1/users/me/export").await.fails(429, "RATE_LIMIT_EXCEEDED");
    let refused = alice.get("/v1/users/me").await;
    refused.fails(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"user\";q=5;w=60"));

    put(&owner, json!({ "perUser": 0 })).await.ok();
    for _ in 0..20 {
        alice.get("/v1/users/me").await.ok();
    }
    t.restart();
    assert_eq!(in_force(&owner, "user").await["perMinute"], 0, "also after a restart");
    put(&owner, json!({ "perUser": null })).await.ok();
    assert_eq!(in_force(&owner, "user").await["perMinute"], 3, "the environment's again");
}

#[tokio::test]
async fn what_would_lock_everybody_out_is_refused_and_only_owners_change_it() {
    let t = TestApp::start().await;
    put(&t.admin("operator"), json!({ "perIp": 100 })).await.fails(403, "FORBIDDEN");
    let owner = t.admin("owner");
    for (change, field) in [
        (json!({ "perIp": 59 }), "perIp"),
        (json!({ "perIp": 1_000_001 }), "perIp"),
        (json!({ "loginPerIp": -1 }), "loginPerIp"),
        (json!({ "perUser": 2.5 }), "perUser"),
        (json!({ "exportPerUser": "many" }), "exportPerUser"),
    ] {
        let answer = put(&owner, change).await;
        let body = answer.fails(400, "INVALID_REQUEST");
        let blamed = body["details"]["field"].as_str().unwrap();
        assert!(blamed == field || blamed == "section", "{body}");
    }
    assert_eq!(in_force(&owner, "ip").await["perMinute"], 600);
    assert_eq!(t.count("SELECT COUNT(*) FROM settings"), 0);
}
