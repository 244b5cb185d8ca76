//! Calls to WeChat, WeChat Pay, the image APIs and the object storage.

use super::text::{Families, Label, number, one};
use crate::app::App;
use crate::clients::call_stats::CallState;
use crate::clients::image_api::{BreakerState, UpstreamState};

const MICROS: f64 = 1_000_000.0;

pub(super) fn collect(families: &mut Families, app: &App) {
    let upstreams = app.upstreams.states();
    let calls = calls(app, &upstreams);
    let client = |name: &str| ("client", name.to_owned());
    families.counters(
        "dream_client_calls",
        "Calls to outside services by how they ended: class of status, or why there was none",
        calls.iter().flat_map(|(name, state)| {
            state.results.iter().map(move |(result, count)| {
                (vec![client(name), ("result", (*result).to_owned())], number(*count))
            })
        }),
    );
    families.histograms(
        "dream_client_call_seconds",
        "How long calls to outside services took, waiting for a place not included",
        MICROS,
        calls.iter().map(|(name, state)| (vec![client(name)], state.took.clone())),
    );
    let gauge = |read: fn(&CallState) -> usize| {
        let row = move |(name, state): &(String, CallState)| {
            (one("client", name.as_str()), number(u64::try_from(read(state)).unwrap_or(u64::MAX)))
        };
        calls.iter().map(row).collect::<Vec<_>>()
    };
    families.gauges(
        "dream_client_calls_in_flight",
        "Calls to outside services that run",
        gauge(|state| state.in_flight),
    );
    families.gauges(
        "dream_client_calls_waiting",
        "Calls to outside services that wait for a place",
        gauge(|state| state.waiting),
    );
    errors(families, app);
    image_apis(families, upstreams);
}

/// The calls of every client there is.
fn calls(app: &App, upstreams: &[UpstreamState]) -> Vec<(String, CallState)> {
    let mut all = vec![app.wechat.calls(), app.image_api.calls()];
    all.extend(app.wechat_pay.iter().flat_map(|pay| pay.calls()));
    all.extend(app.media.fetcher.calls());
    all.extend(app.media.storage.calls());
    let named = all.into_iter().map(|state| (state.client.to_owned(), state));
    let of_jobs = upstreams.iter().map(|state| {
        let name = format!("{}/{}", state.calls.client, state.name);
        (name, state.calls.clone())
    });
    named.chain(of_jobs).collect()
}

fn errors(families: &mut Families, app: &App) {
    let rows = |client: &'static str, errors: Vec<(&'static str, u64)>| {
        errors.into_iter().map(move |(kind, count)| {
            let labels: Vec<Label> = vec![("client", client.to_owned()), ("kind", kind.to_owned())];
            (labels, number(count))
        })
    };
    let wechat = rows("wechat", app.wechat.errors());
    let pay = app.wechat_pay.iter().flat_map(|pay| rows("wechat-pay", pay.errors()));
    families.counters(
        "dream_wechat_errors",
        "What WeChat and WeChat Pay complained about, by kind",
        wechat.chain(pay),
    );
    let (fetched, failed) = app.wechat.token_fetches();
    families.counters(
        "dream_wechat_token_refreshes",
        "How often an access token was fetched from WeChat",
        [("ok", fetched), ("failed", failed)]
            .map(|(result, count)| (one("result", result), number(count))),
    );
}

fn image_apis(families: &mut Families, upstreams: Vec<UpstreamState>) {
    let rows = |read: fn(&UpstreamState) -> u64| {
        let row = move |state: &UpstreamState| {
            (one("upstream", state.name.as_str()), number(read(state)))
        };
        upstreams.iter().map(row).collect::<Vec<_>>()
    };
    families.gauges(
        "dream_upstream_breaker",
        "Whether an image API is left alone because it fails: 0 no, 1 it is being tried, 2 yes",
        rows(|state| match state.breaker {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        }),
    );
    families.gauges(
        "dream_upstream_paused",
        "Whether an image API has asked to be left alone for now",
        rows(|state| u64::from(state.is_paused)),
    );
    families.gauges(
        "dream_upstream_jobs_in_flight",
        "Jobs that an image API has now",
        rows(|state| u64::from(state.in_flight)),
    );
    families.counters(
        "dream_upstream_failures",
        "Failures that speak against an image API",
        rows(|state| state.failed),
    );
    families.histograms(
        "dream_upstream_job_seconds",
        "How long an image API took for a job that it made",
        MICROS,
        upstreams.into_iter().map(|state| (one("upstream", state.name), state.took)),
    );
}
