//! The merchant's signatures: of requests, and of what `wx.requestPayment` is given.
//!
//! SHA-256 with RSA PKCS#1 v1.5, base64 (merchant documentation, "Signature generation"). What is
//! signed is what is sent: path and query as they stand in the request line, the very bytes of the body.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeyProblem;
use super::error::PayError;
use super::model::{PrepayId, WxPayParams};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The merchant's key and what it is known by.
pub(super) struct Signer {
    key: KeyPair,
    mchid: String,
    serial: String,
    appid: String,
}

impl Signer {
    /// Reads the key: DER of PKCS#8 or PKCS#1.
    pub(super) fn new(
        der: &Secret<Vec<u8>>,
        mchid: &str,
        serial: &str,
        appid: &str,
    ) -> Result<Self, KeyProblem> {
        let der = der.expose();
        let key = KeyPair::from_pkcs8(der)
            .or_else(|_| KeyPair::from_der(der))
            .map_err(|_| KeyProblem("the merchant's private key"))?;
        Ok(Self {
            key,
            mchid: mchid.to_owned(),
            serial: serial.to_owned(),
            appid: appid.to_owned(),
        })
    }

    /// The value of `Authorization` for one attempt. `target` is path and query as sent.
    pub(super) fn authorization(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        now: UnixMillis,
        nonce: &str,
    ) -> Result<String, PayError> {
        let seconds = now.seconds();
        let (mchid, serial) = (&self.mchid, &self.serial);
        let signature = self.sign(&request_message(method, target, seconds, nonce, body))?;
        Ok(format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce}\",timestamp=\"{seconds}\",\
             serial_no=\"{serial}\",signature=\"{signature}\""
        ))
    }

    /// What `wx.requestPayment` wants. The package is signed as a whole, with `prepay_id=`.
    pub(super) fn payment_params(
        &self,
        prepay_id: &PrepayId,
        now: UnixMillis,
        nonce: String,
    ) -> Result<WxPayParams, PayError> {
        let time_stamp = now.seconds().to_string();
        let package = format!("prepay_id={}", prepay_id.as_str());
        let message = payment_message(&self.appid, &time_stamp, &nonce, &package);
        let pay_sign = self.sign(message.as_bytes())?;
        Ok(WxPayParams { time_stamp, nonce_str: nonce, package, sign_type: "RSA", pay_sign })
    }

    fn sign(&self, message: &[u8]) -> Result<String, PayError> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        // This padding draws no random numbers; the argument is a formality.
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| PayError::Unsendable("it cannot be signed"))?;
        Ok(STANDARD.encode(signature))
    }
}

/// What a request's signature covers: five lines, each ended, the body last, though it be empty.
fn request_message(method: &str, target: &str, seconds: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{method}\n{target}\n{seconds}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}

/// What `paySign` covers: four lines, each ended.
fn payment_message(appid: &str, time_stamp: &str, nonce: &str, package: &str) -> String {
    format!("{appid}\n{time_stamp}\n{nonce}\n{package}\n")
}

/// 32 characters that were never used before (128 random bits).
pub(super) fn nonce(rng: &Rng) -> String {
    format!("{:032X}", u128::from_le_bytes(rng.bytes()))
}

#[cfg(test)]
mod tests;
