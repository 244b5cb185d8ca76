//! The id that joins an answer, its log lines and the calls made for it.

use poem::http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::rng::Rng;

/// The header that carries it, both ways.
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's own id when it is well formed, a new one otherwise. Ids go into logs, so anything
/// but 8–64 of `A-Z a-z 0-9 . _ -` is not taken over.
pub(super) fn of(headers: &HeaderMap, rng: &Rng) -> HeaderValue {
    match headers.get(&X_REQUEST_ID) {
        Some(theirs) if is_well_formed(theirs.as_bytes()) => theirs.clone(),
        // Base64url is always a valid header value.
        _ => HeaderValue::try_from(rng.token::<16>())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    (8..=64).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_id_is_kept() {
        let rng = Rng::seeded(1);
        let kept_or_new = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(&X_REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
            of(&headers, &rng)
        };
        let long = "x".repeat(64);
        for kept in ["abcdefgh", "A-Z_a.z-09", &long] {
            assert_eq!(kept_or_new(kept.as_bytes()), kept);
        }
        let longer = "x".repeat(65);
        for odd in ["", "short", "has space in it", "quote\"quote", "umläut-umläut", &longer] {
            let id = kept_or_new(odd.as_bytes());
            assert_ne!(id, odd);
            assert!(is_well_formed(id.as_bytes()));
        }
        assert_ne!(kept_or_new(b""), kept_or_new(b""), "new ids differ");
    }
}
