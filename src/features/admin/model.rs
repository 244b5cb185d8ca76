//! Administrators, their sessions and what can go wrong with them.

pub(super) mod home;
pub(super) mod password;
pub(super) mod recovery;
pub(super) mod role;
pub(super) mod search;
pub(super) mod throttle;
pub(super) mod timeline;
pub(super) mod totp;

use std::fmt;

use crate::app::keys::KeyError;
use crate::base::cpu_pool::PoolError;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::audit::{Actor, ByAdmin};

pub use role::Role;

/// Letters of a user name.
const NAME_LETTERS: std::ops::RangeInclusive<usize> = 2..=32;

/// The number of an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdminId(pub i64);

impl fmt::Display for AdminId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An administrator as he is stored, without his secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminAccount {
    pub id: AdminId,
    pub username: String,
    pub role: Role,
    /// Whether a second factor is asked for.
    pub has_totp: bool,
    pub disabled_at: Option<UnixMillis>,
    pub last_login_at: Option<UnixMillis>,
    pub password_at: UnixMillis,
    pub created_by: String,
    pub created_at: UnixMillis,
}

/// What a log-in is checked against.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) id: AdminId,
    pub(super) username: String,
    pub(super) role: Role,
    pub(super) password_hash: Secret<String>,
    /// Sealed; there is one as soon as it is set up.
    pub(super) totp_sealed: Option<Vec<u8>>,
    /// Whether it is asked for.
    pub(super) is_totp_confirmed: bool,
    pub(super) is_disabled: bool,
}

/// A session, as its owner sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id: i64,
    pub address: Option<String>,
    pub user_agent: String,
    pub created_at: UnixMillis,
    pub seen_at: UnixMillis,
    pub expires_at: UnixMillis,
}

/// Who is asking, by his cookie.
#[derive(Clone, Debug)]
pub struct CurrentAdmin {
    pub id: AdminId,
    pub username: String,
    pub role: Role,
    pub has_totp: bool,
    pub session_id: i64,
    /// The end of the session, whatever he does.
    pub expires_at: UnixMillis,
    /// When he must say again who he is before money and secrets are touched.
    pub stepped_up_until: Option<UnixMillis>,
    pub origin: Origin,
}

impl CurrentAdmin {
    /// Who he is to the audit log.
    pub fn actor(&self) -> Actor {
        actor(&self.username, &self.origin)
    }
}

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub request_id: Option<String>,
    pub address: Option<std::net::IpAddr>,
    pub user_agent: String,
}

/// An administrator by this name, to the audit log.
pub(super) fn actor(username: &str, origin: &Origin) -> Actor {
    Actor::Admin(ByAdmin {
        name: username.to_owned(),
        request_id: origin.request_id.clone(),
        address: origin.address.map(|ip| ip.to_string()),
    })
}

/// What a log-in is tried with.
#[derive(Debug)]
pub struct LogIn {
    pub username: String,
    pub password: Secret<String>,
    /// Of the second factor, or a recovery code.
    pub code: Option<Secret<String>>,
}

/// A session that was just opened.
#[derive(Debug)]
pub struct OpenedSession {
    /// For the cookie; it is nowhere else.
    pub token: Secret<String>,
    pub admin: CurrentAdmin,
}

/// A password that was drawn for somebody; he is shown it once.
#[derive(Debug)]
pub struct NewPassword(pub Secret<String>);

/// What an owner changes of an administrator.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdminChange {
    pub role: Option<Role>,
    pub is_disabled: Option<bool>,
}

/// A second factor that is to be confirmed.
#[derive(Debug)]
pub struct TotpSetup {
    /// In base32, to be typed.
    pub secret: Secret<String>,
    /// The same as an address, for a picture.
    pub uri: Secret<String>,
}

/// Why an administrator does not get what he asks for.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("name, password or code is wrong")]
    Credentials,
    #[error("the code of the second factor is missing")]
    TotpRequired,
    #[error("too many failures; locked for {retry_after_s} s")]
    Locked { retry_after_s: u32 },
    #[error("there is no such session, or it has ended")]
    NoSession,
    #[error("this takes the role {0:?}")]
    Forbidden(Role),
    #[error("a step-up is asked for")]
    StepUpRequired,
    #[error("there is no such thing")]
    NotFound,
    #[error("the name is taken")]
    NameTaken,
    #[error("the name cannot be one")]
    BadName,
    #[error("the password cannot be one: {0}")]
    BadPassword(password::PasswordProblem),
    #[error("the last owner must stay one")]
    LastOwner,
    #[error("the second factor is in another state")]
    TotpState,
    #[error("too many streams are open")]
    TooManyStreams,
    #[error("the link is not, or no longer, good")]
    SetupClosed,
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The name as it is stored and compared: in lower case, 2 to 32 letters, digits, `.`, `_`, `-`.
///
/// # Errors
/// [`AdminError::BadName`].
pub(super) fn normal_name(typed: &str) -> Result<String, AdminError> {
    let name = typed.trim().to_lowercase();
    let is_good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    if NAME_LETTERS.contains(&name.chars().count()) && name.chars().all(is_good) {
        Ok(name)
    } else {
        Err(AdminError::BadName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_whatever_its_case() {
        assert_eq!(normal_name(" Ann.Lee ").unwrap(), "ann.lee");
        assert_eq!(normal_name("小王").unwrap(), "小王");
        let long = "a".repeat(33);
        for bad in ["", "a", "a b", "a:b", "<a>", "a\nb", &long] {
            assert!(normal_name(bad).is_err(), "{bad:?}");
        }
    }
}
