//! Jobs as an administrator looks for them.

use super::{Attempt, JobId, Picture, Status};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// Which jobs a list of all shows; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// A job's id, or what an image API calls it.
    pub search: Option<String>,
    pub user: Option<UserId>,
    pub status: Option<Status>,
    pub upstream: Option<String>,
    /// The code of a failure.
    pub error: Option<String>,
    /// Submitted at this time or later, …
    pub from: Option<UnixMillis>,
    /// … and before this time.
    pub to: Option<UnixMillis>,
}

/// A job with everything that is known of it.
#[derive(Clone, Debug)]
pub struct JobRecord {
    pub(in crate::features::generations) seq: i64,
    pub id: JobId,
    pub user: UserId,
    pub status: Status,
    pub prompt: String,
    pub mode: String,
    pub resolution: String,
    pub aspect_ratio: String,
    pub sample_count: i64,
    pub template_title: Option<String>,
    /// Free pictures of the day that it used.
    pub quota_used: i64,
    pub points_charged: i64,
    pub points_refunded: i64,
    pub upstream: Option<String>,
    pub upstream_job_id: Option<String>,
    pub attempts: i64,
    pub next_attempt_at: Option<UnixMillis>,
    pub deadline_at: UnixMillis,
    /// Until when a failed one may still be delivered.
    pub late_until: Option<UnixMillis>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    /// Whether what was asked for is still known, so that it can be asked for again.
    pub has_request: bool,
    pub created_at: UnixMillis,
    pub started_at: Option<UnixMillis>,
    pub completed_at: Option<UnixMillis>,
    /// Only of one that is looked at alone.
    pub pictures: Vec<PictureKeys>,
    /// How its last attempts ended, in their order; only of one that is looked at alone.
    pub ended_attempts: Vec<Attempt>,
}

impl JobRecord {
    /// What a list of all goes on behind.
    pub const fn keys(&self) -> [i64; 2] {
        [self.created_at.0, self.seq]
    }

    /// Whether there is something that an administrator may give back.
    pub const fn has_cost(&self) -> bool {
        self.quota_used > 0 || self.points_charged > self.points_refunded
    }
}

/// A picture of a job, by the keys of its files.
#[derive(Clone, Debug)]
pub struct PictureKeys {
    pub key: String,
    pub thumbnail_key: String,
    pub width: u32,
    pub height: u32,
}

impl From<Picture> for PictureKeys {
    fn from(picture: Picture) -> Self {
        let Picture { key, thumbnail_key, width, height } = picture;
        Self { key, thumbnail_key, width, height }
    }
}

/// How many jobs that were submitted on a day failed for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureCount {
    /// `2026-01-29`, Asia/Shanghai.
    pub day: String,
    pub error_code: String,
    pub jobs: i64,
}
