//! WeChat's side of message push, written from its documentation: seals and signs as WeChat does.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Answer, TestApp};

pub(super) const TOKEN: &str = "xnfkz1jkdc7yb25enhlq";
pub(super) const AES_KEY: &str = "YXD0WG6bqGwymoZAzlkIRzP2GiJ7ohE3gKujtU08C14";

/// The settings of a server that takes what [`Pusher`] sends.
pub(super) const SETTINGS: [(&str, &str); 2] =
    [("WECHAT_PUSH_TOKEN", TOKEN), ("WECHAT_PUSH_AES_KEY", AES_KEY)];

/// How the push is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Xml,
}

/// A push to be sent; each field may be set wrong.
#[derive(Clone, Debug)]
pub(super) struct Pusher {
    pub(super) message: String,
    pub(super) form: Form,
    pub(super) appid: String,
    pub(super) token: String,
    pub(super) nonce: String,
    pub(super) timestamp: i64,
}

/// What goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    pub(super) query: String,
    pub(super) body: String,
}

impl Pusher {
    /// A right push of this message, now.
    pub(super) fn of(t: &TestApp, nonce: &str, message: impl ToString) -> Self {
        let message = message.to_string();
        let form = if message.starts_with('<') { Form::Xml } else { Form::Json };
        Self {
            message,
            form,
            appid: dream_bff::sandbox::WechatSim::APPID.to_owned(),
            token: TOKEN.to_owned(),
            nonce: nonce.to_owned(),
            timestamp: t.clock.now().0 / 1000,
        }
    }

    pub(super) fn sealed(&self) -> Sealed {
        let encrypt = self.encrypted();
        let time = self.timestamp.to_string();
        let msg_signature = sign(&[&self.token, &time, &self.nonce, &encrypt]);
        let signature = sign(&[&self.token, &time, &self.nonce]);
        let query = format!(
            "signature={signature}&timestamp={time}&nonce={}&openid=o1&encrypt_type=aes\
             &msg_signature={msg_signature}",
            self.nonce
        );
        let body = match self.form {
            Form::Json => json!({ "ToUserName": "gh_1", "Encrypt": encrypt }).to_string(),
            Form::Xml => format!(
                "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\
                 <Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
            ),
        };
        Sealed { query, body }
    }

    pub(super) async fn send(&self, t: &TestApp) -> Answer {
        self.sealed().send(t).await
    }

    fn encrypted(&self) -> String {
        let key: [u8; 32] = STANDARD.decode(format!("{AES_KEY}=")).unwrap().try_into().unwrap();
        let mut frame = b"0123456789abcdef".to_vec();
        frame.extend(u32::try_from(self.message.len()).unwrap().to_be_bytes());
        frame.extend(self.message.as_bytes());
        frame.extend(self.appid.as_bytes());
        let pad = 32 - frame.len() % 32;
        frame.extend(std::iter::repeat_n(u8::try_from(pad).unwrap(), pad));
        let iv: [u8; 16] = key[..16].try_into().unwrap();
        let cipher = EncryptingKey::cbc(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
        let iv = EncryptionContext::Iv128(FixedLength::from(iv));
        cipher.less_safe_encrypt(&mut frame, iv).unwrap();
        STANDARD.encode(frame)
    }
}

impl Sealed {
    pub(super) async fn send(&self, t: &TestApp) -> Answer {
        let kind = if self.body.starts_with('<') { "text/xml" } else { "application/json" };
        t.post(&format!("/v1/wechat/push?{}", self.query)).body(kind, self.body.clone()).await
    }
}

/// Hexadecimal SHA-1 of the sorted parts.
pub(super) fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
