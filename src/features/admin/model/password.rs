//! Passwords: what may be one, and how they are kept.
//!
//! A hash says how it was made (`$pbkdf2-sha256$i=600000$salt$hash`), so that the number of rounds can
//! grow: whoever logs in with an older one gets a new one.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use unicode_normalization::UnicodeNormalization as _;

use crate::base::rng::Rng;
use crate::base::secret::Secret;

/// The fewest rounds that a hash may have (OWASP, 2023).
const MIN_ROUNDS: u32 = 600_000;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const SCHEME: &str = "pbkdf2-sha256";

/// Letters of a password.
const MIN_LETTERS: usize = 12;
const MAX_LETTERS: usize = 256;

/// The fewest different letters.
const MIN_DISTINCT: usize = 5;

/// Beginnings that everybody tries first.
const COMMON: [&str; 8] = [
    "password",
    "123456789",
    "qwertyuiop",
    "letmein",
    "admin123",
    "iloveyou",
    "abcdefghi",
    "11111111",
];

/// Letters of a drawn password, without those that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789+";

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProblem {
    /// Fewer than 12 letters.
    TooShort,
    /// More than 256 letters.
    TooLong,
    /// It can be guessed: the name, one of the common ones, few different letters.
    Guessable,
}

impl fmt::Display for PasswordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => write!(f, "it has fewer than {MIN_LETTERS} characters"),
            Self::TooLong => write!(f, "it has more than {MAX_LETTERS} characters"),
            Self::Guessable => f.write_str("it is too easy to guess"),
        }
    }
}

/// Whether `password` may be one of `username`.
///
/// # Errors
/// What is wrong with it.
pub(in crate::features::admin) fn check(
    password: &str,
    username: &str,
) -> Result<(), PasswordProblem> {
    let letters = password.chars().count();
    if letters < MIN_LETTERS {
        return Err(PasswordProblem::TooShort);
    }
    if letters > MAX_LETTERS {
        return Err(PasswordProblem::TooLong);
    }
    let lower = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = lower.chars().collect();
    // A long passphrase may hold a name; a short password that is mostly the name may not.
    let is_mostly_name =
        lower.contains(username) && letters < username.chars().count() + MIN_LETTERS / 2;
    let is_common = COMMON.iter().any(|common| lower.starts_with(common)) && letters < 16;
    if distinct.len() < MIN_DISTINCT || is_mostly_name || is_common {
        return Err(PasswordProblem::Guessable);
    }
    Ok(())
}

/// A password for somebody to be told: 20 letters, 100 bits.
pub(in crate::features::admin) fn draw(rng: &Rng) -> Secret<String> {
    let letters = rng.bytes::<20>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Secret::new(letters.into_iter().collect())
}

/// The hash to keep. Takes a fifth of a second of a core.
pub(in crate::features::admin) fn hash(
    rng: &Rng,
    rounds: u32,
    password: &Secret<String>,
) -> Secret<String> {
    let salt: [u8; SALT_BYTES] = rng.bytes();
    let rounds = NonZeroU32::new(rounds.max(MIN_ROUNDS)).unwrap_or(NonZeroU32::MAX);
    let mut hash = [0; HASH_BYTES];
    pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, &salt, normal(password).as_bytes(), &mut hash);
    Secret::new(format!(
        "${SCHEME}$i={rounds}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

/// Whether it is the password of this hash; in constant time.
pub(in crate::features::admin) fn is_right(
    password: &Secret<String>,
    stored: &Secret<String>,
) -> bool {
    let Some(parts) = Parts::of(stored.expose()) else { return false };
    let password = normal(password);
    pbkdf2::verify(PBKDF2_HMAC_SHA256, parts.rounds, &parts.salt, password.as_bytes(), &parts.hash)
        .is_ok()
}

/// Whether the hash was made with fewer rounds than are wanted now.
pub(in crate::features::admin) fn is_outdated(stored: &Secret<String>, rounds: u32) -> bool {
    Parts::of(stored.expose()).is_none_or(|parts| parts.rounds.get() < rounds)
}

/// A hash of no password, for names that nobody has: checking against it takes as long.
pub(in crate::features::admin) fn decoy(rounds: u32) -> Secret<String> {
    let (salt, hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Secret::new(format!("${SCHEME}$i={}${salt}${hash}", rounds.max(MIN_ROUNDS)))
}

/// The same letters are the same password, whichever keyboard composed them.
fn normal(password: &Secret<String>) -> String {
    password.expose().nfkc().collect()
}

struct Parts {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Parts {
    fn of(stored: &str) -> Option<Self> {
        let mut parts = stored.strip_prefix('$')?.split('$');
        if parts.next()? != SCHEME {
            return None;
        }
        let rounds = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let is_whole = parts.next().is_none() && hash.len() == HASH_BYTES;
        is_whole.then_some(Self { rounds, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_derivation_is_the_one_of_the_standard() {
        // RFC 7914, section 11.
        let mut out = [0; 64];
        let rounds = NonZeroU32::new(80_000).unwrap();
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, b"NaCl", b"Password", &mut out);
        assert!(out.starts_with(&[0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21]));
    }

    #[test]
    fn only_the_password_of_a_hash_is_right() {
        let rng = Rng::seeded(1);
        let stored = hash(&rng, MIN_ROUNDS, &secret("correct horse battery"));
        assert!(stored.expose().starts_with("$pbkdf2-sha256$i=600000$"));
        assert!(is_right(&secret("correct horse battery"), &stored));
        // The same letters, composed otherwise.
        assert!(!is_right(&secret("correct horse batterY"), &stored));
        assert!(!is_right(&secret(""), &stored));
        assert!(!is_right(&secret(""), &decoy(MIN_ROUNDS)));
        assert!(!is_outdated(&stored, MIN_ROUNDS));
        assert!(is_outdated(&stored, MIN_ROUNDS + 1));
        for damaged in ["", "x", "$pbkdf2-sha256$i=0$AA$AA", "$argon2$i=1$AA$AA"] {
            assert!(!is_right(&secret("correct horse battery"), &secret(damaged)), "{damaged}");
        }
    }

    #[test]
    fn how_a_letter_was_composed_does_not_matter() {
        assert_eq!(normal(&secret("caf\u{e9}")), normal(&secret("cafe\u{301}")));
        assert_eq!(normal(&secret("ａｂｃ")), "abc");
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        assert_eq!(check("short", "ann"), Err(PasswordProblem::TooShort));
        assert_eq!(check(&"长".repeat(257), "ann"), Err(PasswordProblem::TooLong));
        for simple in ["aaaaaaaaaaaa", "password1234", "abababababab", "ann-annabell"] {
            let name = if simple.starts_with("ann") { "ann-annabell" } else { "ann" };
            assert_eq!(check(simple, name), Err(PasswordProblem::Guessable), "{simple}");
        }
        assert_eq!(check("correct horse battery", "ann"), Ok(()));
        assert_eq!(check("我的密码是一二三四五六", "ann"), Err(PasswordProblem::TooShort));
        assert_eq!(check("我家门前有两棵树都是枣树", "ann"), Ok(()));
        assert_eq!(check(draw(&Rng::seeded(3)).expose(), "ann"), Ok(()));
    }
}
