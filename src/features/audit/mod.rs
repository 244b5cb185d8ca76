//! The audit log: who changed what, from what, to what.
//!
//! Guarantees: an entry is written in the transaction of the change it tells of, so there is none
//! without the other; entries are never changed or removed (the database refuses it).

mod model;
pub mod service;
mod store;

pub use model::{Actor, AuditEntry, AuditFilter, AuditRow, ByAdmin};
