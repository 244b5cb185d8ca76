//! Which calls are repeated, when, and how often; and what they come to in the end.
//!
//! Every call of this API may be repeated as it is: the numbers in it make a repeat the same wish
//! (merchant documentation, "Best practices").

use std::time::Duration;

use super::error::{PayError, PayErrorKind};
use crate::base::clock::Stopwatch;
use crate::base::error_chain::error_chain;
use crate::base::rng::Rng;

/// Attempts of one call, the first included.
const MAX_ATTEMPTS: u32 = 3;

/// Before the second attempt; twice as long before the third. Up to as much again is added.
const PAUSE_MS: u64 = 200;

/// The attempts of one call so far.
pub(super) struct Attempts<'a> {
    since: Stopwatch,
    /// No attempt begins when this much has passed.
    timeout: Duration,
    failed: u32,
    /// An earlier attempt that may have been carried out.
    unknown: Option<PayError>,
    rng: &'a Rng,
}

impl<'a> Attempts<'a> {
    /// None so far.
    pub(super) fn new(timeout: Duration, rng: &'a Rng) -> Self {
        Self { since: Stopwatch::start(), timeout, failed: 0, unknown: None, rng }
    }

    /// Waits until the next attempt after one that ended with `err`.
    ///
    /// # Errors
    /// When there should be none: what the call came to. If any attempt may have been carried out
    /// and no later answer speaks of the same order, it is that one.
    pub(super) async fn next(&mut self, err: PayError) -> Result<(), PayError> {
        let pause_ms = PAUSE_MS << self.failed;
        self.failed += 1;
        let pause = Duration::from_millis(pause_ms + self.rng.below(pause_ms));
        let has_time = self.since.elapsed() + pause < self.timeout;
        let is_last = self.failed >= MAX_ATTEMPTS || !has_time || !err.may_pass();
        let says_nothing =
            matches!(err.kind(), PayErrorKind::Unavailable | PayErrorKind::RateLimited);
        let err = match self.unknown.take() {
            Some(before) if says_nothing => before,
            _ => err,
        };
        if is_last {
            return Err(err);
        }
        let (failed, problem) = (self.failed, error_chain(&err));
        tracing::warn!(failed, problem, "a call of WeChat Pay is repeated");
        if err.kind() == PayErrorKind::Unknown {
            self.unknown = Some(err);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
