//! Subscribe messages: telling a user of the mini-program that a picture is ready, or that his
//! membership ends.
//!
//! Invariants:
//! - Nothing is sent that the user has not agreed to: one tap, one message. The client says how often he
//!   tapped, and WeChat knows it in the end.
//! - A message is noted in the transaction of what it tells of, so it is neither lost nor noted twice;
//!   noting it never fails that transaction.
//! - A message is not sent twice: what WeChat may have taken is not sent again.
//! - What waits is bounded, in number and in time.

mod api;
mod model;
pub mod service;
mod store;

pub use api::MessagesApi;
pub use model::{MessageError, MessageKind};
