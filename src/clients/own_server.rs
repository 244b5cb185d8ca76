//! The server that runs on this machine, asked whether it is ready: by `health`, for install.sh and for
//! containers, which have no curl, and by doctor.
//!
//! It is asked where the settings say that it listens, over this machine's own address: at the plain
//! listener beside TLS (`HTTP_LISTEN`) if there is one, else at the main one, by TLS if it speaks that.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::onlooker;

/// `/readyz` writes to the database; a busy disk may take a while.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More is no answer of ours.
const MAX_ANSWER: u64 = 64 * 1024;

/// Where this machine's server is.
#[derive(Clone, Debug)]
pub struct OwnServer {
    address: SocketAddr,
    /// Asked for by TLS, if it is spoken there.
    tls_name: Option<ServerName<'static>>,
}

/// Why the server is not known to be well.
#[derive(Debug, thiserror::Error)]
pub enum OwnServerError {
    #[error("nobody answers at {address}")]
    NoAnswer { address: SocketAddr, source: io::Error },
    #[error("{address} answers something else than the server does")]
    Strange { address: SocketAddr },
    #[error("the server is not ready: {report}")]
    NotReady { report: String },
}

impl OwnServer {
    /// The server that listens on `listen`, speaking TLS there as `host` when `is_tls`, and plainly on
    /// `beside`.
    pub fn new(
        listen: SocketAddr,
        beside: Option<SocketAddr>,
        is_tls: bool,
        host: Option<&str>,
    ) -> Self {
        let address = reachable(beside.unwrap_or(listen));
        let name = host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
        let name = name.unwrap_or_else(|| ServerName::IpAddress(address.ip().into()));
        Self { address, tls_name: (is_tls && beside.is_none()).then_some(name) }
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The report of a server that is ready. Blocks the thread, some seconds at most for each step of
    /// the conversation.
    ///
    /// # Errors
    /// [`OwnServerError`].
    pub fn readiness(&self) -> Result<String, OwnServerError> {
        ready(self.ask(), self.address)
    }

    fn ask(&self) -> io::Result<Vec<u8>> {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Some(name) = &self.tls_name else { return exchange(stream, self.address) };
        let config = onlooker::config().map_err(io::Error::other)?;
        let tls =
            ClientConnection::new(Arc::new(config), name.clone()).map_err(io::Error::other)?;
        exchange(StreamOwned::new(tls, stream), self.address)
    }
}

/// Where to connect for what listens on `address`: "all addresses" is no address to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// One question and whatever comes back. A connection that is cut after something came has answered.
fn exchange(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let talk = stream
        .write_all(question.as_bytes())
        .and_then(|()| stream.flush())
        .and_then(|()| Read::by_ref(&mut stream).take(MAX_ANSWER).read_to_end(&mut answer));
    match talk {
        Err(err) if answer.is_empty() && !is_cut(&err) => Err(err),
        _ => Ok(answer),
    }
}

/// Whether the other side has ended the connection.
fn is_cut(err: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&err.kind())
}

/// The report in an answer that says "ready".
fn ready(answer: io::Result<Vec<u8>>, address: SocketAddr) -> Result<String, OwnServerError> {
    let answer = answer.map_err(|source| OwnServerError::NoAnswer { address, source })?;
    let answer = String::from_utf8_lossy(&answer);
    let strange = || OwnServerError::Strange { address };
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let (_, report) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    match status {
        Some("200") => Ok(report.to_owned()),
        Some("503") => Err(OwnServerError::NotReady { report: report.to_owned() }),
        _ => Err(strange()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn all_addresses_are_asked_on_this_machine() {
        assert_eq!(reachable(at("0.0.0.0:80")), at("127.0.0.1:80"));
        assert_eq!(reachable(at("[::]:80")), at("[::1]:80"));
        assert_eq!(reachable(at("10.1.2.3:80")), at("10.1.2.3:80"));
    }

    #[test]
    fn only_a_200_is_ready() {
        let here = at("127.0.0.1:80");
        let said = |answer: &str| {
            ready(Ok(answer.as_bytes().to_vec()), here).map_err(|err| err.to_string())
        };
        assert_eq!(said("HTTP/1.1 200 OK\r\na: b\r\n\r\n{}"), Ok("{}".to_owned()));
        let full = said("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"disk\":\"almost full\"}");
        assert!(full.unwrap_err().contains("almost full"));
        for strange in ["", "HTTP/1.1 404 Not Found\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK"] {
            assert!(said(strange).unwrap_err().contains("something else"), "{strange:?}");
        }
    }
}
