//! The header `Idempotency-Key`, and answers that may be repeated.

use std::marker::PhantomData;

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Body, IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{
    MetaMediaType, MetaParamIn, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use sha2::{Digest as _, Sha256};

use super::model::{Answer, BodyHash, IdempotencyError, KEY_MAX, KeyedCall};
use crate::base::ids::UserId;
use crate::http::{ApiError, ErrorCode};

/// The header as clients write it.
const HEADER: &str = "Idempotency-Key";

/// The header with what it is about. As an argument it stands behind the token and before the body,
/// and is named `#[oai(name = "Idempotency-Key")]`.
#[derive(Debug)]
pub struct IdempotencyKey(Option<Keyed>);

#[derive(Debug)]
struct Keyed {
    key: String,
    path: String,
    body_hash: BodyHash,
}

impl IdempotencyKey {
    /// The call, for [`run`](super::service::run); `None` when it came without a key.
    pub fn of(self, user: UserId) -> Option<KeyedCall> {
        let Keyed { key, path, body_hash } = self.0?;
        Some(KeyedCall { user, key, path, body_hash })
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
        let body_hash = Sha256::digest(&bytes).into();
        *body = RequestBody::new(Body::from_bytes(bytes));
        Ok(Self(Some(Keyed { key, path: request.original_uri().path().to_owned(), body_hash })))
    }
}

/// One value of 1–64 visible ASCII characters, or none.
fn key(request: &Request) -> Result<Option<String>, ApiError> {
    let wrong = || ApiError::invalid_field(HEADER);
    let mut values = request.headers().get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| wrong())?;
    let is_good = (1..=KEY_MAX).contains(&text.len()) && values.next().is_none();
    if is_good { Ok(Some(text.to_owned())) } else { Err(wrong()) }
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
