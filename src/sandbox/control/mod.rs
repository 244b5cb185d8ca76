//! The control pages: where the simulators are, how to log in, knobs, the last requests and jobs;
//! and the orders of both payment channels, which a developer pays there.
//!
//! Plain HTML with one script, no outside files. It has no log-in, hence the server offers it in
//! the sandbox only; changes must come as JSON, which no other site's form can send.

mod commands;
mod pay;
mod state;

use std::sync::Arc;

use poem::endpoint::make;
use poem::http::StatusCode;
use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Endpoint, Request, Response, Route, get, post};
use serde_json::{Value, json};

use super::outbox::Outbox;
use super::{ImageApiSim, WechatPaySim, WechatSim};

/// Longest body of a command in bytes.
const MAX_BODY: usize = 64 * 1024;
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the page looks at and turns.
pub(super) struct Control {
    pub(super) wechat: Arc<WechatSim>,
    pub(super) wechat_pay: Arc<WechatPaySim>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) image_api: Arc<ImageApiSim>,
}

/// The pages and their JSON API.
pub(super) fn routes(control: Control) -> Route {
    let control = Arc::new(control);
    let html = "text/html; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    Route::new()
        .at("/", get(fixed(html, include_str!("page.html"))))
        .at("/page.js", get(fixed(script, include_str!("page.js"))))
        .at("/page.css", get(fixed("text/css; charset=utf-8", include_str!("page.css"))))
        .at("/pay", get(fixed(html, include_str!("pay.html"))))
        .at("/pay.js", get(fixed(script, include_str!("pay.js"))))
        .at("/api/pay-state", get(with(&control, pay_state)))
        .at("/files/:name", get(with(&control, picture)))
        .at("/api/state", get(with(&control, state)))
        .at("/api/:command", post(with(&control, command)))
}

fn fixed(content_type: &'static str, body: &'static str) -> impl Endpoint<Output = Response> {
    make(move |_| async move { answer(StatusCode::OK, content_type, body) })
}

fn with<F, R>(control: &Arc<Control>, handler: F) -> impl Endpoint<Output = Response> + use<F, R>
where
    F: Fn(Arc<Control>, Request) -> R + Send + Sync,
    R: Future<Output = Response> + Send,
{
    let control = Arc::clone(control);
    make(move |request| handler(Arc::clone(&control), request))
}

async fn state(control: Arc<Control>, _request: Request) -> Response {
    json_answer(StatusCode::OK, &state::view(&control))
}

async fn pay_state(control: Arc<Control>, _request: Request) -> Response {
    json_answer(StatusCode::OK, &pay::view(&control))
}

async fn picture(control: Arc<Control>, request: Request) -> Response {
    match control.image_api.picture(request.raw_path_param("name").unwrap_or_default()).await {
        Some(png) => answer(StatusCode::OK, "image/png", png),
        None => json_answer(StatusCode::NOT_FOUND, &json!({ "error": "no such picture" })),
    }
}

async fn command(control: Arc<Control>, mut request: Request) -> Response {
    if request.content_type().is_none_or(|kind| !kind.starts_with("application/json")) {
        let body = json!({ "error": "commands are JSON" });
        return json_answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &body);
    }
    let name = request.raw_path_param("command").unwrap_or_default().to_owned();
    let done = match request.take_body().into_bytes_limit(MAX_BODY).await {
        Ok(body) => commands::run(&control, &name, &body),
        Err(err) => Err(err.to_string()),
    };
    match done {
        Ok(body) => json_answer(StatusCode::OK, &body),
        Err(text) => json_answer(StatusCode::BAD_REQUEST, &json!({ "error": text })),
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    answer(status, "application/json; charset=utf-8", body.to_string())
}

fn answer(status: StatusCode, content_type: &str, body: impl Into<poem::Body>) -> Response {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-cache")
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .body(body)
}

#[cfg(test)]
mod tests;
