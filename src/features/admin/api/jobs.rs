//! `/jobs` and `/upstreams`: what is being made, what failed and why, and who makes it.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, OperatorSteppedUp, Viewer};
use super::csv::{self, Csv, Sheet, or_empty};
use super::list::{self, ReasonRequest, shown};
use crate::app::App;
use crate::base::ids::UserId;
use crate::clients::image_api::{BreakerState, Dialect, UpstreamState};
use crate::features::generations::service::by_hand;
use crate::features::generations::{FailureCount, JobFilter, JobId, JobRecord, Status};
use crate::features::media;
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// Days of one report of failures.
const DAYS_MAX: i32 = 92;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum AdminJobStatus {
    Queued,
    Running,
    Retrying,
    Succeeded,
    Failed,
    Canceled,
}

impl From<AdminJobStatus> for Status {
    fn from(status: AdminJobStatus) -> Self {
        match status {
            AdminJobStatus::Queued => Self::Queued,
            AdminJobStatus::Running => Self::Running,
            AdminJobStatus::Retrying => Self::Retrying,
            AdminJobStatus::Succeeded => Self::Succeeded,
            AdminJobStatus::Failed => Self::Failed,
            AdminJobStatus::Canceled => Self::Canceled,
        }
    }
}

impl From<Status> for AdminJobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Retrying => Self::Retrying,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Canceled => Self::Canceled,
        }
    }
}

/// A picture of a job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminJobImage {
    url: String,
    thumbnail_url: String,
    width: u32,
    height: u32,
}

/// A job, as administrators see it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminJob {
    job_id: String,
    user_id: i64,
    status: AdminJobStatus,
    prompt: String,
    mode: String,
    resolution: String,
    aspect_ratio: String,
    sample_count: i64,
    template_title: Option<String>,
    /// Free pictures of the day that it used.
    quota_used: i64,
    points_charged: i64,
    points_refunded: i64,
    /// The image API that has it, or had it last.
    upstream: Option<String>,
    upstream_job_id: Option<String>,
    /// How often it was tried.
    attempts: i64,
    next_attempt_at: Option<String>,
    deadline_at: String,
    /// Until when a failed one may still be delivered.
    late_until: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    /// Whether it can be made anew: it failed, and what was asked for is kept.
    can_retry: bool,
    /// Whether there is something that can be given back by hand.
    can_refund: bool,
    can_cancel: bool,
    created_at: String,
    started_at: Option<String>,
    completed_at: Option<String>,
    /// Only of one that is looked at alone.
    images: Vec<AdminJobImage>,
}

impl AdminJob {
    fn of(app: &App, job: JobRecord) -> Self {
        let image = |picture: &crate::features::generations::PictureKeys| AdminJobImage {
            url: media::service::url(app, &picture.key),
            thumbnail_url: media::service::url(app, &picture.thumbnail_key),
            width: picture.width,
            height: picture.height,
        };
        let may_come = job.late_until.is_some_and(|until| until > app.clock.now());
        Self {
            images: job.pictures.iter().map(image).collect(),
            can_retry: job.status == Status::Failed && job.has_request && !may_come,
            can_refund: job.status == Status::Succeeded && job.has_cost(),
            can_cancel: matches!(job.status, Status::Queued | Status::Retrying),
            job_id: job.id.to_string(),
            user_id: job.user.0,
            status: job.status.into(),
            prompt: job.prompt,
            mode: job.mode,
            resolution: job.resolution,
            aspect_ratio: job.aspect_ratio,
            sample_count: job.sample_count,
            template_title: job.template_title,
            quota_used: job.quota_used,
            points_charged: job.points_charged,
            points_refunded: job.points_refunded,
            upstream: job.upstream,
            upstream_job_id: job.upstream_job_id,
            attempts: job.attempts,
            next_attempt_at: shown(job.next_attempt_at),
            deadline_at: job.deadline_at.rfc3339(),
            late_until: shown(job.late_until),
            error_code: job.error_code,
            error_message: job.error_message,
            created_at: job.created_at.rfc3339(),
            started_at: shown(job.started_at),
            completed_at: shown(job.completed_at),
        }
    }
}

fn sheet() -> Sheet<JobRecord, [i64; 2]> {
    Sheet {
        name: "jobs.csv",
        columns: &[
            "jobId",
            "userId",
            "status",
            "upstream",
            "attempts",
            "pointsCharged",
            "pointsRefunded",
            "errorCode",
            "errorMessage",
            "createdAt",
            "completedAt",
        ],
        keys: JobRecord::keys,
        record: |job| {
            vec![
                job.id.to_string(),
                job.user.to_string(),
                job.status.as_str().to_owned(),
                or_empty(job.upstream.as_ref()),
                job.attempts.to_string(),
                job.points_charged.to_string(),
                job.points_refunded.to_string(),
                or_empty(job.error_code.as_ref()),
                or_empty(job.error_message.as_ref()),
                job.created_at.rfc3339(),
                or_empty(shown(job.completed_at)),
            ]
        },
    }
}

