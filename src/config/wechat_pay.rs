//! The merchant's account at WeChat Pay: there whole or not at all.
//!
//! Keys are read and checked while the settings are, so that a wrong file stops the start with one
//! line and not the first payment with a riddle.

use std::fs::File;
use std::io::Read as _;

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use clap::Args;
use x509_parser::pem::Pem;

use super::parse::ConfigError;
use super::values::BaseUrl;
use crate::base::secret::Secret;

/// Where WeChat Pay is.
const BASE: &str = "https://api.mch.weixin.qq.com";

/// Where it also is, for when that cannot be reached (merchant documentation, "Disaster recovery").
const FALLBACK: &str = "https://api2.mch.weixin.qq.com";

/// A key file has 2 KB.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// The key decrypts with AES-256.
const APIV3_KEY_BYTES: usize = 32;

/// What signs answers of WeChat Pay has 2048 bits; so has what it takes from merchants.
const MIN_MODULUS_BYTES: usize = 256;

/// The merchant's account at WeChat Pay.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "WeChat Pay")]
pub struct WechatPayConfig {
    /// Number of the merchant. Without any of these there is no WeChat Pay.
    #[arg(
        id = "wechat_pay_mchid",
        long = "wechat-pay-mchid",
        env = "WECHAT_PAY_MCHID",
        value_name = "1900000001",
        value_parser = mchid
    )]
    pub mchid: Option<String>,

    /// Serial number of the merchant's API certificate, in hexadecimal.
    #[arg(
        id = "wechat_pay_serial_no",
        long = "wechat-pay-serial-no",
        env = "WECHAT_PAY_SERIAL_NO",
        value_name = "0123456789ABCDEF0123456789ABCDEF01234567",
        value_parser = serial_no
    )]
    pub serial_no: Option<String>,

    /// File of the merchant's private key (apiclient_key.pem).
    #[arg(
        id = "wechat_pay_private_key_path",
        long = "wechat-pay-private-key-path",
        env = "WECHAT_PAY_PRIVATE_KEY_PATH",
        value_name = "/etc/dream-bff/apiclient_key.pem",
        value_parser = MerchantKey::read
    )]
    pub private_key: Option<MerchantKey>,

    /// The APIv3 key: 32 characters, as set in the merchant console.
    #[arg(
        id = "wechat_pay_apiv3_key",
        long = "wechat-pay-apiv3-key",
        env = "WECHAT_PAY_APIV3_KEY",
        value_name = "0123456789abcdef0123456789abcdef",
        value_parser = apiv3_key,
        hide_env_values = true
    )]
    pub apiv3_key: Option<Secret<String>>,

    /// Id of WeChat Pay's public key. Without it WeChat Pay is trusted by its certificates.
    #[arg(
        id = "wechat_pay_public_key_id",
        long = "wechat-pay-public-key-id",
        env = "WECHAT_PAY_PUBLIC_KEY_ID",
        value_name = "PUB_KEY_ID_0119000000012025100900000000000001",
        value_parser = public_key_id
    )]
    pub public_key_id: Option<String>,

    /// File of WeChat Pay's public key (pub_key.pem).
    #[arg(
        id = "wechat_pay_public_key_path",
        long = "wechat-pay-public-key-path",
        env = "WECHAT_PAY_PUBLIC_KEY_PATH",
        value_name = "/etc/dream-bff/pub_key.pem",
        value_parser = PlatformKey::read
    )]
    pub public_key: Option<PlatformKey>,

    /// Address of WeChat Pay's API.
    #[arg(id = "wechat_pay_base", long = "wechat-pay-base", env = "WECHAT_PAY_BASE", default_value = BASE)]
    pub base: BaseUrl,

    /// Address to call when the first cannot be reached (default: WeChat Pay's second one, unless
    /// WECHAT_PAY_BASE is changed).
    #[arg(
        id = "wechat_pay_fallback_base",
        long = "wechat-pay-fallback-base",
        env = "WECHAT_PAY_FALLBACK_BASE",
        value_name = FALLBACK
    )]
    pub fallback_base: Option<BaseUrl>,

    /// Longest time one call to WeChat Pay may take, in seconds (1–60).
    #[arg(id = "wechat_pay_timeout", long = "wechat-pay-timeout", env = "WECHAT_PAY_TIMEOUT", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub timeout: u64,

    /// Calls to WeChat Pay in flight at once (1–1024).
    #[arg(id = "wechat_pay_concurrency", long = "wechat-pay-concurrency", env = "WECHAT_PAY_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: u32,

    /// Calls to WeChat Pay that may wait for a free place (0–100000); beyond it the answer is 503.
    #[arg(id = "wechat_pay_queue", long = "wechat-pay-queue", env = "WECHAT_PAY_QUEUE", default_value_t = 512, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub queue: u32,
}

