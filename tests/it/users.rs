//! `/v1/users/me` and `/v1/users/me/phone`.

use std::time::Duration;

use dream_bff::sandbox::Fault;
use serde_json::{Value, json};

use crate::support::{TestApp, User};

async fn me(user: &User) -> Value {
    user.get("/v1/users/me").await.ok()
}

/// The user of `userinfo` without his counts, which `me` does not have.
fn without_stats(wrapped: &Value) -> Value {
    let mut user = wrapped["user"].clone();
    assert!(user.as_object_mut().unwrap().remove("stats").is_some(), "{wrapped}");
    user
}

#[tokio::test]
async fn a_user_is_the_same_at_login_at_me_and_at_userinfo() {
    let t = TestApp::start().await;
    let login = t.log_in_with_code("dev-alice").await.ok();
    let alice = t.log_in("alice").await;
    assert_eq!(me(&alice).await, login["user"]);
    let wrapped = alice.get("/v1/auth/userinfo").await.ok();
    assert_eq!(without_stats(&wrapped), login["user"]);
}

#[tokio::test]
async fn a_change_shows_at_once_and_after_a_restart() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let before = me(&alice).await;

    let avatar = "https://example.com/a.png?size=132";
    let change = json!({ "nickName": " 月光 ", "avatarUrl": avatar });
    let changed = alice.patch("/v1/users/me").json(&change).await.ok();
    let mut expected = before.clone();
    expected["nickName"] = "月光".into();
    expected["avatarUrl"] = avatar.into();
    assert_eq!(changed, expected);
    assert_eq!(me(&alice).await, expected);
    assert_eq!(without_stats(&alice.get("/v1/auth/userinfo").await.ok()), expected);

    t.restart();
    assert_eq!(me(&alice).await, expected);
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let patch = |body: Value| alice.patch("/v1/users/me").json(&body);
    patch(json!({ "nickName": "月光" })).await.ok();
    patch(json!({ "avatarUrl": "https://a/b" })).await.ok();
    let user =
        patch(json!({ "nickName": null, "vipLevel": "SVIP", "pointsBalance": 9 })).await.ok();
    assert_eq!((&user["nickName"], &user["avatarUrl"]), (&json!("月光"), &json!("https://a/b")));
    assert_eq!((&user["vipLevel"], &user["pointsBalance"]), (&json!("NORMAL"), &json!(10)));
}

#[tokio::test]
async fn a_change_concerns_nobody_else() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let before = me(&bob).await;
    alice.patch("/v1/users/me").json(&json!({ "nickName": "月光" })).await.ok();
    assert_eq!(me(&bob).await, before);
    assert_eq!(before["openid"], "bob");
}

#[tokio::test]
async fn a_bad_profile_is_refused_by_field_and_changes_nothing() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let before = me(&alice).await;
    for (body, field) in [
        (json!({ "nickName": "" }), "nickName"),
        (json!({ "nickName": "   " }), "nickName"),
        (json!({ "nickName": "梦".repeat(33) }), "nickName"),
        (json!({ "nickName": "a\u{7}b" }), "nickName"),
        (json!({ "nickName": 7 }), "nickName"),
        (json!({ "avatarUrl": "" }), "avatarUrl"),
        (json!({ "avatarUrl": "ftp://a/b" }), "avatarUrl"),
        (json!({ "avatarUrl": "javascript:alert(1)" }), "avatarUrl"),
        (json!({ "avatarUrl": "data:image/png;base64,AA" }), "avatarUrl"),
        (json!({ "avatarUrl": "https://" }), "avatarUrl"),
        (json!({ "nickName": "good", "avatarUrl": true }), "avatarUrl"),
    ] {
        alice.patch("/v1/users/me").json(&body).await.blames(field);
    }
    assert_eq!(me(&alice).await, before);
    alice.patch("/v1/users/me").json(&json!({ "nickName": "梦".repeat(32) })).await.ok();
}

