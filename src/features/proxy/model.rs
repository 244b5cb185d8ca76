//! What is passed through, what it costs, and how it can fail.

mod wanted;

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, DATE, HeaderName,
    SERVER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, StatusCode};
use serde::Deserialize;

pub(super) use wanted::wanted;

use crate::base::ids::UserId;
use crate::base::rng::Rng;
use crate::clients::http::CallError;
use crate::db::DbError;
use crate::features::generations::{GenerationError, Receipt};
use crate::features::idempotency::IdempotencyError;

/// A job of the image API: 1–128 of `[A-Za-z0-9._-]`, so that it is one segment of a path and
/// nothing else. Dots alone would climb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UpstreamJobId(String);

impl UpstreamJobId {
    /// `None` for anything that no job of the image API is called.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let is_name = text.bytes().any(|b| b != b'.');
        (is_plain && is_name && text.len() <= 128).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Headers of the caller that go upstream, besides `Content-Type`. Everything else stays here:
/// cookies, his token, his address.
pub(super) const FORWARDED: [HeaderName; 3] =
    [ACCEPT, ACCEPT_LANGUAGE, HeaderName::from_static("idempotency-key")];

/// Headers of an answer that are between the image API and us (RFC 9110 §7.6.1), or that our own
/// server sets.
const OURS: [HeaderName; 15] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    DATE,
    SERVER,
    SET_COOKIE,
    HeaderName::from_static("x-request-id"),
];

/// What of the answer's headers may pass: not ours, and not named by `Connection`.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(headers.len());
    let named: Vec<&str> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for (name, value) in headers {
        let is_named = named.iter().any(|n| n.eq_ignore_ascii_case(name.as_str()));
        if !OURS.contains(name) && !is_named {
            out.append(name.clone(), value.clone());
        }
    }
    out
}

/// An answer to pass on: status and JSON as they came, and the headers that may pass.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One call that is paid for: 32 random lower hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallId(String);

impl CallId {
    pub(super) fn draw(rng: &Rng) -> Self {
        Self(rng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A charge that was just given up, so that nobody else can: what is to be given back.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) call: CallId,
    pub(super) paid: Receipt,
}

/// Whose a job of the image API is, and whether a charge for it could be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownJob {
    pub(super) owner: UserId,
    pub(super) is_paid: bool,
}

/// What an image API says about a job, read from a good answer or an announcement.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    job_id: Option<String>,
    status: Option<String>,
}

impl Said {
    /// Of a body that says nothing of the kind, nothing is said.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(super) fn job(&self) -> Option<UpstreamJobId> {
        UpstreamJobId::parse(self.job_id.as_deref()?)
    }

    /// Whether there will never be a picture.
    pub(super) fn is_lost(&self) -> bool {
        let status = self.status.as_deref().unwrap_or_default();
        ["FAILED", "CANCELED", "CANCELLED"].iter().any(|lost| status.eq_ignore_ascii_case(lost))
    }
}

/// Why there is no answer to pass on.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Not a job of this user, or no job at all.
    #[error("there is no such job of this user")]
    JobNotFound,
    /// What came back is no JSON.
    #[error("the image API answered something that is no JSON (status {0})")]
    Garbled(u16),
    /// Names the member of the body that no price can be made for.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    /// The client left before anything was sent; nobody reads this.
    #[error("the client has left")]
    ClientGone,
    /// The task of the call has ended without an answer.
    #[error("the call was cut short")]
    CutShort,
    #[error(transparent)]
    Call(#[from] CallError),
    /// It cannot be paid for.
    #[error(transparent)]
    Price(#[from] GenerationError),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl ProxyError {
    /// Whether the same write may work later.
    pub(super) fn is_transient(&self) -> bool {
        let db = match self {
            Self::Db(db) | Self::Idempotency(IdempotencyError::Db(db)) => db,
            Self::Price(GenerationError::Db(db)) => db,
            _ => return false,
        };
        db.is_transient()
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_job_id_is_one_segment_of_a_path() {
        for good in ["job_1", "0192f-aa.b", "a"] {
            assert_eq!(UpstreamJobId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "é", &"a".repeat(129)] {
            assert_eq!(UpstreamJobId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_job_is_lost_when_its_status_says_so() {
        let is_lost = |body: &str| Said::read(body.as_bytes()).is_lost();
        for lost in ["FAILED", "CANCELED", "CANCELLED", "failed"] {
            assert!(is_lost(&format!(r#"{{"jobId":"a","status":"{lost}"}}"#)), "{lost}");
        }
        for body in [r#"{"status":"SUCCEEDED"}"#, r#"{"status":1}"#, "{}", "[]", "", "null"] {
            assert!(!is_lost(body), "{body}");
        }
    }

    #[test]
    fn hop_by_hop_headers_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Trace"),
            ("keep-alive", "timeout=5"),
            ("x-trace", "1"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("content-type", "application/json"),
            ("retry-after", "7"),
            ("x-ratelimit-remaining", "3"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let passed = end_to_end(&headers);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "retry-after", "x-ratelimit-remaining"]);
    }
}
