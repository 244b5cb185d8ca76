//! What `serve --sandbox` changes in the settings, and what it tells a newcomer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::base::secret::Secret;
use crate::config::upstreams::ImageDialect;
use crate::config::values::{BaseUrl, DatabaseUrl};
use crate::config::wechat_pay::{MerchantKey, PlatformKey};
use crate::config::{Config, ConfigError, StorageConfig, push};
use crate::sandbox::{MessagePush, Sandbox, SandboxSettings, VirtualPaymentSim, Webhook};
use crate::sandbox::{WechatPaySim, WechatSim};

/// The sandbox lets anybody in as anybody, so its secret protects nothing; being fixed, it keeps
/// logins valid over a restart.
const JWT_SECRET: &str = "sandbox-secret-that-protects-nothing-at-all";

/// The owner of a fresh sandbox. Fixed for the same reason; it is printed at every start.
pub(super) const ADMIN_NAME: &str = "admin";
pub(super) const ADMIN_PASSWORD: &str = "sandbox-play-2026";

/// Signs the simulated image API's webhook.
const WEBHOOK_SECRET: &str = "sandbox-webhook-secret";

/// Settings that say that this machine serves real users.
const PRODUCTION_VARIABLES: [&str; 6] =
    ["WECHAT_SECRET", "WECHAT_PAY_", "WECHAT_VIRTUAL_PAY_", "WECHAT_PUSH_", "S3_", "BACKUP_S3_"];

/// The settings of a sandbox: simulators instead of WeChat, WeChat Pay and the image API, its own database
/// file, and this machine only unless `LISTEN` says otherwise.
///
/// # Errors
/// When production credentials are set: a sandbox beside real money is a mistake.
pub(super) fn settings(mut config: Config) -> Result<Config, ConfigError> {
    if let Some(name) = production_variable(&config) {
        return Err(ConfigError::wrong(
            &name,
            "is set, and a sandbox must not run with production credentials",
            &format!("env -u {name} dream-bff serve --sandbox"),
        ));
    }
    config.storage.database_url = Some(database(&config.storage));
    // What it holds is worth nothing; `dream-bff backup --sandbox` copies it all the same.
    config.backup.backup_hours.get_or_insert(0);
    let port = config.http.listen().port();
    config.http.listen.get_or_insert(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    config.security.jwt_secret.get_or_insert_with(|| Secret::new(JWT_SECRET.to_owned()));
    config.wechat.appid = Some(WechatSim::APPID.to_owned());
    config.wechat.secret = Some(Secret::new(WechatSim::SECRET.to_owned()));
    config.image_api.webhook_secret = Some(Secret::new(WEBHOOK_SECRET.to_owned()));
    Ok(config)
}

/// The database of a sandbox.
pub(super) fn database(storage: &StorageConfig) -> DatabaseUrl {
    DatabaseUrl::at(storage.data_dir.join("sandbox.db"))
}

/// What the simulators start with, so that they reach the server that `config` describes.
pub(super) fn simulators(config: &Config) -> SandboxSettings {
    let webhook = Webhook {
        url: format!("{}/v1/webhooks/image-api", config.http.public_url()),
        secret: Secret::new(WEBHOOK_SECRET.to_owned()),
    };
    let push_url = format!("{}/v1/wechat/push", config.http.public_url());
    SandboxSettings {
        webhook: Some(webhook),
        push_url: Some(push_url),
        ..SandboxSettings::default()
    }
}

/// Points the settings at running simulators.
///
/// # Errors
/// Never for addresses and keys that the simulators give.
pub(super) fn point_at(config: &mut Config, sandbox: &Sandbox) -> Result<(), ConfigError> {
    config.wechat.api_base = base(sandbox.wechat().base())?;
    point_payment_at(config, sandbox.wechat_pay())?;
    config.image_api.base = base(sandbox.image_api().base())?;
    config.image_api.key = Some(Secret::new(sandbox.image_api().api_key().to_owned()));
    config.image_api.dialect = ImageDialect::ImageSaas;
    config.image_api.image_upstreams_path = None;
    // As many as it takes at once: more would only be refused and tried again.
    let places = sandbox.image_api().concurrency();
    if places > 0 {
        config.image_api.concurrency = config.image_api.concurrency.min(places);
    }
    Ok(())
}

/// Both payment channels, and the message push that one of them delivers by.
fn point_payment_at(config: &mut Config, pay: &WechatPaySim) -> Result<(), ConfigError> {
    let account = &mut config.wechat_pay;
    account.base = base(pay.base())?;
    account.fallback_base = None;
    account.mchid = Some(WechatPaySim::MCHID.to_owned());
    account.serial_no = Some(pay.merchant_serial().to_owned());
    account.apiv3_key = Some(Secret::new(WechatPaySim::APIV3_KEY.to_owned()));
    let wrong = |problem: String| ConfigError::wrong("sandbox", &problem, "a key of its own");
    let private_key = MerchantKey::from_pem(pay.merchant_private_key_pem()).map_err(wrong)?;
    account.private_key = Some(private_key);
    account.public_key_id = Some(pay.public_key_id().to_owned());
    account.public_key = Some(PlatformKey::from_pem(pay.public_key_pem()).map_err(wrong)?);

    config.virtual_payment.offer_id = Some(VirtualPaymentSim::OFFER_ID.to_owned());
    let app_key = match config.virtual_payment.sandbox {
        true => VirtualPaymentSim::SANDBOX_APP_KEY,
        false => VirtualPaymentSim::APP_KEY,
    };
    config.virtual_payment.app_key = Some(Secret::new(app_key.to_owned()));
    config.push.token = Some(Secret::new(MessagePush::TOKEN.to_owned()));
    config.push.aes_key = Some(push::aes_key(MessagePush::AES_KEY).map_err(wrong)?);
    Ok(())
}

fn base(text: String) -> Result<BaseUrl, ConfigError> {
    text.parse()
        .map_err(|problem: String| ConfigError::wrong("sandbox", &problem, "http://127.0.0.1:1"))
}

fn production_variable(config: &Config) -> Option<String> {
    let in_environment = std::env::vars_os().find_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_production = PRODUCTION_VARIABLES.iter().any(|prefix| {
            if prefix.ends_with('_') { name.starts_with(prefix) } else { name == *prefix }
        });
        (is_production && !value.is_empty()).then_some(name)
    });
    in_environment.or_else(|| config.wechat.secret.is_some().then(|| "WECHAT_SECRET".to_owned()))
}

