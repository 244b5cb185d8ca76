//! What users write and publish is looked at first, and what the mini-program sees of it.

use std::time::Duration;

use dream_bff::clients::wechat::Verdict;
use dream_bff::features::audit::Actor;
use dream_bff::features::gallery::{Decision, service as gallery};
use dream_bff::features::moderation::service::{pictures, words};
use dream_bff::features::moderation::{Found, ModerationError, PictureOpinion};
use dream_bff::features::settings::{Section, service::change};
use dream_bff::sandbox::{Fault, PictureVerdict, PushDelivery, Suggest, WechatCall};
use serde_json::{Value, json};

use crate::gallery::{finished_job, ids, publish, start};
use crate::support::{TestApp, User, until};

const MEDIA_CHECK: &str = "/wxa/media_check_async";

async fn set(t: &TestApp, json: Value) {
    change(&t.app(), Section::Moderation, json, "test").await.unwrap();
}

/// With WeChat as the checker, and Alice with a finished job.
async fn with_wechat() -> (TestApp, User, String) {
    let t = start().await;
    set(&t, json!({ "checker": "wechat" })).await;
    let alice = t.log_in("alice").await;
    let job = finished_job(&alice, "a fox", 1).await;
    (t, alice, job)
}

fn admin() -> Actor {
    Actor::admin("root")
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// How its author, and everybody else, sees the only picture there is.
async fn seen(t: &TestApp, author: &User) -> (String, bool) {
    let own = &author.get("/v1/gallery/mine").await.ok()["items"][0];
    let id = own["id"].as_i64().unwrap();
    let in_list = !ids(&t.get("/v1/gallery/images").await.ok()).is_empty();
    let alone = t.get(&format!("/v1/gallery/images/{id}")).await.status == 200;
    assert_eq!(in_list, alone);
    (own["status"].as_str().unwrap().to_owned(), alone)
}

fn pending() -> (String, bool) {
    ("PENDING".to_owned(), false)
}

fn approved() -> (String, bool) {
    ("APPROVED".to_owned(), true)
}

/// Hands one in that WeChat thinks this of, and lets it say so.
async fn judged(suggest: Suggest, label: i64) -> (TestApp, User, i64) {
    let (t, alice, job) = with_wechat().await;
    let verdict = PictureVerdict::Judged { suggest, label, after_ms: 1000 };
    t.sandbox.wechat().moderation().pictures().next(verdict, 1);
    let answer = publish(&alice, &job, 0, &[]).await;
    assert_eq!((&answer["status"], &answer["publishedAt"]), (&json!("PENDING"), &json!(null)));
    assert_eq!(seen(&t, &alice).await, pending());
    t.clock.advance(Duration::from_secs(1));
    t.deliver_notifications().await;
    assert_eq!(t.sandbox.undelivered(), 0);
    (t, alice, answer["imageId"].as_i64().unwrap())
}

async fn prompt(user: &User, prompt: &str) -> crate::support::Answer {
    user.post("/v1/jobs").json(&json!({ "prompt": prompt })).await
}

#[tokio::test]
async fn listed_words_are_refused_however_they_are_written_and_before_anything_is_charged() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let app = t.app();
    words::add(&app, &admin(), &texts(&["赌博", "casino"])).await.unwrap();
    for text in [
        "赌博",
        "一张赌博的画",
        "赌 博",
        "赌。博",
        "赌\u{200b}博",
        "赌\n博",
        "CASINO",
        "ｃａｓｉｎｏ",
        "c a s i n o",
        "c@s1n0",
        "сasino night",
    ] {
        prompt(&alice, text).await.fails(422, "CONTENT_REJECTED");
        let body = json!({ "prompt": text });
        alice.generate(&body).await.fails(422, "CONTENT_REJECTED");
    }
    let twice = r#"{"prompt":"a fox","prompt":"赌博"}"#;
    alice.post("/v1/proxy/images/generate").bytes(twice).await.blames("prompt");
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM points_transactions WHERE type = 'SPEND'"), 0);
    let quota = alice.get("/v1/jobs/quota").await.ok();
    assert_eq!(quota["todayUsed"], 0);
    assert_eq!(t.sandbox.image_api().journal().newest(1).len(), 0);
    assert_eq!(prompt(&alice, "my casinos, a bet").await.status, 202);
}

