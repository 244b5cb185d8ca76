//! The pipeline around the routes, outermost first: request id → access log → compression and 304 →
//! errors and panics → rate limit by address → body limit → routes.
//!
//! Guarantees: every answer, of whatever status, has `X-Request-Id`; no handler sees a body beyond
//! its limit; nothing a handler does, panicking included, ends in anything but an HTTP answer.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use poem::http::{HeaderValue, Method, Uri, header};
use poem::{Endpoint, IntoResponse, PathPattern, Request, Response};
use tracing::Instrument as _;

use super::access_log;
use super::body_limit::{self, exact_len};
use super::compression::{self, Wanted};
use super::metrics::RouteStats;
use super::paths::PathTable;
use super::render::Failed;
use super::request_id::{self, X_REQUEST_ID};
use crate::app::limits::{IpKey, Limits};
use crate::app::traffic::Traffic;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::request::within;
use crate::base::rng::Rng;
use crate::http::{ApiError, Language, RequestContext, TrustedProxies};

/// Paths that the limit by address leaves alone: probes must get through when it matters, and
/// WeChat and the image API call back from few addresses, at their own pace.
const UNLIMITED: [&str; 6] =
    ["/healthz", "/readyz", "/metrics", "/v1/payments/", "/v1/wechat/push", "/v1/webhooks/"];

/// What the stack wants to know from the configuration.
#[derive(Clone, Debug)]
pub struct StackSettings {
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Bytes of a request body, where nothing else is said.
    pub body_limit: usize,
    /// Other limits by path prefix; the longest prefix counts.
    pub body_limits: Vec<(String, usize)>,
    /// From the head of a request to the end of its body.
    pub body_timeout: Duration,
    /// `Strict-Transport-Security` of every answer, if it is sent.
    pub hsts: Option<HeaderValue>,
}

/// Where requests are counted, and which are slow.
pub(super) struct Counting {
    pub(super) traffic: Arc<Traffic>,
    pub(super) routes: Arc<RouteStats>,
    /// Requests that take longer are logged; zero logs none.
    pub(super) slow: Duration,
}

/// The routes with everything around them. An endpoint that never fails.
pub struct Stack<E> {
    routes: E,
    paths: PathTable,
    limits: Arc<Limits>,
    clock: Clock,
    rng: Rng,
    settings: StackSettings,
    counting: Option<Counting>,
}

impl<E: Endpoint> Stack<E> {
    /// Wraps `routes`. `paths` says what there is, for `Allow` and parameter names in errors.
    pub fn new(
        routes: E,
        paths: PathTable,
        limits: Arc<Limits>,
        clock: Clock,
        rng: Rng,
        settings: StackSettings,
    ) -> Self {
        Self { routes, paths, limits, clock, rng, settings, counting: None }
    }

    /// Counts every request from now on.
    #[must_use]
    pub(super) fn counting(mut self, counting: Counting) -> Self {
        self.counting = Some(counting);
        self
    }

    fn context(&self, request: &Request) -> Arc<RequestContext> {
        let headers = request.headers();
        let peer = request.remote_addr().as_socket_addr();
        let client_ip =
            peer.map(|peer| self.settings.trusted_proxies.client_ip(peer.ip(), headers));
        Arc::new(RequestContext::new(
            request_id::of(headers, &self.rng),
            client_ip,
            Language::from_headers(headers),
        ))
    }

    /// Everything from the error renderer inwards.
    async fn answer(&self, request: Request, uri: &Uri, context: &RequestContext) -> Response {
        let failed = || Failed { uri, context, paths: &self.paths, now: self.clock.now() };
        let outcome = AssertUnwindSafe(self.routed(request, context.client_ip()));
        match outcome.catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(err)) => failed().error(err),
            Err(payload) => failed().panic(&*payload),
        }
    }

    async fn routed(&self, mut request: Request, ip: Option<IpAddr>) -> poem::Result<Response> {
        let path = request.uri().path();
        if let Some(ip) = ip
            && !UNLIMITED.iter().any(|prefix| path.starts_with(prefix))
            && let Err(exceeded) = self.limits.per_ip.check(&IpKey::from(ip))
        {
            body_limit::refuse(&mut request);
            return Err(ApiError::from(exceeded).into());
        }
        let limit = self.body_limit(path);
        body_limit::read(&mut request, limit, self.settings.body_timeout).await?;
        self.routes.call(request).await.map(IntoResponse::into_response)
    }

    fn body_limit(&self, path: &str) -> usize {
        let special = self.settings.body_limits.iter();
        special
            .filter(|(prefix, _)| path.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(self.settings.body_limit, |(_, limit)| *limit)
    }
}

impl<E: Endpoint> Endpoint for Stack<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let since = Stopwatch::start();
        let _present = self.counting.as_ref().map(|counting| counting.traffic.enter());
        let context = self.context(&request);
        let wanted = Wanted::by(&request);
        let uri = request.uri().clone();
        let method = request.method().clone();
        request.set_data(Arc::clone(&context));
        // HEAD is GET without the body; handlers need not know.
        if method == Method::HEAD {
            request.set_method(Method::GET);
        }

        // Every line logged on the way says which request it is about.
        let span = tracing::error_span!("request", id = context.request_id());
        let answer = within(context.request_id(), self.answer(request, &uri, &context));
        let response = answer.instrument(span).await;
        let (mut response, mut bytes) = compression::finish(response, &wanted).await;
        if method == Method::HEAD {
            strip_body(&mut response);
            bytes = Some(0);
        }
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID.clone(), context.request_id_header());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(hsts) = &self.settings.hsts {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if let Some(counting) = &self.counting {
            counting.answered(&self.paths, &method, &context, &response, &since);
        }
        if access_log::is_enabled() {
            access_log::write(&self.paths, &method, &context, &response, bytes, &since);
        }
        Ok(response)
    }
}

impl Counting {
    fn answered(
        &self,
        paths: &PathTable,
        method: &Method,
        context: &RequestContext,
        response: &Response,
        since: &Stopwatch,
    ) {
        let (pattern, status) = (response.data::<PathPattern>(), response.status());
        let took = since.elapsed();
        self.traffic.answered(status.as_u16());
        self.routes.answered(pattern.map(|pattern| &*pattern.0), method, status, took);
        if !self.slow.is_zero() && took >= self.slow {
            self.traffic.slow.add();
            access_log::write_slow(paths, method, context, response, since);
        }
    }
}

/// Keeps the length that the body would have had.
fn strip_body(response: &mut Response) {
    let (_, len) = exact_len(response.take_body());
    if let Some(len) = len.filter(|_| response.status().as_u16() != 304) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
}

#[cfg(test)]
mod tests;
