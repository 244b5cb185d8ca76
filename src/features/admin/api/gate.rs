//! What stands before every operation of the admin API, whichever it is.
//!
//! - Nobody from outside `ADMIN_ALLOWED_NETWORKS` finds anything (in `server`, for the page too).
//! - A request that changes something says that it comes from the page itself: `Origin` is ours, or, where
//!   a browser leaves it out, `Sec-Fetch-Site` is `same-origin`. No operation can forget it.
//! - No answer is kept by a cache.
//! - The document is for administrators.

use std::sync::Arc;

use poem::http::{HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, Request, Response, Result};

use super::auth;
use crate::app::App;
use crate::http::{ApiError, ErrorCode};

/// Where the document is, below the API.
const DOCUMENT: &str = "/openapi.json";

/// The admin API behind its gate.
pub struct AdminGate<E> {
    app: Arc<App>,
    api: E,
    document: String,
}

impl<E> AdminGate<E> {
    /// Puts the gate before `api`, whose document is `document`.
    pub fn new(app: &Arc<App>, api: E, document: String) -> Self {
        Self { app: Arc::clone(app), api, document }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for AdminGate<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_own(&request, is_reading, &self.app.admin.origin) {
            return Err(ApiError::new(ErrorCode::Forbidden)
                .message("请求来源不正确", "The request does not come from the admin page")
                .into());
        }
        let is_document = is_reading && request.uri().path() == DOCUMENT;
        let mut response = if is_document {
            auth::current(&self.app, &request).await?;
            Response::builder()
                .status(StatusCode::OK)
                .content_type("application/json; charset=utf-8")
                .body(self.document.clone())
        } else {
            self.api.call(request).await?
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

/// Whether the page itself asks. What only reads is refused when a browser says that another site is
/// behind it, `none` being an address that was typed.
fn is_own(request: &Request, is_reading: bool, own_origin: &str) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site");
    if is_reading {
        return matches!(site, None | Some("same-origin" | "none"));
    }
    match text("origin") {
        Some(origin) => {
            let is_ours = origin == own_origin || is_same_host(origin, text("host"));
            is_ours && matches!(site, None | Some("same-origin"))
        }
        None => site == Some("same-origin"),
    }
}

/// Whether a page of this origin was loaded from the host that is asked now.
fn is_same_host(origin: &str, host: Option<&str>) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    match (uri.authority(), host) {
        (Some(authority), Some(host)) => is_web && authority.as_str().eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://api.example.com";

    fn asked(is_reading: bool, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_own(&request.finish(), is_reading, OURS)
    }

    #[test]
    fn a_change_comes_from_the_page_itself() {
        for good in [
            &[("origin", OURS)][..],
            &[("origin", OURS), ("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:4100"), ("host", "127.0.0.1:4100")],
            &[("sec-fetch-site", "same-origin")],
        ] {
            assert!(asked(false, good), "{good:?}");
        }
        for bad in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "null"), ("host", "null")],
            &[("origin", "https://api.example.com.evil.example"), ("host", "api.example.com")],
            &[("origin", "https://evil.example"), ("host", "api.example.com")],
            &[("origin", OURS), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://www.example.com"), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "ftp://api.example.com"), ("host", "api.example.com")],
            &[("referer", OURS)],
        ] {
            assert!(!asked(false, bad), "{bad:?}");
        }
    }

    #[test]
    fn what_reads_may_be_typed_and_not_linked() {
        for good in [&[][..], &[("sec-fetch-site", "none")], &[("sec-fetch-site", "same-origin")]] {
            assert!(asked(true, good), "{good:?}");
        }
        for bad in ["cross-site", "same-site", "x"] {
            assert!(!asked(true, &[("sec-fetch-site", bad)]), "{bad}");
        }
    }
}
