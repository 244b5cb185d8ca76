//! Whether a session key still lives (`GET /wxa/checksession`).

use super::Weixin;
use super::answer::WechatError;
use super::connection::encode;
use super::hashes::hmac_sha256;
use super::weixin::Done;
use crate::base::secret::Secret;

/// The session key was replaced by a later login, or has ended.
const SESSION_DEAD: i64 = 87009;

impl Weixin {
    /// Asks WeChat whether `session_key` is still the one of this user.
    ///
    /// # Errors
    /// [`WechatError`], when WeChat does not say.
    pub async fn session_lives(
        &self,
        openid: &str,
        session_key: &Secret<String>,
    ) -> Result<bool, WechatError> {
        let query = format!(
            "openid={}&signature={}&sig_method=hmac_sha256",
            encode(openid),
            session_signature(session_key),
        );
        match self.connection.get_with_token::<Done>("/wxa/checksession", &query).await {
            Ok(Done {}) => Ok(true),
            Err(WechatError::Refused { code: SESSION_DEAD, .. }) => Ok(false),
            Err(err) => Err(err),
        }
    }
}

/// Proves that we know the key: the empty text is signed, with the key as the text that it came in.
fn session_signature(session_key: &Secret<String>) -> String {
    hmac_sha256(session_key.expose(), &[b""])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_vectors() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../tests/vectors/session.json")).unwrap();
        let cases = vectors["check_session"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let key = Secret::new(case["session_key"].as_str().unwrap().to_owned());
            assert_eq!(session_signature(&key), case["signature"]);
        }
    }
}
