//! `/proxy/images/generate`, `/proxy/jobs/{jobId}`, and the webhook of the image API.

mod webhook;

use std::sync::Arc;

use poem::http::{HeaderValue, Method, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};

pub use self::webhook::WebhookApi;
use super::model::{Passed, ProxyError};
use super::service::{self, Caller};
use crate::app::App;
use crate::clients::http::CallError;
use crate::features::auth::UserAuth;
use crate::features::idempotency::IdempotencyKey;
use crate::http::{ApiError, ErrorCode, RawJson, RequestContext, Tag};

impl IntoResponse for Passed {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status).body(self.body);
        response.headers_mut().extend(self.headers);
        response
    }
}

impl ApiResponse for Passed {
    fn meta() -> MetaResponses {
        let json = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: "application/json; charset=utf-8",
                schema: <serde_json::Value as Type>::schema_ref(),
            }],
            headers: vec![],
        };
        MetaResponses {
            responses: vec![
                json(200, "The image API's answer, unchanged"),
                json(202, "The image API's answer, unchanged: a job was created"),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        <serde_json::Value as Type>::register(registry);
    }
}

/// The pass-through to the image API.
pub struct ProxyApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/proxy", tag = "Tag::Proxy")]
impl ProxyApi {
    /// Generate through the image API
    ///
    /// Body and answer (status, JSON) are the image API's own. A `jobId` in the answer becomes the
    /// caller's. It costs what a job costs, by `mode`, `resolution` and `sampleCount` or `n`, and is
    /// given back when the answer is not 2xx, or a read or the webhook shows the job failed or
    /// cancelled. Errors of ours: `INVALID_REQUEST` (a member that cannot be priced), `VIP_REQUIRED`,
    /// `QUOTA_EXCEEDED`, `INSUFFICIENT_POINTS`, `PROVIDER_ERROR` (no connection, or no JSON came back),
    /// `PROVIDER_TIMEOUT`, `SERVICE_OVERLOAD`, `RATE_LIMIT_EXCEEDED`, `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/images/generate", method = "post", operation_id = "proxyGenerate")]
    async fn generate(
        &self,
        user: UserAuth,
        req: &Request,
        /// Goes to the image API too. Repeating the call with the same key within a day gives the same
        /// answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: RawJson,
    ) -> Result<Passed, ApiError> {
        self.app.limits.generate_per_user.check(&user.id())?;
        let key = key.of(user.id());
        Ok(service::generate(&self.app, caller(&user, req)?, key, body.0).await?)
    }

    /// Look at a job of the image API
    ///
    /// Only a job that the caller created through `POST /proxy/images/generate`; any other is
    /// `JOB_NOT_FOUND`.
    #[oai(path = "/jobs/:jobId", method = "get", operation_id = "proxyGetJob")]
    async fn job(
        &self,
        user: UserAuth,
        req: &Request,
        #[oai(name = "jobId")] job_id: Path<String>,
    ) -> Result<Passed, ApiError> {
        Ok(service::job(&self.app, caller(&user, req)?, Method::GET, &job_id.0).await?)
    }

    /// Cancel a job of the image API
    ///
    /// Only a job that the caller created; any other is `JOB_NOT_FOUND`.
    #[oai(path = "/jobs/:jobId", method = "delete", operation_id = "proxyCancelJob")]
    async fn cancel(
        &self,
        user: UserAuth,
        req: &Request,
        #[oai(name = "jobId")] job_id: Path<String>,
    ) -> Result<Passed, ApiError> {
        Ok(service::job(&self.app, caller(&user, req)?, Method::DELETE, &job_id.0).await?)
    }
}

fn caller(user: &UserAuth, req: &Request) -> Result<Caller, ApiError> {
    // The check of the token has seen it; a request without one never comes here.
    let authorization: Option<HeaderValue> = req.headers().get(header::AUTHORIZATION).cloned();
    Ok(Caller {
        user: user.id(),
        headers: req.headers().clone(),
        authorization: authorization.ok_or_else(|| ApiError::new(ErrorCode::Unauthorized))?,
        request_id: RequestContext::of(req).map(|context| context.request_id_header()),
    })
}

impl From<ProxyError> for ApiError {
    fn from(err: ProxyError) -> Self {
        let code = match err {
            ProxyError::Price(err) => return err.into(),
            ProxyError::Idempotency(err) => return err.into(),
            ProxyError::Db(err) => return err.into(),
            ProxyError::Invalid(field) => return Self::invalid_field(field),
            ProxyError::ClientGone | ProxyError::CutShort => ErrorCode::InternalError,
            ProxyError::JobNotFound => ErrorCode::JobNotFound,
            ProxyError::Garbled(_) => ErrorCode::ProviderError,
            ProxyError::Call(CallError::Overloaded) => ErrorCode::ServiceOverload,
            ProxyError::Call(CallError::Timeout(_)) => ErrorCode::ProviderTimeout,
            ProxyError::Call(CallError::Connect(_) | CallError::Lost(_) | CallError::TooLarge) => {
                ErrorCode::ProviderError
            }
        };
        Self::new(code).caused_by(err)
    }
}
