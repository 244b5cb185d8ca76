//! One line per request, target `access`. What identifies people or work is not in it: no query, no
//! token, no openid, no prompt.

use poem::http::Method;
use poem::{PathPattern, Response};
use tracing::Level;

use super::paths::PathTable;
use crate::base::clock::Stopwatch;
use crate::http::RequestContext;

/// Whether anyone reads the log; everything else is only worth doing then.
pub(super) fn is_enabled() -> bool {
    tracing::enabled!(target: "access", Level::INFO)
}

/// Writes that a request was slow, target `slow`: also where the access log is off.
pub(super) fn write_slow(
    paths: &PathTable,
    method: &Method,
    context: &RequestContext,
    response: &Response,
    since: &Stopwatch,
) {
    let route = response.data::<PathPattern>().map_or("-", |pattern| paths.route(&pattern.0));
    tracing::warn!(
        target: "slow",
        method = method.as_str(),
        route,
        status = response.status().as_u16(),
        duration_ms = since.elapsed_ms(),
        request.id = context.request_id(),
        "a request was slow"
    );
}

/// Writes the line. `bytes` is unknown for streams, whose end is not awaited.
pub(super) fn write(
    paths: &PathTable,
    method: &Method,
    context: &RequestContext,
    response: &Response,
    bytes: Option<u64>,
    since: &Stopwatch,
) {
    // The pattern, not the path: ids in paths are nobody's business and would never aggregate.
    let route = response.data::<PathPattern>().map_or("-", |pattern| paths.route(&pattern.0));
    tracing::info!(
        target: "access",
        method = method.as_str(),
        route,
        status = response.status().as_u16(),
        duration_ms = since.elapsed_ms(),
        bytes,
        user.id = context.user().map(|user| user.0),
        request.id = context.request_id(),
        client.ip = context.client_ip().map(tracing::field::display),
        "{method} {route}"
    );
}
