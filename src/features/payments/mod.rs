//! What WeChat tells us about payments, and asking it about what it does not tell.
//!
//! Owns `payment_events`.
//!
//! Guarantees:
//! - A notification is judged by its signature over the bytes as they came, and stored as it came before
//!   anything is made of it. WeChat hears of success only when all is on disk; else it repeats.
//! - What is not from WeChat changes nothing. Some of it is kept for looking at: cut, and only so much an
//!   hour, so that nobody can fill the disk.
//! - What is genuine but does not fit credits nobody, and stays flagged until somebody has looked at it.
//! - An order whose notification is lost is found by asking: the times stand in the database, so this
//!   goes on after a crash where it was.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{NotifyAnswer, PaymentsApi};
pub use model::{
    EventId, EventOutcome, EventRecord, EventState, NewEvent, Notified, PaymentError, Source,
};
