//! Errors as WeChat Pay v3 answers them.

use poem::http::StatusCode;
use serde_json::{Value, json};

/// A call that is refused: status, code, text, and the parameter that is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) field: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None }
    }

    /// `PARAM_ERROR` about one parameter.
    pub(super) fn param(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = Some(field.into());
        Self { field, ..Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    pub(super) fn sign(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    pub(super) fn no_order() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在")
    }

    pub(super) fn no_resource(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message)
    }

    pub(super) fn paid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ORDER_PAID", "该订单已支付")
    }

    pub(super) fn closed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭")
    }

    pub(super) fn too_fast(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED", message)
    }

    /// The body. Pages of different age spell the codes with and without underscores.
    pub(super) fn body(&self, old_spelling: bool) -> Value {
        let code = if old_spelling { self.code.replace('_', "") } else { self.code.to_owned() };
        let mut body = json!({ "code": code, "message": self.message });
        if let Some(field) = &self.field {
            body["detail"] =
                json!({ "field": field, "location": "body", "issue": self.message.clone() });
        }
        body
    }
}
