//! What an operator may tune, with defaults for 2 cores and an idle process of a few megabytes.

use std::path::PathBuf;

/// Where the database is and how much it may take.
#[derive(Clone, Debug)]
pub struct DbSettings {
    /// The database file; `-wal` and `-shm` lie beside it.
    pub path: PathBuf,
    /// Where the copy made before a schema change goes.
    pub backups_dir: PathBuf,
    /// Reader connections, at least 2. Half of them serve `read`, the rest is kept for `read_inline`.
    pub readers: u32,
    /// Calls of `read` that may wait for a connection; one more is overload.
    pub read_queue: usize,
    /// Longest wait of `read` for a connection, in milliseconds; then it is overload.
    pub read_wait_ms: u64,
    /// Writes that may wait for the writer; one more is overload.
    pub write_queue: usize,
    /// Most writes that share one COMMIT.
    pub write_batch: usize,
    /// Page cache of each reader, in KiB; taken as it fills.
    pub reader_cache_kib: u32,
    /// Page cache of the writer, in KiB; taken as it fills.
    pub writer_cache_kib: u32,
    /// How long to wait for another process's lock, in milliseconds.
    pub busy_timeout_ms: u64,
    /// Closures that take at least this long are logged, in milliseconds.
    pub slow_query_ms: u64,
}

impl DbSettings {
    /// The defaults, for the database `path` and copies in `backups_dir`.
    pub fn new(path: impl Into<PathBuf>, backups_dir: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            backups_dir: backups_dir.into(),
            readers: 8,
            read_queue: 256,
            read_wait_ms: 5_000,
            write_queue: 4_096,
            write_batch: 512,
            reader_cache_kib: 1_024,
            writer_cache_kib: 4_096,
            busy_timeout_ms: 5_000,
            slow_query_ms: 100,
        }
    }
}