/// What a newcomer may do next, ready to paste.
pub(super) fn banner(base: &str) -> String {
    format!(
        r#"
  ==========================================================================
   SANDBOX: simulated WeChat, payment and image API. Never for real users.  
  ==========================================================================

   API documents   {base}/api/docs
   Control page    {base}{control}
   Payments        {base}{control}/pay
   Admin page      {base}/admin   name {ADMIN_NAME}, password {ADMIN_PASSWORD}

   Paste these three lines into another terminal:

   TOKEN=$(curl -s {base}/v1/auth/wechat-login -H 'Content-Type: application/json' -d '{{"code":"dev-alice"}}' | grep -o '"token":"[^"]*' | cut -d'"' -f4); echo "token: $TOKEN"
   JOB=$(curl -s {base}/v1/proxy/images/generate -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"prompt":"月光下的山水，水墨画"}}' | grep -o '"jobId":"[^"]*' | cut -d'"' -f4); echo "job: $JOB"
   until URL=$(curl -s {base}/v1/proxy/jobs/$JOB -H "Authorization: Bearer $TOKEN" | grep -o 'http[^"]*png'); do sleep 1; done; curl -s -o dream.png "$URL" && echo "picture: dream.png"

   And these, to buy a year of membership as alice does; no money moves:

   ORDER=$(curl -s {base}/v1/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"planId":"vip_year","paymentMethod":"wechat"}}' | grep -o '"orderId":"[^"]*' | cut -d'"' -f4); echo "order: $ORDER"
   curl -s {base}{control}/api/pay -H 'Content-Type: application/json' -d '{{"outTradeNo":"'$ORDER'"}}'; echo
   curl -s "{base}/v1/orders/$ORDER?sync=true" -H "Authorization: Bearer $TOKEN" | grep -o '"status":"[^"]*"'
"#,
        control = Sandbox::CONTROL_PATH
    )
}
