//! What an image API announces: a hint to look now, never more. What is true is asked.

use aws_lc_rs::hmac;
use serde::Deserialize;

use super::engine::Engine;
use crate::app::App;
use crate::features::generations::model::GenerationError;
use crate::features::generations::store;

/// How a signature begins; 64 lower or upper hexadecimal digits follow.
const SCHEME: &str = "sha256=";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Announcement {
    job_id: Option<String>,
}

/// Takes an announcement with its signature over the bytes as they came. One that is not about a job
/// of ours, or comes late, early or twice, changes nothing. When this succeeds, the image API has
/// signed it.
///
/// # Errors
/// `Unsigned`, also when no secret is configured; what the database fails with.
pub fn announced(app: &App, signature: Option<&str>, body: &[u8]) -> Result<(), GenerationError> {
    if !is_signed(app, signature, body) {
        return Err(GenerationError::Unsigned);
    }
    let announcement = serde_json::from_slice::<Announcement>(body).ok();
    let Some(there) = announcement.and_then(|said| said.job_id) else { return Ok(()) };
    let (engine, now) = (app.states.get::<Engine>(), app.clock.now());
    let jobs = app.db.read_inline("generations.announced", |tx| {
        let mut jobs = Vec::new();
        for job in store::by_upstream_job(tx, &there)? {
            let is_late = store::late_job(tx, &job, now)?.is_some();
            jobs.push((job, is_late));
        }
        Ok::<_, GenerationError>(jobs)
    })?;
    for (job, is_late) in jobs {
        if !engine.wake(&job) && is_late {
            engine.late.notify_one();
        }
    }
    Ok(())
}

/// In constant time.
fn is_signed(app: &App, signature: Option<&str>, body: &[u8]) -> bool {
    let Some(secret) = &app.image_jobs.webhook_secret else { return false };
    let Some(hex) = signature.and_then(|text| text.strip_prefix(SCHEME)) else { return false };
    let Some(tag) = unhexed(hex) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, body, &tag).is_ok()
}

fn unhexed(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || hex.len() != 64 {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sixty_four_digits_are_a_signature() {
        assert_eq!(unhexed(&"0f".repeat(32)), Some(vec![15; 32]));
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert_eq!(unhexed(bad), None, "{bad}");
        }
    }
}
