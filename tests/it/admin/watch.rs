//! Doctor and alerts on the page.

use std::sync::Arc;

use dream_bff::base::bilingual::Language;
use dream_bff::features::alerts::service::check;
use parking_lot::Mutex;
use poem::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Admin, TestApp, until};

async fn examined(admin: &Admin) -> Value {
    admin.get("/admin/api/doctor").await.ok()
}

#[tokio::test]
async fn an_examination_begins_at_a_word_and_its_report_is_that_of_the_command() {
    let t = TestApp::start().await;
    let operator = t.admin("operator");
    t.admin("content").get("/admin/api/doctor").await.fails(403, "FORBIDDEN");
    assert_eq!(examined(&operator).await, json!({ "underWaySince": null, "report": null }));
    operator.post("/admin/api/doctor/examine").await.ok();
    assert_eq!(examined(&operator).await["underWaySince"], "2026-01-29T12:00:00.000Z");
    operator.post("/admin/api/doctor/examine").await.fails(409, "INVALID_STATE");
    let app = t.app();
    until("the examination has ended", || {
        dream_bff::features::doctor::service::by_hand::last(&app).is_some()
    })
    .await;
    let report = examined(&operator).await["report"].clone();
    let findings = report["items"].as_array().unwrap();
    let expected = dream_bff::features::doctor::service::examine(
        &app,
        dream_bff::features::doctor::Extent::Quick,
    )
    .await;
    assert_eq!(findings.len(), expected.findings.len());
    for (shown, found) in findings.iter().zip(&expected.findings) {
        assert_eq!(shown["check"], found.check);
        assert_eq!(shown["level"], json!(found.level), "{shown}");
        assert_eq!(shown["hint"], json!(found.told(Language::Zh).hint), "{shown}");
    }
    // The same report, for whoever reads English.
    let english = operator.get("/admin/api/doctor").header("accept-language", "en").await.ok();
    let english = &english["report"]["items"];
    for (shown, found) in english.as_array().unwrap().iter().zip(&expected.findings) {
        assert_eq!(shown["check"], found.check);
        assert_eq!(shown["hint"], json!(found.told(Language::En).hint), "{shown}");
    }
    let settings = [&findings[0]["message"], &english[0]["message"]];
    assert_eq!(settings, ["完整有效", "complete and valid"]);
    // There is no backup yet.
    let backups = findings.iter().find(|finding| finding["check"] == "backups").unwrap();
    assert_eq!(backups["level"], "warn");
    assert_eq!(report["at"], "2026-01-29T12:00:00.000Z");
}

/// A robot that takes everything, and what it was sent.
async fn robot() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (base, got) = (format!("http://{}", listener.local_addr().unwrap()), Arc::default());
    let kept: Arc<Mutex<Vec<String>>> = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            // Closed with something unread, the connection would be reset.
            while !bytes.ends_with(b"}}") {
                if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            kept.lock().push(String::from_utf8_lossy(&bytes).into_owned());
            let answer =
                b"HTTP/1.1 200 x\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"errcode\":0}";
            let _ = socket.write_all(answer).await;
        }
    });
    (base, got)
}

async fn version(admin: &Admin, section: &str) -> Value {
    let all = admin.get("/admin/api/settings").await.ok();
    let sections = all["sections"].as_array().unwrap().iter();
    sections.clone().find(|one| one["key"] == section).unwrap()["version"].clone()
}

#[tokio::test]
async fn a_hook_that_is_set_on_the_page_gets_the_test_message_also_after_a_restart() {
    let t = TestApp::start().await;
    let (base, got) = robot().await;
    let owner = t.admin("owner");
    owner.post("/admin/api/alerts/test").await.fails(409, "INVALID_STATE");
    let put = async |section: Value| {
        let body = json!({ "version": version(&owner, "alerts").await, "change": section });
        owner.call(Method::PUT, "/admin/api/settings/alerts").json(&body).await
    };
    let url = format!("{base}/send?key=very-secret");
    put(json!({ "wecom": { "enabled": true, "url": url } })).await.ok();
    // What is shown comes back with another change.
    let again = json!({ "errorPercent": 7, "wecom": { "enabled": true, "url": "***" } });
    let answer = put(again).await;
    answer.ok();
    assert!(!answer.text().contains("very-secret"));
    for _ in 0..2 {
        let tested = owner.post("/admin/api/alerts/test").await;
        assert_eq!(
            tested.ok(),
            json!({ "items": [{ "name": "wecom", "isTaken": true, "problem": null }] })
        );
        t.restart();
    }
    assert_eq!(got.lock().len(), 2);
    assert!(got.lock()[0].starts_with("POST /send?key=very-secret "), "{}", got.lock()[0]);
    let shown = t.admin("viewer").get("/admin/api/alerts").await;
    assert!(!shown.text().contains("very-secret"), "{}", shown.text());
    let channels = shown.ok()["channels"].clone();
    assert_eq!(
        channels[0],
        json!({ "name": "wecom", "isOn": true, "hasAddress": true, "hasSecret": false })
    );
    assert_eq!(channels[1]["isOn"], false);
    let noted = r#"SELECT COUNT(*) FROM audit_log
                    WHERE action = 'alerts.tested' AND after = '{"wecom":true}'"#;
    assert_eq!(t.count(noted), 2);
    let secret = "SELECT COUNT(*) FROM audit_log WHERE before || after LIKE '%very-secret%'";
    assert_eq!(t.count(secret), 0);
}

#[tokio::test]
async fn a_rule_that_fires_is_shown_with_what_is_wrong_and_since_when() {
    let t = TestApp::start().await;
    let viewer = t.admin("viewer");
    let rule_in = async |language: &str| {
        let all = viewer.get("/admin/api/alerts").header("accept-language", language).await.ok();
        let rules = all["rules"].as_array().unwrap().iter();
        rules.clone().find(|one| one["rule"] == "paid_not_credited").unwrap().clone()
    };
    let rule = async || rule_in("zh-CN").await;
    assert_eq!(
        (&rule().await["isFiring"], &rule().await["firedAt"]),
        (&json!(false), &Value::Null)
    );
    t.sql(
        "INSERT INTO differences (channel, day, kind, reference, order_id, theirs, found_at)
         VALUES ('wechat', '2026-01-28', 'not_credited', 'b', 'o2', 100, 1)",
    );
    check(&t.app()).await;
    let fires = rule().await;
    assert_eq!(fires["isFiring"], true);
    assert_eq!(
        (&fires["since"], &fires["firedAt"]),
        (&json!("2026-01-29T12:00:00.000Z"), &json!("2026-01-29T12:00:00.000Z"))
    );
    assert_eq!(fires["problem"], "微信账单里有 1 笔付款没有到账");
    let english = rule_in("en").await;
    assert!(english["problem"].as_str().unwrap().starts_with("1 payments"), "{english}");
    t.restart();
    assert_eq!(rule().await, fires, "a restart forgets nothing");
    assert_eq!(rule_in("en").await, english, "and no language");
    // What an earlier version has stored is in one language.
    t.sql("UPDATE alert_states SET problem = 'the disk is full'");
    t.restart();
    for language in ["zh-CN", "en"] {
        assert_eq!(rule_in(language).await["problem"], "the disk is full");
    }
}
