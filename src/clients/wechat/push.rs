//! Message push, the receiving side: WeChat's signatures, encryption and events.
//!
//! Only secure mode is understood: there the signature covers the message, and the message names the
//! app. In plain mode it covers neither, so whoever saw one push could send another.
//!
//! Guarantees: nothing of a message is looked at before its signature is right; a message of another
//! app, of another time, or one that cannot be read in every part is refused as a whole.

mod event;
mod frame;
mod tree;

use std::fmt;

use serde_json::Value;

pub use self::event::{AppleRefundQuery, GoodsDelivery, MediaVerdict, PushEvent, RefundNotice};
use self::frame::open;
pub use self::tree::Format;
use self::tree::Tree;
use super::hashes::{same, sha1};
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

/// A push is as old as its timestamp says; older and newer ones than this are refused.
pub const MAX_SKEW_S: i64 = 300;

/// What WeChat and we know.
#[derive(Clone)]
pub struct PushKeys {
    /// The mini-program that messages must be for.
    pub appid: String,
    pub token: Secret<String>,
    /// The EncodingAESKey, decoded.
    pub aes_key: Secret<[u8; 32]>,
}

impl fmt::Debug for PushKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushKeys").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// The query of a push, as it came.
#[derive(Clone, Debug, Default)]
pub struct PushQuery {
    pub signature: Option<String>,
    pub timestamp: Option<String>,
    pub nonce: Option<String>,
    pub echostr: Option<String>,
    pub encrypt_type: Option<String>,
    pub msg_signature: Option<String>,
}

/// Why a push is refused. None of it was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// There is no signature, or the mode is not the secure one.
    #[error("the push is not signed in secure mode")]
    Unsigned,
    /// The timestamp is missing or more than five minutes away.
    #[error("the push is of another time")]
    Stale,
    /// The signature is not ours.
    #[error("the signature of the push is wrong")]
    Forged,
    /// Signed, and about another app.
    #[error("the push is for another app")]
    OtherApp,
    /// The body, the encryption or the message cannot be read.
    #[error("the push cannot be read")]
    Garbled,
}

/// A push that WeChat surely sent.
#[derive(Clone, Debug)]
pub struct Push {
    /// How it was written, and so how it is answered.
    pub format: Format,
    /// The message, decrypted.
    pub plaintext: String,
    pub event: PushEvent,
    /// The signature: the same push again has the same.
    pub signature: String,
    pub nonce: String,
    /// When WeChat sent it, in seconds.
    pub timestamp: i64,
}

impl PushKeys {
    /// Checks the call by which WeChat's console learns that the address is ours; gives what to answer.
    ///
    /// # Errors
    /// `Unsigned`, `Stale`, `Forged`.
    pub fn check_url(&self, query: &PushQuery, now: UnixMillis) -> Result<String, PushError> {
        let (Some(theirs), Some(echo)) = (&query.signature, &query.echostr) else {
            return Err(PushError::Unsigned);
        };
        let (timestamp, nonce) = Self::time_and_nonce(query)?;
        if !same(&self.sign(&[timestamp, nonce]), theirs) {
            return Err(PushError::Forged);
        }
        is_fresh(timestamp, now)?;
        Ok(echo.clone())
    }

    /// Opens a push.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn open(&self, query: &PushQuery, body: &[u8], now: UnixMillis) -> Result<Push, PushError> {
        let Some(theirs) = &query.msg_signature else { return Err(PushError::Unsigned) };
        if query.encrypt_type.as_deref().is_some_and(|kind| kind != "aes") {
            return Err(PushError::Unsigned);
        }
        let (timestamp, nonce) = Self::time_and_nonce(query)?;
        let seconds = is_fresh(timestamp, now)?;
        let envelope = Tree::read(body).ok_or(PushError::Garbled)?;
        let sealed = match envelope.root.get("Encrypt") {
            Some(Value::String(sealed)) => sealed,
            Some(_) => return Err(PushError::Garbled),
            None => return Err(PushError::Unsigned),
        };
        if !same(&self.sign(&[timestamp, nonce, sealed]), theirs) {
            return Err(PushError::Forged);
        }
        let frame = open(self.aes_key.expose(), sealed).ok_or(PushError::Garbled)?;
        if frame.appid != self.appid {
            return Err(PushError::OtherApp);
        }
        let message = Tree::read(frame.message.as_bytes()).ok_or(PushError::Garbled)?;
        let event = PushEvent::of(&message.root).ok_or(PushError::Garbled)?;
        Ok(Push {
            format: envelope.format,
            plaintext: frame.message,
            event,
            signature: theirs.clone(),
            nonce: nonce.to_owned(),
            timestamp: seconds,
        })
    }

    fn time_and_nonce(query: &PushQuery) -> Result<(&str, &str), PushError> {
        match (&query.timestamp, &query.nonce) {
            (Some(timestamp), Some(nonce)) => Ok((timestamp, nonce)),
            _ => Err(PushError::Unsigned),
        }
    }

    /// The signature over the token and `parts`, in the order of their bytes.
    fn sign(&self, parts: &[&str]) -> String {
        let mut all = parts.to_vec();
        all.push(self.token.expose());
        all.sort_unstable();
        sha1(&all)
    }
}

/// The time of a push in seconds, if it is now.
fn is_fresh(timestamp: &str, now: UnixMillis) -> Result<i64, PushError> {
    let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = Some(timestamp)
        .filter(|_| is_number)
        .and_then(|t| t.parse().ok())
        .ok_or(PushError::Stale)?;
    match seconds.abs_diff(now.seconds()) <= MAX_SKEW_S.unsigned_abs() {
        true => Ok(seconds),
        false => Err(PushError::Stale),
    }
}

#[cfg(test)]
mod tests;
