//! Telling an address that the operator has named.
//!
//! Guarantees: bounded in time, size and number; no redirect is followed, so what is sent goes where it
//! was meant to; the address, which is a key, is in no error.

use std::time::Duration;

use ureq::http::Request;
use ureq::http::header::CONTENT_TYPE;

use super::http::{CallError, HttpClient, HttpSettings};

const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// The line to hooks.
pub struct HookClient(HttpClient);

/// Why nobody was told.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    #[error("the address cannot be used")]
    Address,
    #[error(transparent)]
    Call(#[from] CallError),
}

impl HookClient {
    /// Nothing is sent yet.
    pub fn new(timeout: Duration) -> Self {
        Self(HttpClient::new(HttpSettings {
            name: "hooks",
            timeout,
            concurrency: 3,
            queue: 16,
            max_answer_bytes: MAX_ANSWER_BYTES,
        }))
    }

    /// Posts JSON; gives status and body of the answer.
    ///
    /// # Errors
    /// [`HookError`]; an answer of any status is no error.
    pub async fn post(
        &self,
        address: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<(u16, Vec<u8>), HookError> {
        let mut request =
            Request::post(address).header(CONTENT_TYPE, "application/json; charset=utf-8");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body).map_err(|_| HookError::Address)?;
        let answer = self.0.call(request).await?;
        Ok((answer.status.as_u16(), answer.body))
    }
}
