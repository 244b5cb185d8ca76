//! Where WeChat Pay tells of refunds.

use std::sync::Arc;

use poem::Request;
use poem_openapi::OpenApi;

use super::service;
use crate::app::App;
use crate::features::payments::NotifyAnswer;
use crate::http::{ApiError, Tag};

/// Called by WeChat Pay.
pub struct RefundsApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/payments/wechat", tag = "Tag::Orders")]
impl RefundsApi {
    /// Tell of a refund
    ///
    /// Called by WeChat Pay, signed and encrypted. Anything else changes nothing. The body is taken as
    /// it is, of any content type, up to 64 KB.
    #[oai(path = "/refund-notify", method = "post", operation_id = "notifyRefund")]
    async fn notify(&self, req: &Request, body: Vec<u8>) -> Result<NotifyAnswer, ApiError> {
        Ok(service::notified(&self.app, req.headers(), &body).await.into())
    }
}
