//! Types of settings that check themselves while they are read.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use poem::http::Uri;

/// Address of a service that we call: https, or http on this machine. No slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Without a slash at the end, ready for a path to be appended.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, host) = parts(text)?;
        // Keys and sessions travel here: never in the clear over a network.
        if scheme == "http" && !is_loopback(&host) {
            return Err("plain http is allowed on this machine only; use https".to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Address under which clients reach us: http or https. No slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Without a slash at the end, ready for a path to be appended.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PublicUrl {
    /// In lower case, without port; an IPv6 address keeps its brackets.
    pub fn host(&self) -> String {
        parts(&self.0).map(|(_, host)| host.to_ascii_lowercase()).unwrap_or_default()
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parts(text)?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// `sqlite://` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(PathBuf);

impl DatabaseUrl {
    /// The SQLite file at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && !path.contains('?') => Ok(Self(path.into())),
            Some(_) => Err("the path of the file is missing or has a query".to_owned()),
            None => Err("only sqlite:// is understood".to_owned()),
        }
    }
}

/// An address (`10.0.0.1`) or a network (`10.0.0.0/8`).
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ip.into());
    }
    text.parse().map_err(|_| format!("{text:?} is no address and no network"))
}

/// Scheme and host of an http(s) address that is nothing more than a base.
fn parts(text: &str) -> Result<(String, String), String> {
    let uri: Uri = text.parse().map_err(|_| "is no address".to_owned())?;
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err("must begin with https://".to_owned());
    }
    let authority = uri.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') {
        return Err("must hold no user name or password".to_owned());
    }
    if uri.query().is_some() || text.contains('#') {
        return Err("must end with the path: no query, no fragment".to_owned());
    }
    Ok((scheme, authority.host().to_owned()))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in [
            "https://api.example.com",
            "http://127.0.0.1:18100",
            "http://localhost:3001/",
            "http://[::1]:9",
        ] {
            assert!(good.parse::<BaseUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "api.example.com",
            "https://",
            "https://user:pw@example.com",
            "https://example.com/?a=1",
            "https://example.com/#a",
            "http://127.0.0.1.example.com",
        ] {
            assert!(bad.parse::<BaseUrl>().is_err(), "{bad}");
        }
        assert_eq!(
            "http://localhost:3001/".parse::<BaseUrl>().unwrap().as_str(),
            "http://localhost:3001"
        );
    }

    #[test]
    fn a_database_is_a_sqlite_file() {
        assert_eq!(
            "sqlite:///var/x.db".parse::<DatabaseUrl>().unwrap().path(),
            Path::new("/var/x.db")
        );
        for bad in ["sqlite://", "postgres://localhost/x", "x.db", "sqlite://x.db?mode=ro"] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        assert!(network("10.0.0.0/8").unwrap().contains(&"10.1.2.3".parse::<IpAddr>().unwrap()));
        assert!(network(" ::1 ").is_ok());
        assert!(network("nginx").is_err());
    }
}
