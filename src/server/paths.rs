//! Which paths there are, with which methods and parameter names.
//!
//! poem answers a wrong method without saying which are right, and poem-openapi renames path
//! parameters to `param0`, `param1`, …; the API's document knows both.

use std::collections::HashMap;

use poem::http::{HeaderValue, Method};
use serde_json::Value;

/// The paths of the server.
#[derive(Clone, Debug, Default)]
pub struct PathTable {
    entries: Vec<Entry>,
    /// From poem-openapi's patterns to the documented ones.
    documented: HashMap<String, String>,
}

#[derive(Clone, Debug)]
struct Entry {
    segments: Vec<Segment>,
    methods: Vec<Method>,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Parameter(String),
    /// `*` at the end: everything below.
    Rest,
}

impl PathTable {
    /// No paths.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one path such as `/media/*` or `/jobs/{jobId}` with its methods.
    #[must_use]
    pub fn with(mut self, path: &str, methods: &[Method]) -> Self {
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name) => Segment::Parameter(name.to_owned()),
                None if segment == "*" => Segment::Rest,
                None => Segment::Literal(segment.to_owned()),
            })
            .collect();
        self.entries.push(Entry { segments, methods: methods.to_vec() });
        self
    }

    /// Adds the paths of an OpenAPI document (as JSON) that is mounted at `prefix`.
    ///
    /// # Errors
    /// When `document` is not JSON.
    pub fn with_openapi(mut self, prefix: &str, document: &str) -> serde_json::Result<Self> {
        let document: Value = serde_json::from_str(document)?;
        let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
        for (path, operations) in paths {
            let methods: Vec<Method> = operations
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, _)| method(name))
                .collect();
            let path = format!("{prefix}{path}");
            self = self.with(&path, &methods);
            self.documented.insert(as_poem_has_it(&path), path);
        }
        Ok(self)
    }

    /// The documented form of a pattern that poem reports: `/v1/jobs/:param0` → `/v1/jobs/{jobId}`.
    pub(super) fn route<'a>(&'a self, pattern: &'a str) -> &'a str {
        self.documented.get(pattern).map_or(pattern, String::as_str)
    }

    /// The patterns of the documents as poem reports them, with their documented forms.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.documented.iter().map(|(poems, documented)| (poems.as_str(), documented.as_str()))
    }

    /// The value of `Allow` for `path`: the methods of every entry it matches, and HEAD with GET.
    pub(super) fn allow(&self, path: &str) -> Option<HeaderValue> {
        let mut names: Vec<&str> = Vec::new();
        for method in self.matching(path).flat_map(|entry| &entry.methods) {
            names.push(method.as_str());
            if method == Method::GET {
                names.push(Method::HEAD.as_str());
            }
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { None } else { HeaderValue::try_from(names.join(", ")).ok() }
    }

    /// The documented name of the `index`th parameter of `path`.
    pub(super) fn parameter<'a>(&'a self, path: &'a str, index: usize) -> Option<&'a str> {
        self.matching(path).find_map(|entry| {
            let mut names = entry.segments.iter().filter_map(|segment| match segment {
                Segment::Parameter(name) => Some(name.as_str()),
                Segment::Literal(_) | Segment::Rest => None,
            });
            names.nth(index)
        })
    }

    /// The entries that `path` matches, the most literal ones alone: where `/jobs/quota` exists,
    /// `/jobs/{jobId}` is not meant.
    fn matching<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Entry> {
        let best = self.entries.iter().filter_map(|entry| entry.literals(path)).max();
        self.entries.iter().filter(move |entry| best.is_some() && entry.literals(path) == best)
    }
}

impl Entry {
    /// How many segments of a matching `path` are literal; `None` when it does not match.
    fn literals(&self, path: &str) -> Option<usize> {
        let mut literals = 0;
        let mut given = path.split('/').filter(|segment| !segment.is_empty());
        for segment in &self.segments {
            match segment {
                Segment::Rest => return Some(literals),
                Segment::Literal(literal) if *literal == given.next()? => literals += 1,
                Segment::Literal(_) => return None,
                Segment::Parameter(_) => {
                    given.next()?;
                }
            }
        }
        given.next().is_none().then_some(literals)
    }
}

fn as_poem_has_it(path: &str) -> String {
    let mut count = 0;
    let segments = path.split('/').map(|segment| {
        if segment.starts_with('{') {
            count += 1;
            format!(":param{}", count - 1)
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn method(name: &str) -> Option<Method> {
    Some(match name {
        "get" => Method::GET,
        "put" => Method::PUT,
        "post" => Method::POST,
        "delete" => Method::DELETE,
        "options" => Method::OPTIONS,
        "head" => Method::HEAD,
        "patch" => Method::PATCH,
        "trace" => Method::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PathTable {
        let document = r#"{"paths": {
            "/jobs": {"get": {}, "post": {}, "summary": "x"},
            "/jobs/quota": {"get": {}},
            "/jobs/{jobId}": {"delete": {}, "get": {}},
            "/users/{userId}/orders/{orderId}": {"patch": {}}
        }}"#;
        PathTable::new()
            .with_openapi("/v1", document)
            .unwrap()
            .with("/media/*", &[Method::GET])
            .with("/healthz", &[Method::GET])
    }

    #[test]
    fn allow_names_the_methods_and_head() {
        let table = table();
        let allow = |path| table.allow(path).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(allow("/v1/jobs").as_deref(), Some("GET, HEAD, POST"));
        assert_eq!(allow("/v1/jobs/j_1").as_deref(), Some("DELETE, GET, HEAD"));
        assert_eq!(allow("/v1/jobs/quota").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/media/a/b.png").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/healthz").as_deref(), Some("GET, HEAD"));
        assert_eq!(allow("/v1/jobs/j_1/events"), None);
        assert_eq!(allow("/v2/jobs"), None);
    }

    #[test]
    fn parameters_have_their_documented_names() {
        let table = table();
        assert_eq!(table.parameter("/v1/users/7/orders/o", 0), Some("userId"));
        assert_eq!(table.parameter("/v1/users/7/orders/o", 1), Some("orderId"));
        assert_eq!(table.parameter("/v1/users/7/orders/o", 2), None);
        assert_eq!(table.parameter("/v1/jobs/j_1", 0), Some("jobId"));
        let route = table.route("/v1/users/:param0/orders/:param1");
        assert_eq!(route, "/v1/users/{userId}/orders/{orderId}");
        assert_eq!(table.route("/healthz"), "/healthz");
    }
}
