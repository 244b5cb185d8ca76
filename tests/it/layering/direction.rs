//! Who may name whom: between the layers, between features, and inside a feature.

use super::Finding;
use super::imports::{Named, named};
use super::source::Source;

/// What each layer may name besides itself: a module, or one of its parts. This is the map in
/// `src/lib.rs` and `docs/ARCHITECTURE.md`, made exact.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "server",
            "sandbox",
            "features",
            "jobs",
            "app",
            "clients::object_storage",
            "clients::own_server",
            "config",
            "db",
            "base",
        ],
    ),
    (
        "server",
        &[
            "sandbox",
            "features",
            "jobs",
            "http",
            "app",
            "config",
            "clients::acme",
            "clients::call_stats",
            "clients::image_api",
            "db",
            "base",
        ],
    ),
    ("sandbox", &["base"]),
    ("features", &["jobs", "http", "app", "clients", "db", "base"]),
    ("jobs", &["app", "db", "base"]),
    ("http", &["app::limits", "clients", "db", "base"]),
    ("app", &["config", "clients", "db", "base"]),
    ("config", &["base"]),
    ("clients", &["base"]),
    ("db", &["base"]),
    ("base", &[]),
    // The list of modules itself.
    ("lib", &[]),
];

/// Inside a feature: what the code in each file may name of its neighbours. Files of other names
/// (`token.rs`) stand between service and model.
const IN_A_FEATURE: [(&str, &[&str]); 5] = [
    ("api", &["service", "model"]),
    ("service", &["store", "model", OTHER]),
    ("store", &["model"]),
    ("model", &[]),
    (OTHER, &["model"]),
];

const OTHER: &str = "other";

/// Crates, and the layers that keep them to themselves.
const KEPT: [(&str, &[&str]); 5] = [
    ("rusqlite", &["db"]),
    ("r2d2", &["db"]),
    ("r2d2_sqlite", &["db"]),
    // The sandbox announces the jobs of its image API by itself.
    ("ureq", &["clients", "sandbox"]),
    ("rand", &["base"]),
];

/// The features in their order, and which of their names come from `api.rs`.
pub(super) struct Features {
    pub(super) order: Vec<String>,
    api_names: Vec<(String, String)>,
}

impl Features {
    /// Reads the order from the `mod` lines of `src/features/mod.rs`, and the names from what the
    /// features re-export.
    pub(super) fn of(sources: &[Source]) -> Self {
        let list = sources.iter().find(|source| source.path == "src/features/mod.rs");
        let order = list.map_or_else(Vec::new, |source| declared_modules(&source.code));
        let mut api_names = Vec::new();
        for source in sources {
            let module = source.module();
            if let [features, feature] = module.as_slice()
                && features == "features"
            {
                for found in named(source) {
                    if let Some([_, of, file, name]) = found.ours()
                        && of == feature
                        && file == "api"
                    {
                        api_names.push((feature.clone(), name.clone()));
                    }
                }
            }
        }
        Self { order, api_names }
    }

    fn position(&self, feature: &str) -> Option<usize> {
        self.order.iter().position(|known| known == feature)
    }

    fn is_api_name(&self, feature: &str, name: &str) -> bool {
        self.api_names.iter().any(|(of, known)| of == feature && known == name)
    }
}

