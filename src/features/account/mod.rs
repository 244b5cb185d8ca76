//! An account as a whole: what is held of it, its ban, its end (docs/privacy.md).
//!
//! Owns `account_closures`. Stands behind every feature that holds something of a user.
//!
//! Invariants:
//! - Every table that holds something of a user is in the export, or in a list that says why not.
//! - What a ban or a deletion must do at once is one transaction: tokens dead, pictures off the public
//!   lists, and with a deletion all that says whose the account was.
//! - What follows (jobs cancelled and given back, orders cancelled, old jobs removed) is done by whoever
//!   gets to it, again after a crash, until nothing is left: the row in `account_closures` says so.
//! - What the books need stays: ledger, orders, payments, grants, without a name.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{AccountApi, JsonDownload};
pub use model::{AccountError, Export};
