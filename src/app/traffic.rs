//! What comes in and what goes out, counted for metrics and alerts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::measure::{Counter, Tally};

/// Statuses are counted from here …
const FIRST: u16 = 100;

/// … up to here, this one left out.
const END: u16 = 600;

/// Requests and their answers.
#[derive(Debug)]
pub struct Traffic {
    in_flight: AtomicU64,
    /// By status, from [`FIRST`].
    answers: Box<[Counter]>,
    /// Requests that took longer than the log's threshold.
    pub slow: Counter,
    pub connections: Connections,
}

/// Connections of clients.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    accepted: Counter,
    /// How often newcomers had to wait because there were as many as there may be.
    pub full: Counter,
}

/// What users did and what became of it, since the start.
pub struct Events {
    /// Jobs by how they ended.
    pub jobs: Tally,
    /// Orders by how they ended.
    pub orders: Tally,
    /// Notifications of payments and refunds, by what became of them.
    pub notifications: Tally,
    /// Messages to the operator, by what became of them.
    pub alerts: Tally,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            jobs: Tally::of(&["succeeded", "failed", "canceled"]),
            orders: Tally::of(&["paid", "cancelled", "expired", "mismatch"]),
            notifications: Tally::of(&["taken", "flagged", "refused", "failed"]),
            alerts: Tally::of(&["sent", "failed", "capped"]),
        }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            in_flight: AtomicU64::new(0),
            answers: (FIRST..END).map(|_| Counter::default()).collect(),
            slow: Counter::default(),
            connections: Connections::default(),
        }
    }
}

impl Traffic {
    /// A request has come. It is in flight until what this gives is dropped.
    pub fn enter(&self) -> Present<'_> {
        Present::of(&self.in_flight)
    }

    /// It was answered so.
    pub fn answered(&self, status: u16) {
        let at = usize::from(status.saturating_sub(FIRST));
        if let Some(counter) = self.answers.get(at) {
            counter.add();
        }
    }

    /// Requests that are being answered.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Every status that was answered, and how often.
    pub fn by_status(&self) -> Vec<(u16, u64)> {
        let counts = self.answers.iter().map(Counter::get);
        (FIRST..END).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// How many requests were answered, and how many of them with a 5xx other than 503: being full is
    /// no error.
    pub fn answers_and_errors(&self) -> (u64, u64) {
        self.by_status().into_iter().fold((0, 0), |(all, errors), (status, count)| {
            let is_error = status >= 500 && status != 503;
            (all + count, errors + if is_error { count } else { 0 })
        })
    }
}

impl Connections {
    /// A connection was accepted. It is open until what this gives is dropped.
    pub fn enter(&self) -> Present<'_> {
        self.accepted.add();
        Present::of(&self.open)
    }

    /// How many are open, and how many were accepted so far.
    pub fn read(&self) -> (u64, u64) {
        (self.open.load(Ordering::Relaxed), self.accepted.get())
    }
}

/// Counted as present until it is dropped.
pub struct Present<'a>(&'a AtomicU64);

impl<'a> Present<'a> {
    fn of(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_is_not_counted_any_more() {
        let traffic = Traffic::default();
        let (one, two) = (traffic.enter(), traffic.enter());
        drop(one);
        assert_eq!(traffic.in_flight(), 1);
        drop(two);
        let open = traffic.connections.enter();
        assert_eq!(traffic.connections.read(), (1, 1));
        drop(open);
        assert_eq!((traffic.in_flight(), traffic.connections.read()), (0, (0, 1)));
    }

    #[test]
    fn being_full_is_no_error_and_an_odd_status_is_nobodys() {
        let traffic = Traffic::default();
        for status in [200, 200, 404, 500, 502, 503, 99, 600, 999] {
            traffic.answered(status);
        }
        assert_eq!(traffic.by_status(), [(200, 2), (404, 1), (500, 1), (502, 1), (503, 1)]);
        assert_eq!(traffic.answers_and_errors(), (6, 2));
    }
}
