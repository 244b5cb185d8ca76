//! Users as an administrator looks for them.

use super::VipLevel;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    Active,
    Banned,
    Deleted,
}

impl AccountState {
    /// As statements know it.
    pub(in crate::features::users) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Banned => "BANNED",
            Self::Deleted => "DELETED",
        }
    }
}

/// Which users a list shows; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// A user's id, a whole openid, or how a nickname begins.
    pub search: Option<String>,
    /// As it counts now.
    pub level: Option<VipLevel>,
    pub state: Option<AccountState>,
    /// Who came at this time or later, …
    pub from: Option<UnixMillis>,
    /// … and before this time.
    pub to: Option<UnixMillis>,
}

/// A user with everything that stands in his row, those who are gone included.
#[derive(Clone, Debug)]
pub struct UserRecord {
    pub id: UserId,
    /// `None` of a deleted one.
    pub openid: Option<String>,
    pub nick_name: Option<String>,
    pub avatar_url: Option<String>,
    pub phone: Option<String>,
    /// As it counts now.
    pub level: VipLevel,
    pub vip_expire_at: Option<UnixMillis>,
    pub points_balance: i64,
    pub invited_by: Option<UserId>,
    pub banned_at: Option<UnixMillis>,
    pub deleted_at: Option<UnixMillis>,
    pub created_at: UnixMillis,
    pub updated_at: UnixMillis,
}

impl UserRecord {
    /// How the account stands.
    pub const fn state(&self) -> AccountState {
        match (self.deleted_at, self.banned_at) {
            (Some(_), _) => AccountState::Deleted,
            (None, Some(_)) => AccountState::Banned,
            (None, None) => AccountState::Active,
        }
    }
}

/// What a search text asks for. A nickname may be all digits, an openid never: whoever types a number
/// means an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::features::users) enum Search {
    Id(UserId),
    /// Texts from the first on, before the second.
    NickName(String, String),
}

impl Search {
    /// `None` for a text of nothing.
    pub(in crate::features::users) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if let Ok(id) = text.parse::<i64>() {
            return Some(Self::Id(UserId(id)));
        }
        // Nothing that is written begins with the last character there is.
        Some(Self::NickName(text.to_owned(), format!("{text}\u{10ffff}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_id_and_a_text_is_how_a_name_begins() {
        assert_eq!(Search::of(" 42 "), Some(Search::Id(UserId(42))));
        assert_eq!(Search::of("  "), None);
        let Some(Search::NickName(from, to)) = Search::of("小") else { panic!("no name") };
        for (name, is_in) in [("小", true), ("小明", true), ("小\u{1f600}", true), ("大", false)]
        {
            assert_eq!((from.as_str()..to.as_str()).contains(&name), is_in, "{name}");
        }
    }
}
