//! The writer, the readers, the files, the disk and the caches.

use std::path::Path;

use super::text::{Families, number, one};
use crate::app::App;
use crate::base::machine;
use crate::base::measure::HistogramState;
use crate::db::{BATCH_BUCKETS, COMMIT_BUCKETS_MS};

const MILLIS: f64 = 1_000.0;

/// Commits are summed up in microseconds and bounded in milliseconds.
const MICROS_PER_MILLI: u64 = 1_000;

pub(super) fn collect(families: &mut Families, app: &App, data_dir: &Path) {
    writer(families, app);
    readers(families, app);
    let files = app.db.files();
    families.gauge("dream_db_bytes", "Size of the database file", number(files.database));
    families.gauge("dream_db_wal_bytes", "Size of the write-ahead log", number(files.log));
    let disk = machine::disk(data_dir);
    families.gauge(
        "dream_disk_free_bytes",
        "What may still be written where the data lies",
        disk.map(|disk| number(disk.free_bytes)),
    );
    families.gauge(
        "dream_disk_total_bytes",
        "Size of the file system where the data lies",
        disk.map(|disk| number(disk.total_bytes)),
    );
    families.gauge(
        "dream_disk_free_inodes",
        "Files that can still be made where the data lies",
        disk.map(|disk| number(disk.free_inodes)),
    );
    let caches = [
        ("accounts", app.accounts.counts().read()),
        ("profiles", app.profiles.counts().read()),
        ("lists", app.lists.counts.read()),
    ];
    families.counters(
        "dream_cache_requests",
        "What was asked of the caches, and whether it was there",
        caches.into_iter().flat_map(|(cache, (hits, misses))| {
            [("hit", hits), ("miss", misses)].map(|(result, count)| {
                let labels = vec![("cache", cache.to_owned()), ("result", result.to_owned())];
                (labels, number(count))
            })
        }),
    );
}

fn writer(families: &mut Families, app: &App) {
    let stats = app.db.stats();
    families.histograms(
        "dream_db_commit_seconds",
        "How long a COMMIT took, with its fsync",
        MILLIS,
        [(
            Vec::new(),
            HistogramState {
                bounds: &COMMIT_BUCKETS_MS,
                counts: stats.commit_buckets.to_vec(),
                sum: stats.commit_micros / MICROS_PER_MILLI,
            },
        )],
    );
    families.histograms(
        "dream_db_batch_writes",
        "Writes that shared a COMMIT",
        1.0,
        [(
            Vec::new(),
            HistogramState {
                bounds: &BATCH_BUCKETS,
                counts: stats.batch_buckets.to_vec(),
                sum: stats.committed,
            },
        )],
    );
    families.gauge("dream_db_write_queue", "Writes that wait", number(stats.queue_depth));
    families.counters(
        "dream_db_write_failures",
        "Writes that did not come about: the queue was full, a batch was lost, a closure panicked",
        [
            ("overloaded", stats.overloads),
            ("batch_lost", stats.lost_batches),
            ("panicked", stats.panics),
        ]
        .map(|(reason, count)| (one("reason", reason), number(count))),
    );
}

fn readers(families: &mut Families, app: &App) {
    let stats = app.db.reader_stats();
    families.gauge(
        "dream_db_readers",
        "Connections for reading that there may be",
        number(stats.size),
    );
    families.gauge("dream_db_readers_in_use", "Connections that read now", number(stats.in_use));
    families.counter("dream_db_reads", "Reads begun", number(stats.reads));
    families.counter(
        "dream_db_read_waits",
        "Reads that found no free connection at once",
        number(stats.waits),
    );
    families.counter(
        "dream_db_read_overloads",
        "Reads turned away because too many waited, or for too long",
        number(stats.overloads),
    );
}