#[tokio::test]
async fn an_edit_of_the_list_holds_at_once_and_after_a_restart() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let add = words::add(&t.app(), &admin(), &texts(&["水怪兽", "水 怪 兽"])).await.unwrap();
    assert_eq!((add.changed, add.unchanged), (1, 1));
    prompt(&alice, "水怪兽").await.fails(422, "CONTENT_REJECTED");
    t.restart();
    prompt(&alice, "水怪兽").await.fails(422, "CONTENT_REJECTED");
    let done = words::remove(&t.app(), &admin(), &texts(&["水-怪-兽", "nothing"])).await.unwrap();
    assert_eq!((done.changed, done.unchanged), (1, 1));
    assert_eq!(prompt(&alice, "水怪兽").await.status, 202);
    let lines = "# animals\n\n水怪兽\r\n 山怪兽 \n";
    let done = words::import(&t.app(), &admin(), lines).await.unwrap();
    assert_eq!(done.changed, 2);
    prompt(&alice, "山怪兽").await.fails(422, "CONTENT_REJECTED");
    let audit = "SELECT COUNT(*) FROM audit_log WHERE actor = 'admin:root' AND action LIKE 'moderation.words_%'";
    assert_eq!(t.count(audit), 3);
    set(&t, json!({ "checker": "off" })).await;
    assert_eq!(prompt(&alice, "山怪兽").await.status, 202);
}

#[tokio::test]
async fn the_list_can_be_tried_out_and_refuses_what_would_be_everywhere() {
    let t = start().await;
    let app = t.app();
    words::add(&app, &admin(), &texts(&["怪兽"])).await.unwrap();
    let found = words::try_out(&app, "一只 怪，兽!");
    assert_eq!(found, [Found { word: "怪兽".to_owned(), start: 3, end: 6 }]);
    let before = t.count("SELECT COUNT(*) FROM moderation_words");
    for bad in ["", " !", "怪", &"怪".repeat(65)] {
        let err = words::add(&app, &admin(), &texts(&["恶龙", bad])).await.unwrap_err();
        assert!(matches!(err, ModerationError::Word(_)), "{err}");
    }
    assert_eq!(t.count("SELECT COUNT(*) FROM moderation_words"), before);
}

#[tokio::test]
async fn the_words_of_a_new_database_are_what_the_list_makes_of_them() {
    let t = start().await;
    let app = t.app();
    let list = app.db.read_inline("test", |tx| words::list(tx, "", 1000)).unwrap();
    assert!(list.len() >= 20, "{}", list.len());
    for listed in &list {
        let found = words::try_out(&app, &listed.text);
        assert!(found.iter().any(|found| found.word == listed.text), "{listed:?}");
    }
    let all: Vec<String> = list.into_iter().map(|listed| listed.text).collect();
    assert_eq!(words::add(&app, &admin(), &all).await.unwrap().changed, 0);
}

#[tokio::test]
async fn wechat_judges_prompts_and_a_setting_decides_when_it_cannot_be_asked() {
    let (t, alice, _) = with_wechat().await;
    for text in ["sandbox-risky", "a sandbox-review fox"] {
        prompt(&alice, text).await.fails(422, "CONTENT_REJECTED");
    }
    t.sandbox.wechat().faults_of(WechatCall::TextCheck).always(Fault::Error { code: 45009 });
    assert_eq!(prompt(&alice, "a fox").await.status, 202);
    set(&t, json!({ "promptsWhenUnavailable": "refuse" })).await;
    prompt(&alice, "a fox").await.fails(422, "CONTENT_REJECTED");
}

