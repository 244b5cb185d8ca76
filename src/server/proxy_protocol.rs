//! The PROXY protocol, versions 1 and 2: a load balancer that passes connections through says in their
//! first bytes who the client is (haproxy's "The PROXY protocol", 2020/03/05).
//!
//! Guarantees: at most [`MAX_HEADER`] bytes are read for it, and not one of the connection's own is
//! lost; an address is given only when the header is whole and well-formed. *Whose* header is believed
//! is not decided here: see [`super::transport`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a version 2 header begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a version 1 header begins with.
const WORD: &[u8; 6] = b"PROXY ";

/// The longest version 1 header, line end included, as the specification counts it.
const MAX_LINE: usize = 107;

/// Signature, version and command, family, length.
const FIXED: usize = 16;

/// The largest header that is read. Balancers add some hundred bytes of their own to the addresses.
const MAX_HEADER: usize = 2048;

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More bytes are needed to know.
    Incomplete,
    /// Something else: the connection's own bytes.
    Absent,
    /// A header of this many bytes. Without an address it is the proxy's own connection (a health
    /// check), or of a kind that has none.
    Header { len: usize, source: Option<SocketAddr> },
    /// It begins as a header does and goes on wrongly.
    Malformed(&'static str),
}

/// What was found at the start of a connection.
#[derive(Debug)]
pub(super) struct Found {
    /// Whether there was a header.
    pub(super) is_present: bool,
    /// The client, when the header names one.
    pub(super) source: Option<SocketAddr>,
    /// What was read beyond the header, to be read again.
    pub(super) rest: Vec<u8>,
}

/// Reads a header from `io` if there is one.
///
/// # Errors
/// `InvalidData` for a malformed or too large header, `UnexpectedEof` when the connection ends in it.
pub(super) async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Found> {
    let mut bytes = Vec::with_capacity(256);
    loop {
        match parse(&bytes) {
            Parsed::Incomplete if bytes.len() >= MAX_HEADER => {
                return Err(invalid("the header is too large"));
            }
            Parsed::Incomplete => {
                let room = MAX_HEADER.saturating_sub(bytes.len());
                let mut part = [0; 256];
                let room = room.min(part.len());
                let read = io.read(&mut part[..room]).await?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                bytes.extend_from_slice(&part[..read]);
            }
            Parsed::Absent => return Ok(Found { is_present: false, source: None, rest: bytes }),
            Parsed::Header { len, source } => {
                let rest = bytes.split_off(len);
                return Ok(Found { is_present: true, source, rest });
            }
            Parsed::Malformed(why) => return Err(invalid(why)),
        }
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("PROXY protocol: {why}"))
}

/// What `bytes`, the first of a connection, are.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    if begins(bytes, SIGNATURE) {
        binary(bytes)
    } else if begins(bytes, WORD) {
        line(bytes)
    } else {
        Parsed::Absent
    }
}

/// Whether `bytes` are, or may become, something that begins with `start`.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let len = bytes.len().min(start.len());
    bytes[..len] == start[..len]
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`.
fn line(bytes: &[u8]) -> Parsed {
    let head = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return match bytes.len() < MAX_LINE {
            true => Parsed::Incomplete,
            false => Parsed::Malformed("the line does not end"),
        };
    };
    let len = end + 2;
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else {
        return Parsed::Malformed("the line is no text");
    };
    let fields: Vec<&str> = text.split(' ').collect();
    match fields.as_slice() {
        // What follows is to be ignored.
        ["PROXY", "UNKNOWN", ..] => Parsed::Header { len, source: None },
        ["PROXY", family, source, target, port, target_port] => {
            let parsed = source.parse::<IpAddr>().ok().zip(target.parse::<IpAddr>().ok());
            let ports = decimal_port(port).zip(decimal_port(target_port));
            let (Some((source, target)), Some((port, _))) = (parsed, ports) else {
                return Parsed::Malformed("an address or a port cannot be read");
            };
            let fits = match *family {
                "TCP4" => source.is_ipv4() && target.is_ipv4(),
                "TCP6" => source.is_ipv6() && target.is_ipv6(),
                _ => false,
            };
            match fits {
                true => Parsed::Header { len, source: Some(SocketAddr::new(source, port)) },
                false => Parsed::Malformed("the addresses are not of the family"),
            }
        }
        _ => Parsed::Malformed("the line has not six fields"),
    }
}

/// Decimal without sign or leading zeros.
fn decimal_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// Version 2.
fn binary(bytes: &[u8]) -> Parsed {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Parsed::Incomplete };
    let (version, command) = (fixed[12] >> 4, fixed[12] & 0x0f);
    let (family, protocol) = (fixed[13] >> 4, fixed[13] & 0x0f);
    let len = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if version != 2 {
        return Parsed::Malformed("the version is not 2");
    }
    if command > 1 {
        return Parsed::Malformed("the command is unknown");
    }
    if len > MAX_HEADER {
        return Parsed::Malformed("the header is too large");
    }
    let Some(body) = bytes.get(FIXED..len) else { return Parsed::Incomplete };
    // LOCAL: the proxy speaks for itself, whatever addresses it adds.
    let is_local = command == 0;
    // Only streams come to us; UNSPEC and unix sockets have no address that we could use.
    let source = match (family, protocol) {
        _ if is_local => None,
        (1, 1) => match (body.first_chunk::<4>(), body.get(8..12)) {
            (Some(ip), Some(ports)) => {
                Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), u16_at(ports)))
            }
            _ => return Parsed::Malformed("the addresses are cut"),
        },
        (2, 1) => match (body.first_chunk::<16>(), body.get(32..36)) {
            (Some(ip), Some(ports)) => {
                Some(SocketAddr::new(Ipv6Addr::from(*ip).into(), u16_at(ports)))
            }
            _ => return Parsed::Malformed("the addresses are cut"),
        },
        (0 | 3, _) => None,
        (1 | 2, _) => return Parsed::Malformed("the protocol is not TCP"),
        _ => return Parsed::Malformed("the family is unknown"),
    };
    Parsed::Header { len, source }
}

fn u16_at(bytes: &[u8]) -> u16 {
    bytes.first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
