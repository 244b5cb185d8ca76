//! `/images/generate` and `/jobs/…`.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use poem::web::sse::Event;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::types::ToJSON as _;

use self::wire::{
    CanceledJob, GenerateRequest, JobDetail, JobItem, JobQuota, JobStatus, SubmittedJob,
};
use super::model::{Accepted, GenerationError, Job, JobId, Status};
use super::service;
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::auth::UserAuth;
use crate::features::idempotency::{self, Answer, Answered, IdempotencyKey};
use crate::http::{ApiError, ErrorCode, JsonBody, Page, PageQuery, Tag};

/// The longest `?wait=`, in seconds: below the 30 s after which proxies and clients give up.
const WAIT_MAX_S: u64 = 25;

/// Between two signs of life of a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Image jobs.
pub struct GenerationsApi {
    pub app: Arc<App>,
}

#[OpenApi(tag = "Tag::Jobs")]
impl GenerationsApi {
    /// Generate images
    ///
    /// Takes a job and answers at once; `GET /jobs/{jobId}` tells how it goes. First the day's free
    /// pictures are used (all of a job or none), then points. A job that is not delivered gives both
    /// back. Errors, in this order: `CONTENT_REJECTED` (the prompt may not be used), `VIP_REQUIRED`,
    /// `QUOTA_EXCEEDED`, `INSUFFICIENT_POINTS`, `RATE_LIMIT_EXCEEDED` (too many of your jobs wait),
    /// `SERVICE_OVERLOAD` (too many wait in all); `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/images/generate", method = "post", operation_id = "generateImages")]
    async fn generate(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<GenerateRequest>,
    ) -> Result<Answered<SubmittedJob, 202>, ApiError> {
        submit(&self.app, user.id(), key, body.0).await
    }

    /// Submit a job
    ///
    /// The same as `POST /images/generate`.
    #[oai(path = "/jobs", method = "post", operation_id = "submitJob")]
    async fn submit(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<GenerateRequest>,
    ) -> Result<Answered<SubmittedJob, 202>, ApiError> {
        submit(&self.app, user.id(), key, body.0).await
    }

    /// My jobs
    ///
    /// Newest first.
    #[oai(path = "/jobs", method = "get", operation_id = "listJobs")]
    async fn list(
        &self,
        user: UserAuth,
        /// Only those of one status.
        status: Query<Option<JobStatus>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<JobItem>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        let status = status.0.map(Status::from);
        let (jobs, total) = service::list(&self.app, user.id(), status, query).await?;
        let keys = |job: &Job| [job.created_at.0, job.seq];
        Ok(Json(query.answer(jobs, total, keys, |job| JobItem::of(&self.app, job))))
    }

    /// My quota
    ///
    /// The free pictures of today (Asia/Shanghai), and how many jobs ever succeeded.
    #[oai(path = "/jobs/quota", method = "get", operation_id = "getJobQuota")]
    async fn quota(&self, user: UserAuth) -> Result<Json<JobQuota>, ApiError> {
        Ok(Json(service::quota(&self.app, user.id())?.into()))
    }

    /// A job
    ///
    /// With `wait` the answer comes when the status changes, or after so many seconds.
    /// Errors: `JOB_NOT_FOUND`.
    #[oai(path = "/jobs/:jobId", method = "get", operation_id = "getJob")]
    async fn job(
        &self,
        user: UserAuth,
        #[oai(name = "jobId")] job_id: Path<String>,
        /// Seconds to wait for a change, 0–25; more is cut.
        wait: Query<Option<u64>>,
    ) -> Result<Json<JobDetail>, ApiError> {
        let most = Duration::from_secs(wait.0.unwrap_or(0).min(WAIT_MAX_S));
        let found = service::wait(&self.app, user.id(), &named(&job_id.0)?, most).await?;
        Ok(Json(JobDetail::of(&self.app, found)))
    }

