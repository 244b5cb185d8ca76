//! WeChat's server API as far as the product calls it: log-in codes, access tokens, phone numbers.
//!
//! It answers as `api.weixin.qq.com` does: HTTP 200 for errors, `errcode` only when there is one,
//! a `rid` in every `errmsg`, `text/plain` for the log-in. The rules for codes:
//!
//! | code | what it does |
//! |---|---|
//! | `dev-NAME` | logs in as openid `NAME`, as often as you like |
//! | `once-ID-NAME` | the same, once; then 40163 |
//! | `busy-…` | -1 |
//! | `limited-…` | 45011 |
//! | `blocked-…` | 40226 |
//! | `phone-13812345678` | that phone number, as often as you like |
//! | from [`WechatSim::login_code`], [`WechatSim::phone_code`] | once, for five minutes |
//!
//! Every other code, and one kind of code used for the other, is 40029.

mod codes;
mod tokens;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moka::sync::Cache;
use parking_lot::Mutex;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use self::codes::{Codes, Kind};
use self::tokens::Tokens;
use super::journal::Journal;
use super::listener::{Call, Reply, Simulator};
use super::plan::Faults;
use crate::base::clock::Clock;
use crate::base::rng::Rng;

/// Users whose session key is remembered.
const MAX_SESSIONS: u64 = 100_000;

const LOGIN: &str = "/sns/jscode2session";
const TOKEN: &str = "/cgi-bin/stable_token";
const PHONE: &str = "/wxa/business/getuserphonenumber";

/// The simulated WeChat. Listens as long as its [`Sandbox`](super::Sandbox) runs.
#[derive(Debug)]
pub struct WechatSim {
    address: SocketAddr,
    clock: Clock,
    rng: Rng,
    journal: Journal,
    login_faults: Faults,
    token_faults: Faults,
    phone_faults: Faults,
    codes: Codes,
    sessions: Cache<String, String>,
    tokens: Mutex<Tokens>,
    unionids: AtomicBool,
}

impl WechatSim {
    /// The only app it knows.
    pub const APPID: &'static str = "wxsandbox000000000";
    /// That app's secret. Of no use anywhere else.
    pub const SECRET: &'static str = "sandbox-secret-of-no-real-app-00";

    pub(super) fn new(address: SocketAddr, clock: Clock, rng: Rng) -> Self {
        Self {
            address,
            clock,
            rng,
            journal: Journal::default(),
            login_faults: Faults::default(),
            token_faults: Faults::default(),
            phone_faults: Faults::default(),
            codes: Codes::default(),
            sessions: Cache::new(MAX_SESSIONS),
            tokens: Mutex::default(),
            unionids: AtomicBool::new(true),
        }
    }

    /// What stands for `https://api.weixin.qq.com`; no slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last requests.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The knobs of `jscode2session`.
    pub fn login_faults(&self) -> &Faults {
        &self.login_faults
    }

    /// The knobs of `stable_token`.
    pub fn token_faults(&self) -> &Faults {
        &self.token_faults
    }

    /// The knobs of `getuserphonenumber`.
    pub fn phone_faults(&self) -> &Faults {
        &self.phone_faults
    }

    /// Whether log-ins carry `unionid` (`u-NAME`), as when the app is bound to an open platform
    /// account. On at first.
    pub fn set_unionids(&self, on: bool) {
        self.unionids.store(on, Ordering::Relaxed);
    }

    /// A real log-in code for `openid`: once, for five minutes.
    pub fn login_code(&self, openid: &str) -> String {
        self.codes.issue(Kind::Login, openid, self.clock.now(), &self.rng)
    }

    /// A real phone code for `number`: once, for five minutes.
    pub fn phone_code(&self, number: &str) -> String {
        self.codes.issue(Kind::Phone, number, self.clock.now(), &self.rng)
    }

    /// The newest session key of a user, in base64.
    pub fn session_key(&self, openid: &str) -> Option<String> {
        self.sessions.get(openid)
    }

    /// Kills all access tokens, as another forced refresh somewhere would.
    pub fn revoke_access_tokens(&self) {
        self.tokens.lock().revoke();
    }

