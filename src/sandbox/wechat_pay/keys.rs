//! The keys of the simulated WeChat Pay: the merchant's, two platform certificates in rotation and
//! the WeChat Pay public key.
//!
//! Real RSA keys of 2048 bits, made once per process: tests start many sandboxes, and nothing is
//! proven by making more. They protect nothing.

use std::fmt;
use std::sync::LazyLock;

use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SerialNumber};

use crate::base::time::UnixMillis;
use crate::sandbox::crypto::rsa_sign;

/// First and last day of every certificate. Long, so that no clock of a test is outside.
const YEARS: (i32, i32) = (2020, 2045);
/// The same as times: midnight UTC of the first of January.
const VALIDITY: (UnixMillis, UnixMillis) =
    (UnixMillis(1_577_836_800_000), UnixMillis(2_366_841_600_000));

static KEYS: LazyLock<Result<Keys, String>> = LazyLock::new(Keys::make);

/// Everything with a private part.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) merchant: Signer,
    /// The older and the newer platform certificate.
    pub(super) platform: [Signer; 2],
    pub(super) public_key: Signer,
}

/// A private key, and what others know it by.
pub(super) struct Signer {
    /// What `Wechatpay-Serial` or `serial_no` carries.
    pub(super) id: String,
    pub(super) private_pem: String,
    /// PEM of the certificate; empty for the public key.
    pub(super) certificate_pem: String,
    pub(super) public_pem: String,
    /// The public key as signature checks take it.
    pub(super) public_der: Vec<u8>,
    key: RsaKeyPair,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.id)
    }
}

impl Signer {
    /// Signs as v3 does, in base64.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        rsa_sign(&self.key, message)
    }

    /// The validity of its certificate.
    pub(super) const fn validity() -> (UnixMillis, UnixMillis) {
        VALIDITY
    }
}

impl Keys {
    /// The keys of this process.
    pub(super) fn get() -> Result<&'static Self, String> {
        KEYS.as_ref().map_err(Clone::clone)
    }

    fn make() -> Result<Self, String> {
        let certified = |name, serial| certified(name, serial).map_err(|err| err.to_string());
        Ok(Self {
            merchant: certified("Sandbox merchant", 1)?,
            platform: [certified("Sandbox platform A", 2)?, certified("Sandbox platform B", 3)?],
            public_key: Signer {
                id: "PUB_KEY_ID_0119000091912026010100000000000001".to_owned(),
                certificate_pem: String::new(),
                ..certified("Sandbox public key", 4)?
            },
        })
    }
}

fn certified(name: &str, number: u8) -> Result<Signer, Box<dyn std::error::Error>> {
    let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(YEARS.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(YEARS.1, 1, 1);
    // Twenty bytes, the first positive and not zero, as the real ones have.
    let serial: Vec<u8> = (0..20).map(|at| 0x5a ^ at ^ (number << 3)).collect();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let certificate = params.self_signed(&pair)?;
    let key = RsaKeyPair::from_pkcs8(pair.serialized_der())?;
    Ok(Signer {
        id: crate::sandbox::crypto::hex(&serial).to_uppercase(),
        private_pem: private_pem(pair.serialized_der()),
        certificate_pem: certificate.pem(),
        public_pem: pair.public_key_pem(),
        public_der: key.public_key().as_ref().to_vec(),
        key,
    })
}

/// PKCS#8, as the merchant tool gives it out.
fn private_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + "\n-----END PRIVATE KEY-----\n"
}
