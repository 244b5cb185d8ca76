//! `RawJson`: a JSON object as a request body whose very bytes are needed.

use poem::{Request, RequestBody, Result};
use poem_openapi::impl_apirequest_for_payload;
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::Type;
use serde_json::Value;

use super::json_body::object;

/// The bytes of a JSON object, checked as [`JsonBody`](super::JsonBody) checks them and otherwise
/// untouched. Without `Content-Type: application/json` the request is 415.
#[derive(Clone, Debug)]
pub struct RawJson(pub Vec<u8>);

impl Payload for RawJson {
    const CONTENT_TYPE: &'static str = Json::<Value>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        Json::<Value>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        <Value as Type>::schema_ref()
    }
}

impl ParsePayload for RawJson {
    const IS_REQUIRED: bool = true;

    async fn from_request(_request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = body.take()?.into_vec().await?;
        object(&bytes)?;
        Ok(Self(bytes))
    }
}

impl_apirequest_for_payload!(RawJson);
