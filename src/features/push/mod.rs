//! Message push: the one address at which WeChat tells what happened.
//!
//! Invariants:
//! - Nothing happens on a push that is not signed in secure mode, of now, and for our app.
//! - A genuine push is stored as it came before anything is made of it.
//! - The same push again changes nothing: by its nonce while that is remembered, and always by what it
//!   is about, so that a restart forgets nothing that matters.
//! - WeChat hears "success" only after the effect is on disk; whatever else it hears makes it repeat.

mod api;
mod model;
pub mod service;

pub use api::PushApi;
