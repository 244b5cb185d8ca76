//! `POST /v1/auth/wechat-login`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dream_bff::sandbox::Fault;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, Wire, address_that_refuses};

const LOGIN: &str = "/v1/auth/wechat-login";

/// The calls that WeChat got to turn a code into a user.
fn exchanges(t: &TestApp) -> usize {
    t.sandbox.wechat().journal().requests_to("/sns/jscode2session").len()
}

async fn log_in_with(t: &TestApp, body: Value) -> Answer {
    t.post(LOGIN).json(&body).await
}

#[tokio::test]
async fn a_first_login_answers_tokens_and_a_new_user() {
    let t = TestApp::start().await;
    let answer = t.log_in_with_code("dev-alice").await.ok();

    let mut rest = answer.clone();
    let mut take = |name: &str| rest.as_object_mut().unwrap().remove(name).unwrap();
    assert_eq!(take("token").as_str().unwrap().split('.').count(), 3);
    assert!(take("refreshToken").as_str().unwrap().len() >= 43, "256 bits");
    assert_eq!(take("expiresAt"), "2026-02-05T12:00:00.000Z");
    assert_eq!(take("refreshExpiresAt"), "2026-02-28T12:00:00.000Z");
    let id = answer["user"]["id"].as_i64().unwrap();
    let expected = json!({
        "isNewUser": true,
        "user": {
            "id": id,
            "openid": "alice",
            "unionid": "u-alice",
            "nickName": "微信用户",
            "avatarUrl": null,
            "phone": null,
            "vipLevel": "NORMAL",
            "vipExpireAt": null,
            "pointsBalance": 10,
            "createdAt": "2026-01-29T12:00:00.000Z",
        },
    });
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn without_an_open_platform_account_there_is_no_unionid() {
    let t = TestApp::start().await;
    t.sandbox.wechat().set_unionids(false);
    let user = t.log_in_with_code("dev-alice").await.ok()["user"].clone();
    assert_eq!(user["unionid"], Value::Null);

    // Bound later: it is learnt with the next login.
    t.sandbox.wechat().set_unionids(true);
    assert_eq!(t.log_in_with_code("dev-alice").await.ok()["user"]["unionid"], "u-alice");
}

#[tokio::test]
async fn the_same_openid_is_the_same_user_and_another_is_another() {
    let t = TestApp::start().await;
    let first = t.log_in_with_code("dev-alice").await.ok();
    t.clock.advance(Duration::from_secs(3600));
    let second = t.log_in_with_code("dev-alice").await.ok();
    let other = t.log_in_with_code("dev-bob").await.ok();

    assert_eq!(second["isNewUser"], false);
    assert_eq!(second["user"], first["user"]);
    assert_ne!(second["refreshToken"], first["refreshToken"]);
    assert_eq!(other["isNewUser"], true);
    assert_ne!(other["user"]["id"], first["user"]["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_logins_of_one_newcomer_at_once_make_one_user() {
    let t = TestApp::start().await;
    let logins: Vec<_> = (0..50)
        .map(|_| t.post(LOGIN).json(&json!({ "code": "dev-newcomer" })))
        .map(|call| tokio::spawn(call.into_future()))
        .collect();
    let mut answers = Vec::new();
    for login in logins {
        answers.push(login.await.unwrap().ok());
    }

    assert_eq!(t.count("SELECT count(*) FROM users"), 1);
    assert_eq!(answers.iter().filter(|answer| answer["isNewUser"] == true).count(), 1);
    for answer in &answers {
        assert_eq!(answer["user"]["id"], answers[0]["user"]["id"]);
        let token = answer["token"].as_str().unwrap();
        t.get("/v1/auth/check").token(token).await.ok();
    }
}

#[tokio::test]
async fn user_info_fills_only_what_is_empty() {
    let t = TestApp::start().await;
    let user = |answer: Answer| answer.ok()["user"].clone();
    let login = |info: Value| log_in_with(&t, json!({ "code": "dev-alice", "userInfo": info }));

    let first = user(login(json!({ "nickName": " 小梦 " })).await);
    assert_eq!((&first["nickName"], &first["avatarUrl"]), (&json!("小梦"), &Value::Null));

    let avatar = "https://thirdwx.qlogo.cn/a/132";
    let second = user(login(json!({ "nickName": "Other", "avatarUrl": avatar })).await);
    assert_eq!((&second["nickName"], &second["avatarUrl"]), (&json!("小梦"), &json!(avatar)));

    let third = user(login(json!({ "nickName": "", "avatarUrl": "https://b/c" })).await);
    assert_eq!(third, second);
}

#[tokio::test]
async fn a_login_refreshes_what_is_kept_in_memory_of_the_user() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    assert_eq!(alice.get("/v1/users/me").await.ok()["nickName"], "微信用户");
    let info = json!({ "nickName": "小梦" });
    log_in_with(&t, json!({ "code": "dev-alice", "userInfo": info })).await.ok();
    assert_eq!(alice.get("/v1/users/me").await.ok()["nickName"], "小梦");
}

#[tokio::test]
async fn a_phone_code_brings_the_number_and_it_is_shown_masked() {
    let t = TestApp::start().await;
    let code = t.sandbox.wechat().phone_code("13812345678");
    let answer = log_in_with(&t, json!({ "code": "dev-alice", "phoneCode": code })).await;
    assert_eq!(answer.ok()["user"]["phone"], "138****5678");
    assert!(!answer.text().contains("13812345678"));
    // A later login without a code keeps it.
    assert_eq!(t.log_in_with_code("dev-alice").await.ok()["user"]["phone"], "138****5678");
}

#[tokio::test]
async fn a_bad_phone_code_logs_nobody_in() {
    let t = TestApp::start().await;
    let answer = log_in_with(&t, json!({ "code": "dev-alice", "phoneCode": "gone" })).await;
    let body = answer.fails(401, "WECHAT_CODE_INVALID");
    assert_eq!(body["details"]["field"], "phoneCode");
    assert_eq!(t.count("SELECT count(*) FROM users"), 0);
}

#[tokio::test]
async fn each_error_of_wechat_has_its_own_answer_and_is_not_repeated() {
    let t = TestApp::start().await;
    for (errcode, status, code) in [
        (40029, 401, "WECHAT_CODE_INVALID"),
        (40163, 401, "WECHAT_CODE_INVALID"),
        (45011, 429, "RATE_LIMIT_EXCEEDED"),
        (40226, 403, "FORBIDDEN"),
        (40013, 500, "INTERNAL_ERROR"),
        (40125, 500, "INTERNAL_ERROR"),
        (45009, 502, "WECHAT_UNAVAILABLE"),
    ] {
        let before = exchanges(&t);
        t.sandbox.wechat().login_faults().next(Fault::Error { code: errcode }, 1);
        let answer = t.log_in_with_code("dev-alice").await;
        answer.fails(status, code);
        assert_eq!(exchanges(&t) - before, 1, "errcode {errcode}");
        assert!(status != 429 || answer.header("retry-after").is_some(), "errcode {errcode}");
        assert!(!answer.text().contains("rid:"), "WeChat's own text stays here");
    }
    assert_eq!(t.count("SELECT count(*) FROM users"), 0);
}

#[tokio::test]
async fn codes_of_the_simulator_fail_as_codes_of_wechat_do() {
    let t = TestApp::start().await;
    t.log_in_with_code("never-issued").await.fails(401, "WECHAT_CODE_INVALID");
    let code = t.sandbox.wechat().login_code("alice");
    t.log_in_with_code(&code).await.ok();
    t.log_in_with_code(&code).await.fails(401, "WECHAT_CODE_INVALID");

    let late = t.sandbox.wechat().login_code("alice");
    t.clock.advance(Duration::from_secs(5 * 60));
    t.log_in_with_code(&late).await.fails(401, "WECHAT_CODE_INVALID");
    // A phone code is no login code.
    let phone = t.sandbox.wechat().phone_code("13812345678");
    t.log_in_with_code(&phone).await.fails(401, "WECHAT_CODE_INVALID");
}

#[tokio::test]
async fn busy_is_asked_once_more() {
    let t = TestApp::start().await;
    let busy = || Fault::Error { code: -1 };
    t.sandbox.wechat().login_faults().next(busy(), 1);
    t.log_in_with_code("dev-alice").await.ok();
    assert_eq!(exchanges(&t), 2);

    t.sandbox.wechat().login_faults().next(busy(), 2);
    t.log_in_with_code("dev-alice").await.fails(502, "WECHAT_UNAVAILABLE");
    assert_eq!(exchanges(&t), 4);
}

#[tokio::test]
async fn a_code_that_may_have_reached_wechat_is_never_sent_again() {
    let t = TestApp::with(&[("WECHAT_TIMEOUT", "1")]).await;
    // A connection that is kept open is the case in which clients like to repeat by themselves.
    t.log_in_with_code("dev-alice").await.ok();
    for fault in [
        Fault::Hang { ms: 60_000 },
        Fault::Garbage,
        Fault::Drop,
        Fault::Cut,
        Fault::Huge { megabytes: 1 },
        Fault::Html { status: 502 },
        Fault::Html { status: 200 },
    ] {
        let before = exchanges(&t);
        t.sandbox.wechat().login_faults().next(fault.clone(), 1);
        t.log_in_with_code("dev-alice").await.fails(502, "WECHAT_UNAVAILABLE");
        assert_eq!(exchanges(&t) - before, 1, "{fault:?}");
        t.log_in_with_code("dev-alice").await.ok();
    }
}

#[tokio::test]
async fn wechat_out_of_reach_is_502() {
    let (_kept, base) = address_that_refuses();
    let t = TestApp::with(&[("WECHAT_API_BASE", &base)]).await;
    t.log_in_with_code("dev-alice").await.fails(502, "WECHAT_UNAVAILABLE");
}

#[tokio::test]
async fn the_session_key_stays_here_and_is_sealed_on_disk() {
    let t = TestApp::start().await;
    let login = t.log_in_with_code("dev-alice").await;
    let alice = t.log_in("alice").await;
    let key = t.sandbox.wechat().session_key("alice").unwrap();

    let answers = [
        login,
        alice.get("/v1/users/me").await,
        alice.get("/v1/auth/userinfo").await,
        alice.check().await,
        alice.refresh().await,
    ];
    for answer in answers {
        answer.ok();
        assert!(!answer.text().contains(&key) && !answer.text().contains("ession_key"));
    }

    let (sealed, refresh_tokens): (Vec<u8>, i64) = t
        .database()
        .query_row(
            "SELECT session_key_sealed, (SELECT count(*) FROM refresh_tokens) FROM users",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(refresh_tokens, 3);
    assert_eq!(t.app().keys.open("alice", &sealed).unwrap(), key.as_bytes(), "the newest one");

    let disk = t.database_bytes();
    let is_on_disk = |what: &[u8]| disk.windows(what.len()).any(|part| part == what);
    assert!(is_on_disk(b"u-alice"), "the search finds what is there");
    assert!(!is_on_disk(key.as_bytes()));
    assert!(!is_on_disk(&STANDARD.decode(&key).unwrap()));
    assert!(!is_on_disk(alice.refresh_token.as_bytes()));
    assert!(!is_on_disk(alice.token.as_bytes()));
}

#[tokio::test]
async fn logins_are_limited_per_address_behind_a_trusted_proxy() {
    let t =
        TestApp::with(&[("RATE_LIMIT_LOGIN_PER_IP", "2"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let server = t.listen();
    let from = |ip: &'static str| async move {
        let headers = [("x-forwarded-for", ip)];
        Wire::ask(server.address, "POST", LOGIN, &headers, r#"{"code":"dev-alice"}"#).await
    };
    from("198.51.100.1").await.ok();
    from("198.51.100.1").await.ok();
    let refused = from("198.51.100.1").await;
    refused.fails(429, "RATE_LIMIT_EXCEEDED");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"login\";q=2;w=60"));
    assert_eq!(refused.header("ratelimit"), Some(&*format!("\"login\";r=0;t={wait}")));
    assert_eq!(exchanges(&t), 2, "WeChat is not asked for a login that is refused");

    from("198.51.100.2").await.ok();
}

#[tokio::test]
async fn a_stranger_cannot_escape_the_limit_by_a_header() {
    let t = TestApp::with(&[("RATE_LIMIT_LOGIN_PER_IP", "1")]).await;
    let server = t.listen();
    let from = |ip: &'static str| async move {
        let headers = [("x-forwarded-for", ip), ("x-real-ip", ip), ("forwarded", ip)];
        Wire::ask(server.address, "POST", LOGIN, &headers, r#"{"code":"dev-alice"}"#).await
    };
    from("198.51.100.1").await.ok();
    from("198.51.100.2").await.fails(429, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let t = TestApp::start().await;
    for (body, field) in [
        (json!({}), "code"),
        (json!({ "code": null }), "code"),
        (json!({ "code": 7 }), "code"),
        (json!({ "code": "" }), "code"),
        (json!({ "code": "a".repeat(513) }), "code"),
        (json!({ "code": "dev-a", "phoneCode": [] }), "phoneCode"),
        (json!({ "code": "dev-a", "phoneCode": "" }), "phoneCode"),
        (json!({ "code": "dev-a", "userInfo": "alice" }), "userInfo"),
        (json!({ "code": "dev-a", "userInfo": { "nickName": "梦".repeat(33) } }), "nickName"),
        (json!({ "code": "dev-a", "userInfo": { "avatarUrl": "javascript:0" } }), "avatarUrl"),
    ] {
        let answer = log_in_with(&t, body.clone()).await;
        let said = answer.fails(400, "INVALID_REQUEST");
        let named = said["details"]["field"].as_str().unwrap_or_default();
        assert!(named == field || named.ends_with(&format!(".{field}")), "{body}: {said}");
    }
    assert_eq!(exchanges(&t), 0, "WeChat is not asked before the request is checked");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_of_clean_text_is_refused() {
    let t = TestApp::start().await;
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"\"dev-alice\"",
        b"{\"code\":\"dev-\xff\xfe\"}",
        b"\xef\xbb\xbf{\"code\":\"dev-alice\"}",
        br#"{"code":"dev-a\u0000b"}"#,
        br#"{"code":"dev-a","extra\u0000":1}"#,
        br#"{"code":"dev-a"} {"code":"dev-b"}"#,
    ] {
        let answer = t.post(LOGIN).bytes(body).await;
        answer.fails(400, "INVALID_REQUEST");
    }
    let form = t.post(LOGIN).header("content-type", "application/x-www-form-urlencoded").await;
    form.fails(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(exchanges(&t), 0);

    // Unknown fields are for later versions of the client.
    log_in_with(&t, json!({ "code": "dev-alice", "someday": 1 })).await.ok();
}
