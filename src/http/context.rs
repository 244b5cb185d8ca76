//! Who is asking: request id, client address, language, and the user once known.
//!
//! The outermost middleware makes one context per request and puts it into the request's
//! extensions; the access log and the error renderer read it after the handler is done.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use poem::error::GetDataError;
use poem::http::{HeaderMap, HeaderValue, header};
use poem::{FromRequest, Request, RequestBody};

pub use crate::base::bilingual::Language;
use crate::base::ids::UserId;

impl Language {
    /// The better of the two by the q-values of `Accept-Language`; Chinese when they tie.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        // Almost every request of a mini-program comes without the header or with `zh-CN` first.
        let (mut zh, mut en) = (None, None);
        let mut any = 0;
        for value in headers.get_all(header::ACCEPT_LANGUAGE) {
            let Ok(value) = value.to_str() else { continue };
            for (tag, q) in weighted(value) {
                let primary = tag.split('-').next().unwrap_or_default();
                if primary.eq_ignore_ascii_case("zh") {
                    zh = zh.max(Some(q));
                } else if primary.eq_ignore_ascii_case("en") {
                    en = en.max(Some(q));
                } else if primary == "*" {
                    any = any.max(q);
                }
            }
        }
        if en.unwrap_or(any) > zh.unwrap_or(any) { Self::En } else { Self::Zh }
    }
}

/// The members of a list header such as `Accept-Language: en;q=0.8, zh`, each with its weight in
/// thousandths (a missing one is 1000, a malformed one 0).
pub(crate) fn weighted(list: &str) -> impl Iterator<Item = (&str, u16)> {
    list.split(',').filter_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let q = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1000, thousandths);
        Some((name, q))
    })
}

/// `0.5` → 500. At most three digits count (RFC 9110 §12.4.2).
fn thousandths(q: &str) -> u16 {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let mut value = match whole {
        "0" => 0,
        "1" => return 1000,
        _ => return 0,
    };
    for digit in digits {
        if !digit.is_ascii_digit() {
            return 0;
        }
        value = value * 10 + u16::from(digit - b'0');
    }
    value
}

/// What is known about a request besides its own content.
#[derive(Debug)]
pub struct RequestContext {
    request_id: HeaderValue,
    client_ip: Option<IpAddr>,
    language: Language,
    user: OnceLock<UserId>,
}

impl RequestContext {
    /// `request_id` must be visible ASCII.
    pub fn new(request_id: HeaderValue, client_ip: Option<IpAddr>, language: Language) -> Self {
        Self { request_id, client_ip, language, user: OnceLock::new() }
    }

    /// The context of `request`; `None` only outside the server's stack.
    pub fn of(request: &Request) -> Option<&Arc<Self>> {
        request.data::<Arc<Self>>()
    }

    /// Joins the answer, the log lines and outside calls of one request.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// The same, ready for a header.
    pub fn request_id_header(&self) -> HeaderValue {
        self.request_id.clone()
    }

    /// The client's address behind trusted proxies, IPv4-mapped ones as IPv4. `None` when the
    /// connection has no address, as in tests in process.
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client_ip
    }

    /// The language of messages.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Remembers who was authenticated, for the access log. The first call wins.
    pub fn set_user(&self, user: UserId) {
        // A second value can only be the same user: one request has one token.
        let _ = self.user.set(user);
    }

    /// Who was authenticated, if anyone.
    pub fn user(&self) -> Option<UserId> {
        self.user.get().copied()
    }
}

/// The context as a handler's argument.
#[derive(Clone, Debug)]
pub struct Ctx(pub Arc<RequestContext>);

impl std::ops::Deref for Ctx {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0
    }
}

impl<'a> FromRequest<'a> for Ctx {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let context = RequestContext::of(request)
            .ok_or(GetDataError(std::any::type_name::<RequestContext>()))?;
        Ok(Self(Arc::clone(context)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(header: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(header).unwrap());
        Language::from_headers(&headers)
    }

    #[test]
    fn english_only_when_it_is_preferred() {
        assert_eq!(Language::from_headers(&HeaderMap::new()), Language::Zh);
        for zh in
            ["zh-CN,zh;q=0.9,en;q=0.8", "*", "fr", "en;q=0", "en;q=0.5,zh;q=0.5", "en,*", "", ";;,"]
        {
            assert_eq!(language(zh), Language::Zh, "{zh}");
        }
        for en in ["en", "en-GB, zh;q=0.5", "EN-us;q=0.9,zh-CN;q=0.8", "fr, en;q=0.1", "en, zh;q=x"]
        {
            assert_eq!(language(en), Language::En, "{en}");
        }
    }

    #[test]
    fn weights_are_thousandths() {
        let list: Vec<_> =
            weighted("gzip;q=0.25, br;q=1.0, *;q=0, x;q=2, y;q=0.1234, z;q=0.x").collect();
        let want = [("gzip", 250), ("br", 1000), ("*", 0), ("x", 0), ("y", 123), ("z", 0)];
        assert_eq!(list, want);
    }
}
