//! Alerts: what is wrong is told to whoever listens, in the form he wants, once, and its end too.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dream_bff::features::alerts::{AlertError, Rule, Tried, service};
use dream_bff::features::audit::Actor;
use dream_bff::features::settings::{Section, service::change};
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{TestApp, address_that_refuses, speaks_both};

/// Somebody who is told: a server that keeps what it got, and answers as it was told to.
struct Receiver {
    base: String,
    got: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Mutex<(u16, Value)>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::default();
        let answer = Arc::new(Mutex::new((200, json!({ "errcode": 0, "code": 0 }))));
        let receiver = Self { base, got: Arc::clone(&got), answer: Arc::clone(&answer) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&got), Arc::clone(&answer)));
            }
        });
        receiver
    }

    /// What came since the last time, with the heads.
    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.got.lock())
    }

    fn answers(&self, status: u16, body: Value) {
        *self.answer.lock() = (status, body);
    }
}

async fn serve(
    mut socket: TcpStream,
    got: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Mutex<(u16, Value)>>,
) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            let found = bytes.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(found) = found {
                break found + 4;
            }
            match socket.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        while bytes.len() < end + length {
            if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = serde_json::from_slice(&bytes[end..end + length]).unwrap();
        got.lock().push((head, body));
        bytes.drain(..end + length);
        let (status, body) = answer.lock().clone();
        let body = body.to_string();
        let text = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nlocation: http://127.0.0.1:1/\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(text.as_bytes()).await.unwrap();
    }
}

async fn set(t: &TestApp, json: Value) {
    change(&t.app(), Section::Alerts, json, "test").await.unwrap();
}

async fn send_test(t: &TestApp) -> Result<Vec<Tried>, AlertError> {
    service::send_test(&t.app(), Actor::admin("test")).await
}

/// Lets so many minutes pass, looking in each. What is seen is said in both languages.
async fn minutes(t: &TestApp, count: u32) {
    for _ in 0..count {
        t.clock.advance(Duration::from_secs(60));
        service::check(&t.app()).await;
        for state in service::states(&t.app()) {
            state.problem.iter().chain(&state.end_owed).for_each(speaks_both);
        }
    }
}

/// A payment that WeChat's bill has and we do not.
fn lose_a_payment(t: &TestApp) {
    t.sql(
        "INSERT INTO differences (channel, day, kind, reference, order_id, theirs, found_at)
         VALUES ('wechat', '2026-01-28', 'not_credited', 'b', 'o2', 100, 1)",
    );
}

fn find_it(t: &TestApp) {
    t.sql("UPDATE differences SET state = 'RESOLVED', resolved_at = 1, resolution = 'done'");
}

/// The events about one rule, as the generic hook tells them.
fn about(got: &[(String, Value)], rule: &str) -> Vec<String> {
    let ours = got.iter().filter(|(_, body)| body["rule"] == rule);
    ours.map(|(_, body)| body["event"].as_str().unwrap().to_owned()).collect()
}

fn is_firing(t: &TestApp, rule: Rule) -> bool {
    service::states(&t.app()).iter().any(|state| state.rule == rule && state.firing)
}

#[tokio::test]
async fn a_problem_is_told_once_again_after_hours_and_when_it_is_over() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    minutes(&t, 2).await;
    let before = receiver.take();
    assert!(about(&before, "paid_not_credited").is_empty());
    lose_a_payment(&t);
    minutes(&t, 10).await;
    assert!(is_firing(&t, Rule::PaidNotCredited));
    let got = receiver.take();
    assert_eq!(about(&got, "paid_not_credited"), ["firing"]);
    let (_, told) = got.iter().find(|(_, body)| body["rule"] == "paid_not_credited").unwrap();
    assert!(told["text"].as_str().unwrap().contains("paid_not_credited"), "{told}");
    assert_eq!(told["message"], "微信账单里有 1 笔付款没有到账", "{told}");
    t.clock.advance(Duration::from_secs(6 * 3600));
    minutes(&t, 1).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["still_firing"]);
    find_it(&t);
    minutes(&t, 3).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["resolved"]);
    assert!(!is_firing(&t, Rule::PaidNotCredited));
}