#[tokio::test]
async fn a_picture_is_public_once_wechat_lets_it_pass() {
    let (t, alice, _) = judged(Suggest::Pass, 100).await;
    assert_eq!(seen(&t, &alice).await, approved());
    let asked = t.sandbox.wechat().journal().requests_to(MEDIA_CHECK);
    assert_eq!(asked.len(), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'gallery.checked'"), 1);
    t.clock.advance(Duration::from_secs(7200));
    gallery::check_due(&t.app()).await.unwrap();
    assert_eq!(t.sandbox.wechat().journal().requests_to(MEDIA_CHECK).len(), 1);
}

#[tokio::test]
async fn what_wechat_calls_risky_is_rejected_and_its_author_told() {
    let (t, alice, id) = judged(Suggest::Risky, 20_002).await;
    assert_eq!(seen(&t, &alice).await, ("REJECTED".to_owned(), false));
    let own = &alice.get("/v1/gallery/mine").await.ok()["items"][0];
    assert_eq!(own["statusReason"], "content_check");
    // A person may think otherwise.
    gallery::decide_as(&t.app(), admin(), id, Decision::Approve).await.unwrap();
    assert_eq!(seen(&t, &alice).await, approved());
}

#[tokio::test]
async fn what_wechat_is_not_sure_of_waits_for_a_person_and_is_followed_to_its_end() {
    let (t, alice, id) = judged(Suggest::Review, 21_000).await;
    assert_eq!(seen(&t, &alice).await, pending());
    let app = t.app();
    gallery::decide_as(&app, admin(), id, Decision::Approve).await.unwrap();
    assert_eq!(seen(&t, &alice).await, approved());
    for n in 0..5 {
        let user = t.log_in(&format!("reporter-{n}")).await;
        let uri = format!("/v1/gallery/images/{id}/report");
        user.post(&uri).json(&json!({ "reason": "低俗" })).await.ok();
    }
    assert_eq!(seen(&t, &alice).await, ("HIDDEN".to_owned(), false));
    gallery::decide_as(&app, admin(), id, Decision::Restore).await.unwrap();
    assert_eq!(seen(&t, &alice).await, approved());
    let wrong = gallery::decide_as(&app, admin(), id, Decision::Restore).await;
    assert!(wrong.is_err());
    let decided =
        "SELECT COUNT(*) FROM audit_log WHERE action = 'gallery.decided' AND actor = 'admin:root'";
    assert_eq!(t.count(decided), 2);
    let last = "SELECT json_extract(before, '$.reason') = 'reported' FROM audit_log ORDER BY id DESC LIMIT 1";
    assert_eq!(t.count(last), 1);
}

#[tokio::test]
async fn forged_verdicts_change_nothing_and_repeated_ones_count_once() {
    let (t, alice, job) = with_wechat().await;
    let push = t.sandbox.wechat().push();
    push.plan().next(PushDelivery::WrongToken, 1);
    publish(&alice, &job, 0, &[]).await;
    t.clock.advance(Duration::from_secs(1));
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, pending());
    t.clock.advance(Duration::from_secs(5));
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, approved());

    let second = finished_job(&alice, "an owl", 1).await;
    push.plan().next(PushDelivery::Duplicated { times: 3 }, 1);
    publish(&alice, &second, 0, &[]).await;
    t.clock.advance(Duration::from_secs(1));
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, approved());
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'gallery.checked'"), 2);
    // Another verdict on the same question comes too late.
    let trace: String = t
        .database()
        .query_row("SELECT trace_id FROM media_traces LIMIT 1", [], |row| row.get(0))
        .unwrap();
    gallery::checked(&t.app(), trace, Some(Verdict::Risky), Some(20_002)).await.unwrap();
    assert_eq!(seen(&t, &alice).await, approved());
}

#[tokio::test]
async fn a_verdict_may_come_before_the_answer_that_names_its_question() {
    let (t, alice, job) = with_wechat().await;
    let wechat = t.sandbox.wechat();
    let at_once = PictureVerdict::Judged { suggest: Suggest::Pass, label: 100, after_ms: 0 };
    wechat.moderation().pictures().next(at_once, 1);
    wechat.faults_of(WechatCall::MediaCheck).next(Fault::Hang { ms: 1500 }, 1);
    let publishing = {
        let (alice, job) = (alice.clone(), job.clone());
        tokio::spawn(async move { publish(&alice, &job, 0, &[]).await })
    };
    until("WeChat has been asked", || t.sandbox.undelivered() > 0).await;
    t.deliver_notifications().await;
    assert_eq!(publishing.await.unwrap()["status"], "PENDING");
    assert_eq!(seen(&t, &alice).await, approved());

    // The same without any race.
    let other = finished_job(&alice, "an owl", 1).await;
    wechat.moderation().pictures().next(PictureVerdict::Silent, 1);
    let id = publish(&alice, &other, 0, &[]).await["imageId"].as_i64().unwrap();
    let app = t.app();
    gallery::checked(&app, "early".to_owned(), Some(Verdict::Risky), Some(20_002)).await.unwrap();
    gallery::checked(&app, "early".to_owned(), Some(Verdict::Pass), Some(100)).await.unwrap();
    let now = app.clock.now();
    let asked = app.db.write("test", move |tx| pictures::asked(tx, id, "early", 30, now));
    let checked = asked.await.unwrap().unwrap();
    assert_eq!((checked.image, checked.opinion), (id, PictureOpinion::Reject));
}

