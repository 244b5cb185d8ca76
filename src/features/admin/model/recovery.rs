//! Recovery codes: ten for each administrator with a second factor, each good once.

use sha2::{Digest as _, Sha256};

use crate::base::rng::Rng;
use crate::base::secret::Secret;

/// Codes made at once.
pub(in crate::features::admin) const CODES: usize = 10;

/// Letters of a code; five bits each, 80 in all: too many to be found from the hash.
const LETTERS: usize = 16;

/// Letters without those that look alike (Crockford's base32, in lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What is kept of a code, or of any secret of as many bits.
pub(in crate::features::admin) type Hash = [u8; 32];

/// A fresh code: `xxxx-xxxx-xxxx-xxxx`.
pub(in crate::features::admin) fn draw(rng: &Rng) -> Secret<String> {
    let letters = rng.bytes::<LETTERS>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    let mut code = String::new();
    for (at, letter) in letters.into_iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(letter);
    }
    Secret::new(code)
}

/// The hash of a typed code: neither case nor dashes matter, nor letters that look like another.
pub(in crate::features::admin) fn hash(typed: &str) -> Hash {
    let same = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    let normal: String =
        typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(same).collect();
    digest(&normal)
}

/// The hash of a secret that is too long to be guessed.
pub(in crate::features::admin) fn digest(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_may_be_typed_as_one_likes() {
        assert_eq!(hash("AB0I-cdef-gh1k-mnpq"), hash(" ab01 cdefgh1kMNPQ"));
        assert_eq!(hash("o000"), hash("0000"));
        assert_ne!(hash("ab01"), hash("ab02"));
    }

    #[test]
    fn codes_differ_and_have_no_doubtful_letters() {
        let rng = Rng::seeded(1);
        let codes: std::collections::BTreeSet<String> =
            (0..100).map(|_| draw(&rng).expose().clone()).collect();
        assert_eq!(codes.len(), 100);
        for code in codes {
            assert_eq!(code.len(), 19);
            assert!(!code.contains(['i', 'l', 'o', 'u']), "{code}");
        }
    }
}
