//! The cookie of a session.
//!
//! Over https its name begins with `__Secure-`, which browsers take from https pages only; `__Host-`
//! would forbid the path, and the mini-program's API has no use for it.

use poem::Request;
use poem::http::{HeaderValue, header};

use crate::app::admin::AdminAccess;
use crate::base::secret::Secret;

const OVER_HTTPS: &str = "__Secure-dream_admin";
const ON_THIS_MACHINE: &str = "dream_admin";

/// The name as the document has it.
pub(super) const DOCUMENTED: &str = OVER_HTTPS;

/// The token that `request` brings, if it brings one.
pub(super) fn token_of(request: &Request, access: &AdminAccess) -> Option<Secret<String>> {
    let wanted = name(access);
    let lines = request.headers().get_all(header::COOKIE).iter();
    let mut pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted && !value.is_empty()).then(|| Secret::new(value.to_owned()))
    })
}

/// `Set-Cookie` for a session.
pub(super) fn set(access: &AdminAccess, token: &Secret<String>) -> String {
    line(access, token.expose(), access.lifetime_ms / 1000)
}

/// `Set-Cookie` that takes it away.
pub(super) fn clear(access: &AdminAccess) -> String {
    line(access, "", 0)
}

/// The same as a header.
pub(super) fn clear_header(access: &AdminAccess) -> Option<HeaderValue> {
    HeaderValue::try_from(clear(access)).ok()
}

fn name(access: &AdminAccess) -> &'static str {
    if access.is_cookie_secure { OVER_HTTPS } else { ON_THIS_MACHINE }
}

fn line(access: &AdminAccess, value: &str, max_age_s: i64) -> String {
    let secure = if access.is_cookie_secure { "; Secure" } else { "" };
    let name = name(access);
    format!("{name}={value}; Path=/admin; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
}