    /// A job as it changes
    ///
    /// Server-sent events: `event: status` with the answer of `GET /jobs/{jobId}` as data, at once and
    /// at each change until the end. At most 8 streams a user. For `enableChunked` clients.
    /// Errors: `JOB_NOT_FOUND`, `RATE_LIMIT_EXCEEDED`.
    #[oai(path = "/jobs/:jobId/events", method = "get", operation_id = "followJob")]
    async fn events(
        &self,
        user: UserAuth,
        #[oai(name = "jobId")] job_id: Path<String>,
    ) -> Result<EventStream<BoxStream<'static, JobDetail>>, ApiError> {
        let app = Arc::clone(&self.app);
        let changes = service::follow(&self.app, user.id(), named(&job_id.0)?)?;
        let changes = changes.map(move |found| JobDetail::of(&app, found)).boxed();
        let event = |job: JobDetail| Event::message(job.to_json_string()).event_type("status");
        Ok(EventStream::new(changes).keep_alive(KEEP_ALIVE).to_event(event))
    }

    /// Cancel a job
    ///
    /// Only while it is `QUEUED` or `RETRYING`; gives back what it cost.
    /// Errors: `JOB_NOT_FOUND`, `INVALID_STATE`.
    #[oai(path = "/jobs/:jobId", method = "delete", operation_id = "cancelJob")]
    async fn cancel(
        &self,
        user: UserAuth,
        #[oai(name = "jobId")] job_id: Path<String>,
    ) -> Result<Json<CanceledJob>, ApiError> {
        let job = named(&job_id.0)?;
        service::cancel(&self.app, user.id(), &job).await?;
        Ok(Json(CanceledJob { job_id: job_id.0, status: JobStatus::Canceled }))
    }
}

async fn submit(
    app: &Arc<App>,
    user: UserId,
    key: IdempotencyKey,
    request: GenerateRequest,
) -> Result<Answered<SubmittedJob, 202>, ApiError> {
    app.limits.generate_per_user.check(&user)?;
    let effect = |ticket| service::submit(Arc::clone(app), user, request.into(), ticket, accepted);
    Ok(idempotency::service::run(app, key.of(user), effect).await?.into())
}

fn accepted(job: &Accepted) -> Answer {
    Answer::json(202, &SubmittedJob::from(job))
}

fn named(text: &str) -> Result<JobId, ApiError> {
    JobId::parse(text).ok_or_else(|| GenerationError::NotFound.into())
}

impl From<GenerationError> for ApiError {
    fn from(err: GenerationError) -> Self {
        let code = match err {
            GenerationError::Points(err) => return err.into(),
            GenerationError::Idempotency(err) => return err.into(),
            GenerationError::Db(err) => return err.into(),
            GenerationError::Invalid(field) => return Self::invalid_field(field),
            GenerationError::NotFound => ErrorCode::JobNotFound,
            GenerationError::ContentRejected => ErrorCode::ContentRejected,
            GenerationError::VipRequired => ErrorCode::VipRequired,
            GenerationError::QuotaExceeded => ErrorCode::QuotaExceeded,
            GenerationError::TooManyWaiting => {
                return Self::new(ErrorCode::RateLimitExceeded).message(
                    "排队中的任务过多，请等待部分任务完成后再试",
                    "Too many of your jobs are waiting; try again when some are done",
                );
            }
            GenerationError::TooManyStreams => ErrorCode::RateLimitExceeded,
            GenerationError::QueueFull => ErrorCode::ServiceOverload,
            GenerationError::NotCancelable => {
                return Self::new(ErrorCode::InvalidState).message(
                    "任务已开始或已结束，无法取消",
                    "The job runs or has ended and cannot be cancelled",
                );
            }
            GenerationError::CutShort | GenerationError::PictureGone => ErrorCode::InternalError,
            GenerationError::Unsigned => ErrorCode::Unauthorized,
        };
        Self::new(code).caused_by(err)
    }
}
