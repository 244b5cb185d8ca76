//! `Idempotency-Key`: a repeated request gets the first answer, and its effect happens once.
//!
//! Guarantees, for one user and one key within a day:
//! - The first 2xx answer is repeated with its status, byte for byte. Anything else is not kept: a
//!   refused request does not burn its key.
//! - While the first call runs, others wait for it, for a bounded time.
//! - The same key with another path or body is refused with `IDEMPOTENCY_KEY_REUSED`.
//! - An effect that stores its answer with [`service::store_in`] cannot happen twice, not even when
//!   the process dies at any moment: answer and effect are one transaction. Effects without a
//!   transaction of their own have their answer stored right after; there a crash in between leaves
//!   the key unused.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{Answered, IdempotencyKey};
pub use model::{Answer, IdempotencyError, KeyedCall, KeyedRequest, Ticket};
