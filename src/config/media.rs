//! Pictures: where they lie, how large they may be, what working on them may cost.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parse::ConfigError;
use super::values::{BaseUrl, PublicUrl};
use crate::base::secret::Secret;

/// Where pictures lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StorageKind {
    /// In DATA_DIR/media.
    Local,
    /// In S3-compatible storage.
    S3,
}

/// Pictures: where they lie, how large they may be, what working on them may cost.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Media")]
pub struct MediaConfig {
    /// Where pictures lie: local (DATA_DIR/media) or s3.
    #[arg(long, env = "STORAGE", default_value = "local")]
    pub storage: StorageKind,

    /// S3-compatible storage, without the bucket.
    #[arg(long, env = "S3_ENDPOINT", value_name = "https://cos.ap-shanghai.myqcloud.com")]
    pub s3_endpoint: Option<BaseUrl>,

    /// Region of the bucket.
    #[arg(long, env = "S3_REGION", value_name = "ap-shanghai")]
    pub s3_region: Option<String>,

    /// Name of the bucket.
    #[arg(long, env = "S3_BUCKET", value_name = "dream-1250000000")]
    pub s3_bucket: Option<String>,

    /// Key id for the bucket (COS: SecretId).
    #[arg(long, env = "S3_ACCESS_KEY_ID", value_name = "AKID0123456789")]
    pub s3_access_key_id: Option<String>,

    /// Secret for the bucket (COS: SecretKey).
    #[arg(
        long,
        env = "S3_SECRET_ACCESS_KEY",
        value_name = "0123456789abcdef",
        hide_env_values = true
    )]
    pub s3_secret_access_key: Option<Secret<String>>,

    /// Whether the bucket stands in the path (true: MinIO) or in the host name (false: COS, AWS).
    #[arg(long, env = "S3_PATH_STYLE", default_value_t = false, action = clap::ArgAction::Set)]
    pub s3_path_style: bool,

    /// Longest time for one call to the object storage, in seconds (1–600).
    #[arg(long, env = "S3_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub s3_timeout: u64,

    /// Calls to the object storage in flight at once (1–1000).
    #[arg(long, env = "S3_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub s3_concurrency: u32,

    /// Address under which clients find pictures (default: PUBLIC_URL and /media): this server, or
    /// a bucket or CDN that answers the same keys.
    #[arg(long, env = "MEDIA_BASE_URL", value_name = "https://img.example.com")]
    pub media_base_url: Option<PublicUrl>,

    /// Largest picture that is fetched from the image API, in MiB (1–256).
    #[arg(long, env = "MEDIA_MAX_MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub media_max_mib: u32,

    /// Largest picture that is uploaded, in KiB (16–65536).
    #[arg(long, env = "UPLOAD_MAX_KIB", default_value_t = 10_240, value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub upload_max_kib: u32,

    /// Most pixels of a picture, in millions (1–200). Working on one takes up to 9 bytes a pixel.
    #[arg(long, env = "MEDIA_MAX_MEGAPIXELS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub media_max_megapixels: u32,

    /// Pictures that one user may upload in a day (1–100000).
    #[arg(long, env = "UPLOADS_PER_DAY", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub uploads_per_day: u32,

    /// Pictures worked on at once (1–64).
    #[arg(long, env = "MEDIA_WORKERS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub media_workers: u32,

    /// Pictures that may wait to be worked on (0–10000); beyond it the answer is 503.
    #[arg(long, env = "MEDIA_QUEUE", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub media_queue: u32,

    /// Longest time for fetching one picture, in seconds (1–600).
    #[arg(long, env = "MEDIA_FETCH_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub media_fetch_timeout: u64,

    /// Pictures fetched at once (1–256).
    #[arg(long, env = "MEDIA_FETCH_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub media_fetch_concurrency: u32,

    /// How long a picture that nothing needs any more is kept, in hours (1–8760).
    #[arg(long, env = "MEDIA_UNUSED_HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8760))]
    pub media_unused_hours: u32,
}

/// A bucket, complete.
#[derive(Clone, Debug)]
pub struct S3Config {
    pub endpoint: BaseUrl,
    pub region: String,
    pub bucket: String,
    pub access_key_id: String,
    pub secret_access_key: Secret<String>,
    pub path_style: bool,
    pub timeout: Duration,
    pub concurrency: u32,
}

impl MediaConfig {
    /// The bucket to use; `None` for the local folder.
    ///
    /// # Errors
    /// When the settings of the bucket are there in part only, or missing for `STORAGE=s3`.
    pub fn s3(&self) -> Result<Option<S3Config>, ConfigError> {
        let all = [
            ("S3_ENDPOINT", self.s3_endpoint.is_some(), "https://cos.ap-shanghai.myqcloud.com"),
            ("S3_REGION", self.s3_region.is_some(), "ap-shanghai"),
            ("S3_BUCKET", self.s3_bucket.is_some(), "dream-1250000000"),
            ("S3_ACCESS_KEY_ID", self.s3_access_key_id.is_some(), "AKID0123456789"),
            ("S3_SECRET_ACCESS_KEY", self.s3_secret_access_key.is_some(), "0123456789abcdef"),
        ];
        let is_wanted = self.storage == StorageKind::S3 || all.iter().any(|(_, is_set, _)| *is_set);
        if let Some((name, _, example)) = all.iter().find(|(_, is_set, _)| is_wanted && !is_set) {
            return Err(ConfigError::missing(name, &format!("{name}={example}")));
        }
        if self.storage == StorageKind::Local {
            return Ok(None);
        }
        Ok(self.bucket())
    }

    fn bucket(&self) -> Option<S3Config> {
        Some(S3Config {
            endpoint: self.s3_endpoint.clone()?,
            region: self.s3_region.clone()?,
            bucket: self.s3_bucket.clone()?,
            access_key_id: self.s3_access_key_id.clone()?,
            secret_access_key: self.s3_secret_access_key.clone()?,
            path_style: self.s3_path_style,
            timeout: Duration::from_secs(self.s3_timeout),
            concurrency: self.s3_concurrency,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn config(flags: &[&str]) -> MediaConfig {
        let command = MediaConfig::augment_args(Command::new("test"));
        let matches = command.get_matches_from(std::iter::once(&"test").chain(flags));
        MediaConfig::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_bucket_is_there_whole_or_not_at_all() {
        assert!(config(&[]).s3().unwrap().is_none());
        let missing = config(&["--storage=s3"]).s3().unwrap_err().to_string();
        assert!(missing.starts_with("S3_ENDPOINT is not set"), "{missing}");
        let part = config(&["--s3-bucket=b", "--s3-endpoint=https://x.example"]).s3().unwrap_err();
        assert!(part.to_string().starts_with("S3_REGION is not set"), "{part}");
        let whole = [
            "--s3-endpoint=https://x.example",
            "--s3-region=r",
            "--s3-bucket=b",
            "--s3-access-key-id=k",
            "--s3-secret-access-key=hunter2",
        ];
        assert!(config(&whole).s3().unwrap().is_none(), "named, but not switched on");
        let on = config(&[&whole[..], &["--storage=s3"]].concat()).s3().unwrap().unwrap();
        assert_eq!((on.bucket.as_str(), on.path_style), ("b", false));
        assert!(!format!("{on:?}").contains("hunter2"));
    }
}
