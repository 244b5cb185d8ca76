//! The header `Idempotency-Key`, and answers that may be repeated.

use std::marker::PhantomData;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{
    MetaMediaType, MetaParamIn, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};

use super::model::{Answer, IdempotencyError, KEY_MAX, KeyedCall, KeyedRequest};
use crate::base::ids::UserId;
use crate::http::{ApiError, ErrorCode};

/// The header as clients write it.
const HEADER: &str = "Idempotency-Key";

/// The header with what it is about. As an argument it stands behind the token and before the body,
/// and is named `#[oai(name = "Idempotency-Key")]`.
#[derive(Debug)]
pub struct IdempotencyKey(Option<KeyedRequest>);

impl IdempotencyKey {
    /// The call, for [`run`](super::service::run); `None` when it came without a key.
    pub fn of(self, user: UserId) -> Option<KeyedCall> {
        Some(self.0?.of(user))
    }
}

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            min_length: Some(1),
            max_length: Some(KEY_MAX),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        let Some(key) = key(request)? else { return Ok(Self(None)) };
        // The handler reads the body after us; the server's stack has limited its size.
        let bytes = body.take()?.into_bytes().await?;
        let keyed = KeyedRequest::new(key, request.original_uri().path(), &bytes);
        *body = RequestBody::new(Body::from_bytes(bytes));
        Ok(Self(Some(keyed.ok_or_else(wrong)?)))
    }
}

/// The one value of the header, if it is there.
fn key(request: &Request) -> Result<Option<&str>, ApiError> {
    let mut values = request.headers().get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    text.map(Some).ok_or_else(wrong)
}

fn wrong() -> ApiError {
    ApiError::invalid_field(HEADER)
}

impl Answer {
    /// `value` as JSON, as the API document has it.
    pub fn json(status: u16, value: &impl ToJSON) -> Self {
        Self { status, body: value.to_json_string().into() }
    }
}

/// An answer that may be a repeated one; documented as `T` with this status.
#[derive(Debug)]
pub struct Answered<T, const STATUS: u16 = 200> {
    answer: Answer,
    document: PhantomData<fn() -> T>,
}

impl<T, const STATUS: u16> From<Answer> for Answered<T, STATUS> {
    fn from(answer: Answer) -> Self {
        Self { answer, document: PhantomData }
    }
}

impl<T, const STATUS: u16> IntoResponse for Answered<T, STATUS>
where
    T: Send,
{
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let mut response = Response::from(self.answer.body);
        // Only 2xx answers are stored, so this falls back for nothing.
        response.set_status(StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::OK));
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Answered<T, STATUS> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: <Json<T> as Payload>::CONTENT_TYPE,
                    schema: T::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl From<IdempotencyError> for ApiError {
    fn from(err: IdempotencyError) -> Self {
        match err {
            IdempotencyError::KeyReused => Self::new(ErrorCode::IdempotencyKeyReused),
            IdempotencyError::Running => Self::new(ErrorCode::ServiceOverload).caused_by(err),
            IdempotencyError::Db(err) => err.into(),
        }
    }
}
