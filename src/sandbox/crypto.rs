//! The primitives the simulators sign and seal with, written from the protocol's description and
//! not shared with the clients that are tested against them.
//!
//! What cannot fail with keys of the right size gives an empty text if it does: nobody accepts that.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use aws_lc_rs::signature::{RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Key and IV sizes of AES-256-CBC.
const KEY: usize = 32;
const IV: usize = 16;
/// Message push pads to this many bytes, twice the block of the cipher.
const PAD: usize = 32;

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// HMAC-SHA256 in lower-case hexadecimal; the key is taken as text.
pub(super) fn hmac_hex(key: &str, message: &str) -> String {
    Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_or_else(
        |_| String::new(),
        |mac| hex(&mac.chain_update(message.as_bytes()).finalize().into_bytes()),
    )
}

/// SHA-1 in lower-case hexadecimal.
pub(super) fn sha1_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref())
}

/// The SHA-1 of the sorted and joined parts, as message push signs.
pub(super) fn sorted_sha1(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    sha1_hex(parts.concat().as_bytes())
}

/// RSA PKCS#1 v1.5 over SHA-256, in base64.
pub(super) fn rsa_sign(key: &RsaKeyPair, message: &[u8]) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    match key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
        Ok(()) => STANDARD.encode(signature),
        Err(_) => String::new(),
    }
}

/// Whether `signature`, in base64 with padding, is one of `message` by the owner of `public_key` (DER).
pub(super) fn rsa_verify(public_key: &[u8], message: &[u8], signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
    key.verify(message, &signature).is_ok()
}

/// AEAD_AES_256_GCM of the v3 protocol: data and tag, in base64.
pub(super) fn gcm_seal(key: &[u8; 32], nonce: &[u8; 12], aad: &str, plaintext: &[u8]) -> String {
    let mut sealed = plaintext.to_vec();
    let Ok(key) = UnboundKey::new(&AES_256_GCM, key) else { return String::new() };
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let key = LessSafeKey::new(key);
    match key.seal_in_place_append_tag(nonce, Aad::from(aad.as_bytes()), &mut sealed) {
        Ok(()) => STANDARD.encode(sealed),
        Err(_) => String::new(),
    }
}

/// The 32 bytes of an EncodingAESKey. Its last character may have spare bits that are not zero, as
/// those from WeChat's console do.
pub(super) fn push_key(encoding_aes_key: &str) -> Option<[u8; KEY]> {
    let lenient = NO_PAD.with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&ALPHABET, lenient).decode(encoding_aes_key).ok()?.try_into().ok()
}

/// Seals a message as message push does: random bytes, length, message, app id, padded to 32.
pub(super) fn push_seal(key: &[u8; KEY], random: [u8; 16], message: &str, appid: &str) -> String {
    let mut frame = random.to_vec();
    frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message.as_bytes());
    frame.extend(appid.as_bytes());
    let padding = PAD - frame.len() % PAD;
    frame.resize(frame.len() + padding, u8::try_from(padding).unwrap_or_default());
    let sealed =
        UnboundCipherKey::new(&AES_256, key).and_then(EncryptingKey::cbc).and_then(|cbc| {
            cbc.less_safe_encrypt(&mut frame, EncryptionContext::Iv128(FixedLength::from(iv(key))))
        });
    if sealed.is_ok() { STANDARD.encode(frame) } else { String::new() }
}

/// The IV of message push is the beginning of the key.
fn iv(key: &[u8; KEY]) -> [u8; IV] {
    let mut iv = [0; IV];
    iv.copy_from_slice(&key[..IV]);
    iv
}

/// What the other side does, for the tests.
#[cfg(test)]
pub(super) mod opening {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
    use aws_lc_rs::iv::FixedLength;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{KEY, PAD, iv};

    /// Opens what [`super::gcm_seal`] made.
    pub(in crate::sandbox) fn gcm_open(
        key: &[u8; 32],
        nonce: &str,
        aad: &str,
        sealed: &str,
    ) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let nonce = Nonce::assume_unique_for_key(nonce.as_bytes().try_into().ok()?);
        let mut sealed = STANDARD.decode(sealed).ok()?;
        let opened = key.open_in_place(nonce, Aad::from(aad.as_bytes()), &mut sealed).ok()?;
        Some(opened.to_vec())
    }

    /// Opens what [`push_seal`] made; the message, if everything is as it must be.
    pub(in crate::sandbox) fn push_open(
        key: &[u8; KEY],
        sealed: &str,
        appid: &str,
    ) -> Option<String> {
        let mut frame = STANDARD.decode(sealed).ok()?;
        let cbc = UnboundCipherKey::new(&AES_256, key).and_then(DecryptingKey::cbc).ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv(key)));
        let frame = cbc.decrypt(&mut frame, context).ok()?;
        let padding = usize::from(*frame.last()?);
        let rest = frame.len().checked_sub(padding).filter(|_| (1..=PAD).contains(&padding))?;
        let (random_and_length, rest) = frame[..rest].split_at_checked(20)?;
        let length = u32::from_be_bytes(random_and_length[16..].try_into().ok()?);
        let (message, of) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        (of == appid.as_bytes()).then(|| String::from_utf8(message.to_vec()).ok())?
    }
}

#[cfg(test)]
mod tests;
