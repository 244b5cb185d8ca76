//! The second factor: codes by time (RFC 6238: HMAC-SHA-1, 6 digits, 30 seconds), as every
//! authenticator makes them.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

/// Bytes of a secret: as many as the hash has (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;

const STEP_S: i64 = 30;

/// How many steps a clock may be off, either way.
const WINDOW: i64 = 1;

/// What authenticators show beside the code.
const ISSUER: &str = "dream-bff";

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A fresh secret.
pub(in crate::features::admin) fn draw(rng: &Rng) -> Secret<Vec<u8>> {
    Secret::new(rng.bytes::<SECRET_BYTES>().to_vec())
}

/// The time step in which `code` is good at `now`, if it is one after `last`: a code that was used, or
/// is older than one that was, is good no more.
pub(in crate::features::admin) fn matching_step(
    secret: &Secret<Vec<u8>>,
    code: &str,
    now: UnixMillis,
    last: i64,
) -> Option<i64> {
    let current = now.seconds().div_euclid(STEP_S);
    let mut found = None;
    for step in (current - WINDOW)..=(current + WINDOW) {
        let is_equal: bool = code_at(secret, step).as_bytes().ct_eq(code.as_bytes()).into();
        if is_equal && step > last {
            found = Some(step);
        }
    }
    found
}

/// Whether it looks like a code of an authenticator, and not like one for recovery.
pub(in crate::features::admin) fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The secret as it is typed into an authenticator.
pub(in crate::features::admin) fn as_text(secret: &Secret<Vec<u8>>) -> Secret<String> {
    Secret::new(base32(secret.expose()))
}

/// The secret as an address, which authenticators read from a picture.
pub(in crate::features::admin) fn as_uri(
    secret: &Secret<Vec<u8>>,
    username: &str,
) -> Secret<String> {
    let name = percent_encoded(username);
    Secret::new(format!(
        "otpauth://totp/{ISSUER}:{name}?secret={}&issuer={ISSUER}&algorithm=SHA1&digits=6&period={STEP_S}",
        base32(secret.expose())
    ))
}

fn code_at(secret: &Secret<Vec<u8>>, step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose());
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    // RFC 4226, section 5.3: the low half of the last byte says where to read 31 bits.
    let at = bytes.last().map_or(0, |byte| usize::from(byte & 0x0f));
    let word = bytes.get(at..at + 4).and_then(|part| <[u8; 4]>::try_from(part).ok());
    let number = u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(letter(bits >> held));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(letter(bits << (5 - held)));
    }
    text
}

fn letter(bits: u32) -> char {
    // Five bits: always an index of the table.
    usize::try_from(bits & 31).map_or('A', |index| char::from(BASE32[index]))
}

fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret<Vec<u8>> {
        Secret::new(b"12345678901234567890".to_vec())
    }

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of eight digits.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(&secret(), seconds / STEP_S), code, "{seconds}");
            let step = matching_step(&secret(), code, at(seconds), 0);
            assert_eq!(step, Some(seconds / STEP_S), "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_one_step_and_no_more() {
        let now = 1_234_567_890;
        for (off, is_good) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let code = code_at(&secret(), (now + off) / STEP_S);
            let found = matching_step(&secret(), &code, at(now), 0);
            assert_eq!(found.is_some(), is_good, "{off}");
        }
    }

    #[test]
    fn a_code_is_good_once_and_none_before_it_after() {
        let now = 1_234_567_890;
        let step = now / STEP_S;
        let code = |step| code_at(&secret(), step);
        assert_eq!(matching_step(&secret(), &code(step), at(now), step - 1), Some(step));
        assert_eq!(matching_step(&secret(), &code(step), at(now), step), None);
        assert_eq!(matching_step(&secret(), &code(step - 1), at(now), step), None);
        assert_eq!(matching_step(&secret(), &code(step + 1), at(now), step), Some(step + 1));
    }

    #[test]
    fn the_text_is_base32() {
        // RFC 4648, section 10, without the padding.
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI"), ("fooba", "MZXW6YTB")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let uri = as_uri(&secret(), "小 王");
        assert!(uri.expose().contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"));
        assert!(!uri.expose().contains(' '));
        assert!(
            is_code("012345")
                && !is_code("12345")
                && !is_code("12345a")
                && !is_code("１２３４５６")
        );
    }
}
