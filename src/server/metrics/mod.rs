//! `GET /metrics`: what the server counts, as text that Prometheus reads (OpenMetrics 1.0).
//!
//! Guarantees: labels are routes and kinds that are known from the start, never a path, an id or a
//! name that somebody sent; counting takes no lock; what is expensive to know is looked up when it is
//! asked for, and not more than every few seconds. Everything is described in `docs/metrics.md`.

mod business;
mod database;
mod outside;
mod process;
mod routes;
mod safety;
mod text;
mod traffic;

use std::path::PathBuf;
use std::sync::Arc;

use poem::http::{HeaderMap, header};
use poem::{Endpoint, IntoResponse as _, Request, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq as _;

pub(super) use self::routes::RouteStats;
use self::text::{Families, Scrape};
use crate::app::App;
use crate::base::secret::Secret;
use crate::features::vitals;
use crate::http::{ApiError, ErrorCode};
use crate::jobs::JobBoard;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whoever adds one of these speaks for somebody else, who may be anywhere.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// Answers what was counted, to this machine or to who has the token.
pub(super) struct Metrics {
    pub(super) app: Arc<App>,
    pub(super) board: Arc<JobBoard>,
    pub(super) routes: Arc<RouteStats>,
    pub(super) data_dir: PathBuf,
    pub(super) token: Option<Secret<String>>,
}

impl Metrics {
    /// Where no token is set, strangers are told that there is nothing here.
    fn admit(&self, request: &Request) -> Result<(), ApiError> {
        if is_this_machine(request) {
            return Ok(());
        }
        match &self.token {
            Some(token) if has(request.headers(), token) => Ok(()),
            Some(_) => Err(ApiError::new(ErrorCode::Unauthorized)),
            None => Err(ApiError::new(ErrorCode::NotFound)),
        }
    }

    async fn text(&self) -> String {
        let vitals = match vitals::service::vitals(&self.app).await {
            Ok(vitals) => Some(vitals),
            Err(err) => {
                tracing::warn!(error = %err, "metrics: the database cannot be read");
                None
            }
        };
        let mut families = Families::default();
        traffic::collect(&mut families, &self.app, &self.routes);
        database::collect(&mut families, &self.app, &self.data_dir);
        outside::collect(&mut families, &self.app);
        business::collect(&mut families, &self.app, &self.board, vitals.as_deref());
        safety::collect(&mut families, &self.app).await;
        process::collect(&mut families);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape::from(families)));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        self.admit(&request)?;
        let response = Response::builder().content_type(CONTENT_TYPE);
        Ok(response
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.text().await)
            .into_response())
    }
}

/// Whether a program of this machine asks for itself. A proxy on this machine asks for others, and
/// says so in a header.
fn is_this_machine(request: &Request) -> bool {
    let peer = request.remote_addr().as_socket_addr();
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !FORWARDING.iter().any(|name| request.headers().contains_key(*name))
}

fn has(headers: &HeaderMap, token: &Secret<String>) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
    bool::from(given.ct_eq(token.expose().as_bytes()))
}
