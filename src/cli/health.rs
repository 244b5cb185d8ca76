//! `health`: asks the running server on this machine whether it is ready, for install.sh and for
//! containers, which have no curl.
//!
//! It asks where the settings say that the server listens, over this machine's own address.

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
    let address = reachable(config.listen());
    let answer = ask(address).map_err(|source| HealthError::NoAnswer { address, source })?;
    let report = ready(&answer, address)?;
    println!("{report}");
    Ok(())
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

fn ask(address: SocketAddr) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    exchange(stream, address)
}

fn exchange(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<String> {
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The report in an answer that says "ready".
fn ready(answer: &str, address: SocketAddr) -> Result<&str, HealthError> {
    let strange = || HealthError::Strange { address };
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let (_, report) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    match status {
        Some("200") => Ok(report),
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
        let said = |answer| ready(answer, here).map_err(|err| err.to_string());
        assert_eq!(said("HTTP/1.1 200 OK\r\na: b\r\n\r\n{}"), Ok("{}"));
        let full = said("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"disk\":\"almost full\"}");
        assert!(full.unwrap_err().contains("almost full"));
        for strange in ["", "HTTP/1.1 404 Not Found\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK"] {
            assert!(said(strange).unwrap_err().contains("something else"), "{strange:?}");
        }
    }
}
