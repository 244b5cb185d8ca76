//! Membership: what is sold, what was granted, and what it comes to.
//!
//! Owns `users.vip_level` and `users.vip_expire_at`, besides its own tables. `model/fold.rs` is the
//! arithmetic; `docs/membership.md` tells it with numbers.
//!
//! Invariants:
//! - A membership is the fold of the user's live grants in order of time, and nothing else. The two
//!   columns of `users` hold its result, written in the transaction that changed a grant.
//! - An order, a code, an entry of the audit log grants once, however often it is asked for.
//! - Taking a grant back leaves exactly what there would be without it; when nothing is left of any,
//!   there is no membership.
//! - Who counts as a member is decided when it is read ([`StoredUser::level_at`]), to the millisecond.
//! - A month's points are given once, whatever was bought, refunded and bought again.
//!
//! [`StoredUser::level_at`]: crate::features::users::StoredUser::level_at

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod api;
mod model;
pub mod service;
mod store;

pub use api::VipApi;
pub use model::{
    Change, Grant, GrantId, GrantSource, Membership, Plan, Quote, Reminder, ReminderId, RevokeDays,
    StoredGrant, VipError, days_for_refund,
};
