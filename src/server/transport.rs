//! What lies between an accepted socket and HTTP: the PROXY protocol and TLS, each where it is on.
//!
//! Guarantees: the address of a PROXY header is believed from `TRUSTED_PROXIES` only; all of it ends
//! within its time limits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::prefixed::Prefixed;
use super::proxy_protocol;
use super::tls::Tls;
use crate::http::TrustedProxies;

/// How connections of a listener begin. The default: with HTTP at once.
#[derive(Clone, Default)]
pub struct Transport {
    /// Whether trusted proxies say who the client is.
    pub proxy: ProxyHeaders,
    /// TLS, where it is on.
    pub tls: Option<Arc<Tls>>,
}

/// What is done about the PROXY protocol.
#[derive(Clone, Debug, Default)]
pub enum ProxyHeaders {
    /// Nothing: a header is a broken request.
    #[default]
    Off,
    /// These must begin with a header; from anybody else it is a broken request.
    Required(TrustedProxies),
    /// These may begin with one. For the small listener, where the client's address decides nothing
    /// of weight, and balancers check the health without a header.
    Allowed(TrustedProxies),
}

/// A connection on which HTTP comes next.
pub(super) enum Connection {
    Plain(Prefixed<TcpStream>),
    Tls(Box<TlsStream<Prefixed<TcpStream>>>),
}

impl Transport {
    /// Brings `socket` to where HTTP begins, and says who the client is. `None` when there is no HTTP to
    /// come, because the connection was the check of a certificate authority.
    ///
    /// # Errors
    /// When the client is too slow, gone, or breaks a protocol.
    pub(super) async fn begin(
        &self,
        mut socket: TcpStream,
        peer: SocketAddr,
        header_timeout: Duration,
    ) -> io::Result<Option<(Connection, SocketAddr)>> {
        let (rest, client) = match &self.proxy {
            ProxyHeaders::Required(proxies) if proxies.trusts(peer.ip()) => {
                self.proxied(&mut socket, peer, header_timeout, true).await?
            }
            ProxyHeaders::Allowed(proxies) if proxies.trusts(peer.ip()) => {
                self.proxied(&mut socket, peer, header_timeout, false).await?
            }
            _ => (Vec::new(), peer),
        };
        let socket = Prefixed::new(socket, rest);
        let Some(tls) = &self.tls else {
            return Ok(Some((Connection::Plain(socket), client)));
        };
        let accepted = tls.accept(socket).await?;
        Ok(accepted.map(|stream| (Connection::Tls(Box::new(stream)), client)))
    }

    async fn proxied(
        &self,
        socket: &mut TcpStream,
        peer: SocketAddr,
        header_timeout: Duration,
        is_required: bool,
    ) -> io::Result<(Vec<u8>, SocketAddr)> {
        let found = tokio::time::timeout(header_timeout, proxy_protocol::read(socket)).await??;
        if is_required && !found.is_present {
            // An operator who forgot it at the proxy must find this line.
            tracing::warn!(%peer, "a trusted proxy sent no PROXY protocol header; closing");
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header"));
        }
        Ok((found.rest, found.source.unwrap_or(peer)))
    }
}
