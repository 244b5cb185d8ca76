//! Backups: when, where to, for how long.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::MediaConfig;
use super::media::S3Config;
use super::parse::ConfigError;
use super::values::BaseUrl;
use crate::base::secret::Secret;

/// Hours between two backups, where nothing else is said.
const HOURS: u32 = 24;

/// Backups: when, where to, for how long.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Backups")]
pub struct BackupConfig {
    /// Hours between two backups (0–168); 0 = none by itself. 24 when not set, 0 in the sandbox.
    #[arg(long, env = "BACKUP_HOURS", value_name = "24", value_parser = clap::value_parser!(u32).range(0..=168))]
    pub backup_hours: Option<u32>,

    /// Time of day of a backup in Asia/Shanghai; with fewer hours than 24 the others follow from it.
    #[arg(long, env = "BACKUP_AT", default_value = "04:10")]
    pub backup_at: TimeOfDay,

    /// A backup begins up to so many minutes late, by chance (0–120), so that many servers do not upload at once.
    #[arg(long, env = "BACKUP_JITTER_MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=120))]
    pub backup_jitter_minutes: u32,

    /// Backups kept (1–10000); the newest good one always is.
    #[arg(long, env = "BACKUP_KEEP", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub backup_keep: u32,

    /// Days that backups are kept (1–3650); the newest good one is kept longer.
    #[arg(long, env = "BACKUP_KEEP_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub backup_keep_days: u32,

    /// Copies from before a migration that are kept (1–100).
    #[arg(long, env = "BACKUP_KEEP_MIGRATIONS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub backup_keep_migrations: u32,

    /// Most that a backup reads or writes in a second, in MiB (1–10000), so that requests do not wait for the disk.
    #[arg(long, env = "BACKUP_MIB_PER_SECOND", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub backup_mib_per_second: u32,

    /// Whether pictures of STORAGE=local are kept with the backups too.
    #[arg(long, env = "BACKUP_MEDIA", default_value_t = false, action = clap::ArgAction::Set)]
    pub backup_media: bool,

    /// Days between two drills, which restore the newest backup for a try (0–90); 0 = none.
    #[arg(long, env = "BACKUP_DRILL_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=90))]
    pub backup_drill_days: u32,

    /// Bucket for a second copy of each backup; without one they stay on this machine.
    #[arg(long, env = "BACKUP_S3_BUCKET", value_name = "dream-backups-1250000000")]
    pub backup_s3_bucket: Option<String>,

    /// What the names in that bucket begin with; no two servers may share it.
    #[arg(long, env = "BACKUP_S3_PREFIX", default_value = "dream-bff/")]
    pub backup_s3_prefix: String,

    /// Its S3-compatible storage (default: S3_ENDPOINT).
    #[arg(long, env = "BACKUP_S3_ENDPOINT", value_name = "https://cos.ap-beijing.myqcloud.com")]
    pub backup_s3_endpoint: Option<BaseUrl>,

    /// Its region (default: S3_REGION).
    #[arg(long, env = "BACKUP_S3_REGION", value_name = "ap-beijing")]
    pub backup_s3_region: Option<String>,

    /// Key id for it (default: S3_ACCESS_KEY_ID).
    #[arg(long, env = "BACKUP_S3_ACCESS_KEY_ID", value_name = "AKID0123456789")]
    pub backup_s3_access_key_id: Option<String>,

    /// Secret for it (default: S3_SECRET_ACCESS_KEY).
    #[arg(
        long,
        env = "BACKUP_S3_SECRET_ACCESS_KEY",
        value_name = "0123456789abcdef",
        hide_env_values = true
    )]
    pub backup_s3_secret_access_key: Option<Secret<String>>,

    /// Whether its bucket stands in the path (default: S3_PATH_STYLE).
    #[arg(long, env = "BACKUP_S3_PATH_STYLE", value_name = "false")]
    pub backup_s3_path_style: Option<bool>,

    /// Backups kept there (1–10000).
    #[arg(long, env = "BACKUP_S3_KEEP", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub backup_s3_keep: u32,

    /// Days that backups are kept there (1–3650).
    #[arg(long, env = "BACKUP_S3_KEEP_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub backup_s3_keep_days: u32,
}

impl BackupConfig {
    /// Hours between two backups; 0 = none by itself.
    pub fn hours(&self) -> u32 {
        self.backup_hours.unwrap_or(HOURS)
    }

