//! The time as a value, so that tests can move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::time::UnixMillis;

/// Where rules take the time from.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// `None` is the system's clock.
    test: Option<TestClock>,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until `test` moves it.
    pub fn test(test: TestClock) -> Self {
        Self { test: Some(test) }
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock the others are sent to")]
    pub fn now(&self) -> UnixMillis {
        if let Some(test) = &self.test {
            return test.now();
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The hand-moved clock of the tests; clones move together.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// Stands at `start`.
    pub fn at(start: UnixMillis) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// Where it stands.
    pub fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// Measures how long something took, for logs, metrics and waiting; never for rules.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the stopwatch the others are sent to")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The same in milliseconds with fractions, as logs print it.
    pub fn elapsed_ms(&self) -> f64 {
        // More than an hour of microseconds fits; what takes longer is told so long.
        let micros = u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX);
        f64::from(micros) / 1000.0
    }
}