#[tokio::test]
async fn a_message_is_in_the_language_of_the_settings() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "wecom": { "enabled": true, "url": receiver.base } })).await;
    minutes(&t, 1).await;
    receiver.take();
    let told = || {
        let got = receiver.take().into_iter();
        let mut texts = got.map(|(_, body)| body["text"]["content"].as_str().unwrap().to_owned());
        texts.find(|text| text.contains("paid_not_credited")).expect("nothing was told of it")
    };
    lose_a_payment(&t);
    minutes(&t, 1).await;
    let firing = told();
    let wanted = "【告警】已付款未到账（paid_not_credited）\n微信账单里有 1 笔付款没有到账\n";
    assert!(firing.starts_with(wanted), "{firing}");
    // What began in one language ends in the other.
    set(&t, json!({ "language": "en" })).await;
    find_it(&t);
    minutes(&t, 1).await;
    let resolved = told();
    let wanted = "[Resolved] Paid, not credited (paid_not_credited)\n1 payments of WeChat's bills";
    assert!(resolved.starts_with(wanted), "{resolved}");
    send_test(&t).await.unwrap();
    let test = receiver.take().remove(0).1;
    let test = test["text"]["content"].as_str().unwrap();
    assert!(test.starts_with("[Test] This is a test message (test)\n"), "{test}");
}

#[tokio::test]
async fn each_hook_gets_its_own_form_and_signature() {
    let t = TestApp::start().await;
    let (wecom, feishu, webhook) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    set(
        &t,
        json!({
            "wecom": { "enabled": true, "url": format!("{}/send?key=k", wecom.base) },
            "feishu": { "enabled": true, "url": feishu.base, "secret": "feishu-secret" },
            "webhook": { "enabled": true, "url": webhook.base, "secret": "webhook-secret" },
        }),
    )
    .await;
    let sent = send_test(&t).await.unwrap();
    assert_eq!(sent, [("wecom", Ok(())), ("feishu", Ok(())), ("webhook", Ok(()))]);

    let (head, body) = wecom.take().remove(0);
    assert!(head.starts_with("post /send?key=k "), "{head}");
    assert_eq!(body["msgtype"], "text");
    assert!(body["text"]["content"].as_str().unwrap().starts_with("【测试】"), "{body}");

    let (_, body) = feishu.take().remove(0);
    assert_eq!(body["msg_type"], "text");
    let key = format!("{}\nfeishu-secret", body["timestamp"].as_str().unwrap());
    let tag = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().finalize().into_bytes();
    assert_eq!(body["sign"], STANDARD.encode(tag));

    let (head, body) = webhook.take().remove(0);
    assert_eq!((&body["event"], &body["rule"]), (&json!("test"), &json!("test")));
    let value = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).trim().to_owned()
    };
    let mut tag = Hmac::<Sha256>::new_from_slice(b"webhook-secret").unwrap();
    tag.update(format!("{}.{body}", value("x-dream-timestamp")).as_bytes());
    let hex: String = tag.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(value("x-dream-signature"), format!("sha256={hex}"));
}

#[tokio::test]
async fn a_test_says_what_each_hook_answered_and_never_its_address() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    let (_socket, nobody) = address_that_refuses();
    receiver.answers(200, json!({ "errcode": 93000, "errmsg": "invalid webhook url" }));
    set(
        &t,
        json!({
            "wecom": { "enabled": true, "url": format!("{}/?key=very-secret", receiver.base) },
            "webhook": { "enabled": true, "url": format!("{nobody}/very-secret") },
        }),
    )
    .await;
    let sent = send_test(&t).await.unwrap();
    let told: Vec<_> = sent.iter().map(|(_, sent)| sent.clone().unwrap_err()).collect();
    told.iter().for_each(speaks_both);
    let told: Vec<_> = told.into_iter().map(|problem| problem.en).collect();
    assert!(told[0].contains("93000") && told[0].contains("invalid webhook url"), "{told:?}");
    assert!(told[1].contains("no connection"), "{told:?}");
    assert!(!format!("{told:?}").contains("very-secret"), "{told:?}");
    // A redirect is not followed.
    receiver.answers(307, json!({}));
    let sent = send_test(&t).await.unwrap();
    assert!(sent[0].1.as_ref().unwrap_err().en.contains("307"), "{sent:?}");
    assert_eq!(t.app().events.alerts.get("failed"), 4);
}

