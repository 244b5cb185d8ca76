//! Jobs: what they are, what they may become, and the rules that need no database.

mod attempt;
mod entitle;
mod purchase;
mod record;
mod scheduler;
mod wish;

use std::fmt;
use std::time::Duration;

pub(super) use attempt::MESSAGE_MAX;
pub use attempt::{Attempt, Phase};
pub(super) use entitle::{Payment, Usage, payment};
pub use purchase::{Booking, Pictures, Receipt, Tariff};
pub use record::{FailureCount, JobFilter, JobRecord, PictureKeys};
pub(super) use scheduler::{Scheduler, Terms};
pub(super) use wish::Wish;

use crate::base::ids::UserId;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::idempotency::IdempotencyError;
use crate::features::points::PointsError;
use crate::features::settings::Retry;
use crate::features::users::VipLevel;

/// A job: 32 lower hexadecimal digits. The first twelve are its time, so that rows of about the same
/// time lie together; the rest is random, so that nobody guesses one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobId(String);

impl JobId {
    /// A new one.
    pub fn generate(now: UnixMillis, rng: &Rng) -> Self {
        let random: String = rng.bytes::<10>().iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{:012x}{random}", now.0 & 0xffff_ffff_ffff))
    }

    /// `None` for anything that no job of ours is called.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| Self(text.to_owned()))
    }

    /// As stored by us.
    pub(super) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a job is: `QUEUED → RUNNING (⇄ RETRYING) → SUCCEEDED | FAILED | CANCELED`, and from
/// `FAILED` to `SUCCEEDED` when the picture comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Paid for; waits for its turn.
    Queued,
    /// An image API has it, or is about to get it.
    Running,
    /// An attempt went wrong; waits for the next.
    Retrying,
    Succeeded,
    Failed,
    /// By the user, before it ran.
    Canceled,
}

impl Status {
    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Retrying => "RETRYING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "RUNNING" => Self::Running,
            "RETRYING" => Self::Retrying,
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            "CANCELED" => Self::Canceled,
            _ => Self::Queued,
        }
    }

    /// Whether nothing more is to be expected of it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// A job to be stored.
#[derive(Clone, Debug)]
pub(super) struct NewJob {
    pub(super) id: JobId,
    pub(super) user: UserId,
    pub(super) wish: Wish,
    /// The request that makes it.
    pub(super) request_id: Option<std::sync::Arc<str>>,
    pub(super) now: UnixMillis,
    pub(super) deadline_at: UnixMillis,
}

/// What was answered to a submission.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) id: JobId,
    pub(super) points_charged: i64,
    pub(super) queue: Forecast,
}

/// When a queued job may be expected to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forecast {
    /// Counted from 1.
    pub(super) position: Option<i64>,
    /// Until it is done, in seconds.
    pub(super) eta_s: Option<i64>,
}

/// A job that runs, as its worker knows it.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub(super) id: JobId,
    pub(super) user: UserId,
    /// As JSON.
    pub(super) request: String,
    pub(super) upstream: Option<String>,
    pub(super) upstream_job: Option<String>,
    pub(super) attempts: u32,
    pub(super) deadline_at: UnixMillis,
    /// When a `RETRYING` job is to be tried again.
    pub(super) next_attempt_at: Option<UnixMillis>,
}

/// A job that failed and may still be delivered.
#[derive(Clone, Debug)]
pub(super) struct LateJob {
    pub(super) id: JobId,
    pub(super) user: UserId,
    pub(super) upstream: String,
    pub(super) upstream_job: String,
}

/// What had been paid for a job when it ended, and what it was for.
#[derive(Clone, Debug)]
pub(super) struct Bill {
    pub(super) user: UserId,
    pub(super) day: String,
    pub(super) sample_count: i64,
    pub(super) quota_used: i64,
    pub(super) points_charged: i64,
    pub(super) points_refunded: i64,
}

impl Bill {
    /// What of it has not been given back.
    pub(super) fn receipt(&self) -> Receipt {
        Receipt {
            user: self.user,
            day: self.day.clone(),
            pictures: self.sample_count,
            free: self.quota_used,
            points: self.points_charged.saturating_sub(self.points_refunded),
        }
    }
}

/// Why a job failed, for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn timeout() -> Self {
        Self {
            code: "PROVIDER_TIMEOUT", message: "生成超时，已退还积分或次数".to_owned()
        }
    }

    pub(super) fn provider(message: impl Into<String>) -> Self {
        Self { code: "PROVIDER_ERROR", message: message.into() }
    }

    /// The image API's own words for why it will never be done. Its codes are its own; those that
    /// mean the same here are kept.
    pub(super) fn said(code: &str, message: &str) -> Self {
        let code = match code {
            "PROVIDER_TIMEOUT" => "PROVIDER_TIMEOUT",
            "CONTENT_REJECTED" => "CONTENT_REJECTED",
            "INVALID_REQUEST" => "INVALID_REQUEST",
            _ => "PROVIDER_ERROR",
        };
        Self { code, message: message.to_owned() }
    }
}

