//! `GET /media/{key}`: stored pictures, streamed.
//!
//! A key names its bytes, so an answer may be kept for ever and its `ETag` is known without reading.
//! From the local folder the file is read piece by piece as the client takes it; with object
//! storage the client is sent there, by an address that works for ten minutes.

use std::fs::File;
use std::sync::Arc;

use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response};

use super::super::model::Part;
use super::super::service;
use crate::app::App;
use crate::clients::object_storage::{CACHE_CONTROL, ObjectKey, Opened};
use crate::http::{ApiError, ErrorCode, file_body};

/// Shorter than the address it leads to lives.
const REDIRECT_CACHE: &str = "private, max-age=300";

/// The endpoint for everything below `/media/`.
pub struct MediaFiles {
    app: Arc<App>,
}

impl MediaFiles {
    /// Serves the pictures of `app`.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app) }
    }
}

impl Endpoint for MediaFiles {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        // Compared as sent: a key needs no escaping, so an escaped one is none.
        let path = request.uri().path();
        let key = path.strip_prefix("/media/").and_then(|key| key.parse::<ObjectKey>().ok());
        let key = key.ok_or(ApiError::new(ErrorCode::ImageNotFound))?;
        match service::open(&self.app, &key).await.map_err(ApiError::from)? {
            Opened::File(file, len) => Ok(send(file, len, &key, request.headers())),
            Opened::Elsewhere(url) => redirect(&url),
        }
    }
}

fn send(file: File, len: u64, key: &ObjectKey, asked: &HeaderMap) -> Response {
    let etag = key.etag();
    let range = asked.get(header::RANGE).and_then(|value| value.to_str().ok());
    // A client that holds a part of something else wants the whole of this.
    let range =
        range.filter(|_| asked.get(header::IF_RANGE).is_none_or(|tag| tag == etag.as_str()));
    let (status, first, count, content_range) = match Part::of(range, len) {
        Part::Whole => (StatusCode::OK, 0, len, None),
        Part::Bytes { first, last } => {
            let content_range = format!("bytes {first}-{last}/{len}");
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1, Some(content_range))
        }
        Part::Beyond => {
            return Response::builder()
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(header::CONTENT_RANGE, format!("bytes */{len}"))
                .finish();
        }
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, key.kind().content_type())
        .header(header::CONTENT_LENGTH, count)
        .header(header::CACHE_CONTROL, CACHE_CONTROL)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, etag);
    if let Some(content_range) = content_range {
        response = response.header(header::CONTENT_RANGE, content_range);
    }
    response.body(file_body(file, first, count))
}

fn redirect(url: &str) -> poem::Result<Response> {
    let location = HeaderValue::try_from(url)
        .map_err(|err| ApiError::new(ErrorCode::InternalError).caused_by(err))?;
    Ok(Response::builder()
        .status(StatusCode::FOUND)
        .header(header::LOCATION, location)
        .header(header::CACHE_CONTROL, REDIRECT_CACHE)
        .finish())
}
