//! WeChat's `api.weixin.qq.com`, as far as logging in needs it: code2session, stable_token, phone.
//!
//! Rules that shape this file: errors come with HTTP 200 and an `errcode`, and code2session labels
//! its JSON `text/plain` (mini-program documentation, "code2Session"); codes are single use, so a
//! call that may have reached WeChat is never repeated with the same code.

mod answer;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use ureq::http::header::CONTENT_TYPE;
use ureq::http::{Method, Request};

pub use self::answer::WechatError;
use self::answer::{PhoneAnswer, SessionAnswer, TokenAnswer, parse};
use super::http::{CallError, HttpClient, HttpSettings};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

/// Answers of these calls are below 2 KB; more is not WeChat.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Before the one repeat after "busy".
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// A token is fetched anew this long before its end, when WeChat still accepts both
/// (documentation of stable_token: in the last 5 minutes old and new live side by side).
const TOKEN_MARGIN_S: i64 = 300;

/// The mini-program's account and the bounds of the calls.
#[derive(Clone, Debug)]
pub struct WechatSettings {
    /// Without a slash at the end.
    pub base: String,
    pub appid: String,
    pub secret: Secret<String>,
    pub timeout: Duration,
    pub concurrency: u32,
    pub queue: u32,
}

/// Who logged in, as WeChat says.
#[derive(Debug)]
pub struct WechatSession {
    pub openid: String,
    pub unionid: Option<String>,
    /// Base64 text of 16 bytes. Never leaves the server.
    pub session_key: Secret<String>,
}

/// The client of `api.weixin.qq.com`.
pub struct WechatClient {
    http: HttpClient,
    base: String,
    appid: String,
    secret: Secret<String>,
    clock: Clock,
    /// Held while fetching, so that many callers fetch once.
    token: Mutex<Option<AccessToken>>,
}

#[derive(Clone)]
struct AccessToken {
    value: Secret<String>,
    expires_at: UnixMillis,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    grant_type: &'static str,
    appid: &'a str,
    secret: &'a str,
    force_refresh: bool,
}

#[derive(Serialize)]
struct PhoneRequest<'a> {
    code: &'a str,
}

impl WechatClient {
    /// Prepares the client; nothing is sent yet.
    pub fn new(settings: WechatSettings, clock: Clock) -> Self {
        let http = HttpClient::new(HttpSettings {
            name: "wechat",
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: MAX_ANSWER_BYTES,
        });
        let WechatSettings { base, appid, secret, .. } = settings;
        Self { http, base, appid, secret, clock, token: Mutex::new(None) }
    }

    /// Exchanges a code of `wx.login` (`GET /sns/jscode2session`).
    ///
    /// # Errors
    /// [`WechatError`]; repeated once after "busy" or when no connection came about.
    pub async fn code_to_session(&self, code: &str) -> Result<WechatSession, WechatError> {
        let url = format!(
            "{}/sns/jscode2session?appid={}&secret={}&js_code={}&grant_type=authorization_code",
            self.base,
            encode(&self.appid),
            encode(self.secret.expose()),
            encode(code),
        );
        let answer: SessionAnswer = self.ask(Method::GET, &url, None::<&()>).await?;
        match (answer.openid, answer.session_key) {
            (Some(openid), Some(session_key)) if !openid.is_empty() => {
                let unionid = answer.unionid.filter(|id| !id.is_empty());
                Ok(WechatSession { openid, unionid, session_key: Secret::new(session_key) })
            }
            _ => Err(WechatError::Garbled),
        }
    }

    /// Exchanges a code of the `getPhoneNumber` button for the number without country code
    /// (`POST /wxa/business/getuserphonenumber`).
    ///
    /// # Errors
    /// [`WechatError`]; a dead access token is fetched anew once.
    pub async fn phone_number(&self, code: &str) -> Result<String, WechatError> {
        let first = self.access_token().await?;
        match self.phone_with(&first, code).await {
            Err(WechatError::TokenDead) => {
                self.forget(&first).await;
                let second = self.access_token().await?;
                self.phone_with(&second, code).await
            }
            other => other,
        }
    }

    async fn phone_with(&self, token: &AccessToken, code: &str) -> Result<String, WechatError> {
        let url = format!(
            "{}/wxa/business/getuserphonenumber?access_token={}",
            self.base,
            encode(token.value.expose())
        );
        let answer: PhoneAnswer =
            self.ask(Method::POST, &url, Some(&PhoneRequest { code })).await?;
        let info = answer.phone_info.ok_or(WechatError::Garbled)?;
        // A number that was made for another app must not be taken for this user's.
        if info.watermark.appid != self.appid {
            return Err(WechatError::Garbled);
        }
        Ok(info.pure_phone_number)
    }

    /// The token for server calls: kept until 5 minutes before its end, fetched by one caller at a time.
    async fn access_token(&self) -> Result<AccessToken, WechatError> {
        let mut kept = self.token.lock().await;
        let now = self.clock.now();
        if let Some(token) = kept.as_ref().filter(|token| token.expires_at > now) {
            return Ok(token.clone());
        }
        let url = format!("{}/cgi-bin/stable_token", self.base);
        let request = TokenRequest {
            grant_type: "client_credential",
            appid: &self.appid,
            secret: self.secret.expose(),
            force_refresh: false,
        };
        let answer: TokenAnswer = self.ask(Method::POST, &url, Some(&request)).await?;
        let value =
            answer.access_token.filter(|token| !token.is_empty()).ok_or(WechatError::Garbled)?;
        let life = answer.expires_in.saturating_sub(TOKEN_MARGIN_S).max(1);
        let token = AccessToken { value: Secret::new(value), expires_at: now.plus_seconds(life) };
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Drops the kept token if it is still the one that failed.
    async fn forget(&self, failed: &AccessToken) {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|token| token.value == failed.value) {
            *kept = None;
        }
    }

    /// One call, repeated once where that is safe: WeChat says busy, or nothing was sent.
    async fn ask<T>(
        &self,
        method: Method,
        url: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let body = match body {
            None => Vec::new(),
            Some(body) => serde_json::to_vec(body).map_err(|_| WechatError::Garbled)?,
        };
        match self.ask_once(&method, url, &body).await {
            Err(err) if err.repeat_is_safe() => {
                tokio::time::sleep(BUSY_PAUSE).await;
                self.ask_once(&method, url, &body).await
            }
            other => other,
        }
    }

    async fn ask_once<T>(&self, method: &Method, url: &str, body: &[u8]) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let mut request = Request::builder().method(method).uri(url);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.to_vec())
            .map_err(|err| CallError::Connect(ureq::Error::Http(err)))?;
        let answer = self.http.call(request).await?;
        parse(answer.status, &answer.body)
    }
}

/// Percent-encodes everything but unreserved characters, for a query value.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_cannot_add_parameters() {
        assert_eq!(encode("a&secret=b c/é"), "a%26secret%3Db%20c%2F%C3%A9");
    }
}
