//! The name of a stored object: derived from its bytes, so it can never lead anywhere else.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// `ab/cdef….png`: SHA-256 of the bytes in hexadecimal, split after two digits so that folders stay
/// small, and an ending that says the type. Nothing else is a key, so a key is safe as a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey(String);

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Png,
    Jpeg,
    Webp,
}

impl ObjectKind {
    /// What follows the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }

    /// For `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// Not a key of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no key")]
pub struct BadKey;

/// Hexadecimal digits of SHA-256.
const DIGITS: usize = 64;

impl ObjectKey {
    /// The key of these bytes.
    pub fn of(bytes: &[u8], kind: ObjectKind) -> Self {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let (folder, rest) = hex.split_at(2);
        Self(format!("{folder}/{rest}.{}", kind.extension()))
    }

    /// As stored and as part of an address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the object is, by the ending.
    pub fn kind(&self) -> ObjectKind {
        match self.0.rsplit_once('.').map(|(_, ending)| ending) {
            Some("jpg") => ObjectKind::Jpeg,
            Some("webp") => ObjectKind::Webp,
            _ => ObjectKind::Png,
        }
    }

    /// Strong `ETag`, without having seen the bytes.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.0.replace(['/', '.'], ""))
    }
}

impl FromStr for ObjectKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (name, ending) = text.split_once('.').ok_or(BadKey)?;
        let (folder, rest) = name.split_once('/').ok_or(BadKey)?;
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let is_key = folder.len() == 2
            && rest.len() == DIGITS - 2
            && is_hex(folder)
            && is_hex(rest)
            && matches!(ending, "png" | "jpg" | "webp");
        if is_key { Ok(Self(text.to_owned())) } else { Err(BadKey) }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_hash_of_the_bytes() {
        let key = ObjectKey::of(b"abc", ObjectKind::Jpeg);
        let hash = "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.jpg";
        assert_eq!(key.as_str(), hash);
        assert_eq!(hash.parse::<ObjectKey>().unwrap(), key);
        assert_eq!(key.kind(), ObjectKind::Jpeg);
        for kind in [ObjectKind::Png, ObjectKind::Jpeg, ObjectKind::Webp] {
            assert_eq!(ObjectKey::of(b"", kind).kind(), kind);
        }
    }

    #[test]
    fn nothing_else_is_a_key() {
        let good = ObjectKey::of(b"abc", ObjectKind::Png).to_string();
        for bad in [
            "",
            "..",
            "../../etc/passwd",
            "ba/../../../../etc/passwd.png",
            "/etc/passwd",
            &good.to_uppercase(),
            &good.replace('/', ""),
            &good.replace('/', "//"),
            &good.replace(".png", ".svg"),
            &good.replace(".png", ".png.png"),
            &good.replace(".png", ".png\0"),
            &good.replace('b', "."),
            &format!("/{good}"),
            &format!("{good}/"),
        ] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad}");
        }
    }
}
