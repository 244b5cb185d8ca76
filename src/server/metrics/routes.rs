//! Requests by route, method and outcome.
//!
//! The table is made at the start with a place for every route of the API documents and every fixed
//! path, so that counting is a look-up and three additions, and no client can add a label.

use std::collections::HashMap;
use std::time::Duration;

use poem::http::{Method, StatusCode};

use super::super::paths::PathTable;
use crate::base::measure::{Counter, Histogram, HistogramState};

/// Paths beside the API documents, as poem names their patterns.
const FIXED: [&str; 7] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/openapi.json",
    "/api/docs",
    "/media/covers/*id",
    "/media/*key",
];

/// What led to no route of the table: an unknown path, a refusal before the routes, a static page.
const OTHER: &str = "other";

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];

/// Classes of status, from 1xx on.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// See the module.
pub(in crate::server) struct RouteStats {
    routes: HashMap<String, Route>,
    other: Route,
}

struct Route {
    name: String,
    methods: [Answers; METHODS.len()],
}

struct Answers {
    classes: [Counter; CLASSES.len()],
    took: Histogram,
}

/// One route and method that was asked for.
pub(super) struct RouteState<'a> {
    pub(super) route: &'a str,
    pub(super) method: &'static str,
    /// By class of status.
    pub(super) answers: Vec<(&'static str, u64)>,
    /// In microseconds.
    pub(super) took: HistogramState,
}

impl RouteStats {
    /// A place for every route of `paths`.
    pub(in crate::server) fn new(paths: &PathTable) -> Self {
        let fixed = FIXED.iter().map(|pattern| (*pattern, *pattern));
        let routes = paths
            .patterns()
            .chain(fixed)
            .map(|(pattern, name)| (pattern.to_owned(), Route::named(name)));
        Self { routes: routes.collect(), other: Route::named(OTHER) }
    }

    /// Counts an answer; `pattern` is the route's as poem reports it, if there was one.
    pub(in crate::server) fn answered(
        &self,
        pattern: Option<&str>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let route = pattern.and_then(|pattern| self.routes.get(pattern)).unwrap_or(&self.other);
        let last = METHODS.len() - 1;
        let at = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(last);
        let answers = &route.methods[at];
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = answers.classes.get(class) {
            counter.add();
        }
        answers.took.took(took);
    }

    /// Every route and method that was asked for so far.
    pub(super) fn all(&self) -> Vec<RouteState<'_>> {
        let routes = self.routes.values().chain([&self.other]);
        let mut all: Vec<_> = routes
            .flat_map(|route| METHODS.iter().zip(&route.methods).map(move |row| (route, row)))
            .filter_map(|(route, (method, answers))| {
                let counts = answers.classes.iter().map(Counter::get);
                let by_class: Vec<_> =
                    CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect();
                let state = || RouteState {
                    route: &route.name,
                    method,
                    answers: by_class.clone(),
                    took: answers.took.read(),
                };
                (!by_class.is_empty()).then(state)
            })
            .collect();
        all.sort_unstable_by_key(|state| (state.route, state.method));
        all
    }
}

impl Route {
    fn named(name: &str) -> Self {
        let answers = |_| Answers { classes: Default::default(), took: Histogram::of_seconds() };
        Self { name: name.to_owned(), methods: std::array::from_fn(answers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_make_a_route() {
        let document = r#"{"paths": {"/jobs/{jobId}": {"get": {}}}}"#;
        let stats = RouteStats::new(&PathTable::new().with_openapi("/v1", document).unwrap());
        let took = Duration::from_millis(3);
        let ask = |pattern, method: &str, status: u16| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            stats.answered(pattern, &method, StatusCode::from_u16(status).unwrap(), took);
        };
        ask(Some("/v1/jobs/:param0"), "GET", 200);
        ask(Some("/v1/jobs/:param0"), "GET", 404);
        ask(Some("/somewhere/else"), "GET", 404);
        ask(None, "BREW", 418);
        ask(Some("/healthz"), "HEAD", 200);
        let seen: Vec<_> =
            stats.all().iter().map(|row| (row.route, row.method, row.answers.clone())).collect();
        assert_eq!(
            seen,
            [
                ("/healthz", "HEAD", vec![("2xx", 1)]),
                ("/v1/jobs/{jobId}", "GET", vec![("2xx", 1), ("4xx", 1)]),
                ("other", "GET", vec![("4xx", 1)]),
                ("other", "other", vec![("4xx", 1)]),
            ]
        );
        assert_eq!(stats.all()[1].took.count(), 2);
    }
}
