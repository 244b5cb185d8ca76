//! Refunds: money that goes back, and what was given for it.
//!
//! ```text
//! (asked, due) ─▶ REFUNDING ─▶ REFUNDED | FAILED         by us
//! (told)       ─▶ TOLD ─▶ REFUNDED | FAILED              at Apple, in the merchant's console
//! ```
//!
//! Owns `refunds`. The order is `REFUNDING` exactly while a refund of ours is, and after a failed one
//! what it was before.
//!
//! Invariants:
//! - A refund stands in the table, with its number and amount, before WeChat hears of it, and whatever
//!   is unclear is asked again under the same number: nothing goes back twice.
//! - One refund of an order at a time, and never more than was paid.
//! - Points are taken in the transaction that makes the refund, so that they cannot be spent while the
//!   money is on its way, and given again in the one that notes its failure. Membership days are noted
//!   with the refund and taken when the money has gone: a running membership cannot be spent otherwise.
//! - A balance never goes below zero: what is spent is either a reason to refuse, or forgiven.
//! - After the whole amount has gone back, nothing of the membership is left.
//! - What was refunded without us is booked like a refund of ours, also when it is told before its
//!   payment.
//! - The time of the next step stands with the refund; a crash loses nothing.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod api;
mod model;
pub mod service;
mod store;

pub use api::RefundsApi;
pub use model::{
    IfSpent, Origin, Refund, RefundAmount, RefundError, RefundFilter, RefundId, RefundStatus,
    RefundWish, ToldRefund, ToldState, UnusedValue,
};
