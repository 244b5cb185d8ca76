//! Subscribe messages: as often as a user agreed, and never at the cost of what they tell of.

use std::time::Duration;

use dream_bff::features::messages::service::send_due;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::features::vip::service::reminders;
use dream_bff::sandbox::{Fault, WechatCall};
use serde_json::{Value, json};

use crate::gallery::{finished_job, start};
use crate::support::{TestApp, User};

const READY: &str = "template-ready";
const ENDS: &str = "template-ends";

async fn set(t: &TestApp, json: Value) {
    change(&t.app(), Section::Messages, json, "test").await.unwrap();
}

/// With both messages on.
async fn with_messages() -> (TestApp, User) {
    let t = start().await;
    let field = |name: &str, value: &str| json!({ "name": name, "value": value });
    set(
        &t,
        json!({
            "imageReady": { "templateId": READY, "page": "pages/job?id={jobId}", "fields": [
                field("thing1", "{prompt}"), field("number2", "{count}"), field("time3", "{time}"),
            ]},
            "membershipEnds": { "templateId": ENDS, "page": "", "fields": [
                field("character_string1", "{level}"), field("time2", "{time}"),
            ]},
        }),
    )
    .await;
    let alice = t.log_in("alice").await;
    (t, alice)
}

async fn consent(user: &User, templates: &[&str]) -> Value {
    let body = json!({ "templateIds": templates });
    user.post("/v1/messages/consent").json(&body).await.ok()
}

fn sent(t: &TestApp) -> usize {
    t.sandbox.wechat().sent_messages().len()
}

fn outcomes(t: &TestApp, state: &str, outcome: &str) -> i64 {
    t.count(&format!(
        "SELECT COUNT(*) FROM messages WHERE state = '{state}' AND outcome = '{outcome}'"
    ))
}

#[tokio::test]
async fn one_tap_is_one_message_that_the_pictures_are_ready() {
    let (t, alice) = with_messages().await;
    finished_job(&alice, "before any consent", 1).await;
    consent(&alice, &[READY]).await;
    let prompt = "一只在雪地里奔跑的狐狸，身后是落日与远山，画面很安静";
    let job = finished_job(&alice, prompt, 2).await;
    finished_job(&alice, "after the consent was used", 1).await;
    send_due(&t.app()).await.unwrap();
    send_due(&t.app()).await.unwrap();
    let messages = t.sandbox.wechat().sent_messages();
    assert_eq!(messages.len(), 1);
    let body = &messages[0].body;
    assert_eq!((&*messages[0].openid, &*messages[0].template_id), ("alice", READY));
    assert_eq!(body["page"], format!("pages/job?id={job}"));
    let cut: String = prompt.chars().take(20).collect();
    assert_eq!(
        body["data"],
        json!({ "thing1": { "value": cut }, "number2": { "value": "2" },
                "time3": { "value": "2026年1月29日 20:00" } })
    );
    assert_eq!(body["miniprogram_state"], "formal");
}