#[tokio::test]
async fn without_a_verdict_wechat_is_asked_again_and_then_a_person_decides() {
    let (t, alice, job) = with_wechat().await;
    t.sandbox.wechat().moderation().pictures().always(PictureVerdict::Silent);
    let id = publish(&alice, &job, 0, &[]).await["imageId"].as_i64().unwrap();
    let app = t.app();
    let asked = || t.sandbox.wechat().journal().requests_to(MEDIA_CHECK).len();
    let state = |state: &str| {
        t.count(&format!("SELECT COUNT(*) FROM media_checks WHERE state = '{state}'"))
    };
    gallery::check_due(&app).await.unwrap();
    assert_eq!(asked(), 1);
    t.clock.advance(Duration::from_secs(30 * 60));
    gallery::check_due(&app).await.unwrap();
    assert_eq!((asked(), state("ASKED")), (2, 1));
    t.clock.advance(Duration::from_secs(30 * 60));
    gallery::check_due(&app).await.unwrap();
    gallery::check_due(&app).await.unwrap();
    assert_eq!((asked(), state("HELD")), (2, 1));
    assert_eq!(seen(&t, &alice).await, pending());
    let held = app.db.read_inline("test", |tx| {
        gallery::held(tx, dream_bff::features::gallery::ImageStatus::Pending, 0, 10)
    });
    assert_eq!(held.unwrap()[0].id(), id);
    // A late verdict on either question still counts.
    let trace: String = t
        .database()
        .query_row("SELECT trace_id FROM media_traces LIMIT 1", [], |row| row.get(0))
        .unwrap();
    gallery::checked(&app, trace, Some(Verdict::Pass), Some(100)).await.unwrap();
    assert_eq!(seen(&t, &alice).await, approved());
}

#[tokio::test]
async fn a_picture_that_wechat_could_not_fetch_is_asked_about_again() {
    let (t, alice, job) = with_wechat().await;
    t.sandbox.wechat().moderation().pictures().next(PictureVerdict::NotDownloaded, 1);
    publish(&alice, &job, 0, &[]).await;
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, pending());
    // A crash in between changes nothing.
    t.restart();
    gallery::check_due(&t.app()).await.unwrap();
    t.clock.advance(Duration::from_secs(1));
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, approved());
}

#[tokio::test]
async fn while_wechat_is_away_nothing_is_published() {
    let (t, alice, job) = with_wechat().await;
    let faults = t.sandbox.wechat().faults_of(WechatCall::MediaCheck);
    faults.always(Fault::Error { code: 45009 });
    publish(&alice, &job, 0, &[]).await;
    t.clock.advance(Duration::from_secs(301));
    gallery::check_due(&t.app()).await.unwrap();
    assert_eq!(t.count("SELECT COUNT(*) FROM media_checks WHERE state = 'HELD'"), 1);
    assert_eq!(seen(&t, &alice).await, pending());

    faults.clear();
    let second = finished_job(&alice, "an owl", 1).await;
    t.sandbox.wechat().faults_of(WechatCall::TextCheck).always(Fault::Error { code: 45009 });
    assert_eq!(publish(&alice, &second, 0, &[]).await["status"], "PENDING");
    assert_eq!(seen(&t, &alice).await, pending());
    assert_eq!(t.count("SELECT COUNT(*) FROM media_checks"), 1, "a person looks at this one");
}

#[tokio::test]
async fn tags_are_looked_at_too_and_holding_everything_holds_what_passed() {
    let (t, alice, job) = with_wechat().await;
    let body = |tags: Value| json!({ "jobId": job, "categoryId": "landscape", "tags": tags });
    let send = |tags: Value| alice.post("/v1/gallery/publish").json(&body(tags));
    send(json!(["sandbox-risky"])).await.fails(422, "CONTENT_REJECTED");
    send(json!(["冰毒"])).await.fails(422, "CONTENT_REJECTED");
    assert_eq!(t.count("SELECT COUNT(*) FROM gallery_images"), 0);
    assert_eq!(send(json!(["狐狸"])).await.ok()["status"], "PENDING");
    change(&t.app(), Section::Gallery, json!({ "holdForReview": true }), "test").await.unwrap();
    t.clock.advance(Duration::from_secs(1));
    t.deliver_notifications().await;
    assert_eq!(seen(&t, &alice).await, pending());
}
