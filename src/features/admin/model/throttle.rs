//! How guessing is slowed down: a few failures are free, then each doubles the wait.

use std::net::IpAddr;

use crate::app::limits::IpKey;
use crate::base::time::UnixMillis;

/// The first wait, and the longest.
const FIRST_WAIT_MS: i64 = 30_000;
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// Failures are forgotten when none came for this long.
pub(in crate::features::admin) const MEMORY_MS: i64 = 24 * 3_600_000;

/// Whose failures are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::features::admin) enum Subject {
    /// Of one name, whether or not somebody has it.
    Name(String),
    /// Of one client (of IPv6 the /64).
    Address(IpKey),
}

impl Subject {
    /// Of this client.
    pub(in crate::features::admin) fn address(ip: IpAddr) -> Self {
        Self::Address(IpKey::from(ip))
    }

    /// As it is stored.
    pub(in crate::features::admin) fn key(&self) -> String {
        match self {
            Self::Name(name) => format!("name:{name}"),
            Self::Address(ip) => format!("address:{ip}"),
        }
    }

    /// Failures that cost nothing: fingers slip, and an office shares one address.
    fn free(&self) -> i64 {
        match self {
            Self::Name(_) => 4,
            Self::Address(_) => 9,
        }
    }

    /// Until when nothing more is tried after the `failures`th failure in a row, at `now`.
    pub(in crate::features::admin) fn locked_until(
        &self,
        failures: i64,
        now: UnixMillis,
    ) -> UnixMillis {
        let beyond = failures - self.free();
        if beyond <= 0 {
            return UnixMillis(0);
        }
        let doublings = u32::try_from(beyond - 1).unwrap_or(u32::MAX).min(20);
        let wait = FIRST_WAIT_MS.saturating_mul(1 << doublings).min(LONGEST_WAIT_MS);
        now.plus_millis(wait)
    }
}

/// What is stored of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::admin) struct Failures {
    pub(in crate::features::admin) failures: i64,
    pub(in crate::features::admin) last_at: UnixMillis,
    pub(in crate::features::admin) locked_until: UnixMillis,
}

impl Failures {
    /// The failures that still count at `now`.
    pub(in crate::features::admin) fn counted(&self, now: UnixMillis) -> i64 {
        if now.0 - self.last_at.0 >= MEMORY_MS { 0 } else { self.failures }
    }

    /// Seconds until something may be tried again, if it may not now.
    pub(in crate::features::admin) fn wait_s(&self, now: UnixMillis) -> Option<u32> {
        let left = self.locked_until.0 - now.0;
        (left > 0).then(|| u32::try_from((left + 999) / 1000).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        let name = Subject::Name("ann".to_owned());
        let now = UnixMillis(1_000_000);
        let waits: Vec<i64> = (1..=14)
            .map(|failures| (name.locked_until(failures, now).0 - now.0).max(0) / 1000)
            .collect();
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(name.locked_until(i64::MAX, now), now.plus_seconds(3600));
        let address = Subject::address("203.0.113.9".parse().unwrap());
        assert_eq!(address.locked_until(9, now), UnixMillis(0));
        assert_eq!(address.locked_until(10, now), now.plus_seconds(30));
    }

    #[test]
    fn a_day_later_it_is_forgotten() {
        let at = UnixMillis(1_000_000);
        let failures = Failures { failures: 7, last_at: at, locked_until: at.plus_seconds(120) };
        assert_eq!(failures.counted(at.plus_millis(MEMORY_MS - 1)), 7);
        assert_eq!(failures.counted(at.plus_millis(MEMORY_MS)), 0);
        assert_eq!(failures.wait_s(at), Some(120));
        assert_eq!(failures.wait_s(at.plus_seconds(120)), None);
    }

    #[test]
    fn a_customers_network_counts_as_one() {
        let key = |ip: &str| Subject::address(ip.parse().unwrap()).key();
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_eq!(key("::ffff:203.0.113.9"), "address:203.0.113.9");
    }
}
