//! `/upstreams`: the image APIs that make what jobs ask for, and how they do.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, Viewer};
use crate::app::App;
use crate::clients::image_api::{BreakerState, Dialect, UpstreamState};
use crate::http::{ApiError, ErrorCode};

/// Whether an image API is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Breaker {
    /// Calls go through.
    Closed,
    /// No call goes through for now.
    Open,
    /// One call finds out.
    HalfOpen,
}

/// An image API, since the start of the server.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminUpstream {
    name: String,
    /// `image-saas` or `openai-images`.
    dialect: String,
    weight: u32,
    concurrency: u32,
    /// Jobs that it has now.
    in_flight: u32,
    breaker: Breaker,
    /// Whether it has asked to be left alone for now.
    paused: bool,
    /// What jobs took recently: a moving average.
    recent_ms: Option<u64>,
    succeeded: u64,
    failed: u64,
}

impl From<UpstreamState> for AdminUpstream {
    fn from(state: UpstreamState) -> Self {
        Self {
            name: state.name,
            dialect: match state.dialect {
                Dialect::ImageSaas => "image-saas",
                Dialect::OpenaiImages => "openai-images",
            }
            .to_owned(),
            weight: state.weight,
            concurrency: state.concurrency,
            in_flight: state.in_flight,
            breaker: match state.breaker {
                BreakerState::Closed => Breaker::Closed,
                BreakerState::Open => Breaker::Open,
                BreakerState::HalfOpen => Breaker::HalfOpen,
            },
            paused: state.is_paused,
            recent_ms: state.recent_ms,
            succeeded: state.succeeded,
            failed: state.failed,
        }
    }
}

/// All image APIs, in the order of the configuration.
#[derive(Debug, Object)]
struct AdminUpstreams {
    items: Vec<AdminUpstream>,
}

/// Whether an image API answers and takes the key. No picture is made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UpstreamProbe {
    ok: bool,
    took_ms: u64,
    /// What is wrong.
    problem: Option<String>,
}

/// Image APIs.
pub(super) struct UpstreamsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Jobs")]
impl UpstreamsApi {
    /// How the image APIs do
    #[oai(path = "/upstreams", method = "get", operation_id = "listUpstreams")]
    async fn upstreams(&self, _admin: Viewer) -> Result<Json<AdminUpstreams>, ApiError> {
        let states = self.app.upstreams.states();
        Ok(Json(AdminUpstreams { items: states.into_iter().map(AdminUpstream::from).collect() }))
    }

    /// Ask an image API whether it is there
    ///
    /// And takes the key, within 10 s. No picture is made. Errors: `NOT_FOUND`.
    #[oai(path = "/upstreams/:name/test", method = "post", operation_id = "testUpstream")]
    async fn test(
        &self,
        _admin: Operator,
        name: Path<String>,
    ) -> Result<Json<UpstreamProbe>, ApiError> {
        let probe = self.app.upstreams.probe(&name.0).await.ok_or(ErrorCode::NotFound)?;
        Ok(Json(UpstreamProbe {
            ok: probe.problem.is_none(),
            took_ms: u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX),
            problem: probe.problem,
        }))
    }
}
