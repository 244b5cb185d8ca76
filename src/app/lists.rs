//! Public lists kept in memory as they are sent.
//!
//! Guarantees: a list is loaded once however many wait for it; what a write made stale is not handed
//! out after [`ListGeneration::changed`] has returned, not even by a load that began before; the lists
//! kept take a bounded number of bytes.
//!
//! How: a key contains the generation of its time. Whoever changes the data begins the next one, so
//! that nobody meets what belongs to an earlier, and the cache forgets it as it forgets what is not
//! asked for.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::OnceCell;

use crate::base::measure::CacheCounts;
use crate::base::time::UnixMillis;

/// Small changes (a like) are collected for so long, in milliseconds: lists would hardly ever be ready
/// if each threw them away.
const SOON_MS: i64 = 2_000;

/// No small change waits.
const NOTHING: i64 = i64::MAX;

/// What a list weighs while it is loaded, in bytes.
const UNKNOWN_WEIGHT: u32 = 32 * 1024;

/// How much is kept, and for how long.
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// In bytes, for each kind of list.
    pub max_bytes: u64,
    pub life: Duration,
    /// How often the caches with these settings had what was asked for, all together.
    pub counts: Arc<CacheCounts>,
}

/// Counts the states that some data have had.
pub struct ListGeneration {
    number: AtomicU64,
    /// When the small changes since the last generation begin the next.
    due: AtomicI64,
}

impl Default for ListGeneration {
    fn default() -> Self {
        Self { number: AtomicU64::new(0), due: AtomicI64::new(NOTHING) }
    }
}

impl ListGeneration {
    /// What is loaded from now on is of another state. To be called after the commit and before it is
    /// acknowledged.
    pub fn changed(&self) {
        self.due.store(NOTHING, Ordering::SeqCst);
        self.number.fetch_add(1, Ordering::SeqCst);
    }

    /// The same for a small change: it may take up to two seconds to show.
    pub fn changes_soon(&self, now: UnixMillis) {
        self.due.fetch_min(now.0.saturating_add(SOON_MS), Ordering::SeqCst);
    }

    /// The generation at this time.
    pub fn at(&self, now: UnixMillis) -> u64 {
        let due = self.due.load(Ordering::SeqCst);
        let is_mine = due <= now.0
            && self.due.compare_exchange(due, NOTHING, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if is_mine {
            self.number.fetch_add(1, Ordering::SeqCst) + 1
        } else {
            self.number.load(Ordering::SeqCst)
        }
    }
}

/// A list that knows how much memory it takes.
pub trait Weighed {
    /// In bytes.
    fn weight(&self) -> u32;
}

/// Lists of one kind, by what was asked for.
pub struct ListCache<K, V> {
    kept: Cache<(u64, K), Slot<V>>,
    counts: Arc<CacheCounts>,
}

type Slot<V> = Arc<OnceCell<V>>;

impl<K, V> ListCache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Weighed + Clone + Send + Sync + 'static,
{
    /// An empty one.
    pub fn new(settings: &ListSettings) -> Self {
        let kept = Cache::builder()
            .max_capacity(settings.max_bytes)
            .time_to_live(settings.life)
            .weigher(|_, slot: &Slot<V>| slot.get().map_or(UNKNOWN_WEIGHT, Weighed::weight))
            .build();
        Self { kept, counts: Arc::clone(&settings.counts) }
    }

    /// What was asked for, as it was in this generation or later: kept, or loaded by one for all who
    /// wait.
    ///
    /// # Errors
    /// What `load` fails with; the next one who waits tries again.
    pub async fn get<E, Fut>(
        &self,
        generation: u64,
        key: K,
        load: impl FnOnce() -> Fut,
    ) -> Result<V, E>
    where
        Fut: Future<Output = Result<V, E>>,
    {
        let key = (generation, key);
        let slot = match self.kept.get(&key) {
            Some(slot) => slot,
            None => self.kept.get_with(key.clone(), Slot::default),
        };
        self.counts.asked(slot.initialized());
        if let Some(list) = slot.get() {
            return Ok(list.clone());
        }
        let mut loaded = false;
        let list = slot
            .get_or_try_init(|| {
                loaded = true;
                load()
            })
            .await?
            .clone();
        if loaded {
            // Only now is its weight known.
            self.kept.insert(key, slot);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::Notify;

    use super::*;

    impl Weighed for &'static str {
        fn weight(&self) -> u32 {
            u32::try_from(self.len()).unwrap()
        }
    }

    fn cache() -> ListCache<u8, &'static str> {
        let counts = Arc::default();
        let life = Duration::from_secs(60);
        ListCache::new(&ListSettings { max_bytes: 1 << 20, life, counts })
    }

    #[tokio::test]
    async fn many_who_wait_load_once() {
        let (cache, loads) = (cache(), AtomicU64::new(0));
        let go = Notify::new();
        let one = || async {
            let load = || async {
                loads.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                Ok::<_, Infallible>("list")
            };
            cache.get(0, 1, load).await.unwrap()
        };
        let (a, b, c, ()) = tokio::join!(one(), one(), one(), async { go.notify_one() });
        assert_eq!([a, b, c], ["list"; 3]);
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        assert_eq!(cache.get(0, 1, || async { Err("not asked") }).await, Ok("list"));
    }

    #[tokio::test]
    async fn a_load_that_a_change_overtook_is_for_nobody_who_comes_later() {
        let (cache, generation) = (cache(), ListGeneration::default());
        let now = UnixMillis(0);
        let old = cache
            .get(generation.at(now), 1, || async {
                generation.changed();
                Ok::<_, Infallible>("old")
            })
            .await;
        assert_eq!(old, Ok("old"));
        let new = cache.get(generation.at(now), 1, || async { Ok::<_, Infallible>("new") }).await;
        assert_eq!(new, Ok("new"));
    }

    #[tokio::test]
    async fn a_failed_load_is_tried_again() {
        let cache = cache();
        assert_eq!(cache.get(0, 1, || async { Err("down") }).await, Err("down"));
        assert_eq!(cache.get(0, 1, || async { Ok::<_, &str>("up") }).await, Ok("up"));
    }

    #[test]
    fn small_changes_are_collected() {
        let generation = ListGeneration::default();
        let at = |ms| generation.at(UnixMillis(ms));
        generation.changes_soon(UnixMillis(0));
        generation.changes_soon(UnixMillis(1_500));
        assert_eq!([at(0), at(1_999), at(2_000), at(9_999)], [0, 0, 1, 1]);
        generation.changes_soon(UnixMillis(10_000));
        generation.changed();
        assert_eq!([at(10_000), at(99_999)], [2, 2]);
    }
}
