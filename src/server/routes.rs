//! Which path leads where.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::body::Bytes;
use ipnet::IpNet;
use poem::error::NotFoundError;
use poem::http::{HeaderValue, Method, Uri, header};
use poem::{Endpoint, IntoEndpoint as _, PathPattern, Request, Response, Route};

use super::admin_files::AdminFiles;
use super::health::{Healthz, Readyz};
use super::metrics::{Metrics, RouteStats};
use super::paths::PathTable;
use super::stack::Counting;
use super::{AcceptSettings, Stack, StackSettings};
use crate::app::App;
use crate::config::Config;
use crate::features;
use crate::features::admin::AdminGate;
use crate::http::{RequestContext, TrustedProxies};
use crate::jobs::JobBoard;
use crate::sandbox::Sandbox;

const KIB: usize = 1024;

/// The admin page and its API.
const ADMIN: &str = "/admin";

/// WeChat's pushes are below 4 KiB.
const PUSH_BODY: usize = 64 * KIB;

/// What a form puts around a file, generously.
const MULTIPART: usize = 16 * KIB;

/// What WeChat Pay may tell at once: its notifications are about 1 KB.
const NOTIFICATION: usize = 64 * KIB;

/// The longest time one answer may wait for its reader.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything the server answers, with the middleware around it.
///
/// # Errors
/// When the API document cannot be read back, which a test would have shown.
pub fn endpoint(
    app: &Arc<App>,
    board: Arc<JobBoard>,
    config: &Config,
    control: Option<Route>,
) -> io::Result<impl Endpoint<Output = Response> + 'static> {
    let api = features::api(app);
    let document = api.spec();
    let admin = features::admin_api(app);
    let admin_document = admin.spec();
    features::admin::service::tasks::attach(app, Arc::clone(&board));
    let get = [Method::GET];
    let mut paths = PathTable::new()
        .with_openapi(features::API_BASE, &document)?
        .with_openapi(features::ADMIN_API_BASE, &admin_document)?
        .with("/admin/api/openapi.json", &get)
        .with("/admin", &get)
        .with("/admin/*", &get)
        .with("/healthz", &get)
        .with("/readyz", &get)
        .with("/metrics", &get)
        .with("/api/openapi.json", &get)
        .with("/api/docs", &get)
        .with("/media/*", &get);
    let routes_seen = Arc::new(RouteStats::new(&paths));
    let metrics = Metrics {
        app: Arc::clone(app),
        board: Arc::clone(&board),
        routes: Arc::clone(&routes_seen),
        data_dir: config.storage.data_dir.clone(),
        token: config.security.metrics_token.clone(),
    };
    let ready = Readyz::new(app, &board, config);
    let mut others = Route::new()
        .at("/healthz", poem::get(Healthz))
        .at("/readyz", poem::get(ready))
        .at("/metrics", poem::get(metrics))
        .at("/api/openapi.json", poem::get(Document(document)))
        .at("/api/docs", poem::get(Docs::new(app)))
        .at("/admin", poem::get(AdminFiles::new(&app.media.base_url)))
        .at("/admin/", poem::get(AdminFiles::new(&app.media.base_url)))
        .at("/admin/*path", poem::get(AdminFiles::new(&app.media.base_url)))
        .at("/media/covers/*id", poem::get(features::templates::TemplateCovers::new(app)))
        .at("/media/*key", poem::get(features::media::MediaFiles::new(app)));
    if let Some(control) = control {
        others = others.nest(Sandbox::CONTROL_PATH, control);
        paths = paths.with(Sandbox::CONTROL_PATH, &get);
    }
    let routes = Mounted {
        app: Arc::clone(app),
        base: Arc::from(features::API_BASE),
        api: api.into_endpoint(),
        admin_base: Arc::from(features::ADMIN_API_BASE),
        admin: AdminGate::new(app, admin.into_endpoint(), admin_document),
        admin_networks: config.admin.admin_allowed_networks.clone(),
        others,
    };
    Ok(Stack::new(
        routes,
        paths,
        Arc::clone(&app.limits),
        app.clock.clone(),
        app.rng.clone(),
        stack_settings(config),
    )
    .counting(Counting {
        traffic: Arc::clone(&app.traffic),
        routes: routes_seen,
        slow: Duration::from_millis(config.log.log_slow_request_ms),
    }))
}

