//! Users: one per openid, made by the first login.
//!
//! Invariants:
//! - One openid has one user, whatever happens at once: the database's unique index decides.
//! - The membership level is computed when read; nobody stays VIP because something ran late.
//! - A session key leaves the database sealed only, and never this server.

mod api;
mod model;
pub mod service;
mod store;

pub(crate) use api::NAMELESS;
pub use api::{ShownLevel, User, UsersApi};
pub use model::{Arrival, NewUserProfile, SessionKey, StoredUser, UserError, VipLevel};
