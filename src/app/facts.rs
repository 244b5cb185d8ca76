//! What doctor and alerts need to know of the configuration: places, addresses, and how strong the
//! secrets are; never a secret itself.

use std::collections::HashSet;
use std::env;
use std::path::PathBuf;

use crate::base::bilingual::Bilingual;
use crate::base::secret::Secret;
use crate::clients::own_server::OwnServer;
use crate::config::Config;

/// Fewer different characters than this do not make a secret, however long it is.
const DISTINCT_MIN: usize = 10;

/// What a secret holds that was copied from a manual.
const PLACEHOLDERS: [&str; 6] =
    ["changeme", "change-me", "your-", "password", "openssl", "example"];

/// Files with keys, by the variables that name them.
const KEY_FILES: [&str; 3] =
    ["WECHAT_PAY_PRIVATE_KEY_PATH", "IMAGE_UPSTREAMS_PATH", "TLS_KEY_PATH"];

/// See the module.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The server that these settings make.
    pub own_server: OwnServer,
    /// Without a slash at the end.
    pub public_url: String,
    /// Where pictures are, when it is not here.
    pub media_base_url: Option<String>,
    /// The bucket's endpoint, when pictures lie in one.
    pub bucket_endpoint: Option<String>,
    pub wechat_api_base: String,
    pub data_dir: PathBuf,
    pub database: PathBuf,
    /// Files that nobody else may read.
    pub private_files: Vec<PathBuf>,
    pub min_free_disk_bytes: u64,
    /// Why a server would not start with these settings.
    pub settings_problem: Option<String>,
    /// Secrets that can be guessed, and why.
    pub weak_secrets: Vec<(&'static str, Bilingual)>,
    /// Why the database could not be opened, if doctor opened it by itself.
    pub database_problem: Option<Bilingual>,
    /// Whether WeChat Pay is trusted by its public key; otherwise by its certificates.
    pub has_pay_public_key: bool,
}

impl Facts {
    pub(super) fn of(config: &Config) -> Self {
        let security = &config.security;
        let secrets = [
            ("JWT_SECRET", security.jwt_secret.as_ref()),
            ("JWT_SECRET_PREVIOUS", security.jwt_secret_previous.as_ref()),
            ("METRICS_TOKEN", security.metrics_token.as_ref()),
            ("IMAGE_API_WEBHOOK_SECRET", config.image_api.webhook_secret.as_ref()),
        ];
        let weak =
            secrets.into_iter().filter_map(|(name, secret)| Some((name, weakness(secret?)?)));
        let bucket = config.media.s3().ok().flatten();
        let named = KEY_FILES.iter().filter_map(env::var_os).map(PathBuf::from);
        Self {
            own_server: OwnServer::new(
                config.listen(),
                config.tls.http_listen,
                config.is_tls_on(),
                config.public_host().as_deref(),
            ),
            public_url: config.http.public_url(),
            media_base_url: config.media.media_base_url.as_ref().map(|url| url.as_str().to_owned()),
            bucket_endpoint: bucket.map(|bucket| bucket.endpoint.as_str().to_owned()),
            wechat_api_base: config.wechat.api_base.as_str().to_owned(),
            data_dir: config.storage.data_dir.clone(),
            database: config.storage.database_path(),
            private_files: std::iter::once(PathBuf::from(".env")).chain(named).collect(),
            min_free_disk_bytes: u64::from(config.storage.min_free_disk_mib) * 1024 * 1024,
            settings_problem: config.check_production().err().map(|err| err.to_string()),
            weak_secrets: weak.collect(),
            database_problem: None,
            has_pay_public_key: config.wechat_pay.public_key_id.is_some(),
        }
    }
}

/// Why a secret can be guessed, if it can.
fn weakness(secret: &Secret<String>) -> Option<Bilingual> {
    let text = secret.expose();
    let distinct: HashSet<char> = text.chars().collect();
    let lower = text.to_ascii_lowercase();
    if text.len() < 16 {
        Some(Bilingual::new("太短", "is short"))
    } else if distinct.len() < DISTINCT_MIN {
        Some(Bilingual::new("只由几种字符组成", "repeats a few characters"))
    } else if PLACEHOLDERS.iter().any(|word| lower.contains(word)) {
        Some(Bilingual::new("像是手册里的示例", "looks like an example from a manual"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_told() {
        let of = |text: &str| Some(weakness(&Secret::new(text.to_owned()))?.en);
        assert_eq!(of("0123456789").as_deref(), Some("is short"));
        assert_eq!(of(&"abc".repeat(20)).as_deref(), Some("repeats a few characters"));
        let copied = "CHANGEME-0123456789-abcdefghijklm";
        assert_eq!(of(copied).as_deref(), Some("looks like an example from a manual"));
        assert_eq!(of("mYv0q3Qm7bR2sXk9ZtN4cW8eJ1hL6pD5"), None);
    }
}