#[tokio::test]
async fn a_membership_ends_on_time_although_the_user_is_in_memory() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let end = t.clock.now().plus_seconds(60);
    t.sql(&format!("UPDATE users SET vip_level = 'VIP', vip_expire_at = {}", end.0));

    let vip = me(&alice).await;
    assert_eq!(vip["vipLevel"], "VIP");
    assert_eq!(vip["vipExpireAt"], "2026-01-29T12:01:00.000Z");
    t.clock.advance(Duration::from_millis(59_999));
    assert_eq!(me(&alice).await, vip);

    t.clock.advance(Duration::from_millis(1));
    let over = me(&alice).await;
    assert_eq!((&over["vipLevel"], &over["vipExpireAt"]), (&json!("NORMAL"), &Value::Null));
    assert_eq!(without_stats(&alice.get("/v1/auth/userinfo").await.ok()), over);
}

#[tokio::test]
async fn me_is_answered_from_memory() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let before = me(&alice).await;
    // Nobody but the server writes its database; that this is not seen shows where it looks.
    t.sql("UPDATE users SET nick_name = 'behind its back'");
    assert_eq!(me(&alice).await, before);
}

#[tokio::test]
async fn a_phone_number_is_kept_and_shown_masked() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let before = me(&alice).await;
    assert_eq!(before["phone"], Value::Null);
    for (number, shown) in [("13812345678", "138****5678"), ("85291234567", "852****4567")] {
        let code = t.sandbox.wechat().phone_code(number);
        let answer = alice.post("/v1/users/me/phone").json(&json!({ "code": code })).await;
        assert_eq!(answer.ok()["phone"], shown);
        assert_eq!(me(&alice).await["phone"], shown);
        assert!(!answer.text().contains(number));
    }
    t.restart();
    assert_eq!(me(&alice).await["phone"], "852****4567");
}

#[tokio::test]
async fn a_bad_phone_code_is_told_and_keeps_the_number() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let set = |code: &str| alice.post("/v1/users/me/phone").json(&json!({ "code": code }));
    let code = t.sandbox.wechat().phone_code("13812345678");
    set(&code).await.ok();
    set(&code).await.fails(401, "WECHAT_CODE_INVALID");
    set("never issued").await.fails(401, "WECHAT_CODE_INVALID");
    // A code of `wx.login` is no phone code.
    set(&t.sandbox.wechat().login_code("alice")).await.fails(401, "WECHAT_CODE_INVALID");
    set("").await.blames("code");
    t.sandbox.wechat().phone_faults().next(Fault::Drop, 1);
    set("phone-13999999999").await.fails(502, "WECHAT_UNAVAILABLE");
    assert_eq!(me(&alice).await["phone"], "138****5678");
    // The caller's own token is good: he must not be logged out by an answer about a code.
    alice.check().await.ok();
}

#[tokio::test]
async fn wechats_access_token_is_kept_and_fetched_anew_once_when_it_is_dead() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let set = || alice.post("/v1/users/me/phone").json(&json!({ "code": "phone-13812345678" }));
    let fetched = || t.sandbox.wechat().journal().requests_to("/cgi-bin/stable_token").len();
    let asked =
        || t.sandbox.wechat().journal().requests_to("/wxa/business/getuserphonenumber").len();

    set().await.ok();
    set().await.ok();
    assert_eq!((fetched(), asked()), (1, 2));

    t.sandbox.wechat().revoke_access_tokens();
    set().await.ok();
    assert_eq!((fetched(), asked()), (2, 4), "the dead one failed once");

    t.clock.advance(Duration::from_secs(2 * 3600));
    set().await.ok();
    assert_eq!((fetched(), asked()), (3, 5), "an old one is not tried");

    // WeChat that calls every token dead is not asked for ever.
    t.sandbox.wechat().phone_faults().always(Fault::Error { code: 42001 });
    set().await.fails(500, "INTERNAL_ERROR");
    assert_eq!((fetched(), asked()), (4, 7));
}
