//! Everything long-lived, built once from the configuration and handed to the features.

pub mod activity;
pub mod admin;
pub mod backup;
pub mod cache;
pub mod facts;
pub mod keys;
pub mod limits;
pub mod lists;
pub mod log;
pub mod media;
pub mod revoked;
pub mod state;
pub mod tls;
pub mod traffic;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;

use crate::base::bilingual::Bilingual;
use crate::base::clock::Clock;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::clients::image_api::{
    Dialect, ImageApiClient, ImageApiSettings, UpstreamConfig, Upstreams,
};
use crate::clients::wechat::push::PushKeys;
use crate::clients::wechat::{
    VirtualEnv, VirtualPayment, VirtualPaymentSettings, WechatClient, WechatSettings, Weixin,
};
use crate::clients::wechat_pay::{KeyProblem, PublicKey, WechatPay, WechatPaySettings};
use crate::config::upstreams::{ImageDialect, UpstreamEntry};
use crate::config::values::DatabaseUrl;
use crate::config::{Config, ConfigError, HttpConfig, ImageApiConfig};
use crate::db::{Db, DbSettings, MigrationStatus, OpenError, migration_status};

use activity::ActiveUsers;
use admin::AdminAccess;
use backup::{BackupPlace, BackupStartError};
use cache::LoadCache;
use facts::Facts;
use keys::{KeyError, Keys};
use limits::{LimitSettings, Limits};
use lists::{ListGeneration, ListSettings};
use log::LogControl;
use media::{Media, MediaStartError};
use revoked::RevokedIds;
use state::FeatureStates;
use tls::TlsBoard;
use traffic::{Events, Traffic};

/// How long a user stays in memory without being asked for anew.
const USER_LIFE: Duration = Duration::from_secs(3600);

/// Ended tokens and sessions kept in memory (about 100 bytes each) before the database is asked.
const REVOKED_MAX: usize = 200_000;

/// The name of the image API that is configured without a file.
const ONLY_UPSTREAM: &str = "default";

/// Where WeChat Pay sends what became of payments, and of refunds.
const PAYMENT_NOTIFY_PATH: &str = "/v1/payments/wechat/notify";
const REFUND_NOTIFY_PATH: &str = "/v1/payments/wechat/refund-notify";

/// Everything long-lived.
pub struct App {
    pub clock: Clock,
    pub rng: Rng,
    pub db: Db,
    pub wechat: WechatClient,
    /// Where it is configured.
    pub wechat_pay: Option<WechatPay>,
    /// WeChat's server calls that no login needs.
    pub weixin: Weixin,
    /// Virtual payment, when it is configured.
    pub virtual_payment: Option<VirtualPayment>,
    /// What message push is signed with; without it every push is refused.
    pub push: Option<PushKeys>,
    /// The image API for calls that are passed through.
    pub image_api: ImageApiClient,
    pub media: Media,
    /// The image APIs that make the pictures of jobs.
    pub upstreams: Upstreams,
    pub image_jobs: ImageJobSettings,
    pub limits: Arc<Limits>,
    pub keys: Keys,
    /// How administrators log in.
    pub admin: AdminAccess,
    pub revoked: RevokedIds,
    /// What the check of a token must know of its user.
    pub accounts: LoadCache<UserId, Account>,
    /// Users as they are answered.
    pub profiles: LoadCache<UserId, Profile>,
    /// How public lists are kept.
    pub lists: ListSettings,
    /// The state of what the lists of the gallery show.
    pub gallery: ListGeneration,
    /// Who is here today.
    pub activity: ActiveUsers,
    /// What is known about the server's own certificate.
    pub tls: TlsBoard,
    /// Where backups come from and go to; shared with the thread that makes one.
    pub backups: Arc<BackupPlace>,
    /// Where a file for a moment may lie: beside the database, on the same disk.
    pub scratch_dir: PathBuf,
    /// Requests and connections, counted.
    pub traffic: Arc<Traffic>,
    /// What became of jobs, orders and messages, counted.
    pub events: Events,
    /// What doctor needs to know of the configuration.
    pub facts: Facts,
    /// With less space than this on that disk, in bytes, it is almost full.
    pub min_free_bytes: u64,
    /// What is logged, as far as it can be changed.
    pub log: LogControl,
    /// What features keep in memory.
    pub states: FeatureStates,
}

