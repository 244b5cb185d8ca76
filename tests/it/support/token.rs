//! Access tokens that others might make.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The parts of a token, to be changed and put together again.
pub(crate) struct Forged {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Forged {
    /// Starts from a real one.
    pub(crate) fn from(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        });
        Self { header: parts.next().unwrap(), claims: parts.next().unwrap() }
    }

    /// The same with another value for one claim.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// The same without one claim.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    /// Without a signature, as `alg: none` has it.
    pub(crate) fn unsigned(mut self, alg: &str) -> String {
        self.header = json!({ "alg": alg, "typ": "JWT" });
        format!("{}.", self.signing_input())
    }

    /// Signed by HMAC-SHA256 with this key, whatever the header says.
    pub(crate) fn signed(&self, key: &str) -> String {
        let input = self.signing_input();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn signing_input(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }
}
