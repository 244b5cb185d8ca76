//! An entry of the audit log.

use std::fmt;

use serde_json::Value;

use crate::base::ids::UserId;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The server itself: a job, a rule.
    System,
    /// WeChat, by a verified notification or answer.
    Wechat,
    User(UserId),
    /// An administrator, by name.
    Admin(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Wechat => f.write_str("wechat"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Admin(name) => write!(f, "admin:{name}"),
        }
    }
}

/// A change to be noted. Holds no secrets and no openids: the log is kept for good.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    pub actor: Actor,
    /// What was done, such as `order.paid`; never renamed.
    pub action: &'static str,
    /// What it was done to, such as `order:…`.
    pub object: String,
    /// What changed, as it was.
    pub before: Value,
    /// What changed, as it is.
    pub after: Value,
}
