//! Keys that are made once from the secrets: token signatures, what is kept encrypted, and by what
//! somebody is known again whose openid is not kept.
//!
//! `JWT_SECRET_PREVIOUS` still verifies, opens and knows again, so a rotation logs nobody out and loses
//! no session key; nothing new is made with it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use jsonwebtoken::{DecodingKey, EncodingKey};

use crate::base::rng::Rng;
use crate::base::secret::Secret;

/// What a derived key is for; part of the derivation, so that no two purposes share a key.
const SEALING: &[u8] = b"dream-bff sealed columns v1";
const MARKING: &[u8] = b"dream-bff openid marks v1";

/// A keyed hash of an openid: the same for the same one, and nobody's name without the key.
pub type OpenidMark = [u8; 32];

/// All keys of the process.
pub struct Keys {
    signing: EncodingKey,
    /// The current one first.
    verifying: Vec<DecodingKey>,
    /// The current one first.
    sealing: Vec<LessSafeKey>,
    /// The current one first.
    marking: Vec<hmac::Key>,
}

/// The derivation failed, which only a broken crypto library does.
#[derive(Debug, thiserror::Error)]
#[error("keys cannot be derived")]
pub struct KeyError;

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl Keys {
    /// # Errors
    /// [`KeyError`].
    pub fn new(
        current: &Secret<String>,
        previous: Option<&Secret<String>>,
    ) -> Result<Self, KeyError> {
        let all: Vec<&[u8]> = [Some(current), previous]
            .into_iter()
            .flatten()
            .map(|secret| secret.expose().as_bytes())
            .collect();
        Ok(Self {
            signing: EncodingKey::from_secret(current.expose().as_bytes()),
            verifying: all.iter().map(|secret| DecodingKey::from_secret(secret)).collect(),
            sealing: all.iter().map(|secret| sealing_key(secret)).collect::<Result<_, _>>()?,
            marking: all.iter().map(|secret| marking_key(secret)).collect::<Result<_, _>>()?,
        })
    }

    /// Signs access tokens.
    pub fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    /// Verify access tokens, the current key first.
    pub fn verifying(&self) -> &[DecodingKey] {
        &self.verifying
    }

    /// By what this openid is known again: the mark to keep first, then the one of the previous secret.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn openid_marks(&self, openid: &str) -> Result<Vec<OpenidMark>, KeyError> {
        let mark = |key| {
            let tag = hmac::sign(key, openid.as_bytes());
            OpenidMark::try_from(tag.as_ref()).map_err(|_| KeyError)
        };
        self.marking.iter().map(mark).collect()
    }

    /// Encrypts `plain` so that only the same `context` opens it: a sealed value copied to another
    /// row is useless. Nonce, ciphertext and tag in one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn seal(&self, rng: &Rng, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce: [u8; NONCE_LEN] = rng.bytes();
        let mut sealed = plain.to_vec();
        let key = self.sealing.first().ok_or(KeyError)?;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context.as_bytes()),
            &mut sealed,
        )?;
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        Ok(out)
    }

    /// Decrypts what [`Keys::seal`] made, also with the previous secret. `None` when it is damaged,
    /// of another context, or of a secret that is gone.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        self.sealing.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut buffer = sealed.to_vec();
            let plain =
                key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer).ok()?;
            Some(plain.to_vec())
        })
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        AES_256_GCM.key_len()
    }
}

fn sealing_key(secret: &[u8]) -> Result<LessSafeKey, KeyError> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derive(secret, SEALING)?)?))
}

fn marking_key(secret: &[u8]) -> Result<hmac::Key, KeyError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &derive(secret, MARKING)?))
}

fn derive(secret: &[u8], purpose: &[u8]) -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    let derived = Salt::new(HKDF_SHA256, &[]).extract(secret);
    derived.expand(&[purpose], KeyLength)?.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: &str, previous: Option<&str>) -> Keys {
        let secret = |text: &str| Secret::new(text.to_owned());
        Keys::new(&secret(current), previous.map(secret).as_ref()).unwrap()
    }

    #[test]
    fn a_rotation_still_opens_and_a_lost_secret_does_not() {
        let rng = Rng::seeded(1);
        let sealed = keys("old", None).seal(&rng, "openid-1", b"session key").unwrap();
        assert!(!sealed.windows(11).any(|part| part == b"session key"));
        assert_eq!(keys("new", Some("old")).open("openid-1", &sealed).unwrap(), b"session key");
        assert_eq!(keys("new", None).open("openid-1", &sealed), None);
    }

    #[test]
    fn an_openid_is_known_again_after_a_rotation_and_nobody_elses() {
        let old = keys("old", None).openid_marks("openid-1").unwrap();
        let rotated = keys("new", Some("old")).openid_marks("openid-1").unwrap();
        assert_eq!((old.len(), rotated.len()), (1, 2));
        assert_eq!(rotated[1], old[0]);
        assert_ne!(rotated[0], old[0], "what is kept now is of the new secret");
        assert!(!keys("new", Some("old")).openid_marks("openid-2").unwrap().contains(&old[0]));
    }

    #[test]
    fn damage_and_another_row_do_not_open() {
        let keys = keys("secret", None);
        let sealed = keys.seal(&Rng::seeded(1), "openid-1", b"session key").unwrap();
        assert_eq!(keys.open("openid-2", &sealed), None);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(keys.open("openid-1", &damaged), None, "byte {at}");
        }
        assert_eq!(keys.open("openid-1", b"short"), None);
    }
}