/// The limits of the sockets.
pub fn accept_settings(config: &Config, app: &App) -> AcceptSettings {
    let http = &config.http;
    AcceptSettings {
        max_connections: http.http_max_connections as usize,
        head_timeout: Duration::from_secs(http.http_header_timeout),
        idle_timeout: Duration::from_secs(http.http_idle_timeout),
        write_timeout: WRITE_TIMEOUT,
        max_head_bytes: http.http_max_head_kib as usize * KIB,
        drain_timeout: Duration::from_secs(http.shutdown_timeout),
        traffic: Arc::clone(&app.traffic),
    }
}

pub(super) fn stack_settings(config: &Config) -> StackSettings {
    let http = &config.http;
    let image_body = http.http_max_image_body_kib as usize * KIB;
    StackSettings {
        trusted_proxies: TrustedProxies::new(http.trusted_proxies.clone()),
        body_limit: http.http_max_body_kib as usize * KIB,
        body_limits: vec![
            ("/v1/proxy/images/".to_owned(), image_body),
            ("/v1/images/".to_owned(), image_body),
            ("/v1/jobs".to_owned(), image_body),
            ("/v1/payments/".to_owned(), NOTIFICATION),
            ("/v1/wechat/push".to_owned(), PUSH_BODY),
            ("/v1/upload/".to_owned(), config.media.upload_max_kib as usize * KIB + MULTIPART),
        ],
        body_timeout: Duration::from_secs(http.http_body_timeout),
        hsts: hsts(config),
    }
}

/// What browsers are told about https, when they speak it with us.
fn hsts(config: &Config) -> Option<HeaderValue> {
    let seconds = config.tls.hsts_seconds;
    let is_sent = config.is_tls_on() && seconds > 0;
    is_sent.then(|| HeaderValue::from_str(&format!("max-age={seconds}")).ok()).flatten()
}

/// The two APIs at their base paths, everything else beside them.
///
/// By hand what `Route::nest` and `.data()` would do: two layers less for each request, which is a
/// tenth of the cost of a cached answer.
struct Mounted<A, B> {
    app: Arc<App>,
    base: Arc<str>,
    api: A,
    admin_base: Arc<str>,
    admin: AdminGate<B>,
    /// Who reaches anything of the admin page; empty: everybody.
    admin_networks: Vec<IpNet>,
    others: Route,
}

impl<A, B> Endpoint for Mounted<A, B>
where
    A: Endpoint<Output = Response>,
    B: Endpoint<Output = Response>,
{
    type Output = Response;

    async fn call(&self, mut req: Request) -> poem::Result<Response> {
        req.set_data(Arc::clone(&self.app));
        if enter(&mut req, &self.base) {
            return self.api.call(req).await;
        }
        let is_admin = req.uri().path().starts_with(ADMIN);
        if is_admin && !is_within(&self.admin_networks, RequestContext::of(&req)) {
            return Err(NotFoundError.into());
        }
        if is_admin && enter(&mut req, &self.admin_base) {
            return self.admin.call(req).await;
        }
        self.others.call(req).await
    }
}

/// Makes the address relative to `base`, if it is below it.
fn enter(req: &mut Request, base: &Arc<str>) -> bool {
    let below = req.uri().path_and_query().and_then(|path| path.as_str().strip_prefix(&**base));
    match below.filter(|below| below.starts_with('/')).map(Uri::try_from) {
        Some(Ok(below)) => {
            *req.uri_mut() = below;
            // The router appends its own pattern, for the access log.
            req.set_data(PathPattern(Arc::clone(base)));
            true
        }
        _ => false,
    }
}

/// Whether the client is in one of `networks`, if there are any.
fn is_within(networks: &[IpNet], context: Option<&Arc<RequestContext>>) -> bool {
    let client = context.and_then(|context| context.client_ip());
    networks.is_empty()
        || client.is_some_and(|ip| networks.iter().any(|network| network.contains(&ip)))
}

/// The page over the API document: 1.6 MB with its script, made when somebody first looks, so that an
/// idle server does not hold it.
struct Docs {
    app: Arc<App>,
    page: OnceLock<Bytes>,
}

impl Docs {
    fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), page: OnceLock::new() }
    }
}

impl Endpoint for Docs {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        let page = self.page.get_or_init(|| features::api(&self.app).swagger_ui_html().into());
        let response = Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8");
        Ok(response.body(page.clone()))
    }
}

/// The API document, made once.
struct Document(String);

impl Endpoint for Document {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        let response =
            Response::builder().header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        Ok(response.body(self.0.clone()))
    }
}
