//! What requests and answers about jobs look like.

use std::collections::HashMap;

use poem_openapi::{Enum, Object};
use serde_json::Value;

use crate::app::App;
use crate::features::generations::model::{Accepted, Forecast, Job, Quota, Status, Wish};
use crate::features::media;
use crate::features::settings;
use crate::features::users::VipLevel as Level;

/// How a picture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum Mode {
    /// A quick preview.
    Draft,
    Final,
}

/// How large a picture is, by its longer side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum Resolution {
    #[oai(rename = "1K")]
    K1,
    #[oai(rename = "2K")]
    K2,
    /// For members.
    #[oai(rename = "4K")]
    K4,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(super) enum JobStatus {
    Queued,
    Running,
    /// An attempt went wrong; it is tried again soon.
    Retrying,
    Succeeded,
    /// What it cost was given back.
    Failed,
    /// What it cost was given back.
    Canceled,
}

impl From<JobStatus> for Status {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Queued => Self::Queued,
            JobStatus::Running => Self::Running,
            JobStatus::Retrying => Self::Retrying,
            JobStatus::Succeeded => Self::Succeeded,
            JobStatus::Failed => Self::Failed,
            JobStatus::Canceled => Self::Canceled,
        }
    }
}

impl From<Status> for JobStatus {
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

/// Membership level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE", rename = "JobQuotaLevel")]
pub(super) enum VipLevel {
    Normal,
    Vip,
    Svip,
}

/// What is to be generated.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct GenerateRequest {
    /// 1–4000 characters.
    prompt: String,
    /// What is not to be seen.
    negative_prompt: Option<String>,
    /// `final` when left out.
    mode: Option<Mode>,
    /// One of the image API's models.
    model: Option<String>,
    /// `1K` when left out.
    resolution: Option<Resolution>,
    /// `Auto` (when left out), `1:1`, `9:16`, `16:9`, `3:4`, `4:3`, `3:2`, `2:3`, `5:4`, `4:5` or
    /// `21:9`.
    aspect_ratio: Option<String>,
    /// Pictures, 1–10; 1 when left out.
    #[oai(validator(minimum(value = "1"), maximum(value = "10")))]
    sample_count: Option<u32>,
    /// A picture to start from: https, or one of our own media links.
    input_image_url: Option<String>,
    /// The same as a data URI of a PNG, JPEG or WebP.
    input_image: Option<String>,
    template_id: Option<String>,
    template_title: Option<String>,
    template_description: Option<String>,
    /// Anything else for the image API; does not override the fields above.
    params: Option<HashMap<String, Value>>,
}

impl From<GenerateRequest> for Wish {
    fn from(request: GenerateRequest) -> Self {
        Self {
            prompt: request.prompt,
            negative_prompt: request.negative_prompt,
            mode: match request.mode {
                Some(Mode::Draft) => settings::Mode::Draft,
                Some(Mode::Final) | None => settings::Mode::Final,
            },
            model: request.model,
            resolution: match request.resolution {
                Some(Resolution::K1) | None => settings::Resolution::K1,
                Some(Resolution::K2) => settings::Resolution::K2,
                Some(Resolution::K4) => settings::Resolution::K4,
            },
            aspect_ratio: request.aspect_ratio.unwrap_or_else(|| "Auto".to_owned()),
            sample_count: request.sample_count.unwrap_or(1),
            input_image_url: request.input_image_url,
            input_image: request.input_image,
            template_id: request.template_id,
            template_title: request.template_title,
            template_description: request.template_description,
            params: request.params.unwrap_or_default().into_iter().collect(),
        }
    }
}

/// A job that was taken.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct SubmittedJob {
    job_id: String,
    status: JobStatus,
    /// 0 when it came out of the free quota.
    points_charged: i64,
    /// Where it stands, from 1.
    queue_position: Option<i64>,
    /// About when it is done, in seconds; null until the server has seen how long jobs take.
    eta_seconds: Option<i64>,
}

