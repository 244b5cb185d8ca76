//! Tokens and sessions: who is let in, what ends when.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use poem::http::Method;
use serde_json::{Value, json};

use crate::support::{Forged, JWT_SECRET, TestApp};

const DAY: Duration = Duration::from_secs(24 * 3600);
const ACCESS_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
const NEW_SECRET: &str = "another-secret-of-the-tests-98765";

async fn with_token(t: &TestApp, token: &str) -> crate::support::Answer {
    t.get("/v1/auth/check").token(token).await
}

#[tokio::test]
async fn a_good_token_says_who_and_how_long() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let expected =
        json!({ "valid": true, "userId": alice.id, "expiresAt": "2026-02-05T12:00:00.000Z" });
    assert_eq!(alice.check().await.ok(), expected);
}

#[tokio::test]
async fn a_missing_or_odd_header_is_unauthorized() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let check = || t.get("/v1/auth/check");

    let missing = check().await;
    missing.fails(401, "UNAUTHORIZED");
    assert!(missing.header("www-authenticate").unwrap().starts_with("Bearer"));
    for odd in [
        b"".to_vec(),
        b"Bearer".to_vec(),
        b"Basic YWxpY2U6cHc=".to_vec(),
        format!("Token {}", alice.token).into(),
        alice.token.clone().into(),
        b"Bearer \xff\xfe".to_vec(),
    ] {
        let answer = check().header("authorization", &odd).await;
        answer.fails(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn tokens_in_the_query_or_a_cookie_are_ignored() {
    let t = TestApp::start().await;
    let token = t.log_in("alice").await.token;
    let uri = format!("/v1/auth/check?token={token}&access_token={token}&authorization={token}");
    t.get(&uri).await.fails(401, "UNAUTHORIZED");
    let cookie = format!("token={token}; access_token={token}");
    t.get("/v1/auth/check").header("cookie", cookie).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_invalid() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let real = || Forged::from(&alice.token);
    with_token(&t, &real().signed(JWT_SECRET)).await.ok();

    let [head, claims, signature] = alice.token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts")
    };
    let alg = |alg: &str| {
        let mut forged = real();
        forged.header["alg"] = alg.into();
        forged.signed(JWT_SECRET)
    };
    let other = real().claim("userId", json!(99)).claim("sub", json!("99")).signed("");
    let other_claims = other.split('.').nth(1).unwrap();
    for (what, token) in [
        ("garbage", "abc".to_owned()),
        ("dots", "..".to_owned()),
        ("alg none", real().unsigned("none")),
        ("alg None", real().unsigned("None")),
        ("alg nOnE", real().unsigned("nOnE")),
        ("no alg", real().unsigned("")),
        ("alg none with the old signature", format!("{}{signature}", real().unsigned("none"))),
        ("another key", real().signed(NEW_SECRET)),
        ("an empty key", real().signed("")),
        ("HS512 in the header", alg("HS512")),
        ("RS256 in the header", alg("RS256")),
        ("no signature", format!("{head}.{claims}.")),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{}.x", alice.token)),
        ("a signature cut short", alice.token[..alice.token.len() - 2].to_owned()),
        ("another's claims under my signature", format!("{head}.{other_claims}.{signature}")),
    ] {
        let answer = with_token(&t, &token).await;
        assert_eq!(answer.status, 401, "{what}");
        answer.fails(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn a_token_of_ours_with_claims_that_are_not_right_is_invalid() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let bob = t.log_in("bob").await;
    let real = || Forged::from(&alice.token);
    for name in ["sub", "userId", "type", "jti", "iat", "exp", "ver", "sid"] {
        let token = real().without(name).signed(JWT_SECRET);
        let answer = with_token(&t, &token).await;
        assert_eq!(answer.status, 401, "without {name}");
        answer.fails(401, "INVALID_TOKEN");
    }
    for (name, value) in [
        ("type", json!("refresh")),
        ("type", json!("admin")),
        ("sub", json!(bob.id.to_string())),
        ("userId", json!(bob.id)),
        ("userId", json!(alice.id.to_string())),
        ("jti", json!("")),
        ("sid", json!("")),
        ("exp", json!("tomorrow")),
        ("ver", json!(null)),
    ] {
        let token = real().claim(name, value.clone()).signed(JWT_SECRET);
        let answer = with_token(&t, &token).await;
        assert_eq!(answer.status, 401, "{name} = {value}");
        answer.fails(401, "INVALID_TOKEN");
    }
    let nobody = real().claim("userId", json!(999)).claim("sub", json!("999"));
    with_token(&t, &nobody.signed(JWT_SECRET)).await.fails(401, "INVALID_TOKEN");
    // A refresh token is no access token.
    with_token(&t, &alice.refresh_token).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_token_of_another_version_is_revoked() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for version in [-1, 1, i64::MAX] {
        let token = Forged::from(&alice.token).claim("ver", json!(version)).signed(JWT_SECRET);
        with_token(&t, &token).await.fails(401, "TOKEN_REVOKED");
    }
    alice.check().await.ok();
}

#[tokio::test]
async fn an_access_token_ends_after_seven_days() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    t.clock.advance(ACCESS_LIFE - Duration::from_millis(1));
    alice.check().await.ok();
    t.clock.advance(Duration::from_millis(1));
    alice.check().await.fails(401, "TOKEN_EXPIRED");
    // The refresh token goes on.
    let fresh = alice.refreshed(&alice.refresh().await.ok());
    fresh.check().await.ok();
}

#[tokio::test]
async fn the_first_reason_in_order_is_told() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    alice.post("/v1/auth/logout-all").await.ok();
    alice.check().await.fails(401, "TOKEN_REVOKED");

    t.sql(&format!("UPDATE users SET banned_at = {}", t.clock.now().0));
    t.restart();
    alice.check().await.fails(403, "USER_BANNED");

    t.clock.advance(ACCESS_LIFE);
    alice.check().await.fails(401, "TOKEN_EXPIRED");

    let forged = Forged::from(&alice.token).signed(NEW_SECRET);
    with_token(&t, &forged).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn the_token_is_judged_before_body_type_and_path() {
    let t = TestApp::start().await;
    for (method, path) in [
        (Method::PATCH, "/v1/users/me"),
        (Method::POST, "/v1/users/me/phone"),
        (Method::POST, "/v1/proxy/images/generate"),
        (Method::GET, "/v1/proxy/jobs/nothing-of-this-name"),
        (Method::DELETE, "/v1/proxy/jobs/%20"),
        (Method::POST, "/v1/auth/logout"),
        (Method::POST, "/v1/auth/logout-all"),
    ] {
        let call = || t.call(method.clone(), path).header("content-type", "text/plain");
        call().await.fails(401, "UNAUTHORIZED");
        call().token("garbage").await.fails(401, "INVALID_TOKEN");
        let body = t.call(method.clone(), path).bytes("{\"nickName\":");
        body.await.fails(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_logout_ends_this_session_at_once_and_no_other() {
    let t = TestApp::start().await;
    let phone = t.log_in("alice").await;
    let tablet = t.log_in("alice").await;
    let bob = t.log_in("bob").await;
    // Both access tokens of the session, the one before the refresh too.
    let fresh = phone.refreshed(&phone.refresh().await.ok());
    phone.check().await.ok();

    assert!(fresh.post("/v1/auth/logout").await.ok()["message"].is_string());
    for restarted in [false, true] {
        if restarted {
            t.restart();
        }
        fresh.check().await.fails(401, "TOKEN_REVOKED");
        phone.check().await.fails(401, "TOKEN_REVOKED");
        fresh.refresh().await.fails(401, "TOKEN_REVOKED");
        fresh.post("/v1/auth/logout").await.fails(401, "TOKEN_REVOKED");
        tablet.check().await.ok();
        bob.check().await.ok();
    }
    tablet.refresh().await.ok();
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session_of_the_user() {
    let t = TestApp::start().await;
    let phone = t.log_in("alice").await;
    let tablet = t.log_in("alice").await;
    let bob = t.log_in("bob").await;
    tablet.check().await.ok();

    phone.post("/v1/auth/logout-all").await.ok();
    for restarted in [false, true] {
        if restarted {
            t.restart();
        }
        for session in [&phone, &tablet] {
            session.check().await.fails(401, "TOKEN_REVOKED");
            session.refresh().await.fails(401, "TOKEN_REVOKED");
        }
        bob.check().await.ok();
    }
    let again = t.log_in("alice").await;
    assert_eq!(again.id, phone.id);
    again.check().await.ok();
    again.refresh().await.ok();
    phone.check().await.fails(401, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_logout_needs_no_body_and_ignores_one() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let odd = alice.post("/v1/auth/logout").header("content-type", "text/plain");
    odd.await.ok();
    let bob = t.log_in("bob").await;
    bob.post("/v1/auth/logout").bytes("{ not json").await.ok();
}

#[tokio::test]
async fn a_refresh_spends_its_token_and_gives_a_new_pair() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    t.clock.advance(DAY);
    let answer = alice.refresh().await.ok();
    let mut names: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["expiresAt", "refreshExpiresAt", "refreshToken", "token"]);
    assert_eq!(answer["expiresAt"], "2026-02-06T12:00:00.000Z");
    assert_eq!(answer["refreshExpiresAt"], "2026-03-01T12:00:00.000Z");

    let fresh = alice.refreshed(&answer);
    assert_ne!(fresh.token, alice.token);
    assert_ne!(fresh.refresh_token, alice.refresh_token);
    assert_eq!(fresh.check().await.ok()["userId"], alice.id);
    // The access token before it lives to its own end.
    alice.check().await.ok();

    t.restart();
    fresh.refresh().await.ok();
}

#[tokio::test]
async fn of_parallel_refreshes_one_wins_and_its_session_lives() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    // Nothing commits until all have begun: that is what parallel means here.
    let held = t.database();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut calls = join_all((0..8).map(|_| alice.refresh().into_future()));
    assert!((&mut calls).now_or_never().is_none(), "they wait for the commit");
    held.execute_batch("COMMIT").unwrap();

    let answers = calls.await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.fails(401, "TOKEN_REVOKED");
    }
    let winner = alice.refreshed(&won[0].json());
    winner.check().await.ok();
    winner.refresh().await.ok();
}

#[tokio::test]
async fn a_spent_token_used_again_ends_its_whole_family() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let tablet = t.log_in("alice").await;
    let second = alice.refreshed(&alice.refresh().await.ok());
    let third = second.refreshed(&second.refresh().await.ok());
    third.check().await.ok();

    alice.refresh().await.fails(401, "TOKEN_REVOKED");
    for restarted in [false, true] {
        if restarted {
            t.restart();
        }
        for session in [&alice, &second, &third] {
            session.check().await.fails(401, "TOKEN_REVOKED");
            session.refresh().await.fails(401, "TOKEN_REVOKED");
        }
    }
    tablet.check().await.ok();
    tablet.refresh().await.ok();
}

#[tokio::test]
async fn a_refresh_token_ends_after_thirty_days() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    t.clock.advance(REFRESH_LIFE - Duration::from_millis(1));
    let fresh = alice.refreshed(&alice.refresh().await.ok());
    t.clock.advance(Duration::from_millis(1));
    bob.refresh().await.fails(401, "TOKEN_EXPIRED");
    // Each refresh counts anew.
    t.clock.advance(REFRESH_LIFE - DAY);
    t.run_periodic_tasks().await;
    fresh.refresh().await.ok();
}

#[tokio::test]
async fn an_unknown_refresh_token_is_invalid() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let refresh =
        |token: Value| t.post("/v1/auth/refresh-token").json(&json!({ "refreshToken": token }));
    let mut altered = alice.refresh_token.clone();
    altered.replace_range(..1, if altered.starts_with('A') { "B" } else { "A" });
    for unknown in ["x", &alice.token, &altered, "../../etc/passwd", "秘密"] {
        refresh(json!(unknown)).await.fails(401, "INVALID_TOKEN");
    }
    for wrong in [json!(""), json!(7), Value::Null] {
        refresh(wrong).await.blames("refreshToken");
    }
    alice.refresh().await.ok();
}

