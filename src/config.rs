//! The settings: one clap struct is flags, environment and `.env` at once, and the reference of all
//! three (`dream-bff serve --help`, `.env.example`).
//!
//! A value that is missing or malformed stops the start with one line that names the variable, what
//! is wrong and an example (see [`parse`]). The value name of a setting is its example.

pub mod acme;
pub mod admin;
pub mod backup;
pub mod credentials;
pub mod http;
pub mod image_api;
pub mod logging;
pub mod media;
pub mod parse;
pub mod push;
pub mod security;
pub mod storage;
pub mod tls;
pub mod upstreams;
pub mod values;
pub mod virtual_payment;
pub mod wechat;
pub mod wechat_pay;

#[cfg(test)]
mod env_example;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

pub use acme::AcmeConfig;
pub use admin::AdminConfig;
pub use backup::BackupConfig;
pub use http::HttpConfig;
pub use image_api::ImageApiConfig;
pub use logging::LogConfig;
pub use media::MediaConfig;
pub use parse::ConfigError;
pub use push::PushConfig;
pub use security::SecurityConfig;
pub use storage::StorageConfig;
pub use tls::TlsConfig;
pub use virtual_payment::VirtualPaymentConfig;
pub use wechat::WechatConfig;
pub use wechat_pay::WechatPayConfig;

/// Everything `serve` can be told.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub tls: TlsConfig,
    #[command(flatten)]
    pub acme: AcmeConfig,
    #[command(flatten)]
    pub storage: StorageConfig,
    #[command(flatten)]
    pub media: MediaConfig,
    #[command(flatten)]
    pub backup: BackupConfig,
    #[command(flatten)]
    pub security: SecurityConfig,
    #[command(flatten)]
    pub admin: AdminConfig,
    #[command(flatten)]
    pub wechat: WechatConfig,
    #[command(flatten)]
    pub wechat_pay: WechatPayConfig,
    #[command(flatten)]
    pub virtual_payment: VirtualPaymentConfig,
    #[command(flatten)]
    pub push: PushConfig,
    #[command(flatten)]
    pub image_api: ImageApiConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl Config {
    /// What no single value can tell: that a production start has all it needs.
    ///
    /// # Errors
    /// The first missing or weak setting.
    pub fn check_production(&self) -> Result<(), ConfigError> {
        let secret = self.security.jwt_secret.as_ref().ok_or_else(|| {
            ConfigError::missing("JWT_SECRET", "JWT_SECRET=$(openssl rand -base64 48)")
        })?;
        for (name, secret) in [
            ("JWT_SECRET", Some(secret)),
            ("JWT_SECRET_PREVIOUS", self.security.jwt_secret_previous.as_ref()),
        ] {
            if secret.is_some_and(|s| s.expose().len() < security::MIN_JWT_SECRET_BYTES) {
                return Err(ConfigError::wrong(
                    name,
                    "is shorter than 32 bytes, which can be guessed",
                    "JWT_SECRET=$(openssl rand -base64 48)",
                ));
            }
        }
        let token = self.security.metrics_token.as_ref();
        if token.is_some_and(|token| token.expose().len() < security::MIN_METRICS_TOKEN_BYTES) {
            return Err(ConfigError::wrong(
                "METRICS_TOKEN",
                "is shorter than 16 bytes, which can be guessed",
                "METRICS_TOKEN=$(openssl rand -hex 24)",
            ));
        }
        if self.wechat.appid.is_none() {
            return Err(ConfigError::missing("WECHAT_APPID", "WECHAT_APPID=wx0123456789abcdef"));
        }
        if self.wechat.secret.is_none() {
            return Err(ConfigError::missing(
                "WECHAT_SECRET",
                "WECHAT_SECRET=0123456789abcdef0123456789abcdef",
            ));
        }
        self.check_tls()?;
        self.media.s3()?;
        self.backup.bucket(&self.media)?;
        self.virtual_payment.values()?;
        self.push.values()?;
        self.check_wechat_pay()
    }

    /// WeChat Pay calls us back, over https and by a name.
    fn check_wechat_pay(&self) -> Result<(), ConfigError> {
        let is_real = self.wechat_pay.base.as_str().starts_with("https://");
        if self.wechat_pay.account()?.is_some()
            && is_real
            && !self.http.public_url().starts_with("https://")
        {
            return Err(ConfigError::wrong(
                "PUBLIC_URL",
                "must begin with https://, because WeChat Pay calls it",
                "PUBLIC_URL=https://api.example.com",
            ));
        }
        Ok(())
    }

    /// The address to listen on: `LISTEN`, else `PORT` on all addresses, else the default, which is
    /// the port of https when TLS is on.
    pub fn listen(&self) -> SocketAddr {
        let mut address = self.http.listen();
        if self.is_tls_on() && self.http.listen.is_none() && self.http.port.is_none() {
            address.set_port(tls::HTTPS_PORT);
        }
        address
    }

    /// Whether clients speak TLS with this server itself.
    pub fn is_tls_on(&self) -> bool {
        self.acme.is_on() || self.tls.tls_cert_path.is_some() || self.tls.tls_key_path.is_some()
    }

    /// The host of `PUBLIC_URL`, without its port; `None` when that is not set.
    pub fn public_host(&self) -> Option<String> {
        self.http.public_url.as_ref().map(values::PublicUrl::host)
    }

    /// Certificate and key, when TLS comes from files.
    pub fn tls_files(&self) -> Option<(PathBuf, PathBuf)> {
        self.tls.tls_cert_path.clone().zip(self.tls.tls_key_path.clone())
    }

    /// That the settings of TLS, ACME, the plain listener and the PROXY protocol fit together.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check_tls(&self) -> Result<(), ConfigError> {
        tls::check(self)
    }
}
