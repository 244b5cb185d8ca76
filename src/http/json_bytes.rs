//! `JsonBytes<T>`: an answer that is already JSON, documented as `T`.
//!
//! For hot lists: serialised once, cached, and cloned at the price of two reference counts. With an
//! `ETag` the server's stack answers a matching `If-None-Match` with 304 by itself.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON, Type};
use sha2::{Digest, Sha256};

/// JSON bytes of a `T`, with or without a strong `ETag`.
pub struct JsonBytes<T> {
    body: Bytes,
    etag: Option<HeaderValue>,
    // Not `T` itself: bytes are shared between threads whatever `T` is.
    document: PhantomData<fn() -> T>,
}

impl<T> JsonBytes<T> {
    /// Takes `body` as it is; the caller vouches that it is JSON of a `T`.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), etag: None, document: PhantomData }
    }

    /// Adds the strong `ETag` of the bytes. Hashes them: do it once, when they enter the cache.
    #[must_use]
    pub fn with_etag(mut self) -> Self {
        self.etag = strong_etag(&self.body);
        self
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }
}

impl<T: ToJSON> JsonBytes<T> {
    /// Serialises `value` as poem-openapi would.
    pub fn of(value: &T) -> Self {
        Self::new(value.to_json_string())
    }
}

/// Half of SHA-256 in quotes: the same bytes have the same tag in every process.
fn strong_etag(body: &[u8]) -> Option<HeaderValue> {
    let digest = Sha256::digest(body);
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]));
    HeaderValue::try_from(tag).ok()
}

impl<T> Clone for JsonBytes<T> {
    fn clone(&self) -> Self {
        Self { body: self.body.clone(), etag: self.etag.clone(), document: PhantomData }
    }
}

impl<T> fmt::Debug for JsonBytes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonBytes({} bytes)", self.body.len())
    }
}

impl<T: Type> Payload for JsonBytes<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for JsonBytes<T> {
    fn into_response(self) -> Response {
        let mut response = Response::from(self.body);
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(etag) = self.etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

impl<T: Type> ApiResponse for JsonBytes<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: Self::CONTENT_TYPE,
                    schema: Self::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_follows_the_bytes() {
        let tag = |text: &str| JsonBytes::<String>::of(&text.to_owned()).with_etag().etag.unwrap();
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
        let tag = tag("a");
        let tag = tag.to_str().unwrap();
        assert!(tag.len() == 24 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    }

    #[test]
    fn the_answer_has_the_documented_content_type() {
        let response = JsonBytes::<String>::of(&"x".to_owned()).into_response();
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            <JsonBytes<String> as Payload>::CONTENT_TYPE
        );
        assert!(!response.headers().contains_key(header::ETAG));
    }
}
