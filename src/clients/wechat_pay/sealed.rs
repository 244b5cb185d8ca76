//! What WeChat Pay encrypts: the content of notifications, and its certificates.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::KeyProblem;
use crate::base::secret::Secret;

/// The only algorithm there is.
const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// An encrypted text as it stands in JSON.
#[derive(Deserialize)]
pub(super) struct Sealed {
    algorithm: String,
    nonce: String,
    /// Missing, null and empty mean the same.
    #[serde(default)]
    associated_data: Option<String>,
    /// Base64 of the text's encryption and its tag.
    ciphertext: String,
}

/// The APIv3 key. Its bytes are those of the text, neither hexadecimal nor base64.
pub(super) struct Apiv3Key(LessSafeKey);

impl Apiv3Key {
    pub(super) fn new(key: &Secret<String>) -> Result<Self, KeyProblem> {
        UnboundKey::new(&AES_256_GCM, key.expose().as_bytes())
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| KeyProblem("the APIv3 key"))
    }

    /// Decrypts `sealed`. What is wrong is said without repeating any of it.
    pub(super) fn open(&self, sealed: &Sealed) -> Result<String, &'static str> {
        if sealed.algorithm != ALGORITHM {
            return Err("its algorithm is not AEAD_AES_256_GCM");
        }
        let mut buffer =
            STANDARD.decode(&sealed.ciphertext).map_err(|_| "its ciphertext is no base64")?;
        let nonce = Nonce::try_assume_unique_for_key(sealed.nonce.as_bytes())
            .map_err(|_| "its nonce has not 12 bytes")?;
        let context = sealed.associated_data.as_deref().unwrap_or_default();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer)
            .map_err(|_| "its tag does not match: altered, or of another APIv3 key")?;
        String::from_utf8(plain.to_vec()).map_err(|_| "it is no UTF-8")
    }
}

#[cfg(test)]
mod tests;