#[tokio::test]
async fn consents_are_counted_by_template_and_shown() {
    let (t, alice) = with_messages().await;
    let bob = t.log_in("bob").await;
    consent(&alice, &[READY, ENDS]).await;
    let shown = consent(&alice, &[READY]).await;
    let expected = json!({ "messages": [
        { "kind": "IMAGE_READY", "templateId": READY, "consents": 2 },
        { "kind": "MEMBERSHIP_ENDS", "templateId": ENDS, "consents": 1 },
    ]});
    assert_eq!((&shown, &alice.get("/v1/messages").await.ok()), (&expected, &expected));
    assert_eq!(bob.get("/v1/messages").await.ok()["messages"][0]["consents"], 0);
    let post = |body: Value| alice.post("/v1/messages/consent").json(&body);
    post(json!({ "templateIds": ["other"] })).await.blames("templateIds");
    post(json!({ "templateIds": [READY, "other"] })).await.blames("templateIds");
    post(json!({ "templateIds": [] })).await.blames("templateIds");
    assert_eq!(alice.get("/v1/messages").await.ok(), expected);
    set(&t, json!({ "imageReady": { "templateId": "" } })).await;
    assert_eq!(alice.get("/v1/messages").await.ok()["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_survives_a_restart_and_is_sent_once() {
    let (t, alice) = with_messages().await;
    consent(&alice, &[READY]).await;
    finished_job(&alice, "a fox", 1).await;
    t.restart();
    send_due(&t.app()).await.unwrap();
    t.restart();
    send_due(&t.app()).await.unwrap();
    assert_eq!((sent(&t), outcomes(&t, "SENT", "sent")), (1, 1));
    t.clock.advance(Duration::from_secs(8 * 86_400));
    dream_bff::features::messages::service::sweep(&t.app()).await.unwrap();
    assert_eq!(t.count("SELECT COUNT(*) FROM messages"), 0);
}

#[tokio::test]
async fn what_wechat_refuses_for_good_is_not_tried_again_and_the_job_stays_done() {
    let (t, alice) = with_messages().await;
    let wechat = t.sandbox.wechat();
    for (fault, outcome) in [
        (Fault::Error { code: 43101 }, "no consent"),
        (Fault::Error { code: 47003 }, "47003"),
        (Fault::Error { code: 40037 }, "40037"),
        (Fault::Garbage, "lost"),
    ] {
        wechat.faults_of(WechatCall::Subscribe).next(fault, 1);
        consent(&alice, &[READY]).await;
        let job = finished_job(&alice, "a fox", 1).await;
        for _ in 0..3 {
            send_due(&t.app()).await.unwrap();
            t.clock.advance(Duration::from_secs(600));
        }
        assert_eq!(outcomes(&t, "DROPPED", outcome), 1, "{outcome}");
        let job = alice.get(&format!("/v1/jobs/{job}")).await.ok();
        assert_eq!(job["status"], "SUCCEEDED");
    }
}

#[tokio::test]
async fn no_consent_at_wechat_ends_what_we_counted() {
    let (t, alice) = with_messages().await;
    t.sandbox.wechat().require_consents();
    consent(&alice, &[READY]).await;
    consent(&alice, &[READY]).await;
    finished_job(&alice, "a fox", 1).await;
    send_due(&t.app()).await.unwrap();
    assert_eq!(outcomes(&t, "DROPPED", "no consent"), 1);
    assert_eq!(alice.get("/v1/messages").await.ok()["messages"][0]["consents"], 0);
}

#[tokio::test]
async fn a_busy_wechat_is_tried_again_for_a_while() {
    let (t, alice) = with_messages().await;
    let faults = t.sandbox.wechat().faults_of(WechatCall::Subscribe);
    faults.always(Fault::Error { code: 45011 });
    consent(&alice, &[READY]).await;
    finished_job(&alice, "a fox", 1).await;
    let app = t.app();
    send_due(&app).await.unwrap();
    faults.clear();
    send_due(&app).await.unwrap();
    assert_eq!(sent(&t), 0, "not before the pause is over");
    t.clock.advance(Duration::from_secs(10));
    send_due(&app).await.unwrap();
    assert_eq!(sent(&t), 1);

    consent(&alice, &[READY]).await;
    finished_job(&alice, "an owl", 1).await;
    t.clock.advance(Duration::from_secs(3601));
    send_due(&app).await.unwrap();
    assert_eq!((sent(&t), outcomes(&t, "DROPPED", "too late")), (1, 1));
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let (t, alice) = with_messages().await;
    set(&t, json!({ "queueMax": 1 })).await;
    consent(&alice, &[READY]).await;
    consent(&alice, &[READY]).await;
    finished_job(&alice, "a fox", 1).await;
    finished_job(&alice, "an owl", 1).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM messages"), 1);
}

#[tokio::test]
async fn a_member_is_told_once_that_his_membership_ends() {
    let (t, alice) = with_messages().await;
    let ends = t.clock.now().0 + 86_400_000;
    let member = |ends: i64| {
        t.sql(&format!(
            "UPDATE users SET vip_level = 'SVIP', vip_expire_at = {ends} WHERE id = {}",
            alice.id
        ));
    };
    member(ends);
    consent(&alice, &[ENDS]).await;
    let app = t.app();
    for _ in 0..2 {
        reminders::note_due(&app).await.unwrap();
        send_due(&app).await.unwrap();
    }
    let messages = t.sandbox.wechat().sent_messages();
    assert_eq!((messages.len(), &*messages[0].template_id), (1, ENDS));
    let data = &messages[0].body["data"];
    assert_eq!(data["character_string1"]["value"], "SVIP");
    assert_eq!(data["time2"]["value"], "2026年1月30日 20:00");
    // The next end has its own, if he agreed again.
    member(ends + 3_600_000);
    reminders::note_due(&app).await.unwrap();
    send_due(&app).await.unwrap();
    assert_eq!(sent(&t), 1);
}
