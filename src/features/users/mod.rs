//! Users: one per openid, made by the first login.
//!
//! Invariants:
//! - One openid has one user, whatever happens at once: the database's unique index decides.
//! - The membership level is computed when read; nobody stays VIP because something ran late.
//! - Of a deleted account nothing is left that names its owner. Whoever comes back with the same openid
//!   is a new user, known by a keyed hash, so that nothing is given twice.
//! - A session key leaves the database sealed only, and never this server.

mod api;
mod model;
pub mod service;
mod store;

pub(crate) use api::{NAMELESS, profile};
pub use api::{ShownLevel, User, UsersApi};
pub(crate) use model::masked_phone;
pub use model::{
    AccountState, Arrival, Former, NewUserProfile, ProfileChange, SessionKey, Standing, StoredUser,
    UserError, UserFilter, UserRecord, VipLevel,
};
