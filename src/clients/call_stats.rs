//! What became of outside calls, for metrics.

use std::time::Duration;

use super::http::{Answer, CallError};
use crate::base::measure::{Histogram, HistogramState, Tally};

/// How a call can end: by the class of its status, or without one.
const RESULTS: [&str; 9] =
    ["2xx", "3xx", "4xx", "5xx", "no_connection", "timeout", "lost", "too_large", "overloaded"];

/// Counts the calls of one client.
pub(super) struct CallStats {
    results: Tally,
    took: Histogram,
}

/// The calls of one client so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallState {
    /// The client's name.
    pub client: &'static str,
    /// How many calls ended so. `overloaded` was never sent.
    pub results: Vec<(&'static str, u64)>,
    /// How long those took that were sent, in microseconds.
    pub took: HistogramState,
    /// Calls that run now.
    pub in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
}

impl Default for CallStats {
    fn default() -> Self {
        Self { results: Tally::of(&RESULTS), took: Histogram::of_seconds() }
    }
}

impl CallStats {
    pub(super) fn ended(&self, answer: &Result<Answer, CallError>, took: Duration) {
        self.results.add(match answer {
            Ok(answer) if answer.status.is_success() => "2xx",
            Ok(answer) if answer.status.is_server_error() => "5xx",
            Ok(answer) if answer.status.is_client_error() => "4xx",
            Ok(_) => "3xx",
            Err(CallError::Overloaded) => "overloaded",
            Err(CallError::Connect(_)) => "no_connection",
            Err(CallError::Timeout(_)) => "timeout",
            Err(CallError::Lost(_)) => "lost",
            Err(CallError::TooLarge) => "too_large",
        });
        self.took.took(took);
    }

    pub(super) fn refused(&self) {
        self.results.add("overloaded");
    }

    pub(super) fn read(&self, client: &'static str, in_flight: usize, waiting: usize) -> CallState {
        let (results, took) = (self.results.all(), self.took.read());
        CallState { client, results, took, in_flight, waiting }
    }
}
