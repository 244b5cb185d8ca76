//! One way to `api.weixin.qq.com` for everything that calls it: address, account, access token.
//!
//! Guarantees: a call that WeChat may have acted on is not repeated here; a dead access token is
//! fetched anew once and the call repeated once; secrets stand in addresses, so no address is ever
//! part of an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::header::CONTENT_TYPE;
use ureq::http::{Method, Request};

use super::WechatSettings;
use super::access_token::{AccessToken, TokenKeeper};
use super::answer::{TokenAnswer, WechatError, parse};
use crate::base::clock::Clock;
use crate::base::measure::Tally;
use crate::base::secret::Secret;
use crate::clients::call_stats::CallState;
use crate::clients::http::{CallError, HttpClient, HttpSettings};

/// Answers of these calls are below 2 KB; more is not WeChat.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Before the one repeat after "busy".
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// The mini-program's line to WeChat.
pub(super) struct Connection {
    http: HttpClient,
    base: String,
    pub(super) appid: String,
    pub(super) secret: Secret<String>,
    clock: Clock,
    tokens: TokenKeeper,
    pub(super) errors: Tally,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    grant_type: &'static str,
    appid: &'a str,
    secret: &'a str,
    force_refresh: bool,
}

impl Connection {
    /// Prepares the line; nothing is sent yet.
    pub(super) fn new(settings: WechatSettings, clock: Clock) -> Self {
        let http = HttpClient::new(HttpSettings {
            name: "wechat",
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: MAX_ANSWER_BYTES,
        });
        let WechatSettings { base, appid, secret, .. } = settings;
        let (tokens, errors) = (TokenKeeper::default(), Tally::of(&WechatError::KINDS));
        Self { http, base, appid, secret, clock, tokens, errors }
    }

    /// A `GET` without access token; `path` has its query.
    ///
    /// # Errors
    /// [`WechatError`].
    pub(super) async fn get<T>(&self, path: &str) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        self.ask(&Method::GET, path, &[]).await
    }

    /// A `GET` with access token; `query` comes behind it, each value encoded already.
    ///
    /// # Errors
    /// [`WechatError`]; a dead access token is fetched anew once.
    pub(super) async fn get_with_token<T>(&self, path: &str, query: &str) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        self.with_token(&Method::GET, path, query, &[]).await
    }

    /// A `POST` of `body` as JSON with access token.
    ///
    /// # Errors
    /// [`WechatError`]; a dead access token is fetched anew once.
    pub(super) async fn post<T>(&self, path: &str, body: &impl Serialize) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let body = serde_json::to_vec(body).map_err(|_| WechatError::Garbled)?;
        self.with_token(&Method::POST, path, "", &body).await
    }

    /// A `POST` of these very bytes, which a signature in `query` covers.
    ///
    /// # Errors
    /// [`WechatError`]; a dead access token is fetched anew once.
    pub(super) async fn post_bytes<T>(
        &self,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        self.with_token(&Method::POST, path, query, body).await
    }

    async fn with_token<T>(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        // A closure that is async itself would keep the callers from being spawned.
        let target = |token: &AccessToken| {
            let mut target = format!("{path}?access_token={}", encode(token.value.expose()));
            if !query.is_empty() {
                target.push('&');
                target.push_str(query);
            }
            target
        };
        let first = self.access_token().await?;
        match self.ask(method, &target(&first), body).await {
            Err(WechatError::TokenDead) => {
                self.tokens.forget(&first).await;
                let second = self.access_token().await?;
                self.ask(method, &target(&second), body).await
            }
            other => other,
        }
    }

    async fn access_token(&self) -> Result<AccessToken, WechatError> {
        self.tokens.get(self.clock.now(), || self.fetch_token()).await
    }

    /// The access token as WeChat has it now.
    ///
    /// # Errors
    /// [`WechatError`].
    pub(super) async fn fetch_token(&self) -> Result<AccessToken, WechatError> {
        let now = self.clock.now();
        let request = TokenRequest {
            grant_type: "client_credential",
            appid: &self.appid,
            secret: self.secret.expose(),
            force_refresh: false,
        };
        let body = serde_json::to_vec(&request).map_err(|_| WechatError::Garbled)?;
        let answer: TokenAnswer = self.ask(&Method::POST, "/cgi-bin/stable_token", &body).await?;
        AccessToken::answered(answer, now)
    }

    /// One call, repeated once where that is safe: WeChat says busy, or nothing was sent.
    async fn ask<T>(&self, method: &Method, target: &str, body: &[u8]) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        match self.ask_once(method, target, body).await {
            Err(err) if err.repeat_is_safe() => {
                tokio::time::sleep(BUSY_PAUSE).await;
                self.ask_once(method, target, body).await
            }
            other => other,
        }
    }

    async fn ask_once<T>(
        &self,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<T, WechatError>
    where
        T: for<'de> Deserialize<'de>,
    {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.to_vec())
            .map_err(|err| CallError::Connect(ureq::Error::Http(err)))?;
        let answer = self.http.call(request).await?;
        let read = parse(answer.status, &answer.body);
        if let Err(err) = &read {
            self.errors.add(err.kind());
        }
        read
    }

    /// What became of the calls so far.
    pub(super) fn calls(&self) -> CallState {
        self.http.calls()
    }

    /// How often an access token was had, and how often not.
    pub(super) fn token_fetches(&self) -> (u64, u64) {
        self.tokens.fetches()
    }
}

/// Percent-encodes everything but unreserved characters, for a query value.
pub(super) fn encode(text: &str) -> String {
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
