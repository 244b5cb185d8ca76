//! Requests and connections.

use super::routes::RouteStats;
use super::text::{Families, number, one};
use crate::app::App;

const MICROS: f64 = 1_000_000.0;

pub(super) fn collect(families: &mut Families, app: &App, routes: &RouteStats) {
    let routes = routes.all();
    families.counters(
        "dream_http_requests",
        "Requests answered, by route, method and class of status",
        routes.iter().flat_map(|row| {
            row.answers.iter().map(|(class, count)| {
                let labels = vec![
                    ("route", row.route.to_owned()),
                    ("method", row.method.to_owned()),
                    ("class", (*class).to_owned()),
                ];
                (labels, number(*count))
            })
        }),
    );
    families.histograms(
        "dream_http_request_seconds",
        "From the head of a request to its answer, the sending of the body not included",
        MICROS,
        routes.into_iter().map(|row| {
            let labels = vec![("route", row.route.to_owned()), ("method", row.method.to_owned())];
            (labels, row.took)
        }),
    );
    families.counters(
        "dream_http_responses",
        "Answers by status",
        app.traffic
            .by_status()
            .into_iter()
            .map(|(status, count)| (one("status", status.to_string()), number(count))),
    );
    families.gauge(
        "dream_http_requests_in_flight",
        "Requests that are being answered",
        number(app.traffic.in_flight()),
    );
    families.counter(
        "dream_http_slow_requests",
        "Requests that took longer than LOG_SLOW_REQUEST_MS",
        number(app.traffic.slow.get()),
    );
    let (open, accepted) = app.traffic.connections.read();
    families.gauge("dream_http_connections", "Open connections of clients", number(open));
    families.counter("dream_http_connections_accepted", "Connections accepted", number(accepted));
    families.counter(
        "dream_http_connections_waited",
        "How often a new connection had to wait, because there were HTTP_MAX_CONNECTIONS",
        number(app.traffic.connections.full.get()),
    );
}