impl From<&Accepted> for SubmittedJob {
    fn from(job: &Accepted) -> Self {
        Self {
            job_id: job.id.to_string(),
            status: JobStatus::Queued,
            points_charged: job.points_charged,
            queue_position: job.queue.position,
            eta_seconds: job.queue.eta_s,
        }
    }
}

/// A job in a list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct JobItem {
    /// The same as `jobId`.
    id: String,
    job_id: String,
    status: JobStatus,
    prompt: String,
    mode: String,
    resolution: String,
    aspect_ratio: String,
    result_urls: Vec<String>,
    thumbnail_urls: Vec<String>,
    template_title: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    created_at: String,
    updated_at: String,
    completed_at: Option<String>,
}

impl JobItem {
    pub(super) fn of(app: &App, job: Job) -> Self {
        let (result_urls, thumbnail_urls) = links(app, &job);
        Self {
            id: job.id.to_string(),
            job_id: job.id.to_string(),
            status: job.status.into(),
            prompt: job.prompt,
            mode: job.mode,
            resolution: job.resolution,
            aspect_ratio: job.aspect_ratio,
            result_urls,
            thumbnail_urls,
            template_title: job.template_title,
            error_code: job.error_code,
            error_message: job.error_message,
            created_at: job.created_at.rfc3339(),
            updated_at: job.updated_at.rfc3339(),
            completed_at: job.completed_at.map(|at| at.rfc3339()),
        }
    }
}

/// A job.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct JobDetail {
    job_id: String,
    status: JobStatus,
    /// In the order of the samples; empty until it has succeeded.
    result_urls: Vec<String>,
    thumbnail_urls: Vec<String>,
    error: Option<JobFailure>,
    points_charged: i64,
    points_refunded: i64,
    /// Where it stands, from 1, while it is `QUEUED`.
    queue_position: Option<i64>,
    /// About when it is done, in seconds, while it is `QUEUED`.
    eta_seconds: Option<i64>,
    created_at: String,
    updated_at: String,
}

/// Why a job failed.
#[derive(Debug, Object)]
pub(super) struct JobFailure {
    /// `PROVIDER_ERROR`, `PROVIDER_TIMEOUT`, `INVALID_REQUEST` or `CONTENT_REJECTED`.
    code: String,
    /// A text to show.
    message: String,
}

impl JobDetail {
    pub(super) fn of(app: &App, (job, queue): (Job, Forecast)) -> Self {
        let (result_urls, thumbnail_urls) = links(app, &job);
        let message = job.error_message.unwrap_or_default();
        Self {
            job_id: job.id.to_string(),
            status: job.status.into(),
            result_urls,
            thumbnail_urls,
            error: job.error_code.map(|code| JobFailure { code, message }),
            points_charged: job.points_charged,
            points_refunded: job.points_refunded,
            queue_position: queue.position,
            eta_seconds: queue.eta_s,
            created_at: job.created_at.rfc3339(),
            updated_at: job.updated_at.rfc3339(),
        }
    }
}

/// A job that was cancelled.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CanceledJob {
    pub(super) job_id: String,
    /// Always `CANCELED`.
    pub(super) status: JobStatus,
}

/// Free pictures.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct JobQuota {
    vip_level: VipLevel,
    /// Free pictures a day; null is no limit.
    daily_limit: Option<i64>,
    today_used: i64,
    /// Free ones left today; null is no limit.
    today_remaining: Option<i64>,
    /// Jobs that succeeded.
    total_generations: i64,
}

impl From<Quota> for JobQuota {
    fn from(quota: Quota) -> Self {
        Self {
            vip_level: match quota.level {
                Level::Normal => VipLevel::Normal,
                Level::Vip => VipLevel::Vip,
                Level::Svip => VipLevel::Svip,
            },
            daily_limit: quota.daily_limit,
            today_used: quota.today_used,
            today_remaining: quota.today_remaining,
            total_generations: quota.total_generations,
        }
    }
}

fn links(app: &App, job: &Job) -> (Vec<String>, Vec<String>) {
    let link = |key: &str| media::service::url(app, key);
    let both = job.pictures.iter().map(|it| (link(&it.key), link(&it.thumbnail_key)));
    both.unzip()
}
