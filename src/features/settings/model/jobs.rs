//! How long jobs may take and how often they are tried.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// Times and tries of image jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jobs {
    /// A job that has no result after so many seconds fails.
    pub deadline_s: u32,
    /// A result that comes at most so many seconds after that is still delivered.
    pub late_grace_s: u32,
    pub retry: Retry,
}

/// Trying again after a failure that may pass: the delay doubles from the first to the longest, with
/// jitter; an upstream's `Retry-After` goes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How often a job is tried in all.
    pub max_attempts: u32,
    /// Before the second try, in milliseconds; at most 2 s.
    pub first_delay_ms: u32,
    /// Between later tries at most, in milliseconds.
    pub max_delay_ms: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self { deadline_s: 600, late_grace_s: 600, retry: Retry::default() }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 6, first_delay_ms: 1000, max_delay_ms: 60_000 }
    }
}

impl Checked for Jobs {
    fn check(&self) -> Result<(), SettingsError> {
        within("deadlineS", self.deadline_s, 1, 86_400)?;
        within("lateGraceS", self.late_grace_s, 0, 86_400)?;
        within("retry.maxAttempts", self.retry.max_attempts, 1, 100)?;
        within("retry.firstDelayMs", self.retry.first_delay_ms, 1, 2000)?;
        within("retry.maxDelayMs", self.retry.max_delay_ms, self.retry.first_delay_ms, 3_600_000)
    }
}
