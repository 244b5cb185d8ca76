//! Statistics: of the caller, of the service, by day.
//!
//! Invariants:
//! - What is answered is read from counters, never counted: it costs the same at any size.
//! - The counters change in the transaction of what they count, by triggers; `docs/statistics.md` says
//!   which there are, what each counts, and how they are checked and made anew.
//! - Who is active is collected in memory and written once a second: a shutdown loses nothing, a crash
//!   the last second.

mod api;
mod model;
pub mod service;
mod store;

pub use api::StatsApi;
pub use model::{DayStats, Figures, Sales, StatsDifference, StatsError};
