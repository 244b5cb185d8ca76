//! Access tokens, refresh tokens and sessions. Needs only the audit log.
//!
//! A *session* begins with a login and ends with a logout, with its last refresh token, or when a
//! spent refresh token comes back. Its access tokens (JWT, HS256, 7 days) carry its id as `sid`; of
//! its refresh tokens (opaque, 30 days, stored as hashes) exactly one is unspent.
//!
//! Invariants:
//! - A token is judged in this order: form, signature and claims (`INVALID_TOKEN`), time
//!   (`TOKEN_EXPIRED`), ban (`USER_BANNED`), session and version (`TOKEN_REVOKED`).
//! - A logout or "log out everywhere" that was acknowledged holds at once and after a restart.
//! - A refresh token is spent once. Whoever shows a spent one proves that a copy exists: the whole
//!   session ends. A call that raced with the one that won is refused, and nothing more: both were
//!   under way before the token was spent.

mod api;
mod model;
pub mod service;
mod store;
mod token;

pub use api::{AuthApi, OptionalUserAuth, UserAuth};
pub use model::{AuthError, CurrentUser, SessionId, SessionRecord, TokenPair};
