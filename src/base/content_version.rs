//! Names the state of a thing by its content, so that whoever changes it can say which state he saw, and
//! two who edit at once do not overwrite each other.

use sha2::{Digest as _, Sha256};

/// Digits of a version: enough for the few states that somebody may have on his screen.
const DIGITS: usize = 16;

/// The version of a thing that is written as this text.
pub fn content_version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut version: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    version.truncate(DIGITS);
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_version() {
        assert_eq!(content_version("a"), content_version("a"));
        assert_ne!(content_version("a"), content_version("b"));
        assert_eq!(content_version("").len(), DIGITS);
    }
}
