//! `/wechat/push`.

use std::sync::Arc;

use poem::web::Query as RawQuery;
use poem::{FromRequest as _, Request};
use poem_openapi::OpenApi;
use poem_openapi::payload::{PlainText, Response};
use serde::Deserialize;

use super::model::{PushFailure, rendered};
use super::service;
use crate::app::App;
use crate::clients::wechat::push::{PushError, PushQuery};
use crate::http::{ApiError, ErrorCode, Tag};

/// Called by WeChat.
pub struct PushApi {
    pub app: Arc<App>,
}

#[derive(Deserialize)]
struct Parameters {
    signature: Option<String>,
    timestamp: Option<String>,
    nonce: Option<String>,
    echostr: Option<String>,
    encrypt_type: Option<String>,
    msg_signature: Option<String>,
}

#[OpenApi(prefix_path = "/wechat", tag = "Tag::Wechat")]
impl PushApi {
    /// Prove that the address is ours
    ///
    /// Called by WeChat when the message push is configured, with `signature`, `timestamp`, `nonce` and
    /// `echostr` in the query; the answer is the bare `echostr`. Errors: `UNAUTHORIZED`.
    #[oai(path = "/push", method = "get", operation_id = "checkPushUrl")]
    async fn check(&self, req: &Request) -> Result<PlainText<String>, ApiError> {
        Ok(PlainText(service::check_url(&self.app, &query(req).await?)?))
    }

    /// Tell what happened
    ///
    /// Called by WeChat: deliveries, refunds and complaints of virtual payment, verdicts on pictures.
    /// Secure mode only, JSON or XML. The answer has the form of the event. Errors: `UNAUTHORIZED`
    /// (unsigned, forged, of another time or app), `INVALID_REQUEST` (signed, and cannot be read);
    /// neither changes anything.
    #[oai(path = "/push", method = "post", operation_id = "pushWechatEvent")]
    async fn push(
        &self,
        req: &Request,
        body: Vec<u8>,
    ) -> Result<Response<PlainText<String>>, ApiError> {
        let reply = service::take(&self.app, &query(req).await?, &body).await?;
        let (content_type, text) = rendered(&reply);
        Ok(Response::new(PlainText(text)).header("content-type", content_type))
    }
}

async fn query(req: &Request) -> Result<PushQuery, ApiError> {
    let RawQuery(found) = RawQuery::<Parameters>::from_request_without_body(req)
        .await
        .map_err(|_| PushFailure::Refused(PushError::Unsigned))?;
    Ok(PushQuery {
        signature: found.signature,
        timestamp: found.timestamp,
        nonce: found.nonce,
        echostr: found.echostr,
        encrypt_type: found.encrypt_type,
        msg_signature: found.msg_signature,
    })
}

impl From<PushFailure> for ApiError {
    fn from(err: PushFailure) -> Self {
        let code = match err {
            PushFailure::Db(err) => return err.into(),
            PushFailure::Order(err) => return err.into(),
            PushFailure::CutShort => ErrorCode::InternalError,
            PushFailure::NotConfigured
            | PushFailure::NonceReused
            | PushFailure::Refused(
                PushError::Unsigned | PushError::Stale | PushError::Forged | PushError::OtherApp,
            ) => ErrorCode::Unauthorized,
            PushFailure::Refused(PushError::Garbled) => ErrorCode::InvalidRequest,
            PushFailure::Full => ErrorCode::ServiceOverload,
        };
        Self::new(code).caused_by(err)
    }
}
