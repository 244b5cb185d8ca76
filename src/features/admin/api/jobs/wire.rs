//! Wire types of jobs.

use poem_openapi::{Enum, Object};

use super::super::csv::{Sheet, or_empty};
use super::super::list::shown;
use crate::app::App;
use crate::features::generations::{Attempt, JobRecord, Phase, PictureKeys, Status};
use crate::features::media;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(super) enum AdminJobStatus {
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

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum AttemptPhase {
    /// Handing the job in.
    Submit,
    /// Asking about it until it ends there.
    Poll,
    /// Fetching the pictures.
    Fetch,
}

impl From<Phase> for AttemptPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Submit => Self::Submit,
            Phase::Poll => Self::Poll,
            Phase::Fetch => Self::Fetch,
        }
    }
}

/// How an attempt at an image API ended.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminJobAttempt {
    /// Counted from 1.
    number: i64,
    upstream: String,
    phase: AttemptPhase,
    started_at: String,
    took_ms: i64,
    /// As jobs fail with; null: it worked.
    error_code: Option<String>,
    /// Of the last answer that said no, if one came.
    http_status: Option<u16>,
    upstream_job_id: Option<String>,
    /// What the image API calls the call that it refused.
    upstream_request_id: Option<String>,
    /// What went wrong, in words. What was said of the request itself is the job's `errorMessage`.
    message: Option<String>,
}

impl From<Attempt> for AdminJobAttempt {
    fn from(attempt: Attempt) -> Self {
        let Attempt {
            number,
            upstream,
            phase,
            started_at,
            took_ms,
            error_code,
            http_status,
            upstream_job_id,
            upstream_request_id,
            message,
        } = attempt;
        Self {
            number,
            upstream,
            phase: phase.into(),
            started_at: started_at.rfc3339(),
            took_ms,
            error_code,
            http_status,
            upstream_job_id,
            upstream_request_id,
            message,
        }
    }
}

/// A job, as administrators see it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct AdminJob {
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
    /// How its last attempts ended, in their order, twenty at most; only of one that is looked at alone.
    ended_attempts: Vec<AdminJobAttempt>,
}

impl AdminJob {
    pub(super) fn of(app: &App, job: JobRecord) -> Self {
        let image = |picture: &PictureKeys| AdminJobImage {
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
            ended_attempts: job.ended_attempts.into_iter().map(Into::into).collect(),
        }
    }
}

/// The columns of the export.
pub(super) fn sheet() -> Sheet<JobRecord, [i64; 2]> {
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
