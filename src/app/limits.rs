//! Rate limits per client address and per user (GCRA, by governor).
//!
//! Guarantees: memory is bounded however many keys come; a limit that is off costs nothing; a burst
//! of a whole minute's requests is allowed, after which they come back evenly.

mod keyed;

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

pub use self::keyed::{KeyedLimit, LimitExceeded};

use crate::base::ids::UserId;

/// Requests a minute, each 0 = off, and how many keys one limit remembers.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// Every request of one address.
    pub per_ip: u32,
    /// Every request of one user.
    pub per_user: u32,
    /// Logins of one address.
    pub login_per_ip: u32,
    /// Generations submitted by one user.
    pub generate_per_user: u32,
    /// Exports of one user's data.
    pub export_per_user: u32,
    /// Keys that one limit remembers exactly; about 60 bytes each.
    pub max_keys: usize,
}

/// Other rates than those of the configuration; `None` leaves that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateChanges {
    pub per_ip: Option<u32>,
    pub per_user: Option<u32>,
    pub login_per_ip: Option<u32>,
    pub generate_per_user: Option<u32>,
    pub export_per_user: Option<u32>,
}

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    /// As it is called in `RateLimit-Policy`.
    pub name: &'static str,
    /// Requests a minute by the configuration, and those that are in force; 0 = off.
    pub configured: u32,
    pub per_minute: u32,
    /// Addresses or users that are remembered.
    pub keys: usize,
    /// Requests that were refused since the start.
    pub refused: u64,
}

/// The limits of the process.
#[derive(Debug)]
pub struct Limits {
    configured: LimitSettings,
    /// Every request of one address.
    pub per_ip: KeyedLimit<IpKey>,
    /// Every request of one user.
    pub per_user: KeyedLimit<UserId>,
    /// Logins of one address.
    pub login_per_ip: KeyedLimit<IpKey>,
    /// Generations submitted by one user.
    pub generate_per_user: KeyedLimit<UserId>,
    /// Exports of one user's data.
    pub export_per_user: KeyedLimit<UserId>,
}

impl Limits {
    /// Fresh limits: nobody has asked for anything yet.
    pub fn new(settings: LimitSettings) -> Self {
        let LimitSettings {
            per_ip,
            per_user,
            login_per_ip,
            generate_per_user,
            export_per_user,
            max_keys,
        } = settings;
        Self {
            configured: settings,
            per_ip: KeyedLimit::new("ip", per_ip, max_keys),
            per_user: KeyedLimit::new("user", per_user, max_keys),
            login_per_ip: KeyedLimit::new("login", login_per_ip, max_keys),
            generate_per_user: KeyedLimit::new("generate", generate_per_user, max_keys),
            export_per_user: KeyedLimit::new("export", export_per_user, max_keys),
        }
    }

    /// Puts other rates in force, at once and all of them. A limit whose rate stays the same goes on
    /// counting where it is.
    pub fn change(&self, changes: RateChanges) {
        let (from, to) = (&self.configured, changes);
        self.per_ip.set_rate(to.per_ip.unwrap_or(from.per_ip));
        self.per_user.set_rate(to.per_user.unwrap_or(from.per_user));
        self.login_per_ip.set_rate(to.login_per_ip.unwrap_or(from.login_per_ip));
        self.generate_per_user.set_rate(to.generate_per_user.unwrap_or(from.generate_per_user));
        self.export_per_user.set_rate(to.export_per_user.unwrap_or(from.export_per_user));
    }

    /// How each limit stands.
    pub fn status(&self) -> [LimitStatus; 5] {
        let from = &self.configured;
        [
            self.per_ip.status(from.per_ip),
            self.per_user.status(from.per_user),
            self.login_per_ip.status(from.login_per_ip),
            self.generate_per_user.status(from.generate_per_user),
            self.export_per_user.status(from.export_per_user),
        ]
    }

    /// Forgets the keys that are at full allowance again. Call it about once a minute.
    pub fn sweep(&self) {
        self.per_ip.sweep();
        self.per_user.sweep();
        self.login_per_ip.sweep();
        self.generate_per_user.sweep();
        self.export_per_user.sweep();
    }
}

/// A client address as limits count it: one IPv4 address, or one IPv6 /64, which is what a single
/// customer usually holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpKey(IpAddr);

impl From<IpAddr> for IpKey {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for IpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_holds_until_it_is_taken_back_and_leaves_the_others_alone() {
        let settings = LimitSettings {
            per_ip: 1,
            per_user: 1,
            login_per_ip: 0,
            generate_per_user: 3,
            export_per_user: 2,
            max_keys: 10,
        };
        let limits = Limits::new(settings);
        let ip = IpKey::from("10.0.0.1".parse::<IpAddr>().unwrap());
        limits.per_ip.check(&ip).unwrap();
        limits.per_ip.check(&ip).unwrap_err();
        limits.change(RateChanges { per_user: Some(0), ..RateChanges::default() });
        limits.per_ip.check(&ip).unwrap_err();
        let rates = |limits: &Limits| limits.status().map(|one| (one.configured, one.per_minute));
        assert_eq!(rates(&limits), [(1, 1), (1, 0), (0, 0), (3, 3), (2, 2)]);
        limits.change(RateChanges { per_ip: Some(2), ..RateChanges::default() });
        assert_eq!(rates(&limits), [(1, 2), (1, 1), (0, 0), (3, 3), (2, 2)]);
        limits.per_ip.check(&ip).unwrap();
        assert_eq!(limits.status()[0].refused, 2);
    }

    #[test]
    fn ipv6_clients_count_by_their_64() {
        let key = |text: &str| IpKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
    }
}
