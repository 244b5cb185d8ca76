//! Whose address a request comes from. Headers are believed only from proxies the operator named:
//! anyone can send `X-Forwarded-For`, and limits and audit must not be fooled by it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use poem::http::HeaderMap;

/// The networks whose `X-Forwarded-For` is believed (`TRUSTED_PROXIES`). Empty: nobody's.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts exactly `networks`.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client behind `peer`: the peer itself unless it is a trusted proxy; then the rightmost
    /// address of `X-Forwarded-For` that is not one. An entry that is no address ends the walk,
    /// since what stands left of it was written by someone unknown.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = normalise(peer);
        if !self.trusts(client) {
            return client;
        }
        let lines = headers.get_all("x-forwarded-for");
        for line in lines.iter().rev() {
            let Ok(line) = line.to_str() else { return client };
            for entry in line.rsplit(',') {
                let Some(hop) = parse_hop(entry.trim()) else { return client };
                client = hop;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }

    /// Whether `ip` is one of them.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        let ip = normalise(ip);
        self.0.iter().any(|network| network.contains(&ip))
    }
}

/// An IPv4 address inside IPv6 (`::ffff:1.2.3.4`) is the IPv4 address.
fn normalise(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// An address as proxies write it: bare, with a port, or an IPv6 one in brackets.
fn parse_hop(entry: &str) -> Option<IpAddr> {
    let ip = entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|addr| addr.ip()))
        .ok()
        .or_else(|| {
            let inner = entry.strip_prefix('[')?.strip_suffix(']')?;
            inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        })?;
    Some(normalise(ip))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let nets = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        TrustedProxies::new(nets.to_vec()).client_ip(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_his_address() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_stranger_counts() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("fd00::1", &["2001:db8::5"]), "2001:db8::5");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(client("10.0.0.1", &["[2001:db8::5]"]), "2001:db8::5");
        assert_eq!(client("::ffff:203.0.113.9", &[]), "203.0.113.9");
    }

    #[test]
    fn without_a_usable_header_it_is_the_last_hop_known() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, garbage, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("10.0.0.1", &["10.7.7.7, 10.9.9.9"]), "10.7.7.7");
    }

    proptest! {
        #[test]
        fn nothing_in_the_header_moves_an_untrusted_peer(line in "[ -~]{0,80}") {
            prop_assert_eq!(client("203.0.113.9", &[&line]), "203.0.113.9");
        }

        #[test]
        fn what_the_client_prepends_changes_nothing(prefix in "[ -~]{0,60}") {
            let line = format!("{prefix}, 198.51.100.1");
            prop_assert_eq!(client("10.0.0.1", &[&line]), "198.51.100.1");
        }
    }
}
