//! An entry of the audit log.

use std::fmt;

use serde_json::Value;

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The server itself: a job, a rule.
    System,
    /// WeChat, by a verified notification or answer.
    Wechat,
    User(UserId),
    Admin(ByAdmin),
}

/// An administrator, and where he asked from: the log keeps both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByAdmin {
    /// His name.
    pub name: String,
    /// The id of his request; none on the command line.
    pub request_id: Option<String>,
    /// The address of his client.
    pub address: Option<String>,
}

impl Actor {
    /// An administrator who is not on the other side of a request.
    pub fn admin(name: &str) -> Self {
        Self::Admin(ByAdmin { name: name.to_owned(), request_id: None, address: None })
    }

    /// The administrator, if it is one.
    pub(super) fn by_admin(&self) -> Option<&ByAdmin> {
        match self {
            Self::Admin(admin) => Some(admin),
            Self::System | Self::Wechat | Self::User(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Wechat => f.write_str("wechat"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Admin(admin) => write!(f, "admin:{}", admin.name),
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

/// An entry as it stands in the log.
#[derive(Clone, Debug)]
pub struct AuditRow {
    pub id: i64,
    pub at: UnixMillis,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub before: Value,
    pub after: Value,
    pub request_id: Option<String>,
    pub address: Option<String>,
}

/// Which entries are asked for; what is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub object: Option<String>,
    pub request_id: Option<String>,
    /// From this time on.
    pub from: Option<UnixMillis>,
    /// Before this time.
    pub to: Option<UnixMillis>,
}
