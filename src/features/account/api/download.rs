//! A JSON document that is sent as a file.

use std::fs::File;

use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use serde_json::Value;

use crate::http::file_body;

/// The whole of a file of JSON, to be saved under a name.
#[derive(Debug)]
pub struct JsonDownload {
    pub file: File,
    pub bytes: u64,
    pub name: &'static str,
}

impl IntoResponse for JsonDownload {
    fn into_response(self) -> Response {
        let Self { file, bytes, name } = self;
        let mut response = Response::builder()
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::CONTENT_LENGTH, bytes)
            .header(header::CACHE_CONTROL, "no-store, no-transform")
            .body(file_body(file, 0, bytes));
        if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
        }
        response
    }
}

impl ApiResponse for JsonDownload {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: <Json<Value> as Payload>::CONTENT_TYPE,
                    schema: <Value as Type>::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        <Value as Type>::register(registry);
    }
}
