//! The pass-through to the image API: what the original client calls, with our login in front.
//!
//! Invariants:
//! - Status and JSON of the image API reach the client byte for byte; hop-by-hop headers do not.
//! - A call is paid for before it is sent, by the rule of jobs, and given back once: when its answer is
//!   not a good one or was never noted, or when its job is shown to be lost. Never both kept and given
//!   back: a charge is open, then kept or returned, and each change is guarded by the state before.
//! - What a call costs depends on the image API, not on whether the client waited.
//! - A job is reachable by the user who created it and by nobody else; what he may call is a list.
//! - A call that may have reached the image API is never repeated here.
//! - A client that hangs up frees its place in the queue; a call that runs keeps its slot to its end.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{ProxyApi, WebhookApi};
pub use model::ProxyError;
