//! `/proxy/images/generate` and `/proxy/jobs/{jobId}`.

use std::sync::Arc;

use poem::http::{HeaderMap, HeaderValue, Method, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};

use super::model::{ProxyError, end_to_end};
use super::service::{self, Caller};
use crate::app::App;
use crate::clients::http::{Answer, CallError};
use crate::features::auth::UserAuth;
use crate::http::{ApiError, ErrorCode, RawJson, RequestContext, Tag};

/// The image API's answer as it came: status, JSON and end-to-end headers.
struct PassedThrough(Answer);

impl IntoResponse for PassedThrough {
    fn into_response(self) -> Response {
        let Answer { status, headers, body } = self.0;
        let mut response = Response::builder().status(status).body(body);
        let headers: HeaderMap = end_to_end(&headers);
        response.headers_mut().extend(headers);
        response
    }
}

impl ApiResponse for PassedThrough {
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
    /// caller's. Errors of ours: `PROVIDER_ERROR` (no connection, or no JSON came back),
    /// `PROVIDER_TIMEOUT`, `SERVICE_OVERLOAD`, `RATE_LIMIT_EXCEEDED`.
    #[oai(path = "/images/generate", method = "post", operation_id = "proxyGenerate")]
    async fn generate(
        &self,
        user: UserAuth,
        req: &Request,
        body: RawJson,
    ) -> Result<PassedThrough, ApiError> {
        self.app.limits.generate_per_user.check(&user.id())?;
        let answer = service::generate(&self.app, caller(&user, req)?, body.0).await?;
        Ok(PassedThrough(answer))
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
    ) -> Result<PassedThrough, ApiError> {
        let answer = service::job(&self.app, caller(&user, req)?, Method::GET, &job_id.0).await?;
        Ok(PassedThrough(answer))
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
    ) -> Result<PassedThrough, ApiError> {
        let answer =
            service::job(&self.app, caller(&user, req)?, Method::DELETE, &job_id.0).await?;
        Ok(PassedThrough(answer))
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
        let code = match &err {
            ProxyError::JobNotFound => ErrorCode::JobNotFound,
            ProxyError::Garbled(_) => ErrorCode::ProviderError,
            ProxyError::Call(CallError::Overloaded) => ErrorCode::ServiceOverload,
            ProxyError::Call(CallError::Timeout(_)) => ErrorCode::ProviderTimeout,
            ProxyError::Call(CallError::Connect(_) | CallError::Lost(_) | CallError::TooLarge) => {
                ErrorCode::ProviderError
            }
            ProxyError::Db(db) => db.into(),
        };
        Self::new(code).caused_by(err)
    }
}