    /// The bucket for second copies, if there is one. What is not said of it is as for pictures.
    ///
    /// # Errors
    /// When the rest of it is neither said here nor there, or the prefix cannot be used.
    pub fn bucket(&self, media: &MediaConfig) -> Result<Option<S3Config>, ConfigError> {
        let Some(bucket) = self.backup_s3_bucket.clone() else { return Ok(None) };
        let prefix = &self.backup_s3_prefix;
        if prefix.starts_with('/') || !prefix.ends_with('/') || prefix.contains("//") {
            return Err(ConfigError::wrong(
                "BACKUP_S3_PREFIX",
                "must end with one slash and not begin with one",
                "BACKUP_S3_PREFIX=dream-bff/",
            ));
        }
        let endpoint = self.backup_s3_endpoint.clone().or_else(|| media.s3_endpoint.clone());
        let region = self.backup_s3_region.clone().or_else(|| media.s3_region.clone());
        let key_id =
            self.backup_s3_access_key_id.clone().or_else(|| media.s3_access_key_id.clone());
        let secret =
            self.backup_s3_secret_access_key.clone().or_else(|| media.s3_secret_access_key.clone());
        let missing =
            |name: &str, example: &str| ConfigError::missing(name, &format!("{name}={example}"));
        Ok(Some(S3Config {
            endpoint: endpoint.ok_or_else(|| {
                missing("BACKUP_S3_ENDPOINT", "https://cos.ap-beijing.myqcloud.com")
            })?,
            region: region.ok_or_else(|| missing("BACKUP_S3_REGION", "ap-beijing"))?,
            bucket,
            access_key_id: key_id
                .ok_or_else(|| missing("BACKUP_S3_ACCESS_KEY_ID", "AKID0123456789"))?,
            secret_access_key: secret
                .ok_or_else(|| missing("BACKUP_S3_SECRET_ACCESS_KEY", "0123456789abcdef"))?,
            path_style: self.backup_s3_path_style.unwrap_or(media.s3_path_style),
            timeout: Duration::from_secs(media.s3_timeout),
            concurrency: 1,
        }))
    }
}

/// A time of day in Asia/Shanghai.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay {
    /// Since midnight.
    pub minutes: u32,
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(hours, minutes)| {
            let is_short = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            if !is_short(hours) || !is_short(minutes) {
                return None;
            }
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(Self { minutes: hours * 60 + minutes })
        });
        parsed.ok_or_else(|| "is no time of day such as 04:10".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn configs(flags: &[&str]) -> (BackupConfig, MediaConfig) {
        let command = MediaConfig::augment_args(BackupConfig::augment_args(Command::new("test")));
        let matches = command.get_matches_from(std::iter::once(&"test").chain(flags));
        let backup = BackupConfig::from_arg_matches(&matches).unwrap();
        (backup, MediaConfig::from_arg_matches(&matches).unwrap())
    }

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        assert_eq!("04:10".parse::<TimeOfDay>().unwrap().minutes, 250);
        for bad in ["", "4:10", "24:00", "04:60", "04:1", "+4:10", "04:10:00", "0410"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bucket_of_its_own_takes_the_rest_from_the_pictures() {
        let bucket = |flags: &[&str]| {
            let (backup, media) = configs(flags);
            backup.bucket(&media)
        };
        assert!(bucket(&["--s3-bucket=pictures"]).unwrap().is_none());
        let err = bucket(&["--backup-s3-bucket=b"]).unwrap_err().to_string();
        assert!(err.starts_with("BACKUP_S3_ENDPOINT is not set"), "{err}");
        let whole = [
            "--backup-s3-bucket=b",
            "--s3-endpoint=https://x.example",
            "--s3-region=r",
            "--s3-access-key-id=k",
            "--backup-s3-access-key-id=other",
            "--s3-secret-access-key=hunter2",
        ];
        let found = bucket(&whole).unwrap().unwrap();
        assert_eq!((found.bucket.as_str(), found.access_key_id.as_str()), ("b", "other"));
        assert!(!format!("{found:?}").contains("hunter2"));
        for bad in ["", "/", "/a/", "a", "a//"] {
            let flag = format!("--backup-s3-prefix={bad}");
            let flags = [&whole[..], &[flag.as_str()]].concat();
            assert!(bucket(&flags).unwrap_err().to_string().starts_with("BACKUP_S3_PREFIX"));
        }
    }
}
