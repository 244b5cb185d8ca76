//! What a login needs, gives, and fails with.

use crate::app::keys::KeyError;
use crate::clients::wechat::WechatError;
use crate::db::DbError;
use crate::features::auth::{AuthError, TokenPair};
use crate::features::points::PointsError;
use crate::features::users::{NewUserProfile, StoredUser, UserError};

/// What the mini-program sends.
#[derive(Debug)]
pub(super) struct LoginCommand {
    pub(super) code: String,
    pub(super) phone_code: Option<String>,
    pub(super) profile: NewUserProfile,
    /// As the client sent it.
    pub(super) invite_code: Option<String>,
}

/// What a login gives.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) user: StoredUser,
    pub(super) is_new: bool,
    pub(super) tokens: TokenPair,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error(transparent)]
    Wechat(#[from] WechatError),
    /// The same, about `phoneCode`.
    #[error(transparent)]
    Phone(WechatError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Points(#[from] PointsError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Db(#[from] DbError),
}
