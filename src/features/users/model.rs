//! What a user is.

mod browse;

pub(super) use self::browse::Search;
pub use self::browse::{AccountState, UserFilter, UserRecord};

use crate::base::ids::UserId;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::clients::wechat::WechatError;
use crate::db::DbError;
use crate::features::settings::{Entitlement, Entitlements, MonthlyPoints};

/// What a nickname may hold, in characters.
pub(super) const NICK_NAME_MAX: usize = 32;

/// What an avatar's address may hold, in characters.
pub(super) const AVATAR_URL_MAX: usize = 1024;

/// A user as stored.
#[derive(Clone, Debug)]
pub struct StoredUser {
    pub id: UserId,
    pub openid: String,
    pub unionid: Option<String>,
    pub nick_name: Option<String>,
    pub avatar_url: Option<String>,
    pub phone: Option<String>,
    /// As granted; [`StoredUser::level_at`] says what counts now.
    pub vip_level: VipLevel,
    pub vip_expire_at: Option<UnixMillis>,
    pub points_balance: i64,
    pub created_at: UnixMillis,
}

impl StoredUser {
    /// The membership that counts at `now`.
    pub fn level_at(&self, now: UnixMillis) -> VipLevel {
        match self.vip_expire_at {
            Some(end) if end > now => self.vip_level,
            _ => VipLevel::Normal,
        }
    }
}

/// Membership levels, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VipLevel {
    Normal,
    Vip,
    Svip,
}

impl VipLevel {
    /// What this level may do.
    pub fn entitlement(self, by_level: &Entitlements) -> &Entitlement {
        match self {
            Self::Normal => &by_level.normal,
            Self::Vip => &by_level.vip,
            Self::Svip => &by_level.svip,
        }
    }

    /// The points that each month of this level gives.
    pub fn monthly_points(self, points: &MonthlyPoints) -> i64 {
        match self {
            Self::Normal => 0,
            Self::Vip => points.vip,
            Self::Svip => points.svip,
        }
    }
}

/// Who comes in, as WeChat says.
#[derive(Debug)]
pub struct Arrival {
    pub openid: String,
    pub unionid: Option<String>,
    /// Encrypted for this openid.
    pub session_key_sealed: Vec<u8>,
    pub phone: Option<String>,
    pub profile: NewUserProfile,
}

/// What a user's calls at WeChat are signed with, until the next login.
#[derive(Clone, Debug)]
pub struct SessionKey {
    pub openid: String,
    /// As WeChat gave it: base64 text. Never leaves the server.
    pub key: Secret<String>,
    /// When it came.
    pub(super) since: UnixMillis,
}

/// What the client says of a user who has no name or picture yet.
#[derive(Clone, Debug, Default)]
pub struct NewUserProfile {
    pub nick_name: Option<String>,
    pub avatar_url: Option<String>,
}

impl NewUserProfile {
    /// Trims and checks. An empty text counts as none.
    ///
    /// # Errors
    /// `NickName`, `AvatarUrl`.
    pub fn checked(self) -> Result<Self, UserError> {
        let nick_name = self.nick_name.map(|name| nick_name(&name)).transpose()?.flatten();
        let avatar_url = self.avatar_url.map(|url| avatar_url(&url)).transpose()?.flatten();
        Ok(Self { nick_name, avatar_url })
    }
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub banned_at: Option<UnixMillis>,
    pub deleted_at: Option<UnixMillis>,
}

/// Somebody comes back whose account was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Former {
    /// The deleted account; `None` once nothing of it counts any more.
    pub user: Option<UserId>,
}

/// A change of one's own profile; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    pub nick_name: Option<String>,
    pub avatar_url: Option<String>,
}

impl ProfileChange {
    /// Like [`NewUserProfile::checked`], but an empty text is wrong: it would say nothing.
    pub(super) fn checked(self) -> Result<Self, UserError> {
        let nick_name =
            self.nick_name.map(|name| nick_name(&name)?.ok_or(UserError::NickName)).transpose()?;
        let avatar_url =
            self.avatar_url.map(|url| avatar_url(&url)?.ok_or(UserError::AvatarUrl)).transpose()?;
        Ok(Self { nick_name, avatar_url })
    }
}

fn nick_name(text: &str) -> Result<Option<String>, UserError> {
    let text = text.trim();
    if text.chars().count() > NICK_NAME_MAX || text.chars().any(char::is_control) {
        return Err(UserError::NickName);
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn avatar_url(text: &str) -> Result<Option<String>, UserError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    let is_clean = text.chars().count() <= AVATAR_URL_MAX
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if has_host && is_clean { Ok(Some(text.to_owned())) } else { Err(UserError::AvatarUrl) }
}

/// `138****1234`: what others may see of a phone number.
pub(crate) fn masked_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().collect();
    match digits.len() {
        0..=4 => "*".repeat(digits.len()),
        // Short numbers keep their end only, so that at least half stays hidden.
        5..=7 => format!(
            "{}{}",
            "*".repeat(digits.len() - 2),
            digits[digits.len() - 2..].iter().collect::<String>()
        ),
        n => {
            let (head, tail): (String, String) =
                (digits[..3].iter().collect(), digits[n - 4..].iter().collect());
            format!("{head}{}{tail}", "*".repeat(n - 7))
        }
    }
}

/// Why a user cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No such user (deleted between the check of the token and now).
    #[error("there is no such user")]
    NotFound,
    #[error("the nickname is empty, too long or holds control characters")]
    NickName,
    #[error("the avatar's address is no http or https address")]
    AvatarUrl,
    #[error(transparent)]
    Wechat(#[from] WechatError),
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_masked() {
        assert_eq!(masked_phone("13812341234"), "138****1234");
        assert_eq!(masked_phone("85291234567"), "852****4567");
        assert_eq!(masked_phone("12345"), "***45");
        assert_eq!(masked_phone("123"), "***");
        assert_eq!(masked_phone(""), "");
    }

    #[test]
    fn names_are_counted_in_characters() {
        assert_eq!(nick_name(&"梦".repeat(32)).unwrap().unwrap().chars().count(), 32);
        assert!(nick_name(&"梦".repeat(33)).is_err());
        assert!(nick_name("a\u{7}b").is_err());
        assert_eq!(nick_name("  ").unwrap(), None);
        assert_eq!(nick_name(" 小梦 ").unwrap().unwrap(), "小梦");
    }

    #[test]
    fn an_avatar_is_an_address() {
        for good in ["https://thirdwx.qlogo.cn/x/132", "http://a/b?c=d"] {
            assert_eq!(avatar_url(good).unwrap().unwrap(), good);
        }
        for bad in [
            "javascript:alert(1)",
            "ftp://a/b",
            "https://",
            "https:///x",
            "//a/b",
            "https://a b",
            "data:image/png;base64,AAAA",
        ] {
            assert!(avatar_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_membership_ends_to_the_millisecond() {
        let mut user = StoredUser {
            id: UserId(1),
            openid: "o".into(),
            unionid: None,
            nick_name: None,
            avatar_url: None,
            phone: None,
            vip_level: VipLevel::Vip,
            vip_expire_at: Some(UnixMillis(1000)),
            points_balance: 0,
            created_at: UnixMillis(0),
        };
        assert_eq!(user.level_at(UnixMillis(999)), VipLevel::Vip);
        assert_eq!(user.level_at(UnixMillis(1000)), VipLevel::Normal);
        user.vip_expire_at = None;
        assert_eq!(user.level_at(UnixMillis(0)), VipLevel::Normal);
    }
}
