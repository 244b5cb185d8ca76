//! The admin API (`/admin/api`): what the operator's page is made of, with administrators of its own
//! who share nothing with users.
//!
//! Guarantees:
//! - An operation names the least role it takes by the type of its first argument ([`Viewer`],
//!   [`Content`], [`Operator`], [`Owner`], and [`OperatorSteppedUp`], [`OwnerSteppedUp`] where money or
//!   secrets are touched); without a session that has it nothing of a request is parsed.
//! - Roles, ends of sessions and disabled administrators hold from the next request on: each request
//!   reads them from the database.
//! - What changes something comes from the page itself (`Origin`), whatever operation it is.
//! - Passwords, session tokens, recovery codes and the set-up link are stored as hashes, the secret of
//!   the second factor sealed. A code of the second factor is good once.
//! - Guessing gets slower with each failure, by name and by address, and takes the same time whether or
//!   not the name exists.
//! - There is always an owner who can act, once there is one.
//! - Every change is in the audit log, with the administrator, his address and the request.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{
    AdminGate, AdminTag, Content, Operator, OperatorSteppedUp, Owner, OwnerSteppedUp, Viewer,
    open_api,
};
pub use model::{AdminError, AdminId, CurrentAdmin, NewPassword, Role};
