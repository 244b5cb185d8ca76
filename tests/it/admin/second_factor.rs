//! The second factor and its recovery codes.

use std::time::Duration;

use aws_lc_rs::hmac;
use poem::http::Method;
use serde_json::{Value, json};

use super::{LOGIN, PASSWORD, ask, cookie, log_in, owner, with};
use crate::support::{Answer, TestApp};

const TOTP: &str = "/admin/api/session/totp";

/// What makes the codes.
struct Authenticator(Vec<u8>);

impl Authenticator {
    /// From the secret as it is typed.
    fn with(base32: &str) -> Self {
        let mut bits = String::new();
        for letter in base32.chars() {
            let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
            bits += &format!("{value:05b}");
        }
        let whole = bits.as_bytes().chunks_exact(8);
        let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap();
        Self(whole.map(byte).collect())
    }

    /// The code now, or some steps later.
    fn code(&self, t: &TestApp, steps: i64) -> String {
        let step = t.clock.now().seconds() / 30 + steps;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let word = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}

async fn step_up(t: &TestApp, token: &str) {
    let body = json!({ "password": PASSWORD });
    with(t, token, Method::POST, "/admin/api/session/step-up", &body).await.ok();
}

async fn log_in_with(t: &TestApp, code: &str) -> Answer {
    let body = json!({ "username": "ann", "password": PASSWORD, "code": code });
    ask(t, LOGIN, &body).await
}

/// An owner with a second factor: his session, his authenticator, his recovery codes.
async fn with_second_factor(t: &TestApp) -> (String, Authenticator, Vec<String>) {
    let token = owner(t, "ann").await;
    step_up(t, &token).await;
    let setup = with(t, &token, Method::POST, TOTP, &Value::Null).await.ok();
    let authenticator = Authenticator::with(setup["secret"].as_str().unwrap());
    assert!(setup["uri"].as_str().unwrap().starts_with("otpauth://totp/dream-bff:ann?secret="));
    let confirm = format!("{TOTP}/confirm");
    // Until it is confirmed it asks for nothing.
    log_in(t, "ann", PASSWORD).await.ok();
    let wrong = json!({ "code": authenticator.code(t, 5) });
    with(t, &token, Method::POST, &confirm, &wrong).await.fails(401, "INVALID_CREDENTIALS");
    let right = json!({ "code": authenticator.code(t, 0) });
    let done = with(t, &token, Method::POST, &confirm, &right).await.ok();
    let codes = done["codes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (token, authenticator, codes)
}

#[tokio::test]
async fn a_log_in_asks_for_a_code_and_takes_each_once() {
    let t = TestApp::start().await;
    let (_, authenticator, _) = with_second_factor(&t).await;
    log_in(&t, "ann", PASSWORD).await.fails(401, "TOTP_REQUIRED");
    log_in(&t, "ann", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
    // The one that confirmed is used up.
    log_in_with(&t, &authenticator.code(&t, 0)).await.fails(401, "INVALID_CREDENTIALS");
    t.clock.advance(Duration::from_secs(60));
    let code = authenticator.code(&t, 0);
    let (one, two) = tokio::join!(log_in_with(&t, &code), log_in_with(&t, &code));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    // A clock may be a step off, not two.
    log_in_with(&t, &authenticator.code(&t, 2)).await.fails(401, "INVALID_CREDENTIALS");
    log_in_with(&t, &authenticator.code(&t, 1)).await.ok();
}

#[tokio::test]
async fn being_asked_for_the_code_is_no_failure_and_guessing_it_is() {
    let t = TestApp::start().await;
    let (_, authenticator, _) = with_second_factor(&t).await;
    for _ in 0..10 {
        log_in(&t, "ann", PASSWORD).await.fails(401, "TOTP_REQUIRED");
    }
    for guess in ["000000", "000001", "000002", "000003", "000004"] {
        log_in_with(&t, guess).await.fails(401, "INVALID_CREDENTIALS");
    }
    t.clock.advance(Duration::from_secs(29));
    log_in_with(&t, &authenticator.code(&t, 0)).await.fails(429, "RATE_LIMIT_EXCEEDED");
    // Nor is there a way around by the step before.
    log_in(&t, "ann", PASSWORD).await.fails(429, "RATE_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    let t = TestApp::start().await;
    let (token, _, codes) = with_second_factor(&t).await;
    assert_eq!(codes.len(), 10);
    let typed = codes[0].to_uppercase().replace('-', " ");
    let session = log_in_with(&t, &typed).await;
    session.ok();
    log_in_with(&t, &codes[0]).await.fails(401, "INVALID_CREDENTIALS");
    let path = "/admin/api/session/recovery-codes";
    assert_eq!(with(&t, &token, Method::GET, path, &Value::Null).await.ok()["left"], 9);
    // One steps up by such a code too; then new ones take the place of the old.
    let again = json!({ "code": codes[1] });
    let session = cookie(&session);
    with(&t, &session, Method::POST, "/admin/api/session/step-up", &again).await.ok();
    let renewed = with(&t, &session, Method::POST, path, &Value::Null).await.ok();
    log_in_with(&t, &codes[2]).await.fails(401, "INVALID_CREDENTIALS");
    log_in_with(&t, renewed["codes"][0].as_str().unwrap()).await.ok();
    let stored = t.database_bytes();
    assert!(!stored.windows(19).any(|part| part == codes[3].as_bytes()));
}

#[tokio::test]
async fn it_is_taken_away_by_its_owner_or_by_a_reset() {
    let t = TestApp::start().await;
    let (token, authenticator, codes) = with_second_factor(&t).await;
    with(&t, &token, Method::POST, TOTP, &Value::Null).await.fails(409, "INVALID_STATE");
    with(&t, &token, Method::DELETE, TOTP, &Value::Null).await.ok();
    with(&t, &token, Method::DELETE, TOTP, &Value::Null).await.fails(409, "INVALID_STATE");
    log_in(&t, "ann", PASSWORD).await.ok();
    // With the factor its recovery codes are gone; a code that nobody asks for does no harm.
    assert_eq!(t.count("SELECT COUNT(*) FROM admin_recovery_codes"), 0);
    t.clock.advance(Duration::from_secs(60));
    log_in_with(&t, &authenticator.code(&t, 0)).await.ok();
    drop(codes);
}

#[tokio::test]
async fn without_the_servers_secret_recovery_codes_are_what_is_left() {
    let t = TestApp::start().await;
    let (_, authenticator, codes) = with_second_factor(&t).await;
    t.restart_with(&[("JWT_SECRET", "another-secret-of-the-tests-0123456789")]);
    t.clock.advance(Duration::from_secs(60));
    log_in_with(&t, &authenticator.code(&t, 0)).await.fails(401, "INVALID_CREDENTIALS");
    log_in_with(&t, &codes[0]).await.ok();
}