#[tokio::test]
async fn what_nobody_took_is_told_when_somebody_does() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    receiver.answers(500, json!({}));
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    lose_a_payment(&t);
    minutes(&t, 2).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["firing", "firing"]);
    receiver.answers(200, json!({}));
    minutes(&t, 3).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["firing"]);
}

#[tokio::test]
async fn a_restart_neither_repeats_what_was_told_nor_loses_its_end() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    lose_a_payment(&t);
    minutes(&t, 2).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["firing"]);
    let fired_at = |t: &TestApp| {
        let states = service::states(&t.app());
        states.iter().find(|state| state.rule == Rule::PaidNotCredited).unwrap().fired_at
    };
    let first = fired_at(&t);
    t.restart();
    assert!(is_firing(&t, Rule::PaidNotCredited), "before anybody looked again");
    minutes(&t, 5).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), [""; 0]);
    assert_eq!(fired_at(&t), first);
    // It ends while nobody looks, and nobody takes the message at first.
    receiver.answers(500, json!({}));
    find_it(&t);
    t.restart();
    minutes(&t, 1).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), ["resolved"]);
    t.restart();
    receiver.answers(200, json!({}));
    minutes(&t, 3).await;
    let got = receiver.take();
    assert_eq!(about(&got, "paid_not_credited"), ["resolved"]);
    let (_, told) = got.iter().find(|(_, body)| body["rule"] == "paid_not_credited").unwrap();
    assert_eq!(told["message"], "微信账单里有 1 笔付款没有到账", "{told}");
    t.restart();
    minutes(&t, 2).await;
    assert_eq!(about(&receiver.take(), "paid_not_credited"), [""; 0]);
    assert_eq!(t.count("SELECT COUNT(*) FROM alert_states WHERE end_owed IS NOT NULL"), 0);
}

#[tokio::test]
async fn there_are_never_more_messages_than_the_settings_allow() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "maxPerHour": 2, "webhook": { "enabled": true, "url": receiver.base } })).await;
    for wanted in [true, true, false, false, false] {
        let sent = send_test(&t).await;
        assert!(sent.is_ok() == wanted || matches!(sent, Err(AlertError::TooMany)), "{sent:?}");
        assert_eq!(sent.is_ok(), wanted);
    }
    assert_eq!(receiver.take().len(), 2);
    assert_eq!(t.app().events.alerts.get("capped"), 3);
    t.clock.advance(Duration::from_secs(3600));
    send_test(&t).await.unwrap();
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn failing_requests_are_told_and_a_few_are_not() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    minutes(&t, 1).await;
    let traffic = Arc::clone(&t.app().traffic);
    for _ in 0..9 {
        traffic.answered(500);
    }
    minutes(&t, 1).await;
    assert!(!is_firing(&t, Rule::ErrorRate), "fewer than ten");
    traffic.answered(502);
    minutes(&t, 1).await;
    assert!(is_firing(&t, Rule::ErrorRate));
    minutes(&t, 6).await;
    assert!(!is_firing(&t, Rule::ErrorRate), "the window has passed");
    assert_eq!(about(&receiver.take(), "error_rate"), ["firing", "resolved"]);
    for _ in 0..1000 {
        traffic.answered(503);
    }
    minutes(&t, 1).await;
    assert!(!is_firing(&t, Rule::ErrorRate), "being full is no error");
}