/// A merchant's account, complete.
#[derive(Clone, Debug)]
pub struct MerchantAccount {
    pub mchid: String,
    /// Upper case.
    pub serial_no: String,
    pub private_key: MerchantKey,
    pub apiv3_key: Secret<String>,
    /// Id and key.
    pub public_key: Option<(String, PlatformKey)>,
}

impl WechatPayConfig {
    /// The account to use; `None` when there is none.
    ///
    /// # Errors
    /// When it is there in part only, or when a key is somebody else's.
    pub fn account(&self) -> Result<Option<MerchantAccount>, ConfigError> {
        let needed = [
            ("WECHAT_PAY_MCHID", self.mchid.is_some(), "1900000001"),
            (
                "WECHAT_PAY_SERIAL_NO",
                self.serial_no.is_some(),
                "0123456789ABCDEF0123456789ABCDEF01234567",
            ),
            (
                "WECHAT_PAY_PRIVATE_KEY_PATH",
                self.private_key.is_some(),
                "/etc/dream-bff/apiclient_key.pem",
            ),
            ("WECHAT_PAY_APIV3_KEY", self.apiv3_key.is_some(), "0123456789abcdef0123456789abcdef"),
        ];
        let pair = [
            (
                "WECHAT_PAY_PUBLIC_KEY_ID",
                self.public_key_id.is_some(),
                "PUB_KEY_ID_0119000000012025100900000000000001",
            ),
            ("WECHAT_PAY_PUBLIC_KEY_PATH", self.public_key.is_some(), "/etc/dream-bff/pub_key.pem"),
        ];
        let any = |group: &[(&str, bool, &str)]| group.iter().any(|(_, is_set, _)| *is_set);
        let is_wanted = any(&needed) || any(&pair);
        let missing_needed = needed.iter().find(|(_, is_set, _)| is_wanted && !is_set);
        let missing_half = pair.iter().find(|(_, is_set, _)| any(&pair) && !is_set);
        if let Some((name, _, example)) = missing_needed.or(missing_half) {
            return Err(ConfigError::missing(name, &format!("{name}={example}")));
        }
        let account = self.complete();
        if let Some(MerchantAccount { private_key, public_key: Some((_, key)), .. }) = &account
            && private_key.is_of(key)
        {
            return Err(ConfigError::wrong(
                "WECHAT_PAY_PUBLIC_KEY_PATH",
                "holds the merchant's own public key, not that of WeChat Pay",
                "WECHAT_PAY_PUBLIC_KEY_PATH=/etc/dream-bff/pub_key.pem",
            ));
        }
        Ok(account)
    }

    /// Where to call when `base` cannot be reached.
    pub fn fallback(&self) -> Option<String> {
        match &self.fallback_base {
            Some(fallback) => Some(fallback.as_str().to_owned()),
            // Never real WeChat Pay behind a simulated one.
            None => (self.base.as_str() == BASE).then(|| FALLBACK.to_owned()),
        }
    }

