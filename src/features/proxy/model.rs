//! What is passed through, and how it can fail.

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, DATE, HeaderName,
    SERVER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use crate::clients::http::CallError;
use crate::db::DbError;

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

/// Why there is no answer to pass on.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// Not a job of this user, or no job at all.
    #[error("there is no such job of this user")]
    JobNotFound,
    /// What came back is no JSON.
    #[error("the image API answered something that is no JSON (status {0})")]
    Garbled(u16),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Db(#[from] DbError),
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
