//! Names to addresses, remembered for a moment.
//!
//! ureq asks its resolver at every call, also when a pooled connection is at hand, and its own one
//! starts a thread each time to bound the look-up (measured: a third of the cost of a call). Here an
//! address needs no look-up, and a name one in [`LIFE`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Shorter than the life of any sensible DNS record, so that a move of the other side is followed.
const LIFE: Duration = Duration::from_secs(30);

/// A client talks to one host, or to a few.
const MAX_NAMES: u64 = 64;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct RememberingResolver {
    system: Arc<DefaultResolver>,
    known: Cache<String, Vec<SocketAddr>>,
}

impl Default for RememberingResolver {
    fn default() -> Self {
        let known = Cache::builder().max_capacity(MAX_NAMES).time_to_live(LIFE).build();
        Self { system: Arc::default(), known }
    }
}

impl Resolver for RememberingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::BadUri(uri.to_string()));
        };
        let default_port = if scheme.as_str() == "https" { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default_port);
        let bare = authority.host().trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(self.filled([SocketAddr::new(ip, port)]));
        }
        let name = format!("{}:{port}", authority.host());
        if let Some(known) = self.known.get(&name) {
            return Ok(self.filled(known));
        }
        let found = self.system.resolve(uri, config, timeout)?;
        self.known.insert(name, found.to_vec());
        Ok(found)
    }
}

impl RememberingResolver {
    fn filled(&self, addresses: impl IntoIterator<Item = SocketAddr>) -> ResolvedSocketAddrs {
        let mut out = self.empty();
        for address in addresses {
            out.push(address);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use ureq::Timeout;
    use ureq::unversioned::transport::time::Duration as Wait;

    use super::*;

    fn resolve(uri: &str) -> Vec<SocketAddr> {
        let timeout = NextTimeout {
            after: Wait::from_secs(5),
            reason: Timeout::Resolve,
            ..NextTimeout::default()
        };
        let resolver = RememberingResolver::default();
        let first =
            resolver.resolve(&uri.parse().unwrap(), &Config::default(), timeout).unwrap().to_vec();
        let again =
            resolver.resolve(&uri.parse().unwrap(), &Config::default(), timeout).unwrap().to_vec();
        assert_eq!(first, again);
        first
    }

    #[test]
    fn addresses_are_taken_as_they_are_and_names_looked_up() {
        assert_eq!(resolve("http://127.0.0.1:81/x"), ["127.0.0.1:81".parse().unwrap()]);
        assert_eq!(resolve("https://[::1]/"), ["[::1]:443".parse().unwrap()]);
        assert!(
            resolve("http://localhost")
                .iter()
                .all(|found| found.ip().is_loopback() && found.port() == 80)
        );
    }
}