    fn failure(&self, code: i64) -> Value {
        let text = match code {
            -1 => "system error",
            40001 => "invalid credential, access_token is invalid or not latest",
            40002 => "invalid grant_type",
            40013 => "invalid appid",
            40029 => "invalid code",
            40125 => "invalid appsecret",
            40163 => "code been used",
            40226 => "code blocked",
            41001 => "access_token missing",
            41002 => "appid missing",
            41004 => "appsecret missing",
            41008 => "missing code",
            42001 => "access_token expired",
            43001 => "require GET method",
            43002 => "require POST method",
            45009 => "reach max api daily quota limit",
            45011 => "api minute-quota reach limit, must slower, retry next minute",
            47001 => "data format error",
            _ => "error",
        };
        let now = self.clock.now().seconds();
        let rid =
            format!("{now:x}-{:08x}-{:08x}", self.rng.below(1 << 32), self.rng.below(1 << 32));
        json!({ "errcode": code, "errmsg": format!("{text}, rid: {rid}") })
    }

    fn log_in(&self, call: &Call) -> Result<Value, i64> {
        check_app(call.query("appid"), call.query("secret"))?;
        if call.query("grant_type") != "authorization_code" {
            return Err(40002);
        }
        let openid = self.codes.log_in(call.query("js_code"), self.clock.now())?;
        let session_key = STANDARD.encode(self.rng.bytes::<16>());
        self.sessions.insert(openid.clone(), session_key.clone());
        let mut answer = json!({ "session_key": session_key, "openid": openid });
        if self.unionids.load(Ordering::Relaxed) {
            answer["unionid"] = format!("u-{openid}").into();
        }
        Ok(answer)
    }

    fn stable_token(&self, call: &Call) -> Result<Value, i64> {
        let body = call.json().ok_or(47001)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if text("grant_type") != "client_credential" {
            return Err(40002);
        }
        check_app(text("appid"), text("secret"))?;
        let forced = body["force_refresh"].as_bool().unwrap_or_default();
        let now = self.clock.now();
        let (token, expires_in) = self.tokens.lock().get(forced, now, &self.rng)?;
        Ok(json!({ "access_token": token, "expires_in": expires_in }))
    }

    fn phone_number(&self, call: &Call) -> Result<Value, i64> {
        let now = self.clock.now();
        self.tokens.lock().check(call.query("access_token"), now)?;
        let body = call.json().ok_or(47001)?;
        let number = self.codes.phone(body["code"].as_str().ok_or(40029)?, now)?;
        // The documentation says text and its sample shows a number, so clients must take both.
        let odd = number.bytes().last().is_some_and(|digit| digit % 2 == 1);
        let country = if odd { json!(86) } else { json!("86") };
        Ok(json!({
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": number,
                "purePhoneNumber": number,
                "countryCode": country,
                "watermark": { "timestamp": now.seconds(), "appid": Self::APPID },
            },
        }))
    }
}

fn check_app(appid: &str, secret: &str) -> Result<(), i64> {
    match (appid, secret) {
        ("", _) => Err(41002),
        (WechatSim::APPID, "") => Err(41004),
        (WechatSim::APPID, WechatSim::SECRET) => Ok(()),
        (WechatSim::APPID, _) => Err(40125),
        _ => Err(40013),
    }
}

impl Simulator for WechatSim {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn faults(&self, call: &Call) -> Option<&Faults> {
        match call.path.as_str() {
            LOGIN => Some(&self.login_faults),
            TOKEN => Some(&self.token_faults),
            PHONE => Some(&self.phone_faults),
            _ => None,
        }
    }

    fn error(&self, call: &Call, code: i64) -> Reply {
        reply(call, &self.failure(code))
    }

    async fn answer(&self, call: &Call) -> Reply {
        let answer = match (call.path.as_str(), &call.method) {
            (LOGIN, &Method::GET) => self.log_in(call),
            (LOGIN, _) => Err(43001),
            (TOKEN, &Method::POST) => self.stable_token(call),
            (PHONE, &Method::POST) => self.phone_number(call),
            (TOKEN | PHONE, _) => Err(43002),
            _ => {
                return Reply {
                    status: StatusCode::NOT_FOUND,
                    content_type: "text/plain",
                    headers: Vec::new(),
                    body: Vec::new(),
                };
            }
        };
        reply(call, &answer.unwrap_or_else(|code| self.failure(code)))
    }
}

fn reply(call: &Call, body: &Value) -> Reply {
    let mut reply = Reply::json(StatusCode::OK, body);
    if call.path == LOGIN {
        reply.content_type = "text/plain";
    }
    reply
}

#[cfg(test)]
mod tests;
