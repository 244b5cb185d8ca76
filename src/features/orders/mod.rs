//! Orders: what was or may be paid, and what a payment gives.
//!
//! ```text
//! PENDING ─▶ PAID ─▶ REFUNDING ─▶ REFUNDED | PARTIALLY_REFUNDED
//!   ├─▶ CANCELLED (by its user) ┐
//!   └─▶ EXPIRED (after its time) ┴─▶ PAID (the money came all the same)
//! ```
//!
//! Owns `orders` and `order_payments`.
//!
//! Invariants:
//! - Prices, days and points are those of our tables when the order was placed, copied into it.
//! - One order of a user, product and method waits for payment.
//! - [`service::settle`] alone marks an order paid: with what it gives, its ledger row and its audit
//!   entry, in one transaction, once, however often and by whomever the payment is told.
//! - Every other change of state is an update guarded by the state it starts from.
//! - Nothing is given on the word of the client, nor on an answer of WeChat that does not fit.
//! - Whatever is not over yet stands in `order_payments` with the time it is looked at next, so that a
//!   crash loses nothing.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod api;
mod model;
pub mod service;
mod store;

pub use api::{OrdersApi, PurchaseApi};
pub use model::{
    Asked, FormerPayer, Kind, Method, Mismatch, Order, OrderError, OrderFilter, OrderId, Paid,
    PaymentProgress, PlanTerms, Platform, REFUNDABLE_S, RefundDue, Settled, Settlement, Spent,
    Status,
};
