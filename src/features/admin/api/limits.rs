//! `/limits`: the rate limits as they are in force. They are changed as the section `limits` of the
//! settings.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::Viewer;
use crate::app::App;
use crate::app::limits::LimitStatus;
use crate::http::ApiError;

/// A rate limit. Rates are requests a minute, and 0 is no limit.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RateLimit {
    /// As it is called in `RateLimit-Policy`: `ip`, `user`, `login`, `generate` or `export`.
    name: String,
    /// What is in force.
    per_minute: u32,
    /// What the environment says, which holds where the settings say nothing.
    configured: u32,
    /// Addresses or users that were counted within the last minutes.
    keys: u64,
    /// Requests that were refused since the start.
    refused: u64,
}

impl From<LimitStatus> for RateLimit {
    fn from(limit: LimitStatus) -> Self {
        Self {
            name: limit.name.to_owned(),
            per_minute: limit.per_minute,
            configured: limit.configured,
            keys: u64::try_from(limit.keys).unwrap_or(u64::MAX),
            refused: limit.refused,
        }
    }
}

/// All rate limits.
#[derive(Debug, Object)]
struct RateLimits {
    items: Vec<RateLimit>,
}

/// The rate limits.
pub(super) struct LimitsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/limits", tag = "AdminTag::System")]
impl LimitsApi {
    /// The rate limits in force
    #[oai(path = "/", method = "get", operation_id = "getRateLimits")]
    async fn status(&self, _admin: Viewer) -> Result<Json<RateLimits>, ApiError> {
        let items = self.app.limits.status().into_iter().map(RateLimit::from).collect();
        Ok(Json(RateLimits { items }))
    }
}
