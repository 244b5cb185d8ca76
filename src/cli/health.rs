//! `health`: asks the running server on this machine whether it is ready, for install.sh and for
//! containers, which have no curl.
//!
//! It asks where the settings say that the server listens, over this machine's own address: the plain
//! listener beside TLS (`HTTP_LISTEN`) if there is one, else the main one, by TLS if it speaks that.

mod unverified;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;

/// `/readyz` writes to the database; a busy disk may take a while.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More is no answer of ours.
const MAX_ANSWER: u64 = 64 * 1024;

/// Why the server is not known to be well.
#[derive(Debug, thiserror::Error)]
enum HealthError {
    #[error("nobody answers at {address}")]
    NoAnswer { address: SocketAddr, source: io::Error },
    #[error("{address} answers something else than the server does")]
    Strange { address: SocketAddr },
    #[error("the server is not ready: {report}")]
    NotReady { report: String },
}

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    println!("{}", report(config)?);
    Ok(())
}

fn report(config: &Config) -> Result<String, HealthError> {
    let beside = std::env::var("HTTP_LISTEN").ok().and_then(|text| text.trim().parse().ok());
    let address = reachable(beside.unwrap_or_else(|| config.listen()));
    match ready(ask(address, None), address) {
        // Not HTTP, or closed without a word: so does a listener that wants TLS.
        Err(HealthError::Strange { .. }) if beside.is_none() => {
            ready(ask(address, Some(&config.http.public_url())), address)
        }
        said => said,
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

/// What is answered at `address`; by TLS when there is the address that clients use.
fn ask(address: SocketAddr, public_url: Option<&str>) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let Some(public_url) = public_url else { return exchange(stream, address) };
    let url = url::Url::parse(public_url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    exchange(unverified::over(stream, address, host)?, address)
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
fn ready(answer: io::Result<Vec<u8>>, address: SocketAddr) -> Result<String, HealthError> {
    let answer = answer.map_err(|source| HealthError::NoAnswer { address, source })?;
    let answer = String::from_utf8_lossy(&answer);
    let strange = || HealthError::Strange { address };
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let (_, report) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    match status {
        Some("200") => Ok(report.to_owned()),
        Some("503") => Err(HealthError::NotReady { report: report.to_owned() }),
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