    fn complete(&self) -> Option<MerchantAccount> {
        Some(MerchantAccount {
            mchid: self.mchid.clone()?,
            serial_no: self.serial_no.clone()?,
            private_key: self.private_key.clone()?,
            apiv3_key: self.apiv3_key.clone()?,
            public_key: self.public_key_id.clone().zip(self.public_key.clone()),
        })
    }
}

/// The merchant's private key, which an RSA signature can be made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantKey(Secret<Vec<u8>>);

impl MerchantKey {
    /// The key in this text of a PEM file.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let pem = first_pem(text)?;
        match pem.label.as_str() {
            "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
            "CERTIFICATE" => {
                return Err("holds a certificate; the key is in apiclient_key.pem".to_owned());
            }
            "PUBLIC KEY" => {
                return Err("holds a public key; the private one is needed".to_owned());
            }
            "ENCRYPTED PRIVATE KEY" => return Err("holds a key behind a password".to_owned()),
            _ => return Err("holds no RSA key".to_owned()),
        }
        let key = Self(Secret::new(pem.contents));
        match key.pair() {
            None => Err("holds no RSA key".to_owned()),
            Some(pair) if pair.public_modulus_len() < MIN_MODULUS_BYTES => {
                Err("holds an RSA key of less than 2048 bits".to_owned())
            }
            Some(_) => Ok(key),
        }
    }

    /// DER of PKCS#8 or PKCS#1.
    pub fn der(&self) -> &Secret<Vec<u8>> {
        &self.0
    }

    fn read(path: &str) -> Result<Self, String> {
        Self::from_pem(&read(path)?)
    }

    fn pair(&self) -> Option<KeyPair> {
        let der = self.0.expose();
        KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)).ok()
    }

    /// Whether `public` is this key's other half. An SPKI ends with the key itself.
    fn is_of(&self, public: &PlatformKey) -> bool {
        self.pair().is_some_and(|pair| public.0.ends_with(pair.public_key().as_ref()))
    }
}

/// WeChat Pay's public key, which an RSA signature can be checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformKey(Vec<u8>);

impl PlatformKey {
    /// The key in this text of a PEM file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let pem = first_pem(text)?;
        match pem.label.as_str() {
            "PUBLIC KEY" => {}
            "CERTIFICATE" => {
                return Err("holds a certificate; WeChat Pay's key is in pub_key.pem".to_owned());
            }
            label if label.ends_with("PRIVATE KEY") => {
                return Err("holds a private key; WeChat Pay's public one is needed".to_owned());
            }
            _ => return Err("holds no public key".to_owned()),
        }
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &pem.contents)
            .map_err(|_| "holds no RSA key of 2048 bits or more".to_owned())?;
        Ok(Self(pem.contents))
    }

    /// DER of SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.0
    }

    fn read(path: &str) -> Result<Self, String> {
        Self::from_pem(&read(path)?)
    }
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text))
        .map_err(|err| format!("cannot be read: {err}"))?;
    Ok(text)
}

fn first_pem(text: &str) -> Result<Pem, String> {
    match Pem::iter_from_buffer(text.as_bytes()).next() {
        Some(Ok(pem)) => Ok(pem),
        _ => Err("is no PEM file".to_owned()),
    }
}

fn mchid(text: &str) -> Result<String, String> {
    match (6..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("must be the merchant's number: digits only".to_owned()),
    }
}

fn serial_no(text: &str) -> Result<String, String> {
    match (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_ascii_uppercase()),
        false => Err("must be hexadecimal, without colons".to_owned()),
    }
}

fn apiv3_key(text: &str) -> Result<Secret<String>, String> {
    match text.len() == APIV3_KEY_BYTES {
        true => Ok(Secret::new(text.to_owned())),
        false => Err(format!("must have {APIV3_KEY_BYTES} bytes, and has {}", text.len())),
    }
}

fn public_key_id(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match text.starts_with("PUB_KEY_ID_") && text.len() <= 64 && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("must begin with PUB_KEY_ID_".to_owned()),
    }
}

#[cfg(test)]
mod tests;
