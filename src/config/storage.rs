//! Where data lives and how the database is run.

use std::path::PathBuf;

use clap::Args;

use super::values::DatabaseUrl;

/// Where data lives and how the database is run.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct StorageConfig {
    /// Folder of the database, media and backups.
    #[arg(long, env = "DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// The database (default: sqlite:// and DATA_DIR/dream.db).
    #[arg(long, env = "DATABASE_URL", value_name = "sqlite://data/dream.db")]
    pub database_url: Option<DatabaseUrl>,

    /// Folder of the backups and of copies from before a migration (default: DATA_DIR/backups); best on another disk.
    #[arg(long, env = "BACKUP_DIR", value_name = "/var/backups/dream-bff")]
    pub backup_dir: Option<PathBuf>,

    /// Database connections for reading (2–64).
    #[arg(long, env = "DB_READERS", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=64))]
    pub db_readers: u32,

    /// Writes that may wait for the writer (16–1000000); beyond it the answer is 503.
    #[arg(long, env = "DB_WRITE_QUEUE", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub db_write_queue: u32,

    /// Writes that share one commit at most (1–10000).
    #[arg(long, env = "DB_WRITE_BATCH", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub db_write_batch: u32,

    /// Database calls slower than this are logged, in milliseconds (1–60000).
    #[arg(long, env = "DB_SLOW_MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub db_slow_ms: u64,

    /// Below this much free disk space the server says that it is not ready, in MiB (0–1000000).
    #[arg(long, env = "MIN_FREE_DISK_MIB", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub min_free_disk_mib: u32,

    /// Users kept in memory, ready to send (100–10000000).
    #[arg(long, env = "USER_CACHE_MAX", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    pub user_cache_max: u64,

    /// Public lists are read anew after so many seconds, besides when they change (1–86400).
    #[arg(long, env = "CACHE_TTL_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub cache_ttl_seconds: u64,

    /// Public lists kept in memory, ready to send, in MiB (1–4096).
    #[arg(long, env = "LIST_CACHE_MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub list_cache_mib: u32,
}

impl StorageConfig {
    /// The database file.
    pub fn database_path(&self) -> PathBuf {
        match &self.database_url {
            Some(url) => url.path().to_owned(),
            None => self.data_dir.join("dream.db"),
        }
    }

    /// Where backups lie on this machine, and copies from before migrations.
    pub fn backups_dir(&self) -> PathBuf {
        self.backup_dir.clone().unwrap_or_else(|| self.data_dir.join("backups"))
    }
}