/// A picture of a job.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) key: String,
    pub(super) thumbnail_key: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A job as it is read.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) seq: i64,
    pub(super) user: UserId,
    pub(super) status: Status,
    pub(super) prompt: String,
    pub(super) mode: String,
    pub(super) resolution: String,
    pub(super) aspect_ratio: String,
    pub(super) template_title: Option<String>,
    pub(super) points_charged: i64,
    pub(super) points_refunded: i64,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) created_at: UnixMillis,
    pub(super) updated_at: UnixMillis,
    pub(super) completed_at: Option<UnixMillis>,
    pub(super) pictures: Vec<Picture>,
}

/// A picture that a job has delivered, for whoever wants to show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredPicture {
    pub prompt: String,
    /// Keys of the media storage.
    pub key: String,
    pub thumbnail_key: String,
    pub width: u32,
    pub height: u32,
}

/// What there is of one picture of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// No such job of this user.
    NoJob,
    /// It has not succeeded, or not yet.
    Unfinished,
    /// It made fewer.
    NoPicture,
    Picture(DeliveredPicture),
}

/// What a user has used of his free pictures. A limit of `None` is none.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The membership that counts now.
    pub level: VipLevel,
    pub daily_limit: Option<i64>,
    /// Free ones of the calendar day in Asia/Shanghai.
    pub today_used: i64,
    pub monthly_limit: Option<i64>,
    /// Free ones of the calendar month.
    pub month_used: i64,
    /// Free ones left today, by both limits; `None` is no limit.
    pub today_remaining: Option<i64>,
    /// Jobs that ever succeeded.
    pub total_generations: i64,
}

/// How long to wait before attempt number `attempts + 1`: the delay doubles from the first to the
/// longest, the upper half of it is jitter (`random` below 1000), and an image API's own wish goes
/// before it, up to the longest delay.
pub(super) fn retry_delay(
    retry: &Retry,
    attempts: u32,
    asked: Option<Duration>,
    random: u64,
) -> Duration {
    let doublings = attempts.saturating_sub(1).min(20);
    let full = u64::from(retry.first_delay_ms)
        .saturating_mul(1 << doublings)
        .min(u64::from(retry.max_delay_ms));
    let own = Duration::from_millis(full / 2 + full.div_ceil(2) * random.min(1000) / 1000);
    let longest = Duration::from_millis(u64::from(retry.max_delay_ms));
    asked.map_or(own, |asked| asked.min(longest).max(own))
}

/// Why a job was not accepted, not found or not changed.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    #[error("there is no such job of this user")]
    NotFound,
    /// Names the field.
    #[error("`{0}` is not valid")]
    Invalid(&'static str),
    #[error("the check of the prompt says no")]
    ContentRejected,
    #[error("this level cannot have it at any price")]
    VipRequired,
    #[error("the day's pictures are used up")]
    QuotaExceeded,
    #[error("the user has as many jobs waiting as one may have")]
    TooManyWaiting,
    #[error("the queue is full")]
    QueueFull,
    /// Too many streams of events of one user.
    #[error("the user follows as many jobs as one may")]
    TooManyStreams,
    #[error("a job cannot be cancelled any more once it runs or has ended")]
    NotCancelable,
    #[error("what the job cost is given back, or it cost nothing")]
    NothingToGiveBack,
    #[error("the job cannot be made anew")]
    NotRepeatable,
    /// The task that stored the job has ended without an answer.
    #[error("the submission was cut short")]
    CutShort,
    /// A picture was removed as unused before its job could be delivered: hours have passed.
    #[error("a stored picture is gone before its delivery")]
    PictureGone,
    /// The signature of a webhook is missing or wrong.
    #[error("the webhook is not signed by the image API")]
    Unsigned,
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_is_32_hexadecimal_digits_in_order_of_time() {
        let rng = Rng::seeded(1);
        let [a, b] = [5, 6].map(|ms| JobId::generate(UnixMillis(1_769_688_000_000 + ms), &rng));
        assert_eq!(JobId::parse(a.as_str()), Some(a.clone()));
        assert!(a.as_str() < b.as_str());
        for bad in ["", "x", &"A".repeat(32), &"0".repeat(31), &"0".repeat(33), &"é".repeat(16)] {
            assert_eq!(JobId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn delays_double_up_to_the_longest_and_the_first_is_within_two_seconds() {
        let retry = Retry { max_attempts: 9, first_delay_ms: 2000, max_delay_ms: 60_000 };
        let of = |attempts, random| retry_delay(&retry, attempts, None, random).as_millis();
        assert_eq!((of(1, 0), of(1, 1000)), (1000, 2000));
        assert_eq!((of(3, 0), of(3, 1000)), (4000, 8000));
        assert_eq!((of(30, 0), of(30, 1000)), (30_000, 60_000));
        let asked = |s| retry_delay(&retry, 1, Some(Duration::from_secs(s)), 0).as_secs();
        assert_eq!((asked(0), asked(7), asked(100_000)), (1, 7, 60));
    }
}
