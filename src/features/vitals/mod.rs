//! How the business is doing, in a few numbers: what waits, what is stuck, what somebody must look at,
//! and the day so far. The one source of metrics, alerts and doctor, so that they never disagree.
//!
//! Owns nothing and changes nothing. Every number comes from an index that holds only what is open, so
//! that asking costs the same however long the history is; asked often, it answers from memory.

mod model;
pub mod service;
mod store;

pub use model::{Check, Today, Vitals, Waiting};
