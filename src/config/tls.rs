//! TLS on the server's own listener, the small plain listener beside it, and the PROXY protocol.
//!
//! TLS is on when certificate files are named here or domains are ordered from an ACME authority
//! (see [`super::acme`]); never both.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Config;
use super::parse::ConfigError;

/// TLS on the server's own listener.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS (leave empty behind nginx or a load balancer)")]
pub struct TlsConfig {
    /// Certificate chain in PEM, the server's own certificate first; read anew when it changes.
    #[arg(long, env = "TLS_CERT_PATH", value_name = "/etc/dream-bff/tls/fullchain.pem")]
    pub tls_cert_path: Option<PathBuf>,

    /// Private key of that certificate in PEM. Only the server's user should be able to read it.
    #[arg(long, env = "TLS_KEY_PATH", value_name = "/etc/dream-bff/tls/privkey.pem")]
    pub tls_key_path: Option<PathBuf>,

    /// Longest time a TLS handshake may take, in seconds (1–60).
    #[arg(long, env = "TLS_HANDSHAKE_TIMEOUT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub tls_handshake_timeout: u64,

    /// TLS handshakes in progress at once (1–100000); further ones wait for their turn.
    #[arg(long, env = "TLS_MAX_HANDSHAKES", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tls_max_handshakes: u32,

    /// For how long browsers must use https only, in seconds (0–63072000; 0 = HSTS is not sent).
    /// Sent only when TLS is on here.
    #[arg(long, env = "HSTS_SECONDS", default_value_t = 15_552_000, value_parser = clap::value_parser!(u32).range(0..=63_072_000))]
    pub hsts_seconds: u32,

    /// Address of a second, plain listener while TLS is on: health checks, ACME, redirects to https.
    #[arg(long, env = "HTTP_LISTEN", value_name = "0.0.0.0:80")]
    pub http_listen: Option<SocketAddr>,

    /// Connections from TRUSTED_PROXIES begin with a PROXY protocol header, version 1 or 2.
    #[arg(long, env = "PROXY_PROTOCOL", value_name = "true", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub proxy_protocol: bool,
}

/// Where https listens unless something else is said.
pub(super) const HTTPS_PORT: u16 = 443;

/// What no single value can tell.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let tls = &config.tls;
    let files = (&tls.tls_cert_path, &tls.tls_key_path);
    match files {
        (Some(_), None) => {
            return Err(ConfigError::missing("TLS_KEY_PATH", "TLS_KEY_PATH=/etc/ssl/privkey.pem"));
        }
        (None, Some(_)) => {
            let example = "TLS_CERT_PATH=/etc/ssl/fullchain.pem";
            return Err(ConfigError::missing("TLS_CERT_PATH", example));
        }
        (Some(_), Some(_)) if config.acme.is_on() => {
            return Err(ConfigError::wrong(
                "ACME_DOMAINS",
                "and TLS_CERT_PATH are both set, and there can be only one certificate",
                "ACME_DOMAINS=",
            ));
        }
        _ => {}
    }
    config.acme.check(tls.http_listen.is_some())?;
    if config.is_tls_on() {
        let is_https = config.http.public_url().starts_with("https://");
        if !is_https {
            return Err(ConfigError::wrong(
                "PUBLIC_URL",
                "must begin with https:// when TLS is on",
                "PUBLIC_URL=https://api.example.com",
            ));
        }
        let host = config.public_host().unwrap_or_default();
        let domains = &config.acme.acme_domains;
        if config.acme.is_on() && !domains.iter().any(|name| name.as_str() == host) {
            return Err(ConfigError::wrong(
                "ACME_DOMAINS",
                &format!("does not name {host}, the host of PUBLIC_URL"),
                &format!("ACME_DOMAINS={host}"),
            ));
        }
    } else if tls.http_listen.is_some() {
        return Err(ConfigError::wrong(
            "HTTP_LISTEN",
            "is the plain listener beside TLS, and TLS is off; the only listener is LISTEN",
            "HTTP_LISTEN=",
        ));
    }
    if tls.proxy_protocol && config.http.trusted_proxies.is_empty() {
        return Err(ConfigError::wrong(
            "PROXY_PROTOCOL",
            "is on, and TRUSTED_PROXIES says of nobody that his header is believed",
            "TRUSTED_PROXIES=10.0.0.0/8",
        ));
    }
    Ok(())
}