#[tokio::test]
async fn a_rotation_of_the_secret_logs_nobody_out() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let key = t.sandbox.wechat().session_key("alice").unwrap();
    let sealed: Vec<u8> = t
        .database()
        .query_row("SELECT session_key_sealed FROM users", [], |row| row.get(0))
        .unwrap();

    t.restart_with(&[("JWT_SECRET", NEW_SECRET), ("JWT_SECRET_PREVIOUS", JWT_SECRET)]);
    alice.check().await.ok();
    assert_eq!(t.app().keys.open("alice", &sealed).unwrap(), key.as_bytes());
    let fresh = alice.refreshed(&alice.refresh().await.ok());
    fresh.check().await.ok();

    // Once the old secret is dropped, what it signed is gone and what came after it is not.
    t.restart_with(&[("JWT_SECRET_PREVIOUS", "")]);
    alice.check().await.fails(401, "INVALID_TOKEN");
    fresh.check().await.ok();
    fresh.refresh().await.ok();
    assert_eq!(t.app().keys.open("alice", &sealed), None);
}

#[tokio::test]
async fn a_banned_user_gets_nothing() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let sessions = || t.count("SELECT count(*) FROM token_families");
    let before = sessions();
    t.sql(&format!("UPDATE users SET banned_at = 1 WHERE id = {}", alice.id));
    t.restart();

    alice.check().await.fails(403, "USER_BANNED");
    alice.get("/v1/users/me").await.fails(403, "USER_BANNED");
    alice.generate(&json!({ "prompt": "a" })).await.fails(403, "USER_BANNED");
    alice.refresh().await.fails(403, "USER_BANNED");
    t.log_in_with_code("dev-alice").await.fails(403, "USER_BANNED");
    assert_eq!(sessions(), before, "a refused login leaves no session");
    bob.check().await.ok();
}

#[tokio::test]
async fn sweeping_forgets_what_has_expired_and_nothing_else() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    bob.post("/v1/auth/logout").await.ok();
    let rows = |table: &str| t.count(&format!("SELECT count(*) FROM {table}"));

    t.clock.advance(ACCESS_LIFE - Duration::from_millis(1));
    t.run_periodic_tasks().await;
    bob.check().await.fails(401, "TOKEN_REVOKED");
    t.restart();
    bob.check().await.fails(401, "TOKEN_REVOKED");
    alice.check().await.ok();

    t.clock.advance(REFRESH_LIFE);
    t.run_periodic_tasks().await;
    for table in ["revoked_tokens", "refresh_tokens", "token_families"] {
        assert_eq!(rows(table), 0, "{table}");
    }
    bob.check().await.fails(401, "TOKEN_EXPIRED");
    assert_eq!(rows("users"), 2);
}
