//! The pass-through to the image API: what the original client calls, with our login in front.
//!
//! Invariants:
//! - Status and JSON of the image API reach the client byte for byte; hop-by-hop headers do not.
//! - A job is reachable by the user who created it and by nobody else; what he may call is a list.
//! - A call that may have reached the image API is never repeated here.
//! - A client that hangs up frees its place in the queue; a call that runs keeps its slot to its end.

mod api;
mod model;
mod service;
mod store;

pub use api::ProxyApi;
