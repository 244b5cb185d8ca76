//! What the simulated WeChat Pay signs with: platform certificates, its public key, or either.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::{Keys, Signer};
use super::refusal::Refusal;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::listener::{Call, SIGNATURE};
use crate::sandbox::{beijing, crypto};

/// How a merchant trusts WeChat Pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// By certificates only, as merchants before October 2024 do.
    Certificates,
    /// By the public key only, as new ones do: there are no certificates to download.
    PublicKey,
    /// Switching: answers follow the request, notifications are signed by either.
    #[default]
    Mixed,
}

/// Which platform certificates are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Before: the older.
    Old,
    /// The overlap: both, and each signs at times.
    #[default]
    Both,
    /// After: the newer.
    New,
}

/// Signs; clones share the knobs.
#[derive(Clone, Debug)]
pub(super) struct Signing {
    pub(super) keys: &'static Keys,
    pub(super) rng: Rng,
    how: Arc<Mutex<(Trust, Rotation)>>,
}

/// The headers of a signed message.
pub(super) struct Signed {
    timestamp: String,
    nonce: String,
    pub(super) serial: String,
    pub(super) signature: String,
}

impl Signed {
    pub(super) fn list(self) -> [(&'static str, String); 5] {
        [
            ("wechatpay-timestamp", self.timestamp),
            ("wechatpay-nonce", self.nonce),
            ("wechatpay-serial", self.serial),
            (SIGNATURE, self.signature),
            ("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ]
    }
}

impl Signing {
    pub(super) fn new(keys: &'static Keys, rng: Rng) -> Self {
        Self { keys, rng, how: Arc::default() }
    }

    pub(super) fn trust(&self) -> Trust {
        self.how.lock().0
    }

    pub(super) fn set_trust(&self, trust: Trust) {
        self.how.lock().0 = trust;
    }

    pub(super) fn set_rotation(&self, rotation: Rotation) {
        self.how.lock().1 = rotation;
    }

    fn certificates(&self) -> &'static [Signer] {
        match self.how.lock().1 {
            Rotation::Old => &self.keys.platform[..1],
            Rotation::Both => &self.keys.platform,
            Rotation::New => &self.keys.platform[1..],
        }
    }

    fn any_certificate(&self) -> &'static Signer {
        let all = self.certificates();
        let at = self.rng.below(u64::try_from(all.len()).unwrap_or(1));
        &all[usize::try_from(at).unwrap_or_default()]
    }

    /// The key of a notification.
    pub(super) fn any_signer(&self) -> &'static Signer {
        match self.trust() {
            Trust::Certificates => self.any_certificate(),
            Trust::PublicKey => &self.keys.public_key,
            Trust::Mixed if self.rng.below(2) == 0 => &self.keys.public_key,
            Trust::Mixed => self.any_certificate(),
        }
    }

    /// The key of the answer to `call`, which may have asked for one.
    pub(super) fn signer_for(&self, call: &Call) -> Result<&'static Signer, Refusal> {
        let (wanted, trust) = (call.header("wechatpay-serial"), self.trust());
        let public = Some(&self.keys.public_key).filter(|_| trust != Trust::Certificates);
        let certificates = self.certificates().iter().filter(|_| trust != Trust::PublicKey);
        match wanted {
            // In this mode every request has to name the key it wants.
            "" if trust == Trust::PublicKey => {
                Err(Refusal::param("Wechatpay-Serial", "Http头缺少Wechatpay-Serial"))
            }
            "" => Ok(self.any_certificate()),
            _ => public
                .into_iter()
                .chain(certificates)
                .find(|signer| signer.id == wanted)
                .ok_or_else(|| Refusal::param("Wechatpay-Serial", "Wechatpay-Serial不正确")),
        }
    }

    /// The headers of a message with this body.
    pub(super) fn headers(&self, body: &[u8], at: UnixMillis, signer: &Signer) -> Signed {
        let timestamp = at.seconds().to_string();
        let nonce = crypto::hex(&self.rng.bytes::<16>());
        let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        let signature = signer.sign(&message);
        Signed { timestamp, nonce, serial: signer.id.clone(), signature }
    }

    /// The answer of `/v3/certificates`.
    pub(super) fn download(&self, apiv3_key: &[u8; 32]) -> Result<Value, Refusal> {
        if self.trust() == Trust::PublicKey {
            let text = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥";
            return Err(Refusal::no_resource(text));
        }
        let (from, until) = Signer::validity();
        let list = self.certificates().iter().map(|signer| {
            let nonce = crypto::hex(&self.rng.bytes::<6>());
            let mut sealing = [0; 12];
            sealing.copy_from_slice(nonce.as_bytes());
            let pem = signer.certificate_pem.as_bytes();
            json!({
                "serial_no": signer.id,
                "effective_time": beijing::rfc3339(from),
                "expire_time": beijing::rfc3339(until),
                "encrypt_certificate": {
                    "algorithm": "AEAD_AES_256_GCM",
                    "nonce": nonce,
                    "associated_data": "certificate",
                    "ciphertext": crypto::gcm_seal(apiv3_key, &sealing, "certificate", pem),
                },
            })
        });
        Ok(json!({ "data": list.collect::<Vec<_>>() }))
    }
}
