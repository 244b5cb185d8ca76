//! Taking in what WeChat tells, and asking about what it does not.

pub mod events;
mod notify;
mod reconcile;
pub mod review;

pub use self::events::sweep;
pub(super) use self::notify::notified;
pub use self::notify::{count, judged};
pub use self::reconcile::reconcile;
pub use super::model::kept_headers;
