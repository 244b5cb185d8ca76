//! The admin page: files that are compiled in, from `assets/admin/dist`.
//!
//! - Names below `assets/` carry a hash of their content and are kept for ever; `index.html` is asked for
//!   anew each time and answered with 304 while it is the same.
//! - What the build has compressed beside a file (`.br`, `.gz`) is sent to who takes it.
//! - The page may run its own scripts and nothing else, talk to this server and to nobody else, and
//!   stand in no frame.
//! - There is no fallback: the page's own addresses are behind `#`, and another path is 404.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use poem::error::NotFoundError;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The page as it was built.
#[derive(RustEmbed)]
#[folder = "assets/admin/dist"]
struct Dist;

/// Where the page is.
const BASE: &str = "/admin";

const INDEX: &str = "index.html";

/// Below this, names carry a hash.
const HASHED: &str = "assets/";

/// What the build compresses beside a file, the better first.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// The admin page.
pub(super) struct AdminFiles {
    policy: HeaderValue,
}

impl AdminFiles {
    /// A page that shows pictures from below `media_base` too.
    pub(super) fn new(media_base: &str) -> Self {
        let policy = HeaderValue::try_from(policy(&media_origin(media_base)));
        Self { policy: policy.unwrap_or(HeaderValue::from_static("default-src 'none'")) }
    }

    fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let name = name_of(path)?;
        let plain = Dist::get(name)?;
        let (file, encoding) = best(name, plain, headers);
        let etag = etag(&file);
        let is_same = headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == etag);
        let mut response = if is_same {
            Response::builder().status(StatusCode::NOT_MODIFIED).finish()
        } else {
            Response::from(bytes(file.data))
        };
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, content_type(name));
        set(header::ETAG, &etag);
        let is_kept = name.starts_with(HASHED);
        let life = if is_kept { "public, max-age=31536000, immutable" } else { "no-cache" };
        set(header::CACHE_CONTROL, life);
        set(header::VARY, "Accept-Encoding");
        if let Some(encoding) = encoding {
            set(header::CONTENT_ENCODING, encoding);
        }
        set(header::REFERRER_POLICY, "no-referrer");
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        set(header::X_FRAME_OPTIONS, "DENY");
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        Some(response)
    }
}

impl Endpoint for AdminFiles {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.uri().path();
        Ok(self.answer(path, request.headers()).ok_or(NotFoundError)?)
    }
}

/// The file that `path` asks for.
fn name_of(path: &str) -> Option<&str> {
    match path.strip_prefix(BASE)? {
        "" | "/" => Some(INDEX),
        below => below.strip_prefix('/'),
    }
}

/// What the page may do.
fn policy(media: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:{media}; connect-src 'self'; font-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// Where pictures come from, if that is not this server alone, with a space before it.
fn media_origin(base: &str) -> String {
    match url::Url::parse(base).map(|url| url.origin()) {
        Ok(origin) if origin.is_tuple() => format!(" {}", origin.ascii_serialization()),
        _ => String::new(),
    }
}

/// The smallest form of the file that the client takes, with its encoding.
fn best(
    name: &str,
    plain: EmbeddedFile,
    headers: &HeaderMap,
) -> (EmbeddedFile, Option<&'static str>) {
    for (encoding, ending) in ENCODINGS {
        if takes(headers, encoding)
            && let Some(file) = Dist::get(&format!("{name}.{ending}"))
        {
            return (file, Some(encoding));
        }
    }
    (plain, None)
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut members = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    members.any(|member| {
        let mut parts = member.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let is_refused = parts.any(|part| part.strip_prefix("q=").is_some_and(is_zero));
        is_named && !is_refused
    })
}

fn is_zero(weight: &str) -> bool {
    weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0)
}

/// The bytes that are sent, compressed or not, have a tag of their own.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]))
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
        headers
    }

    #[test]
    fn an_encoding_is_taken_when_it_is_named_and_not_refused() {
        assert!(takes(&accepting("gzip, deflate, br"), "br"));
        assert!(takes(&accepting("GZIP;q=0.5"), "gzip"));
        for no in ["gzip", "br;q=0", "br; q=0.0", "*", "brotli"] {
            assert!(!takes(&accepting(no), "br"), "{no}");
        }
    }

    #[test]
    fn the_policy_names_nobody_but_us_and_the_storage_of_pictures() {
        let policy = policy(&media_origin("https://bucket.cos.example.com/media"));
        assert!(policy.contains("img-src 'self' data: blob: https://bucket.cos.example.com;"));
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'self' "));
        assert_eq!(media_origin("no address"), "");
    }

    #[test]
    fn only_names_below_the_page_are_files() {
        assert_eq!(name_of("/admin"), Some("index.html"));
        assert_eq!(name_of("/admin/"), Some("index.html"));
        assert_eq!(name_of("/admin/assets/a.js"), Some("assets/a.js"));
        assert_eq!(name_of("/administrator"), None);
        for name in ["../Cargo.toml", "assets/../../Cargo.toml", "//etc/passwd"] {
            assert!(Dist::get(name).is_none(), "{name}");
        }
    }
}