fn declared_modules(code: &str) -> Vec<String> {
    code.lines()
        .filter_map(|line| line.trim().trim_start_matches("pub ").strip_prefix("mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Everything that `source` names and must not.
pub(super) fn check(source: &Source, features: &Features) -> Vec<Finding> {
    let module = source.module();
    let layer = module.first().map_or("lib", String::as_str);
    let mut findings = Vec::new();
    for found in named(source) {
        let problem = match found.ours() {
            Some(path) => {
                between_layers(layer, path).or_else(|| about_features(&module, path, features))
            }
            None => about_crates(layer, &module, &found),
        };
        if let Some(rule) = problem {
            // One line per crate is enough, whatever is taken from it.
            let shown =
                found.ours().map_or_else(|| found.path[0].clone(), |_| found.path.join("::"));
            let rule = format!("names {shown}: {rule}");
            findings.push(Finding::new(&source.path, found.line, rule));
        }
    }
    findings
}

fn between_layers(layer: &str, path: &[String]) -> Option<String> {
    let target = path.first()?;
    // A macro or item of the root itself is no layer.
    if target == layer || !ALLOWED.iter().any(|(known, _)| known == target) {
        return None;
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == layer) else {
        return Some(format!("{layer} is a layer without a line in ALLOWED; give it one"));
    };
    let path = path.join("::");
    let is_allowed = |part: &&&str| {
        path == **part || path.strip_prefix(**part).is_some_and(|p| p.starts_with("::"))
    };
    if allowed.iter().any(|part| is_allowed(&part)) {
        return None;
    }
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Some(format!("{layer} may use {allowed}, and itself"))
}

fn about_features(module: &[String], path: &[String], features: &Features) -> Option<String> {
    let [first, target, rest @ ..] = path else { return None };
    if first != "features" {
        return None;
    }
    let is_feature = features.position(target).is_some();
    let inside = match module {
        [first, feature, file @ ..] if first == "features" => Some((feature, file.first())),
        _ => None,
    };
    match inside {
        Some((feature, file)) if feature == target => {
            let (from, to) = (kind(file)?, rest.first().filter(|name| is_module_name(name))?);
            in_a_feature(from, kind(Some(to))?)
        }
        Some((feature, file)) if is_feature => {
            if features.position(feature)? < features.position(target)? {
                return Some(format!("{feature} comes before {target} in src/features/mod.rs"));
            }
            between_features(file, target, rest, features)
        }
        // The list of features, and what is above it.
        _ if is_feature => between_features(Some(&"api".to_owned()), target, rest, features),
        _ => None,
    }
}

/// `api`, `service`, `store`, `model`, or another; `None` for the feature's `mod.rs`.
fn kind(file: Option<&String>) -> Option<&str> {
    let file = file?.as_str();
    Some(IN_A_FEATURE.iter().map(|(known, _)| *known).find(|known| *known == file).unwrap_or(OTHER))
}

fn is_module_name(name: &str) -> bool {
    name.chars().all(|c| c.is_lowercase() || c == '_' || c.is_ascii_digit())
}

fn in_a_feature(from: &str, to: &str) -> Option<String> {
    let allowed =
        IN_A_FEATURE.iter().find(|(known, _)| *known == from).map(|(_, allowed)| *allowed)?;
    (from != to && !allowed.contains(&to))
        .then(|| "inside a feature: api → service → {store, model}, store → model".to_owned())
}

fn between_features(
    file: Option<&String>,
    target: &str,
    rest: &[String],
    features: &Features,
) -> Option<String> {
    let name = rest.first()?;
    if matches!(name.as_str(), "store" | "model" | "api") {
        return Some(format!("of another feature only `service` and what {target}/mod.rs exports"));
    }
    let is_api = matches!(kind(file), Some("api") | None);
    (!is_api && features.is_api_name(target, name))
        .then(|| format!("{name} comes from the api of {target}: for api files only"))
}

fn about_crates(layer: &str, module: &[String], found: &Named) -> Option<String> {
    let name = found.path.first()?.as_str();
    let kept = KEPT.iter().find(|(kept, by)| *kept == name && !by.contains(&layer));
    if let Some((_, by)) = kept {
        let instead =
            if by.contains(&"db") { " (a store file uses crate::db::prelude)" } else { "" };
        return Some(format!("only {} may{instead}", by.join(" and ")));
    }
    let is_poem = name == "poem" || name == "poem_openapi";
    let is_api =
        matches!(module, [features, _, file, ..] if features == "features" && file == "api");
    let is_below = layer == "features" && module.len() > 2 && !is_api;
    (is_poem && is_below).then(|| "in a feature only api.rs knows poem".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(path, text)| Source::new(path, text)).collect()
    }

    /// Findings in `text` as the file `path`, in a made-up tree of two features.
    fn findings(path: &str, text: &str) -> Vec<String> {
        let sources = sources(&[
            ("src/features/mod.rs", "pub mod early;\nmod late;\nuse crate::app::App;"),
            ("src/features/early/mod.rs", "mod api;\npub mod service;\npub use api::Wire;"),
        ]);
        let features = Features::of(&sources);
        assert_eq!(features.order, ["early", "late"]);
        let found = check(&Source::new(path, text), &features);
        found.iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn refused(path: &str, text: &str, rule: &str) {
        let found = findings(path, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{path}:1: names ")), "{found:?}");
        assert!(found[0].contains(rule), "{found:?}");
    }

    #[track_caller]
    fn accepted(path: &str, text: &str) {
        assert_eq!(findings(path, text), [""; 0]);
    }

    #[test]
    fn a_layer_names_only_what_is_below_it() {
        refused("src/db/mod.rs", "use crate::app::App;", "db may use base, and itself");
        refused("src/sandbox/wechat.rs", "use crate::clients::http;", "sandbox may use base");
        refused("src/base/time.rs", "fn f() { crate::config::x() }", "base may use nothing");
        refused("src/http/error.rs", "use crate::app::App;", "http may use app::limits");
        refused("src/main.rs", "use dream_bff::server;", "main may use cli");
        accepted("src/http/rate_limit.rs", "use crate::app::limits::LimitExceeded;");
        accepted("src/cli/serve.rs", "use crate::{server, sandbox::Sandbox};");
        accepted("src/server/stack.rs", "use super::paths::PathTable; use crate::http::Ctx;");
    }

    #[test]
    fn a_feature_names_only_earlier_ones() {
        let later = "use crate::features::late::service;";
        refused("src/features/early/service.rs", later, "early comes before late");
        accepted("src/features/late/service.rs", "use crate::features::early::service;");
    }

    #[test]
    fn of_another_feature_there_is_only_the_service() {
        let only = "of another feature only `service`";
        let service = "src/features/late/service.rs";
        refused(service, "fn f() { crate::features::early::store::get() }", only);
        refused("src/features/late/api.rs", "use super::super::early::store::get;", only);
        refused("src/cli/serve.rs", "use crate::features::early::store;", only);
        let wire = "use crate::features::early::Wire;";
        refused(service, wire, "comes from the api of early");
        accepted("src/features/late/api.rs", wire);
    }

    #[test]
    fn inside_a_feature_api_calls_service_calls_store() {
        let rule = "inside a feature";
        refused("src/features/late/api.rs", "use super::store;", rule);
        refused("src/features/late/service.rs", "use super::api::X;", rule);
        refused("src/features/late/store.rs", "use super::service;", rule);
        refused("src/features/late/model.rs", "use super::store::row;", rule);
        accepted("src/features/late/service.rs", "use super::{store, model::M, token::T};");
        accepted("src/features/late/mod.rs", "mod store; pub use self::store::X;");
    }

    #[test]
    fn crates_stay_where_they_belong() {
        refused("src/features/late/store.rs", "use rusqlite::params;", "crate::db::prelude");
        refused("src/features/late/service.rs", "use poem::Request;", "only api.rs knows poem");
        refused("src/features/late/model.rs", "fn f(m: poem::http::Method) {}", "knows poem");
        refused("src/app/mod.rs", "use rand::Rng;", "names rand: only base may");
        accepted("src/features/late/api.rs", "use poem_openapi::Object;");
        accepted("src/features/mod.rs", "use poem_openapi::OpenApi;");
        accepted("src/features/late/store.rs", "use crate::db::prelude::*;");
    }
}
