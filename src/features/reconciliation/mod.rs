//! Reconciliation: what WeChat's bills say against what we know, and whether our own books of money
//! agree with themselves.
//!
//! Owns `bill_runs`, `differences` and `money_checks`.
//!
//! Invariants:
//! - Nothing here changes an order, a refund, a membership or a balance. A difference is noted; a repair
//!   asks WeChat again and goes the way that every payment and refund goes.
//! - A day is compared once; comparing it again notes nothing twice, and what is resolved stays so.
//! - Missed days are caught up in their order, as far back as WeChat keeps bills.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod model;
pub mod service;
mod store;

pub use model::{
    Channel, ComparedDay, Difference, DifferenceId, DifferenceKind, DifferenceState, Earned,
    Finding, MoneyReport, ReconciliationError, Repair, Run,
};
