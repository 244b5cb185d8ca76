//! `/jobs`: what is being made, what failed and why.

mod wire;

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use self::wire::{AdminJob, AdminJobStatus, sheet};
use super::AdminTag;
use super::auth::{Operator, OperatorSteppedUp, Viewer};
use super::csv::{self, Csv};
use super::list::{self, ReasonRequest};
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::generations::service::by_hand;
use crate::features::generations::{FailureCount, JobFilter, JobId, JobRecord};
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// Days of one report of failures.
const DAYS_MAX: i32 = 92;

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

/// Jobs.
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
        search: Query<Option<String>>,
        user: Query<Option<i64>>,
        status: Query<Option<AdminJobStatus>>,
        upstream: Query<Option<String>>,
        error: Query<Option<String>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
    ) -> Result<Csv, ApiError> {
        let filter = JobFilter {
            search: search.0.filter(|text| !text.trim().is_empty()),
            user: user.0.map(UserId),
            status: status.0.map(Into::into),
            upstream: upstream.0,
            error: error.0,
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
        };
        csv::export(&self.app, sheet(), filter, |app, filter, after, fetch| async move {
            by_hand::list(&app, filter, after, fetch).await
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
    /// With its pictures and attempts. Errors: `JOB_NOT_FOUND`.
    #[oai(path = "/jobs/:id", method = "get", operation_id = "getAdminJob")]
    async fn get(&self, _admin: Viewer, id: Path<String>) -> Result<Json<AdminJob>, ApiError> {
        self.job(&job_id(&id.0)?)
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
        self.job(&id)
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
        self.job(&id)
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
}

impl AdminJobsApi {
    fn job(&self, id: &JobId) -> Result<Json<AdminJob>, ApiError> {
        Ok(Json(AdminJob::of(&self.app, by_hand::record(&self.app, id)?)))
    }
}

fn job_id(text: &str) -> Result<JobId, ApiError> {
    JobId::parse(text).ok_or_else(|| ErrorCode::JobNotFound.into())
}
