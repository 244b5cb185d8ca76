//! Counting what happens, for metrics: cheap enough for every request.
//!
//! Guarantees: counting takes no lock and makes nothing; reading may be a moment apart between two
//! numbers, and never goes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of histograms of seconds, in microseconds: from a cached answer to an image that takes minutes.
pub const SECONDS: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    120_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts by kind, of kinds that are known from the start.
#[derive(Debug)]
pub struct Tally {
    kinds: &'static [&'static str],
    counts: Box<[Counter]>,
}

impl Tally {
    /// None of any of the `kinds` yet.
    pub fn of(kinds: &'static [&'static str]) -> Self {
        Self { kinds, counts: kinds.iter().map(|_| Counter::default()).collect() }
    }

    /// One more of a kind. One that is not known is counted nowhere.
    pub fn add(&self, kind: &str) {
        let at = self.kinds.iter().position(|known| *known == kind);
        debug_assert!(at.is_some(), "nobody counts {kind}");
        if let Some(counter) = at.and_then(|at| self.counts.get(at)) {
            counter.add();
        }
    }

    /// Every kind with how many there were.
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        self.kinds.iter().copied().zip(self.counts.iter().map(Counter::get)).collect()
    }

    /// How many there were of one kind.
    pub fn get(&self, kind: &str) -> u64 {
        self.all().iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count)
    }
}

/// How often a value was at most so much.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// By the first bound that holds it; the last one is for what is above all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one with these upper bounds, which rise.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// One of durations: [`SECONDS`].
    pub fn of_seconds() -> Self {
        Self::new(SECONDS)
    }

    /// Counts a value, in the unit of the bounds.
    pub fn observe(&self, value: u64) {
        let at = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a duration in microseconds.
    pub fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was counted so far.
    pub fn read(&self) -> HistogramState {
        HistogramState {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// A histogram at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramState {
    /// Upper bounds, rising.
    pub bounds: &'static [u64],
    /// Not cumulative; one more than there are bounds.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: u64,
}

impl HistogramState {
    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// How often a cache had what was asked for.
#[derive(Debug, Default)]
pub struct CacheCounts {
    hits: Counter,
    misses: Counter,
}

impl CacheCounts {
    /// Counts one question.
    pub fn asked(&self, was_there: bool) {
        if was_there { &self.hits } else { &self.misses }.add();
    }

    /// Hits and misses so far.
    pub fn read(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tally_counts_each_kind_by_itself() {
        let tally = Tally::of(&["paid", "expired"]);
        tally.add("paid");
        tally.add("paid");
        assert_eq!(tally.all(), [("paid", 2), ("expired", 0)]);
        assert_eq!((tally.get("paid"), tally.get("lost")), (2, 0));
    }

    proptest! {
        /// However many values of whatever size: each is in the one bucket whose bound it first
        /// reaches, and the sum is theirs.
        #[test]
        fn every_value_is_in_its_bucket(values in proptest::collection::vec(0_u64..1_000_000_000, 0..200)) {
            let histogram = Histogram::of_seconds();
            for value in &values {
                histogram.observe(*value);
            }
            let state = histogram.read();
            prop_assert_eq!(state.count(), values.len() as u64);
            prop_assert_eq!(state.sum, values.iter().sum::<u64>());
            let mut below = 0;
            for (at, bound) in SECONDS.iter().enumerate() {
                below += state.counts[at];
                let expected = values.iter().filter(|value| *value <= bound).count() as u64;
                prop_assert_eq!(below, expected);
            }
        }
    }
}
