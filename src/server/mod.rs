//! Everything between the socket and the handlers: sockets, TLS, accept loop, middleware, errors,
//! shutdown.
//!
//! [`Sockets`] are opened, [`serve_over`] owns them with a [`Transport`] (TLS, PROXY protocol) in front of
//! HTTP; [`Stack`] wraps the routes in what every answer needs.

mod accept;
mod access_log;
mod admin_files;
mod body_limit;
mod client_io;
mod compression;
mod health;
mod metrics;
mod paths;
mod plain;
mod prefixed;
mod proxy_protocol;
mod render;
mod request_id;
mod routes;
pub mod shutdown;
mod sockets;
mod stack;
pub mod systemd;
mod tls;
mod transport;

pub use accept::{AcceptSettings, bind, serve, serve_over};
pub use health::Readyz;
pub use paths::PathTable;
pub use plain::{bind_plain, plain_endpoint, plain_settings};
pub use routes::{accept_settings, endpoint};
pub use sockets::{Inherited, Sockets};
pub use stack::{Stack, StackSettings};
pub use tls::{AcmeStartError, Challenges, Tls, TlsStartError, check_files};
pub use transport::{ProxyHeaders, Transport};

pub use crate::http::TrustedProxies;
