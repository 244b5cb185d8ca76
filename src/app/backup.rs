//! Where backups come from and where they go.

use std::io;
use std::path::PathBuf;

use url::Url;

use crate::base::clock::Clock;
use crate::clients::object_storage::{Archive, S3Settings};
use crate::config::backup::BackupConfig;
use crate::config::media::{S3Config, StorageKind};
use crate::config::{ConfigError, MediaConfig, StorageConfig};

/// Everything that a backup needs to know; no part of it needs the database to be open.
pub struct BackupPlace {
    /// The database file.
    pub database: PathBuf,
    /// Where backups lie on this machine.
    pub dir: PathBuf,
    /// The folder of pictures; `None` when they lie in object storage.
    pub media_dir: Option<PathBuf>,
    /// Whether pictures are kept with the backups by themselves.
    pub with_media: bool,
    /// The bucket for second copies.
    pub bucket: Option<Archive>,
    /// Hours between two backups; 0: none by itself.
    pub hours: u32,
    /// When, in minutes since midnight in Shanghai.
    pub at_minute: u32,
    /// At most so much later, in minutes.
    pub jitter_minutes: u32,
    /// Days between two drills; 0: none.
    pub drill_days: u32,
    /// Of backups on this machine, in the bucket, and of copies from before a migration.
    pub keep: Keep,
    pub bucket_keep: Keep,
    pub keep_migrations: u32,
    /// Most that is read or written in a second, in bytes.
    pub bytes_per_second: u64,
    /// Free space that is left to others, in bytes.
    pub reserve_bytes: u64,
}

/// How many backups are kept and how long.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub count: u32,
    pub days: u32,
}

/// Why backups cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupStartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the bucket for backups cannot be used")]
    Io(#[from] io::Error),
}

impl BackupPlace {
    /// As the settings have it. Nothing is made yet and nobody is asked.
    ///
    /// # Errors
    /// When the settings of the bucket are not complete.
    pub fn new(
        storage: &StorageConfig,
        media: &MediaConfig,
        backup: &BackupConfig,
        clock: &Clock,
    ) -> Result<Self, BackupStartError> {
        let bucket = match backup.bucket(media)? {
            Some(bucket) => {
                let prefix = backup.backup_s3_prefix.clone();
                Some(Archive::new(bucket_settings(bucket)?, prefix, clock.clone())?)
            }
            None => None,
        };
        let is_local = media.storage == StorageKind::Local;
        Ok(Self {
            database: storage.database_path(),
            dir: storage.backups_dir(),
            media_dir: is_local.then(|| storage.data_dir.join("media")),
            with_media: backup.backup_media,
            bucket,
            hours: backup.hours(),
            at_minute: backup.backup_at.minutes,
            jitter_minutes: backup.backup_jitter_minutes,
            drill_days: backup.backup_drill_days,
            keep: Keep { count: backup.backup_keep, days: backup.backup_keep_days },
            bucket_keep: Keep { count: backup.backup_s3_keep, days: backup.backup_s3_keep_days },
            keep_migrations: backup.backup_keep_migrations,
            bytes_per_second: u64::from(backup.backup_mib_per_second) * 1024 * 1024,
            reserve_bytes: u64::from(storage.min_free_disk_mib) * 1024 * 1024,
        })
    }
}

fn bucket_settings(bucket: S3Config) -> io::Result<S3Settings> {
    Ok(S3Settings {
        endpoint: Url::parse(bucket.endpoint.as_str()).map_err(io::Error::other)?,
        region: bucket.region,
        bucket: bucket.bucket,
        access_key_id: bucket.access_key_id,
        secret_access_key: bucket.secret_access_key,
        path_style: bucket.path_style,
        timeout: bucket.timeout,
        concurrency: bucket.concurrency,
        queue: 1,
        // The archive has a bound of its own.
        max_bytes: 0,
    })
}
