//! Why an image API did not do what it was asked, and whether asking again may help.
//!
//! Retryable are, and only are: no connection, a lost connection (also an answer of status 2xx that
//! cannot be read: what was lost is part of it), no answer in time, 408, 429, 502, 503, 504, and a
//! place of ours that is not free.

use std::time::Duration;

use ureq::http::StatusCode;
use ureq::http::header::RETRY_AFTER;

use super::super::http::{Answer, CallError};

/// Longest text of an image API that is kept, in characters.
const MAX_TEXT: usize = 300;

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
    #[source]
    cause: Option<CallError>,
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

    /// Whether this speaks against the image API itself, and not against the request or our pace:
    /// what its breaker is to hear of.
    pub fn is_outage(&self) -> bool {
        let is_busy = self.status == Some(StatusCode::TOO_MANY_REQUESTS);
        let is_ours = matches!(self.cause, Some(CallError::Overloaded));
        !matches!(self.code, UpstreamCode::Rejected(_)) && !is_busy && !is_ours
    }

    /// Whether the image API does not accept our key.
    pub(super) fn is_refused_key(&self) -> bool {
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
            cause: Some(cause),
        }
    }

    /// An answer of a status that says no; `code` and `message` are the image API's own.
    pub(super) fn refused(answer: &Answer, code: Option<&str>, message: Option<&str>) -> Self {
        let status = answer.status;
        let said = text(message.or(code).unwrap_or_default());
        let meaning = match status.as_u16() {
            408 | 504 => UpstreamCode::Timeout,
            // Our key or our rights: nothing that the user can mend.
            401 | 403 | 429 => UpstreamCode::Provider,
            400..=499 => UpstreamCode::Rejected(said.clone()),
            _ => UpstreamCode::Provider,
        };
        Self {
            what: format!("the image API answered {}: {said}", status.as_u16()),
            code: meaning,
            status: Some(status),
            is_retryable: matches!(status.as_u16(), 408 | 429 | 502..=504),
            // A gateway's 502 or 504 says nothing about what stands behind it.
            was_sent: status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE,
            retry_after: retry_after(answer),
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
            cause: None,
        }
    }
}

/// `Retry-After` in seconds; the form with a date is not used by image APIs.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let value = answer.headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What an image API says, short and on one line: it goes to logs and to users.
pub(super) fn text(said: &str) -> String {
    let one_line = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MAX_TEXT).collect::<String>().trim().to_owned()
}
