//! Counters of the writer, for metrics and the readiness check.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the histogram of COMMIT times, in milliseconds; what is above goes last.
pub const COMMIT_BUCKETS_MS: [u64; 8] = [1, 2, 5, 10, 25, 50, 100, 500];

/// Upper bounds of the histogram of closures in one transaction; what is above goes last.
pub const BATCH_BUCKETS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// What the writer did since the start. The counters are read one by one, so they may be a batch apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed.
    pub batches: u64,
    /// Closures that ran, whatever their end.
    pub closures: u64,
    /// Closures that panicked.
    pub panics: u64,
    /// Most closures in one transaction.
    pub largest_batch: u64,
    /// Transactions lost with all their closures: no BEGIN, no COMMIT, given up by SQLite.
    pub lost_batches: u64,
    /// Time spent in COMMIT, in microseconds.
    pub commit_micros: u64,
    /// How many COMMITs took up to [`COMMIT_BUCKETS_MS`] and, last, longer; not cumulative.
    pub commit_buckets: [u64; COMMIT_BUCKETS_MS.len() + 1],
    /// How many transactions had up to [`BATCH_BUCKETS`] closures and, last, more; not cumulative.
    pub batch_buckets: [u64; BATCH_BUCKETS.len() + 1],
    /// Closures that were committed.
    pub committed: u64,
    /// Writes turned away because the queue was full.
    pub overloads: u64,
    /// Writes waiting now.
    pub queue_depth: u64,
}

/// What the readers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderStats {
    /// Connections there may be.
    pub size: u64,
    /// Connections that read now.
    pub in_use: u64,
    /// Reads begun.
    pub reads: u64,
    /// Reads that found no free connection at once.
    pub waits: u64,
    /// Reads turned away: too many waiting, or for too long.
    pub overloads: u64,
}

/// The live side of [`ReaderStats`].
#[derive(Debug, Default)]
pub(super) struct ReadCounters {
    in_use: AtomicU64,
    reads: AtomicU64,
    waits: AtomicU64,
    overloads: AtomicU64,
}

impl ReadCounters {
    pub(super) fn waited(&self) {
        add(&self.waits, 1);
    }

    pub(super) fn overloaded(&self) {
        add(&self.overloads, 1);
    }

    /// A read begins; it ends when what this gives is dropped.
    pub(super) fn enter(&self) -> Reading<'_> {
        add(&self.reads, 1);
        add(&self.in_use, 1);
        Reading(self)
    }

    pub(super) fn read(&self, size: u32) -> ReaderStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReaderStats {
            size: u64::from(size),
            in_use: get(&self.in_use),
            reads: get(&self.reads),
            waits: get(&self.waits),
            overloads: get(&self.overloads),
        }
    }
}

/// A read under way.
pub(super) struct Reading<'a>(&'a ReadCounters);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The live side of [`WriterStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    batches: AtomicU64,
    closures: AtomicU64,
    panics: AtomicU64,
    largest_batch: AtomicU64,
    lost_batches: AtomicU64,
    commit_micros: AtomicU64,
    commit_buckets: [AtomicU64; COMMIT_BUCKETS_MS.len() + 1],
    batch_buckets: [AtomicU64; BATCH_BUCKETS.len() + 1],
    committed: AtomicU64,
    overloads: AtomicU64,
}

impl Counters {
    pub(super) fn committed(&self, closures: usize, took: Duration) {
        add(&self.batches, 1);
        self.largest_batch.fetch_max(to_u64(closures), Ordering::Relaxed);
        add(&self.commit_micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let bucket = COMMIT_BUCKETS_MS
            .iter()
            .position(|bound| took <= Duration::from_millis(*bound))
            .unwrap_or(COMMIT_BUCKETS_MS.len());
        add(&self.commit_buckets[bucket], 1);
        let closures = to_u64(closures);
        let bucket = BATCH_BUCKETS
            .iter()
            .position(|bound| closures <= *bound)
            .unwrap_or(BATCH_BUCKETS.len());
        add(&self.batch_buckets[bucket], 1);
        add(&self.committed, closures);
    }

    pub(super) fn closure_ran(&self) {
        add(&self.closures, 1);
    }

    pub(super) fn panicked(&self) {
        add(&self.panics, 1);
    }

    pub(super) fn lost_batch(&self) {
        add(&self.lost_batches, 1);
    }

    pub(super) fn overloaded(&self) {
        add(&self.overloads, 1);
    }

    pub(super) fn read(&self, queue_depth: usize) -> WriterStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriterStats {
            batches: get(&self.batches),
            closures: get(&self.closures),
            panics: get(&self.panics),
            largest_batch: get(&self.largest_batch),
            lost_batches: get(&self.lost_batches),
            commit_micros: get(&self.commit_micros),
            commit_buckets: self.commit_buckets.each_ref().map(get),
            batch_buckets: self.batch_buckets.each_ref().map(get),
            committed: get(&self.committed),
            overloads: get(&self.overloads),
            queue_depth: to_u64(queue_depth),
        }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
