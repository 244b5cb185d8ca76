//! The server's own sockets and limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;
use ipnet::IpNet;

use super::values::{PublicUrl, network};

/// Where it listens when nothing says otherwise.
const DEFAULT_PORT: u16 = 3000;

/// The server's own sockets and limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct HttpConfig {
    /// Address and port to listen on (default 0.0.0.0:3000).
    #[arg(long, env = "LISTEN", value_name = "127.0.0.1:3000")]
    pub listen: Option<SocketAddr>,

    /// Port to listen on, on all addresses; ignored when LISTEN is set. What a PaaS sets.
    #[arg(long, env = "PORT", value_name = "3000", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,

    /// Address under which clients reach this server (default: http:// and the listening address).
    /// WeChat needs https.
    #[arg(long, env = "PUBLIC_URL", value_name = "https://api.example.com")]
    pub public_url: Option<PublicUrl>,

    /// Proxies whose X-Forwarded-For is believed: addresses or networks, comma-separated.
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "127.0.0.1,10.0.0.0/8", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Connections open at once (1–1000000); further ones wait in the kernel's queue.
    #[arg(long, env = "HTTP_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub http_max_connections: u32,

    /// Longest time a request head may take to arrive, in seconds (1–300).
    #[arg(long, env = "HTTP_HEADER_TIMEOUT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub http_header_timeout: u64,

    /// Longest time a request body may take to arrive, in seconds (1–600).
    #[arg(long, env = "HTTP_BODY_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub http_body_timeout: u64,

    /// How long a connection may sit between two requests, in seconds (1–3600).
    #[arg(long, env = "HTTP_IDLE_TIMEOUT", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub http_idle_timeout: u64,

    /// Largest request head, in KiB (8–256).
    #[arg(long, env = "HTTP_MAX_HEAD_KIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(8..=256))]
    pub http_max_head_kib: u32,

    /// Largest JSON body, in KiB (1–65536).
    #[arg(long, env = "HTTP_MAX_BODY_KIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub http_max_body_kib: u32,

    /// Largest body of a request that may hold an image, in KiB (1–65536).
    #[arg(long, env = "HTTP_MAX_IMAGE_BODY_KIB", default_value_t = 12_288, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub http_max_image_body_kib: u32,

    /// How long requests in flight may take to end after SIGTERM, in seconds (0–600).
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub shutdown_timeout: u64,

    /// Requests a minute from one address (0 = no limit); the admin page can change it while running.
    #[arg(long, env = "RATE_LIMIT_PER_IP", default_value_t = 600)]
    pub rate_limit_per_ip: u32,

    /// Requests a minute by one user (0 = no limit); the admin page can change it while running.
    #[arg(long, env = "RATE_LIMIT_PER_USER", default_value_t = 300)]
    pub rate_limit_per_user: u32,

    /// Logins a minute from one address (0 = no limit); the admin page can change it while running.
    #[arg(long, env = "RATE_LIMIT_LOGIN_PER_IP", default_value_t = 30)]
    pub rate_limit_login_per_ip: u32,

    /// Generations a minute by one user (0 = no limit); the admin page can change it while running.
    #[arg(long, env = "RATE_LIMIT_GENERATE_PER_USER", default_value_t = 60)]
    pub rate_limit_generate_per_user: u32,

    /// Exports of everything we hold of a user, a minute by one user (0 = no limit); the admin page can change it while running.
    #[arg(long, env = "RATE_LIMIT_EXPORT_PER_USER", default_value_t = 2)]
    pub rate_limit_export_per_user: u32,

    /// Addresses and users that each rate limit remembers at once (1000–10000000).
    #[arg(long, env = "RATE_LIMIT_MAX_KEYS", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=10_000_000))]
    pub rate_limit_max_keys: u32,
}

impl HttpConfig {
    /// The address to listen on: `LISTEN`, else `PORT` on all addresses, else the default.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.port.unwrap_or(DEFAULT_PORT))
        })
    }

    /// The address clients use, without a slash at the end.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("http://{}", self.listen()),
        }
    }
}
