//! The small plain listener beside TLS: health for balancers, what an ACME authority asks for, and the
//! way to https for everything else.
//!
//! Guarantees: it redirects to the host of `PUBLIC_URL` and nowhere else, and only who asked for that
//! host (or for a domain of the certificate); nothing of the API is served in the clear.

use std::io;
use std::sync::Arc;

use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response, Route};

use super::health::{Healthz, Readyz};
use super::paths::PathTable;
use super::routes::stack_settings;
use super::tls::Challenges;
use super::{AcceptSettings, Stack, StackSettings, accept_settings};
use crate::app::App;
use crate::config::Config;

/// Where authorities look (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Nothing that is served here has a body.
const BODY_LIMIT: usize = 1024;

/// Everything the plain listener answers, with the middleware around it.
pub fn plain_endpoint(
    app: &Arc<App>,
    ready: Arc<Readyz>,
    config: &Config,
    challenges: &Challenges,
) -> impl Endpoint<Output = Response> + 'static {
    let get = [Method::GET];
    let paths = PathTable::new()
        .with("/healthz", &get)
        .with("/readyz", &get)
        .with("/.well-known/acme-challenge/*", &get);
    let mut hosts: Vec<String> = config.public_host().into_iter().collect();
    hosts.extend(config.acme.acme_domains.iter().map(|name| name.as_str().to_owned()));
    let routes = Route::new()
        .at("/healthz", poem::get(Healthz))
        .at("/readyz", poem::get(ready))
        .at(
            format!("{CHALLENGES}*token"),
            poem::get(ShownChallenge { challenges: challenges.clone() }),
        )
        .at("/*rest", Redirect { hosts, base: config.http.public_url() });
    let settings = StackSettings {
        body_limit: BODY_LIMIT,
        body_limits: Vec::new(),
        hsts: None,
        ..stack_settings(config)
    };
    let (limits, clock, rng) = (Arc::clone(&app.limits), app.clock.clone(), app.rng.clone());
    Stack::new(routes, paths, limits, clock, rng, settings)
}

/// The limits of the plain listener: few connections, and little time at the end.
pub fn plain_settings(config: &Config, app: &App) -> AcceptSettings {
    let settings = accept_settings(config, app);
    AcceptSettings { max_connections: settings.max_connections.div_ceil(4), ..settings }
}

/// The text that an authority asks for.
struct ShownChallenge {
    challenges: Challenges,
}

impl Endpoint for ShownChallenge {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let token = request.uri().path().strip_prefix(CHALLENGES).unwrap_or_default();
        let text = self.challenges.text(token).ok_or(poem::error::NotFoundError)?;
        Ok(Response::builder().content_type("application/octet-stream").body(text))
    }
}

/// To https. The method stays what it is.
struct Redirect {
    /// In lower case.
    hosts: Vec<String>,
    /// `PUBLIC_URL`.
    base: String,
}

impl Redirect {
    fn location(&self, request: &Request) -> Option<HeaderValue> {
        let uri = request.uri();
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = without_port(uri.authority().map_or(named?, |authority| authority.as_str()));
        if !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return None;
        }
        // The path is taken as it came; what stands before it is ours.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let origin_end = self.base.find("://").map_or(0, |at| at + 3);
        let origin =
            self.base[origin_end..].find('/').map_or(self.base.len(), |at| at + origin_end);
        HeaderValue::from_str(&format!("{}{path}", &self.base[..origin])).ok()
    }
}

impl Endpoint for Redirect {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let location = self.location(&request).ok_or(poem::error::NotFoundError)?;
        let response = Response::builder().status(StatusCode::PERMANENT_REDIRECT);
        Ok(response.header(header::LOCATION, location).finish())
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Listens on `HTTP_LISTEN`, if it is set.
///
/// # Errors
/// When the address is in use or not ours.
pub fn bind_plain(config: &Config) -> io::Result<Option<tokio::net::TcpListener>> {
    config.tls.http_listen.map(super::sockets::bind_or_say).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redirect() -> Redirect {
        Redirect {
            hosts: vec!["api.example.com".to_owned(), "www.example.com".to_owned()],
            base: "https://api.example.com:8443/base".to_owned(),
        }
    }

    fn location(host: &str, path: &str) -> Option<String> {
        let uri = path.parse::<poem::http::Uri>().ok()?;
        let request = Request::builder().uri(uri).header("host", host).finish();
        redirect().location(&request).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn known_hosts_are_sent_to_the_public_url() {
        for host in ["api.example.com", "API.example.com:80", "www.example.com"] {
            assert_eq!(
                location(host, "/v1/x?a=1%20b").as_deref(),
                Some("https://api.example.com:8443/v1/x?a=1%20b"),
                "{host}"
            );
        }
        for host in ["evil.example", "api.example.com.evil.example", "203.0.113.9", "", "[::1]:80"]
        {
            assert_eq!(location(host, "/"), None, "{host}");
        }
        // An absolute target counts instead of the header.
        assert_eq!(location("api.example.com", "http://evil.example/x"), None);
    }

    proptest! {
        #[test]
        fn it_never_leads_anywhere_else(host in "[ -~]{0,30}", path in "/[!-~]{0,40}") {
            let known = ["api.example.com", host.as_str()];
            for host in known.into_iter().filter(|host| HeaderValue::from_str(host).is_ok()) {
                if let Some(location) = location(host, &path) {
                    let uri: poem::http::Uri = location.parse().unwrap();
                    prop_assert_eq!(uri.scheme_str(), Some("https"));
                    prop_assert_eq!(uri.authority().unwrap().as_str(), "api.example.com:8443");
                }
            }
        }
    }
}
