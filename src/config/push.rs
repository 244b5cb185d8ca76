//! Message push: what WeChat signs and encrypts its calls to us with.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;

use super::parse::ConfigError;
use crate::base::secret::Secret;

/// Characters of an EncodingAESKey: the base64 of 32 bytes without its `=`.
const AES_KEY_CHARS: usize = 43;

/// Keys made by WeChat's console usually have bits to spare in their last character.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Message push: there when both of its values are set.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Message push")]
pub struct PushConfig {
    /// Token of WeChat's message push; without it every push is refused.
    #[arg(
        id = "wechat_push_token",
        long = "wechat-push-token",
        env = "WECHAT_PUSH_TOKEN",
        value_name = "0123456789abcdef",
        value_parser = token,
        hide_env_values = true
    )]
    pub token: Option<Secret<String>>,

    /// EncodingAESKey of WeChat's message push, 43 characters (secure mode; no other is accepted).
    #[arg(
        id = "wechat_push_aes_key",
        long = "wechat-push-aes-key",
        env = "WECHAT_PUSH_AES_KEY",
        value_name = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
        value_parser = aes_key,
        hide_env_values = true
    )]
    pub aes_key: Option<Secret<[u8; 32]>>,
}

/// The values of a push that is configured.
#[derive(Clone, Debug)]
pub struct PushValues {
    pub token: Secret<String>,
    /// The EncodingAESKey, decoded.
    pub aes_key: Secret<[u8; 32]>,
}

impl PushConfig {
    /// The push, if it is configured.
    ///
    /// # Errors
    /// When one of the two values is set without the other.
    pub fn values(&self) -> Result<Option<PushValues>, ConfigError> {
        match (&self.token, &self.aes_key) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(ConfigError::missing("WECHAT_PUSH_TOKEN", "WECHAT_PUSH_TOKEN=0123456789abcdef"))
            }
            (Some(_), None) => Err(ConfigError::missing(
                "WECHAT_PUSH_AES_KEY",
                "WECHAT_PUSH_AES_KEY=0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
            )),
            (Some(token), Some(aes_key)) => {
                Ok(Some(PushValues { token: token.clone(), aes_key: aes_key.clone() }))
            }
        }
    }
}

/// The console takes 3 to 32 letters and digits.
fn token(text: &str) -> Result<Secret<String>, String> {
    let is_good =
        (3..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match is_good {
        true => Ok(Secret::new(text.to_owned())),
        false => Err("must be 3 to 32 letters and digits".to_owned()),
    }
}

/// Decodes an EncodingAESKey. The problem does not repeat it.
///
/// # Errors
/// When it is no such key.
pub fn aes_key(text: &str) -> Result<Secret<[u8; 32]>, String> {
    if text.len() != AES_KEY_CHARS {
        return Err(format!("must have {AES_KEY_CHARS} characters"));
    }
    let bytes = LENIENT.decode(text).map_err(|_| "is not made of base64 characters".to_owned())?;
    let key = bytes.try_into().map_err(|_| "does not decode to 32 bytes".to_owned())?;
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_to_spare_in_the_last_character_do_not_matter() {
        let key = aes_key("0NsQufzgpe4jRLszRbE4hpgmUI8vGbDUcUs5xJ0vOfB").unwrap();
        assert_eq!(key.expose()[..4], [0xd0, 0xdb, 0x10, 0xb9]);
        assert_eq!(key.expose()[31], 0xf0);
    }

    #[test]
    fn a_bad_key_is_refused_and_not_repeated() {
        for bad in ["", "short", &"!".repeat(43), &"A".repeat(44), &format!("{}=", "A".repeat(42))]
        {
            let problem = aes_key(bad).unwrap_err();
            assert!(bad.is_empty() || !problem.contains(bad), "{problem}");
        }
        assert!(token("a b").is_err() && token("ab").is_err() && token("abc").is_ok());
    }

    #[test]
    fn the_push_is_there_whole_or_not_at_all() {
        let config = |has_token: bool, has_key: bool| PushConfig {
            token: has_token.then(|| Secret::new("token".to_owned())),
            aes_key: has_key.then(|| Secret::new([7; 32])),
        };
        assert!(config(false, false).values().unwrap().is_none());
        assert!(config(true, true).values().unwrap().is_some());
        let problem = config(true, false).values().unwrap_err().to_string();
        assert!(problem.starts_with("WECHAT_PUSH_AES_KEY"), "{problem}");
        let problem = config(false, true).values().unwrap_err().to_string();
        assert!(problem.starts_with("WECHAT_PUSH_TOKEN"), "{problem}");
    }
}
