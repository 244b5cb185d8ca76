//! Where WeChat Pay tells of payments.

use std::sync::Arc;

use poem::Request;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::model::{Notified, PaymentError};
use super::service;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::http::{ApiError, Tag};

/// What WeChat Pay reads of a refusal.
#[derive(Debug, Object)]
struct NotifyProblem {
    /// `FAIL`.
    code: String,
    message: String,
}

/// The answer to a notification. The status decides whether it is repeated.
#[derive(Debug, ApiResponse)]
enum NotifyAnswer {
    /// Genuine, and stored for somebody to look at: it does not fit an order of ours.
    #[oai(status = 200)]
    Flagged,
    /// Processed, now or before.
    #[oai(status = 204)]
    Taken,
    /// Not from WeChat Pay, or not to be opened.
    #[oai(status = 401)]
    Refused(Json<NotifyProblem>),
    /// It failed here; to be repeated.
    #[oai(status = 500)]
    Failed(Json<NotifyProblem>),
}

fn problem() -> Json<NotifyProblem> {
    Json(NotifyProblem { code: "FAIL".to_owned(), message: "失败".to_owned() })
}

/// Called by WeChat Pay.
pub struct PaymentsApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/payments/wechat", tag = "Tag::Orders")]
impl PaymentsApi {
    /// Tell of a payment
    ///
    /// Called by WeChat Pay, signed and encrypted. Anything else changes nothing. The body is taken as
    /// it is, of any content type, up to 64 KB.
    #[oai(path = "/notify", method = "post", operation_id = "notifyPayment")]
    async fn notify(&self, req: &Request, body: Vec<u8>) -> Result<NotifyAnswer, ApiError> {
        let answer = match service::notified(&self.app, req.headers(), &body).await {
            Ok(Notified::Taken) => NotifyAnswer::Taken,
            Ok(Notified::Flagged) => NotifyAnswer::Flagged,
            Err(err @ (PaymentError::Refused(_) | PaymentError::NotConfigured)) => {
                tracing::info!(error = error_chain(&err), "a notification is refused");
                NotifyAnswer::Refused(problem())
            }
            Err(
                err @ (PaymentError::NotNow(_)
                | PaymentError::Order(_)
                | PaymentError::Db(_)
                | PaymentError::CutShort),
            ) => {
                tracing::error!(error = error_chain(&err), "a notification could not be processed");
                NotifyAnswer::Failed(problem())
            }
        };
        // What the server refuses before (a body that is too large) has the shape of all errors.
        Ok(answer)
    }
}
