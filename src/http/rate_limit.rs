//! A reached limit on the wire: 429 with `Retry-After` and the two fields of
//! draft-ietf-httpapi-ratelimit-headers-10 (2025-09): `RateLimit-Policy` says what the limit is,
//! `RateLimit` what is left (`r`) and when there is more (`t`, seconds).

use poem::http::{HeaderName, HeaderValue};

use super::error::ApiError;
use super::error_code::ErrorCode;
use crate::app::limits::LimitExceeded;

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static REMAINING: HeaderName = HeaderName::from_static("ratelimit");

impl From<LimitExceeded> for ApiError {
    fn from(exceeded: LimitExceeded) -> Self {
        let LimitExceeded { limit, per_minute, retry_after_s } = exceeded;
        let policy = format!("\"{limit}\";q={per_minute};w=60");
        let remaining = format!("\"{limit}\";r=0;t={retry_after_s}");
        let mut err = Self::new(ErrorCode::RateLimitExceeded)
            .message(
                format!("请求过于频繁，请在 {retry_after_s} 秒后再试"),
                format!("Too many requests; try again in {retry_after_s} s"),
            )
            .retry_after(retry_after_s);
        for (name, text) in [(&POLICY, policy), (&REMAINING, remaining)] {
            if let Ok(value) = HeaderValue::try_from(text) {
                err = err.header(name.clone(), value);
            }
        }
        err
    }
}
