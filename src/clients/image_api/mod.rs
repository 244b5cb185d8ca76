//! The image APIs behind us: the pass-through, and the upstreams that make the pictures of jobs.
//!
//! A job asks [`Upstreams`] for a [`Lease`], a place at one image API, and speaks to it through that
//! lease in whichever [`Dialect`] it understands. Guarantees: no upstream has more jobs than its
//! concurrency (but for jobs it already has, which are followed to their end); one that fails again
//! and again is left alone for a while; no call is ever repeated here, because only the caller knows
//! whether a repeat is safe.

mod breaker;
mod client;
mod error;
mod lease;
mod openai;
mod passthrough;
mod request;
mod saas;
mod upstreams;

pub use breaker::BreakerState;
pub use error::{UpstreamCode, UpstreamError};
pub use lease::Lease;
pub use passthrough::{Forward, ImageApiClient, ImageApiSettings};
pub use request::{Dialect, ImageRequest, JobProgress, ResultSource, Submitted};
pub use upstreams::{Probe, UpstreamConfig, UpstreamState, Upstreams};

#[cfg(test)]
mod tests;