/// How many jobs that were submitted on a day failed for a reason.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct JobFailureCount {
    /// Asia/Shanghai.
    day: String,
    error_code: String,
    jobs: i64,
}

impl From<FailureCount> for JobFailureCount {
    fn from(count: FailureCount) -> Self {
        let FailureCount { day, error_code, jobs } = count;
        Self { day, error_code, jobs }
    }
}

/// Why jobs failed, by day.
#[derive(Debug, Object)]
struct JobFailures {
    items: Vec<JobFailureCount>,
}

/// A job that was made anew.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RetriedJob {
    /// The new one.
    job_id: String,
}

/// Whether an image API is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
enum Breaker {
    /// Calls go through.
    Closed,
    /// No call goes through for now.
    Open,
    /// One call finds out.
    HalfOpen,
}

/// An image API, since the start of the server.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminUpstream {
    name: String,
    /// `image-saas` or `openai-images`.
    dialect: String,
    weight: u32,
    concurrency: u32,
    /// Jobs that it has now.
    in_flight: u32,
    breaker: Breaker,
    /// Whether it has asked to be left alone for now.
    paused: bool,
    /// What jobs took recently: a moving average.
    recent_ms: Option<u64>,
    succeeded: u64,
    failed: u64,
}

impl From<UpstreamState> for AdminUpstream {
    fn from(state: UpstreamState) -> Self {
        Self {
            name: state.name,
            dialect: match state.dialect {
                Dialect::ImageSaas => "image-saas",
                Dialect::OpenaiImages => "openai-images",
            }
            .to_owned(),
            weight: state.weight,
            concurrency: state.concurrency,
            in_flight: state.in_flight,
            breaker: match state.breaker {
                BreakerState::Closed => Breaker::Closed,
                BreakerState::Open => Breaker::Open,
                BreakerState::HalfOpen => Breaker::HalfOpen,
            },
            paused: state.is_paused,
            recent_ms: state.recent_ms,
            succeeded: state.succeeded,
            failed: state.failed,
        }
    }
}

/// All image APIs, in the order of the configuration.
#[derive(Debug, Object)]
struct AdminUpstreams {
    items: Vec<AdminUpstream>,
}

/// Whether an image API answers and takes the key. No picture is made.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UpstreamProbe {
    ok: bool,
    took_ms: u64,
    /// What is wrong.
    problem: Option<String>,
}

/// Jobs and image APIs.
pub(super) struct AdminJobsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Jobs")]
impl AdminJobsApi {
    /// Find jobs
    ///
    /// The newest first. `search` is a job's id, ours or an image API's.
    #[oai(path = "/jobs", method = "get", operation_id = "listAdminJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn list(
        &self,
        _admin: Viewer,
        search: Query<Option<String>>,
        user: Query<Option<i64>>,
        status: Query<Option<AdminJobStatus>>,
        upstream: Query<Option<String>>,
        /// The code of a failure.
        error: Query<Option<String>>,
        /// Submitted at this time or later: RFC 3339 or a day.
        from: Query<Option<String>>,
        /// Submitted before this time.
        to: Query<Option<String>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<AdminJob>>, ApiError> {
        let filter = JobFilter {
            search: search.0.filter(|text| !text.trim().is_empty()),
            user: user.0.map(UserId),
            status: status.0.map(Into::into),
            upstream: upstream.0,
            error: error.0,
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
        };
        let part = list::part::<2>(limit.0, cursor.0.as_deref())?;
        let found = by_hand::list(&self.app, filter, part.after(), part.fetch()).await?;
        Ok(Json(part.answer_found(found, JobRecord::keys, |job| AdminJob::of(&self.app, job))))
    }

