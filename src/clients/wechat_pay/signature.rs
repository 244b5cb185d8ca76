//! WeChat Pay's signatures: what an answer's or a notification's headers say, and whether it is true.
//!
//! The body is taken as it came, byte by byte; nothing is parsed before the signature is good.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::HeaderMap;

use super::error::SignatureProblem;
use crate::base::time::UnixMillis;

const TIMESTAMP: &str = "Wechatpay-Timestamp";
const NONCE: &str = "Wechatpay-Nonce";
const SIGNATURE: &str = "Wechatpay-Signature";
const SERIAL: &str = "Wechatpay-Serial";

/// How far its time may be from ours, in milliseconds; at exactly this it is refused.
const WINDOW_MS: u64 = 300 * 1000;

/// Longer is no header of WeChat's: a signature has 344 characters, the others fewer.
const MAX_HEADER_BYTES: usize = 2048;

/// How WeChat's probes begin: signatures that are wrong on purpose and must be refused.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// What the headers say. Its time is good; its signature is not checked yet.
pub(super) struct Claim {
    /// Which key signed: a certificate's serial, or the id of the public key.
    pub(super) serial: String,
    signature: Vec<u8>,
    /// Of the message, up to the body.
    prefix: String,
}

impl Claim {
    /// Reads the headers.
    pub(super) fn read(headers: &HeaderMap, now: UnixMillis) -> Result<Self, SignatureProblem> {
        let timestamp = header(headers, TIMESTAMP)?;
        let nonce = header(headers, NONCE)?;
        let signature = header(headers, SIGNATURE)?;
        let serial = header(headers, SERIAL)?;
        let seconds = seconds(timestamp).ok_or(SignatureProblem::Malformed(TIMESTAMP))?;
        if now.0.abs_diff(seconds.saturating_mul(1000)) >= WINDOW_MS {
            return Err(SignatureProblem::Stale);
        }
        if signature.starts_with(PROBE) {
            return Err(SignatureProblem::Probe);
        }
        let signature =
            STANDARD.decode(signature).map_err(|_| SignatureProblem::Malformed(SIGNATURE))?;
        let prefix = format!("{timestamp}\n{nonce}\n");
        Ok(Self { serial: serial.to_owned(), signature, prefix })
    }

    /// Whether the headers hold a signature at all, good or bad.
    pub(super) fn is_made(headers: &HeaderMap) -> bool {
        headers.contains_key(SIGNATURE)
    }

    /// Checks the signature over `body`.
    pub(super) fn verify(&self, key: &PlatformKey, body: &[u8]) -> Result<(), SignatureProblem> {
        let message = [self.prefix.as_bytes(), body, b"\n"].concat();
        key.verify(&message, &self.signature)
    }
}

/// A key of WeChat Pay's.
pub(super) struct PlatformKey(ParsedPublicKey);

impl PlatformKey {
    /// From the DER of a SubjectPublicKeyInfo: RSA of 2048 bits or more, else `None`.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).ok().map(Self)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureProblem> {
        self.0.verify_sig(message, signature).map_err(|_| SignatureProblem::Mismatch)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureProblem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(SignatureProblem::Missing(name))?;
    // Of two values it is open which one was signed.
    if values.next().is_some() {
        return Err(SignatureProblem::Malformed(name));
    }
    match value.to_str() {
        Ok("") => Err(SignatureProblem::Missing(name)),
        Ok(text) if text.len() <= MAX_HEADER_BYTES => Ok(text),
        _ => Err(SignatureProblem::Malformed(name)),
    }
}

/// Digits only: no sign, no space.
fn seconds(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
