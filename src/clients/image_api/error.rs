//! Why an image API did not do what it was asked, and whether asking again may help.
//!
//! Retryable are, and only are: no connection, a lost connection (also an answer of status 2xx that
//! cannot be read: what was lost is part of it), no answer in time, 408, 429, 502, 503, 504, and a
//! place of ours that is not free.

use std::time::Duration;

use serde_json::Value;
use ureq::http::StatusCode;
use ureq::http::header::RETRY_AFTER;

use super::super::http::{Answer, CallError};

/// Longest text of an image API that is kept, in characters.
const MAX_TEXT: usize = 300;

/// Where an image API says what it calls a call.
const REQUEST_ID_HEADERS: [&str; 2] = ["x-request-id", "request-id"];

/// Longest such name that is believed to be one.
const MAX_REQUEST_ID: usize = 128;

/// What to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamCode {
    /// Unreachable, failing, or not content with us: `PROVIDER_ERROR`.
    Provider,
    /// It took too long: `PROVIDER_TIMEOUT`.
    Timeout,
    /// It does not want this very request; with its reason, as it says it.
    Rejected(String),
}

/// A call to an image API that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct UpstreamError {
    what: String,
    code: UpstreamCode,
    status: Option<StatusCode>,
    is_retryable: bool,
    was_sent: bool,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    #[source]
    /// Boxed: it is large, and rarely there.
    cause: Option<Box<CallError>>,
}

impl UpstreamError {
    /// Whether the same may work a little later, here or elsewhere.
    pub fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// How long the image API asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the image API may have acted: false only when it surely has not, because nothing
    /// was sent or because it refused.
    pub fn was_sent(&self) -> bool {
        self.was_sent
    }

    /// What to tell the user.
    pub fn code(&self) -> UpstreamCode {
        self.code.clone()
    }

    /// The status of the answer that said no, if one came.
    pub fn http_status(&self) -> Option<u16> {
        self.status.map(|status| status.as_u16())
    }

    /// What the image API calls the call that it refused: 1–128 visible characters of ASCII.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Whether this speaks against the image API itself, and not against the request or our pace:
    /// what its breaker is to hear of.
    pub fn is_outage(&self) -> bool {
        let is_busy = self.status == Some(StatusCode::TOO_MANY_REQUESTS);
        let is_ours = matches!(self.cause.as_deref(), Some(CallError::Overloaded));
        !matches!(self.code, UpstreamCode::Rejected(_)) && !is_busy && !is_ours
    }

