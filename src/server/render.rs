//! Every failure becomes the same JSON, wherever it comes from: our errors, poem's, a panic.
//!
//! Causes go to the log with the request id (5xx at `error`, 4xx at `debug`), never to the client.

use std::any::Any;
use std::error::Error;

use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use poem::{PathPattern, Response};
use poem_openapi::error::{ParseParamError, ParsePathError};
use serde_json::Value;

use super::paths::PathTable;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::http::{ApiError, ErrorBody, ErrorCode, RequestContext};

/// What the renderer needs to know of the request.
pub(super) struct Failed<'a> {
    pub(super) uri: &'a Uri,
    pub(super) context: &'a RequestContext,
    pub(super) paths: &'a PathTable,
    pub(super) now: UnixMillis,
}

impl Failed<'_> {
    /// The answer to a request whose handler (or something before it) returned `err`.
    pub(super) fn error(&self, err: poem::Error) -> Response {
        // poem's file endpoints report 304 this way.
        if err.status().as_u16() < 400 {
            return err.into_response();
        }
        // An unknown path below a nested route carries that route's pattern, which says nothing.
        let pattern = err.data::<PathPattern>().filter(|_| !err.is::<NotFoundError>()).cloned();
        let mut response = match err.downcast_ref::<ApiError>() {
            Some(ours) => {
                self.log(ours.code(), ours);
                self.answer(ours)
            }
            None => {
                let translated = self.translate(&err);
                self.log(translated.code(), &err);
                self.answer(&translated)
            }
        };
        if let Some(pattern) = pattern {
            response.set_data(pattern);
        }
        response
    }

    /// The answer to a request whose handler panicked.
    pub(super) fn panic(&self, payload: &(dyn Any + Send)) -> Response {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("panic without a text");
        tracing::error!(
            request.id = self.context.request_id(),
            path = self.uri.path(),
            panic = text,
            "a handler panicked"
        );
        self.answer(&ApiError::new(ErrorCode::InternalError))
    }

    /// An error that is not ours, by what poem and poem-openapi say about it.
    fn translate(&self, err: &poem::Error) -> ApiError {
        if let Some(ParseParamError { name, .. }) = err.downcast_ref() {
            return ApiError::invalid_field(self.parameter_name(name));
        }
        if let Some(ParsePathError { name, .. }) = err.downcast_ref() {
            return ApiError::invalid_field(self.parameter_name(name));
        }
        let translated = ApiError::new(code_of(err.status()));
        if err.is::<MethodNotAllowedError>()
            && let Some(allow) = self.paths.allow(self.uri.path())
        {
            return translated.header(header::ALLOW, allow);
        }
        translated
    }

    /// poem-openapi calls path parameters `param0`, `param1`, …
    fn parameter_name<'a>(&'a self, name: &'a str) -> &'a str {
        name.strip_prefix("param")
            .and_then(|index| index.parse().ok())
            .and_then(|index| self.paths.parameter(self.uri.path(), index))
            .unwrap_or(name)
    }

    fn answer(&self, err: &ApiError) -> Response {
        let code = err.code();
        let body = ErrorBody {
            error: code,
            message: err.text(self.context.language()).to_owned(),
            timestamp: self.now.rfc3339(),
            path: self.uri.path().to_owned(),
            request_id: self.context.request_id().to_owned(),
            details: (!err.details().is_empty()).then(|| Value::Object(err.details().clone())),
        };
        // Strings and a JSON value: serialising them cannot fail.
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::from(bytes);
        response.set_status(code.status());
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        // An error is about this moment: no cache may keep it.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = err.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = challenge(code) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        for (name, value) in err.headers() {
            headers.insert(HeaderName::clone(name), value.clone());
        }
        response
    }

    fn log(&self, code: ErrorCode, err: &(dyn Error + 'static)) {
        let request_id = self.context.request_id();
        let path = self.uri.path();
        if code.status().is_server_error() {
            let error = error_chain(err);
            tracing::error!(
                request.id = request_id,
                path,
                code = code.name(),
                error,
                "request failed"
            );
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            let error = error_chain(err);
            tracing::debug!(request.id = request_id, path, code = code.name(), error, "refused");
        }
    }
}

/// The code for a status that came without one. 4xx that we do not use are the caller's mistake,
/// 5xx that we do not use are ours.
fn code_of(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthorized,
        StatusCode::FORBIDDEN => ErrorCode::Forbidden,
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::CONFLICT => ErrorCode::InvalidState,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::RateLimitExceeded,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::ServiceOverload,
        status if status.is_client_error() => ErrorCode::InvalidRequest,
        _ => ErrorCode::InternalError,
    }
}

/// `WWW-Authenticate`, which every 401 must have (RFC 9110 §15.5.2), in the form of RFC 6750 §3.
fn challenge(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidToken | ErrorCode::TokenExpired | ErrorCode::TokenRevoked => {
            Some("Bearer error=\"invalid_token\"")
        }
        _ if code.status() == StatusCode::UNAUTHORIZED => Some("Bearer"),
        _ => None,
    }
}