    /// Export jobs
    ///
    /// As CSV, with the filters of the list; without prompts, which are their users'.
    #[oai(path = "/jobs/export.csv", method = "get", operation_id = "exportAdminJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn export(
        &self,
        _admin: Viewer,
        user: Query<Option<i64>>,
        status: Query<Option<AdminJobStatus>>,
        upstream: Query<Option<String>>,
        error: Query<Option<String>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
    ) -> Result<Csv, ApiError> {
        let filter = JobFilter {
            search: None,
            user: user.0.map(UserId),
            status: status.0.map(Into::into),
            upstream: upstream.0,
            error: error.0,
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
        };
        let app = Arc::clone(&self.app);
        csv::export(&self.app, sheet(), move |after, fetch| {
            let (app, filter) = (Arc::clone(&app), filter.clone());
            async move { by_hand::list(&app, filter, after, fetch).await }
        })
        .await
    }

    /// Why jobs fail
    ///
    /// By the day of submission and the code of the failure; 92 days at most.
    #[oai(path = "/jobs/failures", method = "get", operation_id = "listJobFailures")]
    async fn failures(
        &self,
        _admin: Viewer,
        /// The first day, such as `2026-01-01`.
        from: Query<String>,
        /// The last day.
        to: Query<String>,
    ) -> Result<Json<JobFailures>, ApiError> {
        let (first, last) = list::days(&from.0, &to.0, DAYS_MAX)?;
        let (from, to) = (list::start_of(first), list::start_of(last.tomorrow().unwrap_or(last)));
        let found = by_hand::failures(&self.app, from, to).await?;
        Ok(Json(JobFailures { items: found.into_iter().map(JobFailureCount::from).collect() }))
    }

    /// See a job
    ///
    /// With its pictures. Errors: `JOB_NOT_FOUND`.
    #[oai(path = "/jobs/:id", method = "get", operation_id = "getAdminJob")]
    async fn get(&self, _admin: Viewer, id: Path<String>) -> Result<Json<AdminJob>, ApiError> {
        let job = by_hand::record(&self.app, &job_id(&id.0)?)?;
        Ok(Json(AdminJob::of(&self.app, job)))
    }

    /// Cancel a job
    ///
    /// One that does not run; what it cost goes back. Errors: `JOB_NOT_FOUND`; `INVALID_STATE`.
    #[oai(path = "/jobs/:id/cancel", method = "post", operation_id = "cancelAdminJob")]
    async fn cancel(
        &self,
        admin: Operator,
        id: Path<String>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminJob>, ApiError> {
        let (id, reason) = (job_id(&id.0)?, body.0.reason()?);
        by_hand::cancel(&self.app, &id, admin.actor(), reason).await?;
        Ok(Json(AdminJob::of(&self.app, by_hand::record(&self.app, &id)?)))
    }

    /// Give back what a job cost
    ///
    /// One that was delivered: points to the balance, free pictures to their day; once. What a failed one
    /// cost went back by itself. Errors: `JOB_NOT_FOUND`; `INVALID_STATE`.
    #[oai(path = "/jobs/:id/refund", method = "post", operation_id = "refundAdminJob")]
    async fn refund(
        &self,
        admin: OperatorSteppedUp,
        id: Path<String>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminJob>, ApiError> {
        let (id, reason) = (job_id(&id.0)?, body.0.reason()?);
        by_hand::refund(&self.app, &id, admin.actor(), reason).await?;
        Ok(Json(AdminJob::of(&self.app, by_hand::record(&self.app, &id)?)))
    }

    /// Make a failed job anew
    ///
    /// For nothing: what the failed one cost has gone back to its user, and he did not ask again. Errors:
    /// `JOB_NOT_FOUND`; `INVALID_STATE` when it has not failed, may still come late, was made anew before,
    /// or its request is not kept; `SERVICE_OVERLOAD`.
    #[oai(path = "/jobs/:id/retry", method = "post", operation_id = "retryAdminJob")]
    async fn retry(
        &self,
        admin: Operator,
        id: Path<String>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<RetriedJob>, ApiError> {
        let (id, reason) = (job_id(&id.0)?, body.0.reason()?);
        let new = by_hand::retry(&self.app, &id, admin.actor(), reason).await?;
        Ok(Json(RetriedJob { job_id: new.to_string() }))
    }

    /// How the image APIs do
    #[oai(path = "/upstreams", method = "get", operation_id = "listUpstreams")]
    async fn upstreams(&self, _admin: Viewer) -> Result<Json<AdminUpstreams>, ApiError> {
        let states = self.app.upstreams.states();
        Ok(Json(AdminUpstreams { items: states.into_iter().map(AdminUpstream::from).collect() }))
    }

    /// Ask an image API whether it is there
    ///
    /// And takes the key, within 10 s. No picture is made. Errors: `NOT_FOUND`.
    #[oai(path = "/upstreams/:name/test", method = "post", operation_id = "testUpstream")]
    async fn test(
        &self,
        _admin: Operator,
        name: Path<String>,
    ) -> Result<Json<UpstreamProbe>, ApiError> {
        let probe = self.app.upstreams.probe(&name.0).await.ok_or(ErrorCode::NotFound)?;
        Ok(Json(UpstreamProbe {
            ok: probe.problem.is_none(),
            took_ms: u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX),
            problem: probe.problem,
        }))
    }
}

fn job_id(text: &str) -> Result<JobId, ApiError> {
    JobId::parse(text).ok_or_else(|| ErrorCode::JobNotFound.into())
}
