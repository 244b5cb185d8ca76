//! Points: the ledger, and the ways to points that need no payment.
//!
//! Owns `users.points_balance`, `users.invite_code` and `users.invited_by`, besides its own tables.
//!
//! Invariants:
//! - A balance changes together with a row of the ledger, in one transaction, or not at all.
//! - A balance is never below zero: a spend that it does not cover has no effect.
//! - Nothing is booked twice: a reason and its reference (a job, an order, a day) name one booking.
//! - For every user the balance is the sum of his ledger and the `balance_after` of its last row. The
//!   books check proves it each night and on `dream-bff books`.
//! - One check-in a day (Asia/Shanghai), one use of a code, one reward for an invited user, also when
//!   many try at once: the database decides.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod api;
mod model;
pub mod service;
mod store;

pub use api::{InvitesApi, PointsApi};
pub use model::{
    Batch, BatchId, BatchRecord, BooksReport, CodeRecord, Difference, Entry, Pack, PackRecord,
    PointsError, Reason, Totals, Transaction, TransactionType,
};
