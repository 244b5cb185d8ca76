//! What can be said about an answer without its handler: whether the client has it already
//! (`If-None-Match` → 304), and whether it travels compressed.
//!
//! Only gzip: every client of WeChat has it. Compressed are texts of known size from 1 KB to 8 MB;
//! never streams, parts, or what is encoded already. The compressed form of an answer is another
//! representation, so its strong `ETag` is another one: the tag with `-gzip` inside the quotes, and
//! `If-None-Match` may name either.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use super::body_limit::exact_len;
use crate::http::context::weighted;

/// Below this the header costs more than the bytes saved.
const MIN_BYTES: u64 = 1024;

/// Beyond this an answer goes as it is: compressing needs it in memory twice.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// From this size on (about 1 ms of work) the runtime's worker is not held up.
const BLOCKING_BYTES: usize = 128 * 1024;

const GZIP_SUFFIX: &str = "-gzip";

/// What the client said about the answer it wants.
pub(super) struct Wanted {
    gzip: bool,
    /// For GET and HEAD only.
    if_none_match: Option<HeaderValue>,
}

impl Wanted {
    pub(super) fn by(request: &Request) -> Self {
        let headers = request.headers();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        Self {
            gzip: accepts_gzip(headers),
            if_none_match: headers.get(header::IF_NONE_MATCH).filter(|_| is_read).cloned(),
        }
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = 0;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        let Ok(value) = value.to_str() else { continue };
        for (coding, q) in weighted(value) {
            if coding.eq_ignore_ascii_case("gzip") {
                return q > 0;
            }
            if coding == "*" {
                any = q;
            }
        }
    }
    any > 0
}

/// Turns `response` into what travels, and says how long its body is when that is known.
pub(super) async fn finish(mut response: Response, wanted: &Wanted) -> (Response, Option<u64>) {
    let (body, len) = exact_len(response.take_body());
    let compressible = is_compressible(response.headers());
    if compressible {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    let compress = compressible
        && wanted.gzip
        && is_whole(&response)
        && len.is_some_and(|len| (MIN_BYTES..=MAX_BYTES).contains(&len));
    if compress {
        retag(response.headers_mut());
    }
    if is_known(&response, wanted) {
        return (not_modified(response), Some(0));
    }
    if !compress {
        response.set_body(body);
        return (response, len);
    }
    // Of known length, so already in memory.
    let Ok(plain) = body.into_bytes().await else {
        response.set_status(StatusCode::INTERNAL_SERVER_ERROR);
        return (response, Some(0));
    };
    match gzip(plain.clone()).await {
        Some(packed) => {
            let headers = response.headers_mut();
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            let len = packed.len() as u64;
            response.set_body(packed);
            (response, Some(len))
        }
        None => {
            response.set_body(plain);
            (response, len)
        }
    }
}

/// Texts. The content type decides, so images, archives and event streams stay as they are.
fn is_compressible(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let Some((main, sub)) = essence.split_once('/') else { return false };
    match main {
        "text" => sub != "event-stream",
        "application" => {
            matches!(sub, "json" | "javascript" | "xml" | "wasm")
                || sub.ends_with("+json")
                || sub.ends_with("+xml")
        }
        "image" => sub == "svg+xml",
        _ => false,
    }
}

/// Whether the body is the whole representation, as the handler made it.
fn is_whole(response: &Response) -> bool {
    let headers = response.headers();
    let no_transform = headers
        .get(header::CACHE_CONTROL)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("no-transform"));
    response.status() != StatusCode::PARTIAL_CONTENT
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && !no_transform
}

/// `"abc"` → `"abc-gzip"`. Weak tags stay: they promise nothing about bytes.
fn retag(headers: &mut HeaderMap) {
    let strong = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(opaque) = strong.and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')) else {
        return;
    };
    if let Ok(tag) = HeaderValue::try_from(format!("\"{opaque}{GZIP_SUFFIX}\"")) {
        headers.insert(header::ETAG, tag);
    }
}

/// Whether `If-None-Match` names this answer, in either form (RFC 9110 §13.1.2, weak comparison).
fn is_known(response: &Response, wanted: &Wanted) -> bool {
    let Some(known) = wanted.if_none_match.as_ref().and_then(|known| known.to_str().ok()) else {
        return false;
    };
    let Some(tag) = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()) else {
        return false;
    };
    response.status() == StatusCode::OK
        && known.split(',').map(str::trim).any(|known| known == "*" || bare(known) == bare(tag))
}

/// A tag without weakness mark, quotes and suffix.
fn bare(tag: &str) -> &str {
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    tag.strip_suffix(GZIP_SUFFIX).unwrap_or(tag)
}

fn not_modified(mut response: Response) -> Response {
    response.set_status(StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    for of_the_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
        headers.remove(of_the_body);
    }
    response
}

/// `None` when it went wrong, which for a writer into memory means a panic elsewhere.
async fn gzip(plain: Bytes) -> Option<Vec<u8>> {
    if plain.len() < BLOCKING_BYTES {
        return pack(&plain);
    }
    tokio::task::spawn_blocking(move || pack(&plain)).await.ok().flatten()
}

fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    // The fastest level: on JSON it saves nearly as much as the default at a third of the time.
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 3), Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
        accepts_gzip(&headers)
    }

    #[test]
    fn gzip_is_used_only_when_it_is_accepted() {
        assert!(!accepts_gzip(&HeaderMap::new()));
        for yes in ["gzip", "GZIP", "br, gzip;q=0.1", "*", "deflate, *;q=0.5"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "gzip;q=0, *", "*;q=0", "x-gzip-like"] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[test]
    fn texts_are_compressible_and_nothing_else() {
        let is = |content_type: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            is_compressible(&headers)
        };
        assert!(is("application/json; charset=utf-8"));
        assert!(is("text/html") && is("text/css") && is("image/svg+xml"));
        assert!(is("application/javascript") && is("application/problem+json"));
        assert!(!is("text/event-stream") && !is("image/png") && !is("application/gzip"));
        assert!(!is_compressible(&HeaderMap::new()));
    }
}