    /// Whether the image API does not accept our key.
    pub fn is_refused_key(&self) -> bool {
        matches!(self.status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// Whether the image API asks for a pause of all calls.
    pub(super) fn pause(&self) -> Option<Duration> {
        let asks = matches!(
            self.status,
            Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        );
        self.retry_after.filter(|_| asks)
    }

    /// No answer came.
    pub(super) fn no_answer(cause: CallError) -> Self {
        let (code, is_retryable, was_sent) = match &cause {
            CallError::Overloaded | CallError::Connect(_) => (UpstreamCode::Provider, true, false),
            CallError::Timeout(_) => (UpstreamCode::Timeout, true, true),
            CallError::Lost(_) => (UpstreamCode::Provider, true, true),
            CallError::TooLarge => (UpstreamCode::Provider, false, true),
        };
        Self {
            what: "the image API cannot be spoken to".to_owned(),
            code,
            status: None,
            is_retryable,
            was_sent,
            retry_after: None,
            request_id: None,
            cause: Some(Box::new(cause)),
        }
    }

    /// An answer of a status that says no.
    pub(super) fn refused(answer: &Answer) -> Self {
        let status = answer.status;
        // Some image APIs repeat the key that they do not accept.
        let is_about_key = matches!(status.as_u16(), 401 | 403);
        let said = if is_about_key { "our key is refused".to_owned() } else { said(&answer.body) };
        let meaning = match status.as_u16() {
            408 | 504 => UpstreamCode::Timeout,
            // Our key, our rights or our pace: nothing that the user can mend.
            401 | 403 | 429 => UpstreamCode::Provider,
            400..=499 => UpstreamCode::Rejected(said.clone()),
            _ => UpstreamCode::Provider,
        };
        let separator = if said.is_empty() { "" } else { ": " };
        Self {
            what: format!("the image API answered {}{separator}{said}", status.as_u16()),
            code: meaning,
            status: Some(status),
            is_retryable: matches!(status.as_u16(), 408 | 429 | 502..=504),
            // A gateway's 502 or 504 says nothing about what stands behind it.
            was_sent: status == StatusCode::REQUEST_TIMEOUT
                || status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE,
            retry_after: retry_after(answer),
            request_id: request_id(answer),
            cause: None,
        }
    }

    /// An answer that says yes and cannot be understood.
    pub(super) fn garbled(what: &'static str) -> Self {
        Self {
            what: format!("the image API's answer cannot be understood: {what}"),
            code: UpstreamCode::Provider,
            status: None,
            is_retryable: true,
            was_sent: true,
            retry_after: None,
            request_id: None,
            cause: None,
        }
    }
}

/// `Retry-After` in seconds; the form with a date is not used by image APIs.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let value = answer.headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// `X-Request-Id`, or what the many that run behind a gateway call it.
fn request_id(answer: &Answer) -> Option<String> {
    let header = REQUEST_ID_HEADERS.iter().find_map(|name| answer.headers.get(*name))?;
    let id = header.to_str().ok()?.trim();
    let is_plain = !id.is_empty() && id.len() <= MAX_REQUEST_ID;
    (is_plain && id.bytes().all(|byte| byte.is_ascii_graphic())).then(|| id.to_owned())
}

/// The text of an error in either dialect: `{error, message}` or `{error: {message, type, code}}`.
/// Empty when the body is something else, such as a gateway's page.
fn said(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let known =
        [&body["message"], &body["error"]["message"], &body["error"], &body["error"]["code"]];
    text(known.into_iter().find_map(Value::as_str).unwrap_or_default())
}

/// What an image API says, short and on one line: it goes to logs and to users.
pub(super) fn text(said: &str) -> String {
    let one_line = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MAX_TEXT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use ureq::http::{HeaderMap, HeaderValue};

    use super::*;

    fn refused(status: u16, body: &str) -> UpstreamError {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let status = StatusCode::from_u16(status).unwrap();
        UpstreamError::refused(&Answer { status, headers, body: body.into() })
    }

    #[test]
    fn only_what_may_pass_is_retryable() {
        let retryable: Vec<u16> =
            (300..600).filter(|status| refused(*status, "").is_retryable()).collect();
        assert_eq!(retryable, [408, 429, 502, 503, 504]);
    }

    #[test]
    fn the_user_hears_what_he_can_mend_and_nothing_else() {
        let saas = r#"{"error":"INVALID_REQUEST","message":"no\nsuch model"}"#;
        let openai = r#"{"error":{"message":"no such model","type":"x","code":"y"}}"#;
        for body in [saas, openai] {
            for status in [400, 404, 422] {
                let rejected = UpstreamCode::Rejected("no such model".to_owned());
                assert_eq!(refused(status, body).code(), rejected);
            }
            for status in [401, 403, 429, 500, 502, 503] {
                assert_eq!(refused(status, body).code(), UpstreamCode::Provider);
            }
            assert_eq!(refused(504, body).code(), UpstreamCode::Timeout);
        }
        assert!(!refused(401, r#"{"message":"bad key sk-123"}"#).to_string().contains("sk-123"));
        assert_eq!(said(b"<html>"), "");
        assert_eq!(said("字".repeat(4000).as_bytes()), "");
        assert_eq!(text(&"字".repeat(4000)).chars().count(), MAX_TEXT);
    }

    #[test]
    fn a_refusal_was_not_acted_upon_and_a_failure_may_have_been() {
        for (status, was_sent) in
            [(400, false), (429, false), (503, false), (500, true), (504, true)]
        {
            assert_eq!(refused(status, "").was_sent(), was_sent, "{status}");
        }
        assert!(UpstreamError::garbled("").was_sent());
        assert!(!UpstreamError::no_answer(CallError::Overloaded).was_sent());
    }

    #[test]
    fn a_refusal_is_known_by_its_status_and_the_name_of_its_call() {
        let named = |name: &'static str, id: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(id));
            let status = StatusCode::BAD_GATEWAY;
            let err = UpstreamError::refused(&Answer { status, headers, body: Vec::new() });
            (err.http_status(), err.request_id().map(str::to_owned))
        };
        assert_eq!(refused(502, "<html>").to_string(), "the image API answered 502");
        assert_eq!(named("x-request-id", "req-1"), (Some(502), Some("req-1".to_owned())));
        assert_eq!(named("request-id", "req-2"), (Some(502), Some("req-2".to_owned())));
        for bad in ["", "a b"] {
            assert_eq!(named("x-request-id", bad).1, None, "{bad:?}");
        }
        assert_eq!(UpstreamError::garbled("").http_status(), None);
    }

    #[test]
    fn a_pause_is_asked_for_by_a_busy_image_api_only() {
        let asked = |status| refused(status, "").pause().map(|pause| pause.as_secs());
        assert_eq!((asked(429), asked(503), asked(502)), (Some(7), Some(7), None));
        assert!(refused(503, "").is_outage() && refused(401, "").is_outage());
        assert!(!refused(429, "").is_outage() && !refused(400, "").is_outage());
    }
}
