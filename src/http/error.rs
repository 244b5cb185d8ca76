//! `ApiError`: an error that knows what the client may hear and what only the log may.
//!
//! It is an ordinary error, not a ready response, so that it stays findable inside
//! `poem::Error`: the renderer in `server` adds path, request id, time and language, and logs the
//! cause. The cause and its text never reach the client.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use poem::error::ResponseError;
use poem::http::{HeaderName, HeaderValue, StatusCode};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use serde_json::{Map, Value};

use super::error_code::ErrorCode;
use crate::base::bilingual::{Bilingual, Language};

/// The answer to a request that failed.
#[derive(Clone, Debug, Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The stable code; the table of codes is in `docs/errors.md`.
    #[serde(serialize_with = "serialize_code")]
    pub error: ErrorCode,
    /// A text to show: Chinese, or English when `Accept-Language` prefers it.
    pub message: String,
    /// When the answer was made, RFC 3339 in UTC.
    pub timestamp: String,
    /// The path asked for, without the query.
    pub path: String,
    /// The `X-Request-Id` of this answer.
    pub request_id: String,
    /// What more there is to say, for example `field`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[oai(skip_serializing_if_is_none)]
    pub details: Option<Value>,
}

fn serialize_code<S: serde::Serializer>(code: &ErrorCode, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(code.name())
}

/// The error of every handler. Boxed inside: a `Result` with it stays small.
pub struct ApiError(Box<Inner>);

struct Inner {
    code: ErrorCode,
    message: Option<Bilingual>,
    details: Map<String, Value>,
    retry_after_s: Option<u32>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error with the default text of `code`.
    pub fn new(code: ErrorCode) -> Self {
        Self(Box::new(Inner {
            code,
            message: None,
            details: Map::new(),
            retry_after_s: code.default_retry_after_s(),
            headers: Vec::new(),
            source: None,
        }))
    }

    /// `INVALID_REQUEST` about one field or parameter, named as the client wrote it.
    pub fn invalid_field(name: &str) -> Self {
        Self::new(ErrorCode::InvalidRequest).field(name)
    }

    /// `INVALID_STATE`: somebody else changed the thing since the caller read it.
    pub fn outdated() -> Self {
        Self::new(ErrorCode::InvalidState)
            .message(
                "内容已被他人修改，请刷新后重试",
                "Somebody else has changed this meanwhile; load it again",
            )
            .detail("reason", "OUTDATED")
    }

    /// Keeps what led here, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// Names the wrong field in `details.field` and, unless [`Self::message`] was called before,
    /// in the text.
    #[must_use]
    pub fn field(mut self, name: &str) -> Self {
        self.0.details.insert("field".to_owned(), name.into());
        self.0.message.get_or_insert_with(|| {
            Bilingual::new(
                format!("参数 {name} 缺失或不正确"),
                format!("`{name}` is missing or not valid"),
            )
        });
        self
    }

    /// Replaces the text in both languages.
    #[must_use]
    pub fn message(
        mut self,
        zh: impl Into<Cow<'static, str>>,
        en: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.message = Some(Bilingual::new(zh, en));
        self
    }

    /// Adds a member to `details`.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    /// Sets `Retry-After`, in seconds; 429 and 503 have a default.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Adds a header to the answer, for example `Allow`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The text to show.
    pub fn text(&self, language: Language) -> &str {
        match (&self.0.message, language) {
            (Some(message), language) => message.text(language),
            (None, Language::Zh) => self.0.code.zh(),
            (None, Language::En) => self.0.code.en(),
        }
    }

    /// What goes under `details`; empty when there is nothing.
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// Seconds for `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    /// Headers of the answer besides `Retry-After`.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.code.fmt(f)?;
        match self.0.details.get("field") {
            Some(field) => write!(f, " ({field})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("code", &self.0.code)
            .field("details", &self.0.details)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.0.code.status()
    }
}

/// Documents every operation that can fail with the two ranges of [`ErrorBody`].
impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        let range = |description, range: &str| MetaResponse {
            description,
            status: None,
            status_range: Some(range.to_owned()),
            content: vec![MetaMediaType {
                content_type: Json::<ErrorBody>::CONTENT_TYPE,
                schema: ErrorBody::schema_ref(),
            }],
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                range("The request cannot be fulfilled as it is; `error` says why.", "4XX"),
                range("The fault is here or behind us; `error` says whether to retry.", "5XX"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ErrorBody::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON;

    use super::*;

    #[test]
    fn it_stays_findable_inside_poems_error() {
        let cause = std::io::Error::other("disk on fire");
        let err: poem::Error = ApiError::new(ErrorCode::InternalError).caused_by(cause).into();
        let found = err.downcast_ref::<ApiError>().unwrap();
        assert_eq!(found.code(), ErrorCode::InternalError);
        assert_eq!(found.source().unwrap().to_string(), "disk on fire");
    }

    #[test]
    fn a_field_is_named_in_both_places_and_an_own_text_wins() {
        let err = ApiError::invalid_field("nickName");
        assert_eq!(err.details()["field"], "nickName");
        assert!(err.text(Language::Zh).contains("nickName"));
        assert!(err.text(Language::En).contains("nickName"));
        let err = ApiError::new(ErrorCode::InvalidRequest).message("太长", "too long").field("x");
        assert_eq!(err.text(Language::Zh), "太长");
        assert_eq!(err.details()["field"], "x");
    }

    #[test]
    fn the_sent_bytes_match_the_documented_type() {
        let body = ErrorBody {
            error: ErrorCode::NotFound,
            message: "m".to_owned(),
            timestamp: "t".to_owned(),
            path: "/p".to_owned(),
            request_id: "r".to_owned(),
            details: None,
        };
        assert_eq!(serde_json::to_value(&body).unwrap(), body.to_json().unwrap());
    }
}