/// What the configuration says about jobs.
#[derive(Clone, Debug)]
pub struct ImageJobSettings {
    /// Jobs running at once, over all image APIs.
    pub concurrency: u32,
    /// Jobs waiting, in all.
    pub queue_max: u32,
    /// Jobs of one user waiting.
    pub queue_max_per_user: u32,
    /// Key of the webhook's signatures; without one every call of it is refused.
    pub webhook_secret: Option<Secret<String>>,
}

/// What the check of a token must know of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Tokens of an older version are dead.
    pub token_version: i64,
    pub is_banned: bool,
}

/// A user as JSON, ready to send.
#[derive(Clone, Debug)]
pub struct Profile {
    pub json: Bytes,
    /// When the JSON stops being true by itself, because the membership ends.
    pub valid_until: Option<UnixMillis>,
}

/// Why the process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error("the client of the image API cannot be prepared")]
    Client(#[source] io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the threads for passwords cannot be prepared")]
    Passwords(#[source] io::Error),
    #[error("the client of WeChat Pay cannot be prepared")]
    WechatPay(#[from] KeyProblem),
    #[error(transparent)]
    Media(#[from] MediaStartError),
    #[error(transparent)]
    Backup(#[from] BackupStartError),
}

impl App {
    /// Opens the database, migrating it first, and prepares the clients.
    ///
    /// # Errors
    /// [`StartError`]. Settings that are not set stand empty: whoever serves checks them before.
    pub fn open(config: &Config, clock: Clock, rng: Rng) -> Result<Arc<Self>, StartError> {
        let db = Db::open(db_settings(config), &clock)?;
        Self::build(config, Facts::of(config), db, clock, rng)
    }

    /// Only to look: the database is opened if it is there and fits, and nothing is created beside it.
    /// `scratch` is an empty folder for what must lie somewhere.
    ///
    /// # Errors
    /// [`StartError`]; not for a database that is missing or does not fit, which the facts tell.
    pub fn open_to_look(
        config: &Config,
        scratch: PathBuf,
        clock: Clock,
        rng: Rng,
    ) -> Result<Arc<Self>, StartError> {
        let (mut facts, settings) = (Facts::of(config), db_settings(config));
        facts.database_problem = database_problem(&settings);
        let db = Db::open_to_look(&settings);
        let mut elsewhere = config.clone();
        // Pictures would be stored there; what is looked at stays what it is.
        elsewhere.storage.data_dir = scratch;
        elsewhere.storage.database_url = Some(DatabaseUrl::at(config.storage.database_path()));
        elsewhere.storage.backup_dir = Some(config.storage.backups_dir());
        Self::build(&elsewhere, facts, db, clock, rng)
    }

    fn build(
        config: &Config,
        facts: Facts,
        db: Db,
        clock: Clock,
        rng: Rng,
    ) -> Result<Arc<Self>, StartError> {
        let wechat = WechatClient::new(wechat_settings(config), clock.clone());
        let wechat_pay = wechat_pay_settings(config)?
            .map(|settings| WechatPay::new(settings, clock.clone(), rng.clone()))
            .transpose()?;
        let virtual_payment =
            virtual_payment_settings(config)?.map(|settings| wechat.virtual_payment(settings));
        let image_api =
            ImageApiClient::new(image_api_settings(config)).map_err(StartError::Client)?;
        let media = Media::open(config, &clock)?;
        let backups = BackupPlace::new(&config.storage, &config.media, &config.backup, &clock)?;
        let upstreams =
            Upstreams::new(upstream_configs(&config.image_api), clock.clone(), rng.clone())
                .map_err(StartError::Client)?;
        let nothing = Secret::new(String::new());
        let secret = config.security.jwt_secret.as_ref().unwrap_or(&nothing);
        let keys = Keys::new(secret, config.security.jwt_secret_previous.as_ref())?;
        let users = config.storage.user_cache_max;
        Ok(Arc::new(Self {
            clock,
            rng,
            db,
            weixin: wechat.weixin(),
            wechat,
            wechat_pay,
            virtual_payment,
            push: push_keys(config)?,
            image_api,
            media,
            upstreams,
            image_jobs: image_job_settings(&config.image_api),
            limits: Arc::new(Limits::new(limit_settings(&config.http))),
            keys,
            admin: AdminAccess::open(config).map_err(StartError::Passwords)?,
            revoked: RevokedIds::new(REVOKED_MAX),
            accounts: LoadCache::new(users, USER_LIFE),
            profiles: LoadCache::new(users, USER_LIFE),
            lists: list_settings(config),
            gallery: ListGeneration::default(),
            activity: ActiveUsers::default(),
            tls: TlsBoard::default(),
            backups: Arc::new(backups),
            scratch_dir: config.storage.data_dir.clone(),
            traffic: Arc::default(),
            events: Events::default(),
            facts,
            log: LogControl::default(),
            min_free_bytes: u64::from(config.storage.min_free_disk_mib) * 1024 * 1024,
            states: FeatureStates::default(),
        }))
    }
}

/// Why a database cannot be looked at, if so.
fn database_problem(settings: &DbSettings) -> Option<Bilingual> {
    if !settings.path.exists() {
        let path = settings.path.display();
        let (zh, en) = (format!("没有数据库 {path}"), format!("there is no database {path}"));
        return Some(Bilingual::new(zh, en));
    }
    match migration_status(&settings.path) {
        Err(err) => {
            let why = error_chain(&err);
            let (zh, en) = (format!("数据库打不开：{why}"), format!("it cannot be opened: {why}"));
            Some(Bilingual::new(zh, en))
        }
        Ok(MigrationStatus { current, latest, .. }) if current == latest => None,
        Ok(MigrationStatus { current, latest, .. }) => Some(Bilingual::new(
            format!("数据库的结构是第 {current} 版，本程序要的是第 {latest} 版"),
            format!("the database has schema {current}, this program has {latest}"),
        )),
    }
}

/// How `config` wants the database.
pub fn db_settings(config: &Config) -> DbSettings {
    let storage = &config.storage;
    DbSettings {
        readers: storage.db_readers,
        write_queue: storage.db_write_queue as usize,
        write_batch: storage.db_write_batch as usize,
        slow_query_ms: storage.db_slow_ms,
        ..DbSettings::new(storage.database_path(), storage.backups_dir())
    }
}

fn list_settings(config: &Config) -> ListSettings {
    let storage = &config.storage;
    ListSettings {
        max_bytes: u64::from(storage.list_cache_mib) * 1024 * 1024,
        life: Duration::from_secs(storage.cache_ttl_seconds),
        counts: Arc::default(),
    }
}

fn limit_settings(http: &HttpConfig) -> LimitSettings {
    LimitSettings {
        per_ip: http.rate_limit_per_ip,
        per_user: http.rate_limit_per_user,
        login_per_ip: http.rate_limit_login_per_ip,
        generate_per_user: http.rate_limit_generate_per_user,
        export_per_user: http.rate_limit_export_per_user,
        max_keys: http.rate_limit_max_keys as usize,
    }
}

fn wechat_settings(config: &Config) -> WechatSettings {
    let wechat = &config.wechat;
    WechatSettings {
        base: wechat.api_base.as_str().to_owned(),
        appid: wechat.appid.clone().unwrap_or_default(),
        secret: wechat.secret.clone().unwrap_or(Secret::new(String::new())),
        timeout: Duration::from_secs(wechat.timeout),
        concurrency: wechat.concurrency,
        queue: wechat.queue,
    }
}

/// `None` where WeChat Pay is not configured.
fn wechat_pay_settings(config: &Config) -> Result<Option<WechatPaySettings>, ConfigError> {
    let wechat_pay = &config.wechat_pay;
    let public_url = config.http.public_url();
    let settings = wechat_pay.account()?.map(|account| WechatPaySettings {
        base: wechat_pay.base.as_str().to_owned(),
        fallback_base: wechat_pay.fallback(),
        appid: config.wechat.appid.clone().unwrap_or_default(),
        mchid: account.mchid,
        merchant_serial: account.serial_no,
        merchant_key: account.private_key.der().clone(),
        apiv3_key: account.apiv3_key,
        public_key: account.public_key.map(|(id, key)| PublicKey { id, spki: key.spki().to_vec() }),
        notify_url: format!("{public_url}{PAYMENT_NOTIFY_PATH}"),
        refund_notify_url: format!("{public_url}{REFUND_NOTIFY_PATH}"),
        timeout: Duration::from_secs(wechat_pay.timeout),
        concurrency: wechat_pay.concurrency,
        queue: wechat_pay.queue,
    });
    Ok(settings)
}

fn virtual_payment_settings(
    config: &Config,
) -> Result<Option<VirtualPaymentSettings>, ConfigError> {
    let values = config.virtual_payment.values()?;
    Ok(values.map(|values| VirtualPaymentSettings {
        offer_id: values.offer_id,
        app_key: values.app_key,
        env: if values.sandbox { VirtualEnv::Sandbox } else { VirtualEnv::Live },
    }))
}

fn push_keys(config: &Config) -> Result<Option<PushKeys>, ConfigError> {
    let values = config.push.values()?;
    Ok(values.map(|values| PushKeys {
        appid: config.wechat.appid.clone().unwrap_or_default(),
        token: values.token,
        aes_key: values.aes_key,
    }))
}

fn image_api_settings(config: &Config) -> ImageApiSettings {
    let image_api = &config.image_api;
    ImageApiSettings {
        base: image_api.base.as_str().to_owned(),
        key: image_api.key.clone(),
        timeout: Duration::from_secs(image_api.timeout),
        concurrency: image_api.proxy_concurrency,
        queue: image_api.proxy_queue,
        max_answer_bytes: u64::from(image_api.proxy_max_answer_kib) * 1024,
    }
}

fn image_job_settings(image_api: &ImageApiConfig) -> ImageJobSettings {
    ImageJobSettings {
        concurrency: image_api.concurrency,
        queue_max: image_api.job_queue_max,
        queue_max_per_user: image_api.job_queue_max_per_user,
        webhook_secret: image_api.webhook_secret.clone(),
    }
}

/// The image APIs of the file, else the one of the settings.
fn upstream_configs(image_api: &ImageApiConfig) -> Vec<UpstreamConfig> {
    let entries = match &image_api.image_upstreams_path {
        Some(file) => file.entries().to_vec(),
        None => vec![UpstreamEntry {
            name: ONLY_UPSTREAM.to_owned(),
            base: image_api.base.clone(),
            key: image_api.key.clone(),
            dialect: image_api.dialect,
            model: None,
            weight: 1,
            concurrency: None,
        }],
    };
    let upstream = |entry: UpstreamEntry| UpstreamConfig {
        name: entry.name,
        base: entry.base.as_str().to_owned(),
        key: entry.key,
        dialect: match entry.dialect {
            ImageDialect::ImageSaas => Dialect::ImageSaas,
            ImageDialect::OpenaiImages => Dialect::OpenaiImages,
        },
        model: entry.model,
        weight: entry.weight,
        concurrency: entry.concurrency.unwrap_or(image_api.concurrency),
        timeout: Duration::from_secs(image_api.timeout),
        max_answer_bytes: u64::from(image_api.max_answer_kib) * 1024,
    };
    entries.into_iter().map(upstream).collect()
}
