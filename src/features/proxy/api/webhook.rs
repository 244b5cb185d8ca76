//! `/webhooks/image-api`: what the image API announces, about jobs of ours and passed through.

use std::sync::Arc;

use poem::Request;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use crate::app::App;
use crate::features::generations;
use crate::features::proxy::service;
use crate::http::{ApiError, Tag};

/// Carries the signature of an announcement.
const SIGNATURE: &str = "X-Signature";

/// The announcement has arrived.
#[derive(Debug, Object)]
struct WebhookResponse {
    received: bool,
}

/// Called by the image API.
pub struct WebhookApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/webhooks", tag = "Tag::Jobs")]
impl WebhookApi {
    /// Announce a job
    ///
    /// Called by the image API when a job has ended there, with `X-Signature: sha256=<hex HMAC-SHA256 of
    /// the body>`. For jobs of ours a hint to look; a job that was passed through and has failed gives
    /// back what it cost. Unknown, early, late and repeated ones change nothing.
    /// Errors: `UNAUTHORIZED` (unsigned or forged).
    #[oai(path = "/image-api", method = "post", operation_id = "announceImageJob")]
    async fn announced(
        &self,
        req: &Request,
        body: Vec<u8>,
    ) -> Result<Json<WebhookResponse>, ApiError> {
        let signature = req.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
        generations::service::announced(&self.app, signature, &body)?;
        service::announced(&self.app, &body).await?;
        Ok(Json(WebhookResponse { received: true }))
    }
}
