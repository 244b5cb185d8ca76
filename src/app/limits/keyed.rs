//! One limit with a state per key.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use parking_lot::RwLock;

use super::LimitStatus;

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit `{limit}` of {per_minute} a minute reached")]
pub struct LimitExceeded {
    /// The limit's name.
    pub limit: &'static str,
    /// What it allows.
    pub per_minute: u32,
    /// Seconds until the next request is allowed, at least 1.
    pub retry_after_s: u32,
}

type Limiter<K, C> = RateLimiter<K, BoundedStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// One limit with a state per key. Generic over the clock for tests alone.
pub struct KeyedLimit<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    name: &'static str,
    max_keys: usize,
    clock: C,
    /// `None` is off. A lock, because the rate may change at run time; it is hardly ever written.
    current: RwLock<Option<(u32, Limiter<K, C>)>>,
    /// Since the start.
    refused: AtomicU64,
}

impl<K: Hash + Eq + Clone> KeyedLimit<K> {
    pub(super) fn new(name: &'static str, per_minute: u32, max_keys: usize) -> Self {
        Self::with_clock(name, per_minute, max_keys, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> KeyedLimit<K, C> {
    fn with_clock(name: &'static str, per_minute: u32, max_keys: usize, clock: C) -> Self {
        let (current, refused) = (RwLock::new(None), AtomicU64::new(0));
        let limit = Self { name, max_keys, clock, current, refused };
        limit.set_rate(per_minute);
        limit
    }

    /// Changes the rate (requests a minute, 0 = off). With another one everybody starts afresh; with the
    /// same nothing that was counted is lost.
    pub fn set_rate(&self, per_minute: u32) {
        if self.per_minute() == per_minute {
            return;
        }
        let limiter = NonZeroU32::new(per_minute).map(|rate| {
            let store = BoundedStore::new(self.max_keys);
            (per_minute, RateLimiter::new(Quota::per_minute(rate), store, self.clock.clone()))
        });
        *self.current.write() = limiter;
    }

    /// Requests a minute that are allowed; 0 = off.
    pub fn per_minute(&self) -> u32 {
        self.current.read().as_ref().map_or(0, |(rate, _)| *rate)
    }

    /// Requests that were refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How it stands, where the configuration says `configured`.
    pub(super) fn status(&self, configured: u32) -> LimitStatus {
        LimitStatus {
            name: self.name,
            configured,
            per_minute: self.per_minute(),
            keys: self.len(),
            refused: self.refused(),
        }
    }

    /// Counts one request of `key`.
    ///
    /// # Errors
    /// When the limit is reached; the request then does not count.
    pub fn check(&self, key: &K) -> Result<(), LimitExceeded> {
        let current = self.current.read();
        let Some((per_minute, limiter)) = &*current else { return Ok(()) };
        limiter.check_key(key).map_err(|refused| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let wait = refused.wait_time_from(self.clock.now());
            LimitExceeded {
                limit: self.name,
                per_minute: *per_minute,
                retry_after_s: whole_seconds(wait),
            }
        })
    }

    /// Forgets the keys that are at full allowance again.
    pub fn sweep(&self) {
        if let Some((_, limiter)) = &*self.current.read() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.current.read().as_ref().map_or(0, |(_, limiter)| limiter.len())
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> fmt::Debug for KeyedLimit<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyedLimit({}, {} a minute)", self.name, self.per_minute())
    }
}

/// Rounded up, at least 1: a client told to wait 0 seconds would be refused again.
fn whole_seconds(wait: Duration) -> u32 {
    let up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(up.max(1)).unwrap_or(u32::MAX)
}

/// How many states the keys beyond the bound share: 8 KB.
const SHARED_STATES: usize = 1024;

/// A state for each of the first `max_keys` keys; later ones share [`SHARED_STATES`] by hash until a
/// sweep makes room. So a flood of invented addresses cannot take memory, is itself limited, and
/// refuses of the newcomers only those that fall on a state which the flood has used up.
struct BoundedStore<K> {
    known: DashMapStateStore<K>,
    max_keys: usize,
    shared: Box<[InMemoryState]>,
    hasher: RandomState,
}

impl<K: Hash + Eq + Clone> BoundedStore<K> {
    fn new(max_keys: usize) -> Self {
        Self {
            known: DashMapStateStore::default(),
            max_keys,
            shared: (0..SHARED_STATES).map(|_| InMemoryState::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    fn shared_state(&self, key: &K) -> &InMemoryState {
        let bucket = self.hasher.hash_one(key) % SHARED_STATES as u64;
        // Below SHARED_STATES, so it fits and the index exists.
        &self.shared[usize::try_from(bucket).unwrap_or_default()]
    }
}

impl<K: Hash + Eq + Clone> StateStore for BoundedStore<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(state) = self.known.get(key) {
            return state.measure_and_replace(&NotKeyed::NonKey, f);
        }
        // Counting visits every shard, but only for a key that is new. Threads that count at the
        // same time may pass the bound by one each.
        if self.known.len() >= self.max_keys {
            return self.shared_state(key).measure_and_replace(&NotKeyed::NonKey, f);
        }
        let entry = self.known.entry(key.clone()).or_default();
        entry.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for BoundedStore<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.known.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.known.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(
        per_minute: u32,
        max_keys: usize,
    ) -> (KeyedLimit<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        // At the zero of its clock governor takes a state for unused.
        clock.advance(Duration::from_secs(1));
        (KeyedLimit::with_clock("test", per_minute, max_keys, clock.clone()), clock)
    }

    #[test]
    fn a_minutes_worth_at_once_then_one_at_a_time() {
        let (limit, clock) = limit(60, 10);
        assert_eq!((0..100).filter(|_| limit.check(&1).is_ok()).count(), 60);
        assert!(limit.check(&2).is_ok(), "keys do not share");
        let refused = limit.check(&1).unwrap_err();
        assert_eq!((refused.retry_after_s, refused.per_minute), (1, 60));
        clock.advance(Duration::from_secs(1));
        assert!(limit.check(&1).is_ok());
        assert!(limit.check(&1).is_err());
    }

    #[test]
    fn waiting_as_told_is_enough() {
        let (limit, clock) = limit(7, 10);
        for _ in 0..7 {
            limit.check(&1).unwrap();
        }
        let refused = limit.check(&1).unwrap_err();
        assert_eq!(refused.retry_after_s, 9, "60 s / 7, rounded up");
        clock.advance(Duration::from_secs(9));
        limit.check(&1).unwrap();
    }

    #[test]
    fn zero_is_off_and_a_billion_works() {
        for rate in [0, 1_000_000_000, u32::MAX] {
            let (limit, _) = limit(rate, 10);
            assert!((0..10_000).all(|_| limit.check(&1).is_ok()), "{rate}");
        }
    }

    #[test]
    fn the_rate_can_change() {
        let (limit, _) = limit(1, 10);
        limit.check(&1).unwrap();
        limit.check(&1).unwrap_err();
        limit.set_rate(2);
        limit.check(&1).unwrap();
        limit.check(&1).unwrap();
        limit.check(&1).unwrap_err();
        limit.set_rate(0);
        limit.check(&1).unwrap();
    }

    #[test]
    fn the_same_rate_again_is_no_amnesty() {
        let (limit, _) = limit(2, 10);
        limit.check(&1).unwrap();
        limit.check(&1).unwrap();
        limit.set_rate(2);
        limit.check(&1).unwrap_err();
        assert_eq!((limit.per_minute(), limit.refused(), limit.len()), (2, 1, 1));
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_still_limited() {
        let (limit, clock) = limit(1, 100);
        let allowed = (0..1_000_000).filter(|key| limit.check(key).is_ok()).count();
        assert_eq!(limit.len(), 100);
        assert!(allowed <= 100 + SHARED_STATES, "{allowed}");
        // Who was known before the flood is judged by his own state.
        clock.advance(Duration::from_secs(61));
        assert!((0..100).all(|key| limit.check(&key).is_ok()));
    }

    #[test]
    fn a_sweep_forgets_the_idle_and_keeps_the_busy() {
        let (limit, clock) = limit(60, 100);
        for key in 0..50 {
            limit.check(&key).unwrap();
        }
        clock.advance(Duration::from_secs(120));
        while limit.check(&7).is_ok() {}
        limit.sweep();
        assert_eq!(limit.len(), 1);
        assert!(limit.check(&7).is_err(), "a sweep is no amnesty");
    }
}
