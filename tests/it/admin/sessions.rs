//! Sessions: how they begin, what they can do, how they end; and what guessing comes to.

use std::time::Duration;

use poem::http::Method;
use serde_json::{Value, json};

use super::{PASSWORD, ask, cookie, log_in, owner, with};
use crate::support::{TestApp, Wire};

const MINUTE: Duration = Duration::from_secs(60);
const ME: &str = "/admin/api/session";

#[tokio::test]
async fn a_log_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    let answer = log_in(&t, " ANN ", PASSWORD).await;
    let me = answer.ok();
    assert_eq!((&me["username"], &me["role"]), (&json!("ann"), &json!("owner")));
    assert_eq!(me["steppedUpUntil"], Value::Null);
    let line = answer.header("set-cookie").unwrap();
    for part in ["Path=/admin", "HttpOnly", "SameSite=Strict", "Secure", "Max-Age=86400"] {
        assert!(line.split("; ").any(|found| found == part), "{part}: {line}");
    }
    let token = cookie(&answer);
    assert_eq!(with(&t, &token, Method::GET, ME, &Value::Null).await.ok()["username"], "ann");
    let stored = t.database_bytes();
    for secret in [&token, PASSWORD] {
        assert!(!stored.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[tokio::test]
async fn on_this_machine_the_cookie_goes_over_plain_http() {
    let t = TestApp::with(&[("PUBLIC_URL", "http://127.0.0.1:4100")]).await;
    let link = dream_bff::features::admin::service::setup::link(&t.app()).await.unwrap().unwrap();
    let body = json!({ "token": link.expose(), "username": "ann", "password": PASSWORD });
    let answer =
        t.post("/admin/api/setup").header("origin", "http://127.0.0.1:4100").json(&body).await;
    answer.ok();
    let line = answer.header("set-cookie").unwrap();
    assert!(line.starts_with("dream_admin=") && !line.contains("Secure"), "{line}");
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_cannot_be_told_apart() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    let wrong = log_in(&t, "ann", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
    for name in ["bob", "not a name", "?"] {
        let nobody = log_in(&t, name, PASSWORD).await.fails(401, "INVALID_CREDENTIALS");
        assert_eq!(nobody["message"], wrong["message"], "{name}");
    }
    assert!(log_in(&t, "ann", PASSWORD).await.status == 200);
}

#[tokio::test]
async fn each_failure_beyond_a_few_doubles_the_wait() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    for name in ["ann", "nobody"] {
        for _ in 0..5 {
            log_in(&t, name, "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
        }
        // The right password does not help either, and nothing says whether the name exists.
        let locked = log_in(&t, name, PASSWORD).await;
        assert_eq!(locked.fails(429, "RATE_LIMIT_EXCEEDED")["details"]["retryAfter"], 30);
        assert_eq!(locked.header("retry-after"), Some("30"));
    }
    t.clock.advance(Duration::from_secs(30));
    log_in(&t, "ann", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
    t.clock.advance(Duration::from_secs(59));
    let still = log_in(&t, "ann", PASSWORD).await.fails(429, "RATE_LIMIT_EXCEEDED");
    assert_eq!(still["details"]["retryAfter"], 1);
    t.clock.advance(Duration::from_secs(1));
    log_in(&t, "ann", PASSWORD).await.ok();
    // And all is forgotten.
    log_in(&t, "ann", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
    log_in(&t, "ann", PASSWORD).await.ok();
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'admin.locked_out'"), 2);
}

#[tokio::test]
async fn tries_at_once_get_no_further_than_one_after_the_other() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    let tries = (0..12).map(|_| log_in(&t, "ann", "wrong horse battery"));
    let answers = futures_util::future::join_all(tries).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5, "{:?}", answers.iter().map(|a| a.status).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_address_is_locked_and_whoever_was_there_before_is_not() {
    let t =
        TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("RATE_LIMIT_LOGIN_PER_IP", "0")]).await;
    owner(&t, "ann").await;
    let listening = t.listen();
    let from = |address: &'static str, name: &'static str, password: &'static str| {
        let at = listening.address;
        async move {
            let headers = [("sec-fetch-site", "same-origin"), ("x-forwarded-for", address)];
            let body = json!({ "username": name, "password": password }).to_string();
            Wire::ask(at, "POST", "/admin/api/session/login", &headers, &body).await
        }
    };
    from("203.0.113.1", "ann", PASSWORD).await.ok();
    for name in ["a1", "a2", "a3", "a4", "a5", "ann", "ann", "ann", "ann", "ann"] {
        let wrong = from("198.51.100.9", name, "wrong horse battery").await;
        wrong.fails(401, "INVALID_CREDENTIALS");
    }
    from("198.51.100.9", "ann", PASSWORD).await.fails(429, "RATE_LIMIT_EXCEEDED");
    // The name is locked for strangers, not for where ann was logged in before.
    from("198.51.100.77", "ann", PASSWORD).await.fails(429, "RATE_LIMIT_EXCEEDED");
    from("203.0.113.1", "ann", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_session_ends_when_it_rests_and_after_a_day_whatever_is_done() {
    let t = TestApp::start().await;
    let token = owner(&t, "ann").await;
    let me = || with(&t, &token, Method::GET, ME, &Value::Null);
    t.clock.advance(MINUTE * 119);
    me().await.ok();
    t.clock.advance(MINUTE * 119);
    me().await.ok();
    t.clock.advance(MINUTE * 121);
    let over = me().await;
    over.fails(401, "UNAUTHORIZED");
    assert!(over.header("set-cookie").unwrap().contains("Max-Age=0"));

    let token = cookie(&log_in(&t, "ann", PASSWORD).await);
    for _ in 0..23 {
        t.clock.advance(MINUTE * 60);
        with(&t, &token, Method::GET, ME, &Value::Null).await.ok();
    }
    t.clock.advance(MINUTE * 60);
    with(&t, &token, Method::GET, ME, &Value::Null).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let t = TestApp::start().await;
    let first = owner(&t, "ann").await;
    let second = cookie(&log_in(&t, "ann", PASSWORD).await);
    let list = "/admin/api/session/sessions";
    let all = with(&t, &first, Method::GET, list, &Value::Null).await.ok();
    let items = all["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((&items[0]["isCurrent"], &items[1]["isCurrent"]), (&json!(false), &json!(true)));
    let other = format!("{list}/{}", items[0]["sessionId"]);
    with(&t, &first, Method::DELETE, &other, &Value::Null).await.ok();
    with(&t, &first, Method::DELETE, &other, &Value::Null).await.fails(404, "NOT_FOUND");
    with(&t, &second, Method::GET, ME, &Value::Null).await.fails(401, "UNAUTHORIZED");
    // Nobody ends another's by its number.
    let bob = t.admin("viewer");
    let of_ann = format!("{list}/{}", items[1]["sessionId"]);
    bob.delete(&of_ann).await.fails(404, "NOT_FOUND");
    let out = with(&t, &first, Method::POST, "/admin/api/session/logout", &Value::Null).await;
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    with(&t, &first, Method::GET, ME, &Value::Null).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_step_up_holds_for_five_minutes_of_its_own_session() {
    let t = TestApp::start().await;
    let token = owner(&t, "ann").await;
    let other = cookie(&log_in(&t, "ann", PASSWORD).await);
    let create = json!({ "username": "bob", "role": "viewer" });
    let create = |token: String| {
        let (t, create) = (&t, create.clone());
        async move { with(t, &token, Method::POST, "/admin/api/admins", &create).await }
    };
    create(token.clone()).await.fails(403, "STEP_UP_REQUIRED");
    let step_up = "/admin/api/session/step-up";
    let wrong = json!({ "password": "wrong horse battery" });
    with(&t, &token, Method::POST, step_up, &wrong).await.fails(401, "INVALID_CREDENTIALS");
    with(&t, &token, Method::POST, step_up, &json!({})).await.blames("password");
    let right = json!({ "password": PASSWORD });
    with(&t, &token, Method::POST, step_up, &right).await.ok();
    create(other).await.fails(403, "STEP_UP_REQUIRED");
    create(token.clone()).await.ok();
    t.clock.advance(MINUTE * 5);
    create(token).await.fails(403, "STEP_UP_REQUIRED");
}

#[tokio::test]
async fn without_step_ups_none_is_asked_for() {
    let t = TestApp::with(&[("ADMIN_STEP_UP_MINUTES", "0")]).await;
    let body = json!({ "username": "bob", "role": "viewer" });
    t.admin("owner").post("/admin/api/admins").json(&body).await.ok();
    t.admin("operator").post("/admin/api/admins").json(&body).await.fails(403, "FORBIDDEN");
}

#[tokio::test]
async fn guessing_at_the_step_up_locks_like_guessing_at_the_door() {
    let t = TestApp::start().await;
    let token = owner(&t, "ann").await;
    let guess = json!({ "password": "wrong horse battery" });
    let step_up = "/admin/api/session/step-up";
    for _ in 0..5 {
        with(&t, &token, Method::POST, step_up, &guess).await.fails(401, "INVALID_CREDENTIALS");
    }
    let right = json!({ "password": PASSWORD });
    with(&t, &token, Method::POST, step_up, &right).await.fails(429, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let t = TestApp::start().await;
    let token = owner(&t, "ann").await;
    let other = cookie(&log_in(&t, "ann", PASSWORD).await);
    let change = |current: &str, new: &str| {
        let body = json!({ "currentPassword": current, "password": new });
        let (t, token) = (&t, token.clone());
        async move { with(t, &token, Method::POST, "/admin/api/session/password", &body).await }
    };
    change("wrong horse battery", "another good horse").await.fails(401, "INVALID_CREDENTIALS");
    for bad in ["short", "aaaaaaaaaaaaaaaa", "password1234"] {
        change(PASSWORD, bad).await.fails(400, "INVALID_REQUEST");
    }
    change(PASSWORD, "another good horse").await.ok();
    with(&t, &token, Method::GET, ME, &Value::Null).await.ok();
    with(&t, &other, Method::GET, ME, &Value::Null).await.fails(401, "UNAUTHORIZED");
    log_in(&t, "ann", PASSWORD).await.fails(401, "INVALID_CREDENTIALS");
    log_in(&t, "ann", "another good horse").await.ok();
}

#[tokio::test]
async fn a_password_of_fewer_rounds_is_taken_over() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    t.restart_with(&[("ADMIN_PASSWORD_ROUNDS", "600001")]);
    log_in(&t, "ann", PASSWORD).await.ok();
    let taken = "SELECT COUNT(*) FROM admins WHERE password_hash LIKE '$pbkdf2-sha256$i=600001$%'";
    assert_eq!(t.count(taken), 1);
    log_in(&t, "ann", PASSWORD).await.ok();
}

#[tokio::test]
async fn the_link_makes_one_owner_once_and_for_a_day() {
    let t = TestApp::start().await;
    let app = t.app();
    let link = || async {
        let made = dream_bff::features::admin::service::setup::link(&app).await.unwrap();
        made.map(|token| token.expose().clone())
    };
    let set_up = |token: String, password: &'static str| {
        let t = &t;
        async move {
            let body = json!({ "token": token, "username": "ann", "password": password });
            ask(t, "/admin/api/setup", &body).await
        }
    };
    let first = link().await.unwrap();
    let second = link().await.unwrap();
    set_up(first, PASSWORD).await.fails(404, "NOT_FOUND");
    set_up("x".to_owned(), PASSWORD).await.fails(404, "NOT_FOUND");
    set_up(second.clone(), "short").await.fails(400, "INVALID_REQUEST");
    t.clock.advance(Duration::from_secs(24 * 3600));
    set_up(second, PASSWORD).await.fails(404, "NOT_FOUND");
    let third = link().await.unwrap();
    let (one, two) = tokio::join!(set_up(third.clone(), PASSWORD), set_up(third, PASSWORD));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert!(link().await.is_none());
    assert_eq!(t.count("SELECT COUNT(*) FROM admins"), 1);
}

#[tokio::test]
async fn old_sessions_and_failures_are_forgotten() {
    let t = TestApp::start().await;
    owner(&t, "ann").await;
    log_in(&t, "bob", PASSWORD).await.fails(401, "INVALID_CREDENTIALS");
    t.clock.advance(Duration::from_secs(30 * 24 * 3600));
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM admin_sessions"), 1);
    assert_eq!(t.count("SELECT COUNT(*) FROM admin_login_failures"), 0);
    t.clock.advance(Duration::from_secs(2 * 24 * 3600));
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM admin_sessions"), 0);
}
