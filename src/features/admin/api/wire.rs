//! Wire types of administrators and sessions.

use poem_openapi::{Enum, Object};

use crate::app::App;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::features::admin::model::{AdminAccount, CurrentAdmin, Role, SessionRow};
use crate::features::admin::service::sessions;

/// What an administrator may do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum AdminRole {
    /// Sees everything but secrets.
    Viewer,
    /// And decides what is shown.
    Content,
    /// And runs the business.
    Operator,
    /// And everything else.
    Owner,
}

impl From<Role> for AdminRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Content => Self::Content,
            Role::Operator => Self::Operator,
            Role::Owner => Self::Owner,
        }
    }
}

impl From<AdminRole> for Role {
    fn from(role: AdminRole) -> Self {
        match role {
            AdminRole::Viewer => Self::Viewer,
            AdminRole::Content => Self::Content,
            AdminRole::Operator => Self::Operator,
            AdminRole::Owner => Self::Owner,
        }
    }
}

/// Who is logged in.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Me {
    id: i64,
    username: String,
    role: AdminRole,
    /// What the page offers; the server checks each operation by itself.
    permissions: Vec<String>,
    /// Whether a code is asked for at log-in.
    has_totp: bool,
    /// When the session ends, whatever is done.
    expires_at: String,
    /// Until when money and secrets may be touched; null when `step-up` must come first.
    stepped_up_until: Option<String>,
}

impl Me {
    pub(super) fn of(app: &App, admin: &CurrentAdmin) -> Self {
        Self {
            id: admin.id.0,
            username: admin.username.clone(),
            role: admin.role.into(),
            permissions: admin.role.permissions().map(str::to_owned).collect(),
            has_totp: admin.has_totp,
            expires_at: admin.expires_at.rfc3339(),
            stepped_up_until: sessions::stepped_up_until(app, admin).map(UnixMillis::rfc3339),
        }
    }
}

/// A place where somebody is logged in.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Session {
    session_id: i64,
    /// Whether it is the one that asks.
    is_current: bool,
    address: Option<String>,
    user_agent: String,
    created_at: String,
    /// To the minute.
    seen_at: String,
    expires_at: String,
}

impl Session {
    pub(super) fn of(row: SessionRow, current: i64) -> Self {
        Self {
            session_id: row.id,
            is_current: row.id == current,
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at.rfc3339(),
            seen_at: row.seen_at.rfc3339(),
            expires_at: row.expires_at.rfc3339(),
        }
    }
}

/// The sessions that live, the newest first.
#[derive(Debug, Object)]
pub(super) struct Sessions {
    pub(super) items: Vec<Session>,
}

/// An administrator.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Admin {
    id: i64,
    username: String,
    role: AdminRole,
    has_totp: bool,
    disabled_at: Option<String>,
    last_login_at: Option<String>,
    /// When the password was last changed.
    password_at: String,
    /// Who made him: `system` is the command line.
    created_by: String,
    created_at: String,
}

impl From<AdminAccount> for Admin {
    fn from(account: AdminAccount) -> Self {
        Self {
            id: account.id.0,
            username: account.username,
            role: account.role.into(),
            has_totp: account.has_totp,
            disabled_at: account.disabled_at.map(UnixMillis::rfc3339),
            last_login_at: account.last_login_at.map(UnixMillis::rfc3339),
            password_at: account.password_at.rfc3339(),
            created_by: account.created_by,
            created_at: account.created_at.rfc3339(),
        }
    }
}

/// A secret for the one answer that shows it.
pub(super) fn shown(secret: &Secret<String>) -> String {
    secret.expose().clone()
}
