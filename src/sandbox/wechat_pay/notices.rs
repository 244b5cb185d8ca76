//! Notifications: sealed, signed, repeated on WeChat's schedule, and every way in which one goes
//! wrong.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::WechatPaySim;
use crate::base::time::UnixMillis;
use crate::sandbox::outbox::{Letter, Written};
use crate::sandbox::{beijing, crypto};

/// Seconds between the attempts to deliver a notification.
pub(super) const PAUSES: [i64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];
/// How old the stale ones are, in seconds.
const STALE: i64 = 600;

/// What happens to a notification. Where the first attempt is bad, those after it are genuine: a
/// server that accepts the bad one never sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Delivery {
    /// At once.
    #[default]
    Normal,
    /// Never.
    Lost,
    /// Late.
    Delayed {
        /// Milliseconds.
        ms: i64,
    },
    /// Several at once, all with the same id.
    Duplicated {
        /// How many.
        times: u32,
    },
    /// The body of the first was changed after it was signed.
    Tampered,
    /// The first names a key that nobody has.
    WrongSerial,
    /// The first was signed ten minutes ago.
    OldTimestamp,
    /// The first is sealed with another merchant's key, and signed well.
    WrongKey,
    /// A probe with a signature that cannot hold comes first.
    Probe,
    /// Genuine, about another amount.
    OtherAmount {
        /// Fen.
        fen: i64,
    },
    /// Genuine, about another payer.
    OtherPayer {
        /// The openid.
        openid: String,
    },
    /// Genuine, for another merchant's app.
    OtherApp,
}

/// What a notification tells.
pub(super) struct Notice {
    pub(super) url: String,
    pub(super) subject: String,
    pub(super) event: String,
    pub(super) original_type: &'static str,
    pub(super) summary: &'static str,
    pub(super) plaintext: Value,
    /// Milliseconds until it is due.
    pub(super) delay_ms: i64,
}

impl WechatPaySim {
    /// Posts `notice` in the way `delivery` says.
    pub(super) fn announce(&self, mut notice: Notice, delivery: Delivery) {
        let (mut copies, mut delay_ms) = (1, notice.delay_ms);
        let plaintext = &mut notice.plaintext;
        match &delivery {
            Delivery::Lost => return,
            Delivery::Delayed { ms } => delay_ms += (*ms).max(0),
            Delivery::Duplicated { times } => copies = (*times).min(50),
            Delivery::OtherAmount { fen } => {
                plaintext["amount"]["total"] = (*fen).into();
                plaintext["amount"]["payer_total"] = (*fen).into();
            }
            Delivery::OtherPayer { openid } => {
                plaintext["payer"]["openid"] = openid.as_str().into()
            }
            Delivery::OtherApp => plaintext["appid"] = "wx0000000000000000".into(),
            _ => {}
        }
        let id = uuid_like(&self.rng.bytes());
        let notice = Arc::new(notice);
        for _ in 0..copies {
            let (writer, of, id) = (self.writer(), Arc::clone(&notice), id.clone());
            let delivery = delivery.clone();
            let letter = Letter {
                subject: notice.subject.clone(),
                event: notice.event.clone(),
                url: notice.url.clone(),
                write: Box::new(move |attempt, now| {
                    let how = if attempt == 1 { delivery.clone() } else { Delivery::Normal };
                    writer.write(&of, &id, &how, now)
                }),
                is_accepted: |status, _| matches!(status, 200 | 204),
                on_accepted: Box::new(|| {}),
                pauses: &PAUSES,
            };
            self.outbox.post(letter, delay_ms);
        }
    }
}

/// What a notification is written with.
pub(super) struct Writer {
    pub(super) sim: super::Signing,
    pub(super) apiv3_key: [u8; 32],
}

impl Writer {
    fn write(&self, notice: &Notice, id: &str, how: &Delivery, now: UnixMillis) -> Written {
        let at = if *how == Delivery::OldTimestamp { now.plus_seconds(-STALE) } else { now };
        let nonce = crypto::hex(&self.sim.rng.bytes::<6>());
        let mut key = self.apiv3_key;
        if *how == Delivery::WrongKey {
            key[0] ^= 1;
        }
        let mut sealing = [0; 12];
        sealing.copy_from_slice(nonce.as_bytes());
        let plaintext = notice.plaintext.to_string();
        let body = json!({
            "id": id,
            "create_time": beijing::rfc3339(now),
            "resource_type": "encrypt-resource",
            "event_type": notice.event,
            "summary": notice.summary,
            "resource": {
                "original_type": notice.original_type,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": crypto::gcm_seal(&key, &sealing, notice.original_type, plaintext.as_bytes()),
                "associated_data": notice.original_type,
                "nonce": nonce,
            },
        });
        let mut body = body.to_string().into_bytes();
        let mut signed = self.sim.headers(&body, at, self.sim.any_signer());
        match how {
            Delivery::Tampered => body.push(b' '),
            Delivery::WrongSerial => signed.serial = "5A".repeat(20),
            Delivery::Probe => {
                signed.signature = format!("WECHATPAY/SIGNTEST/{}", signed.signature)
            }
            _ => {}
        }
        let headers = signed.list().into_iter();
        let json = ("Content-Type", "application/json".to_owned());
        Written { query: String::new(), headers: headers.chain([json]).collect(), body }
    }
}

/// `8-4-4-4-12` hexadecimal digits.
fn uuid_like(bytes: &[u8; 16]) -> String {
    let text = crypto::hex(bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
