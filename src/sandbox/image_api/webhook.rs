//! Announces ended jobs: signed, tried three times, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::files::hex;
use super::jobs::JobView;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::sandbox::tasks::Tasks;

/// Announcements under way; beyond it they are lost, as a webhook may be.
const MAX_UNDER_WAY: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before the second and the third attempt.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Where ended jobs are announced, and the key their signatures are made with.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// `http://…`.
    pub url: String,
    /// Key of the HMAC.
    pub secret: Secret<String>,
}

#[derive(Debug)]
pub(super) struct Webhooks {
    target: Mutex<Option<Webhook>>,
    agent: ureq::Agent,
    slots: Arc<Semaphore>,
}

impl Webhooks {
    pub(super) fn new(target: Option<Webhook>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .build();
        Self {
            target: Mutex::new(target),
            agent: config.new_agent(),
            slots: Arc::new(Semaphore::new(MAX_UNDER_WAY)),
        }
    }

    pub(super) fn set_target(&self, target: Option<Webhook>) {
        *self.target.lock() = target;
    }

    /// Announces `job` in the background, if there is somebody to announce it to.
    pub(super) fn send(&self, job: &JobView, now: UnixMillis, rng: &Rng, tasks: &Tasks) {
        let Some(Webhook { url, secret }) = self.target.lock().clone() else { return };
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::warn!(job.id, "too many webhooks under way; one is lost");
            return;
        };
        let body = json!({
            "eventId": format!("evt_{}", hex(&rng.bytes::<12>())),
            "jobId": job.id,
            "tenantId": job.tenant,
            "status": job.status,
            "resultUrls": job.result_urls,
            "error": job.error.as_ref().map(|(code, message)| json!({ "code": code, "message": message })),
            "timestamp": now.rfc3339(),
        })
        .to_string();
        let signature = sign(secret.expose(), body.as_bytes());
        let agent = self.agent.clone();
        tasks.spawn(async move {
            let mut pauses = PAUSES.into_iter();
            loop {
                let (agent, url) = (agent.clone(), url.clone());
                let (body, signature) = (body.clone(), signature.clone());
                let attempt = tokio::task::spawn_blocking(move || {
                    let call = agent
                        .post(&url)
                        .header("Content-Type", "application/json")
                        .header("X-Signature", signature);
                    call.send(body).map(|response| response.status())
                });
                match attempt.await {
                    Ok(Ok(status)) if status.is_success() => break,
                    Ok(Ok(status)) => tracing::debug!(%status, "a webhook was refused"),
                    Ok(Err(err)) => tracing::debug!(error = %err, "a webhook did not arrive"),
                    Err(_) => break,
                }
                let Some(pause) = pauses.next() else { break };
                tokio::time::sleep(pause).await;
            }
            drop(slot);
        });
    }
}

/// `sha256=` and the hexadecimal HMAC-SHA256 of the raw body.
fn sign(secret: &str, body: &[u8]) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => {
            let digest = mac.chain_update(body).finalize().into_bytes();
            format!("sha256={}", hex(&digest))
        }
        // HMAC takes keys of any length.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_published_one() {
        // RFC 4231, test case 2.
        assert_eq!(
            sign("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
