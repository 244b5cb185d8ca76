//! What working with pictures needs: the storage, the fetcher, the threads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::base::clock::Clock;
use crate::base::cpu_pool::CpuPool;
use crate::clients::fetch::{FetchSettings, Fetcher};
use crate::clients::object_storage::{LocalStorage, ObjectStorage, S3Settings, S3Storage};
use crate::config::media::S3Config;
use crate::config::{Config, ConfigError, MediaConfig, StorageConfig};

/// Fetches that may wait for each one that runs; the pictures' own queue is the tighter bound.
const FETCH_QUEUE_FACTOR: u32 = 32;

/// Calls to the object storage that may wait for each one that runs.
const STORAGE_QUEUE_FACTOR: u32 = 32;

/// Everything long-lived about pictures.
pub struct Media {
    pub storage: Arc<dyn ObjectStorage>,
    pub fetcher: Fetcher,
    /// Decoding and encoding.
    pub pool: CpuPool,
    /// Under which clients find pictures, without a slash at the end.
    pub base_url: String,
    /// Where this server itself answers them, without a slash at the end.
    pub own_url: String,
    pub limits: MediaLimits,
}

/// What pictures may be.
#[derive(Clone, Copy, Debug)]
pub struct MediaLimits {
    /// Of one picture, decoded.
    pub max_pixels: u64,
    /// Of a result, in bytes.
    pub max_bytes: usize,
    /// Of an upload, in bytes.
    pub max_upload_bytes: usize,
    /// New uploads of one user in a day.
    pub uploads_per_day: u32,
    /// How long what nobody holds is kept.
    pub unused_for: Duration,
}

/// Why pictures cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum MediaStartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the media storage cannot be prepared")]
    Io(#[from] io::Error),
}

impl Media {
    pub(super) fn open(config: &Config, clock: &Clock) -> Result<Self, MediaStartError> {
        let media = &config.media;
        let own_url = format!("{}/media", config.http.public_url());
        let max_bytes = max_bytes(media);
        let storage = open_storage(&config.storage, media, clock)?;
        let fetcher = Fetcher::new(&FetchSettings {
            timeout: Duration::from_secs(media.media_fetch_timeout),
            concurrency: media.media_fetch_concurrency,
            queue: media.media_fetch_concurrency.saturating_mul(FETCH_QUEUE_FACTOR),
            max_bytes: max_bytes as u64,
            trusted: upstream_addresses(config),
        });
        Ok(Self {
            storage,
            fetcher,
            pool: CpuPool::new("media", media.media_workers as usize, media.media_queue as usize)?,
            base_url: base_url(media, &config.http.public_url()),
            own_url,
            limits: MediaLimits {
                max_pixels: u64::from(media.media_max_megapixels) * 1_000_000,
                max_bytes,
                max_upload_bytes: media.upload_max_kib as usize * 1024,
                uploads_per_day: media.uploads_per_day,
                unused_for: Duration::from_secs(u64::from(media.media_unused_hours) * 3600),
            },
        })
    }
}

/// The storage that the settings name.
///
/// # Errors
/// When settings of the bucket are missing, or the folder cannot be used.
pub fn open_storage(
    storage: &StorageConfig,
    media: &MediaConfig,
    clock: &Clock,
) -> Result<Arc<dyn ObjectStorage>, MediaStartError> {
    Ok(match media.s3()? {
        Some(bucket) => {
            Arc::new(S3Storage::new(s3_settings(bucket, max_bytes(media))?, clock.clone())?)
        }
        None => Arc::new(LocalStorage::open(storage.data_dir.join("media"), clock)?),
    })
}

/// Under which clients of the server at `public_url` find pictures, without a slash at the end.
pub fn base_url(media: &MediaConfig, public_url: &str) -> String {
    match &media.media_base_url {
        Some(url) => url.as_str().to_owned(),
        None => format!("{public_url}/media"),
    }
}

fn max_bytes(media: &MediaConfig) -> usize {
    media.media_max_mib as usize * 1024 * 1024
}

/// The image APIs whose links are followed wherever they lead: those that make the pictures of jobs.
fn upstream_addresses(config: &Config) -> Vec<Url> {
    let image_api = &config.image_api;
    let bases = match &image_api.image_upstreams_path {
        Some(file) => file.entries().iter().map(|entry| &entry.base).collect(),
        None => vec![&image_api.base],
    };
    bases.into_iter().filter_map(|base| Url::parse(base.as_str()).ok()).collect()
}

fn s3_settings(bucket: S3Config, max_bytes: usize) -> io::Result<S3Settings> {
    Ok(S3Settings {
        endpoint: Url::parse(bucket.endpoint.as_str()).map_err(io::Error::other)?,
        region: bucket.region,
        bucket: bucket.bucket,
        access_key_id: bucket.access_key_id,
        secret_access_key: bucket.secret_access_key,
        path_style: bucket.path_style,
        timeout: bucket.timeout,
        concurrency: bucket.concurrency,
        queue: bucket.concurrency.saturating_mul(STORAGE_QUEUE_FACTOR),
        max_bytes: max_bytes as u64,
    })
}
