//! A bounded cache in front of the database that never keeps what an invalidation made stale.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::base::measure::CacheCounts;

/// More stripes mean fewer loads thrown away because of another key's invalidation.
const STRIPES: usize = 256;

/// Loads on a miss. The plain way, load then insert, has a gap: a write that commits and invalidates
/// between the two would leave the old value in the cache for its whole life. Here a load that an
/// invalidation overtook is handed out but not kept.
pub struct LoadCache<K, V> {
    kept: Cache<K, V, RandomState>,
    hasher: RandomState,
    /// Counts invalidations, by hash of the key.
    invalidations: Vec<AtomicU64>,
    counts: CacheCounts,
}

impl<K, V> LoadCache<K, V>
where
    K: Hash + Eq + Copy + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Holds `max` values, each for `life` at most.
    pub fn new(max: u64, life: Duration) -> Self {
        let hasher = RandomState::new();
        Self {
            kept: Cache::builder()
                .max_capacity(max)
                .time_to_live(life)
                .build_with_hasher(hasher.clone()),
            hasher,
            invalidations: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
            counts: CacheCounts::default(),
        }
    }

    /// The kept value, if there is one.
    pub fn get(&self, key: K) -> Option<V> {
        let found = self.kept.get(&key);
        self.counts.asked(found.is_some());
        found
    }

    /// How often it had what was asked for.
    pub fn counts(&self) -> &CacheCounts {
        &self.counts
    }

    /// Loads the value anew and keeps it, unless it was invalidated meanwhile.
    ///
    /// # Errors
    /// What `load` fails with; nothing is kept then.
    pub fn load<E>(&self, key: K, load: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let invalidations = self.stripe(key);
        let before = invalidations.load(Ordering::SeqCst);
        let value = load()?;
        self.kept.insert(key, value.clone());
        // Checked after the insert: an invalidation that counts later also removes later.
        if invalidations.load(Ordering::SeqCst) != before {
            self.kept.invalidate(&key);
        }
        Ok(value)
    }

    /// Forgets the value. To be called after the commit that changed it and before it is acknowledged.
    pub fn invalidate(&self, key: K) {
        self.stripe(key).fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate(&key);
    }

    fn stripe(&self, key: K) -> &AtomicU64 {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % STRIPES as u64).unwrap_or(0);
        &self.invalidations[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_an_invalidation_overtook_is_not_kept() {
        let cache = LoadCache::new(10, Duration::from_secs(60));
        let seen = cache.load(1, || {
            // Another request commits a change and invalidates while the old value is in our hands.
            cache.invalidate(1);
            Ok::<_, ()>("old")
        });
        assert_eq!(seen, Ok("old"));
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.load(1, || Ok::<_, ()>("new")), Ok("new"));
        assert_eq!(cache.get(1), Some("new"));
    }

    #[test]
    fn a_failed_load_keeps_nothing() {
        let cache: LoadCache<i32, i32> = LoadCache::new(10, Duration::from_secs(60));
        assert_eq!(cache.load(1, || Err("down")), Err("down"));
        assert_eq!(cache.get(1), None);
    }
}