#[tokio::test]
async fn a_restart_does_not_end_what_was_counted_before_it() {
    let (t, receiver) = (TestApp::start().await, Receiver::start().await);
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    minutes(&t, 1).await;
    for _ in 0..20 {
        t.app().traffic.answered(500);
    }
    minutes(&t, 1).await;
    assert_eq!(about(&receiver.take(), "error_rate"), ["firing"]);
    t.restart();
    minutes(&t, 5).await;
    assert_eq!(about(&receiver.take(), "error_rate"), [""; 0]);
    assert!(is_firing(&t, Rule::ErrorRate));
    minutes(&t, 1).await;
    assert_eq!(about(&receiver.take(), "error_rate"), ["resolved"], "five quiet minutes");
}

#[tokio::test]
async fn books_that_differ_and_an_image_api_that_fails_are_told() {
    let t = TestApp::start().await;
    minutes(&t, 1).await;
    assert!(!is_firing(&t, Rule::BooksDiffer));
    t.sql(
        "INSERT INTO books_checks (checked_at, users, wrong_users, differences)
         VALUES (1, 5, 2, '[]')",
    );
    minutes(&t, 1).await;
    assert!(is_firing(&t, Rule::BooksDiffer));

    for _ in 0..5 {
        t.app().upstreams.lease_named("default").unwrap().failed();
    }
    minutes(&t, 4).await;
    assert!(!is_firing(&t, Rule::BreakerOpen), "it may pass");
    minutes(&t, 3).await;
    assert!(is_firing(&t, Rule::BreakerOpen));
    t.app().upstreams.lease(None).unwrap().succeeded(Duration::from_secs(1));
    minutes(&t, 1).await;
    assert!(!is_firing(&t, Rule::BreakerOpen));
}

#[test]
fn messages_and_the_page_call_a_rule_the_same() {
    let page = include_str!("../../assets/admin/src/pages/system/systemWords.ts");
    for rule in Rule::ALL {
        let title = rule.title();
        speaks_both(&title);
        let line = format!("{}: {{ name: ['{}', '{}']", rule.name(), title.zh, title.en);
        assert!(page.contains(&line), "{line}");
    }
}

#[test]
fn every_rule_is_in_the_runbook() {
    let runbook = include_str!("../../docs/alerts.md");
    for rule in Rule::ALL {
        assert!(runbook.contains(&format!("| `{}` |", rule.name())), "{}", rule.name());
    }
}

#[tokio::test]
async fn a_backup_is_missed_where_one_should_be() {
    for (hours, is_missed) in [("24", true), ("0", false)] {
        let t = TestApp::with(&[("BACKUP_HOURS", hours)]).await;
        let receiver = Receiver::start().await;
        set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
        minutes(&t, 3).await;
        assert_eq!(
            about(&receiver.take(), "backup_failed"),
            [""; 0],
            "the first one is on its way"
        );
        minutes(&t, 8).await;
        let missed: &[&str] = if is_missed { &["firing"] } else { &[] };
        assert_eq!(about(&receiver.take(), "backup_failed"), missed, "{hours} hours");
    }
    // One that was wanted and failed is told, schedule or not.
    let (t, receiver) = (TestApp::with(&[("BACKUP_HOURS", "0")]).await, Receiver::start().await);
    set(&t, json!({ "webhook": { "enabled": true, "url": receiver.base } })).await;
    t.sql(
        "INSERT INTO backup_runs (kind, cause, started_at, ended_at, took_ms, plain_bytes, bytes, problem)
         VALUES ('backup', 'admin', 1, 2, 1, 0, 0, 'the disk is full')",
    );
    minutes(&t, 10).await;
    let got = receiver.take();
    assert_eq!(about(&got, "backup_failed"), ["firing"]);
    let (_, told) = got.iter().find(|(_, body)| body["rule"] == "backup_failed").unwrap();
    assert!(told["message"].as_str().unwrap().contains("the disk is full"), "{told}");
}
