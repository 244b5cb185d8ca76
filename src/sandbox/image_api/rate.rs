//! Submissions per key in a sliding minute of real time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;

use crate::base::clock::Stopwatch;

const WINDOW: Duration = Duration::from_secs(60);
/// Keys whose calls are counted.
const MAX_KEYS: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Rate {
    watch: Stopwatch,
    calls: Cache<String, Arc<Mutex<VecDeque<Duration>>>>,
}

impl Default for Rate {
    fn default() -> Self {
        let calls = Cache::builder().max_capacity(MAX_KEYS).time_to_idle(WINDOW).build();
        Self { watch: Stopwatch::start(), calls }
    }
}

impl Rate {
    /// Counts a call of `key`, or says how long to wait. `limit` 0 is none.
    pub(super) fn admit(&self, key: &str, limit: u32) -> Result<(), Duration> {
        if limit == 0 {
            return Ok(());
        }
        let now = self.watch.elapsed();
        let calls = self.calls.get_with_by_ref(key, Arc::default);
        admit(&mut calls.lock(), now, limit)
    }
}

fn admit(calls: &mut VecDeque<Duration>, now: Duration, limit: u32) -> Result<(), Duration> {
    while calls.front().is_some_and(|call| now.saturating_sub(*call) >= WINDOW) {
        calls.pop_front();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match calls.front() {
        Some(oldest) if calls.len() >= limit => Err(*oldest + WINDOW - now),
        _ => {
            calls.push_back(now);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_so_many_and_then_the_oldest_makes_room() {
        let mut calls = VecDeque::new();
        let at = Duration::from_secs;
        assert_eq!(admit(&mut calls, at(0), 2), Ok(()));
        assert_eq!(admit(&mut calls, at(10), 2), Ok(()));
        assert_eq!(admit(&mut calls, at(15), 2), Err(at(45)));
        assert_eq!(admit(&mut calls, at(60), 2), Ok(()));
        assert_eq!(admit(&mut calls, at(61), 2), Err(at(9)));
    }
}
