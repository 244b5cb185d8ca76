//! What a session is made of, and how long things last.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::DbError;

/// Life of an access token, in seconds: 7 days.
pub(super) const ACCESS_LIFE_S: i64 = 7 * 24 * 3600;

/// Life of a refresh token, in seconds: 30 days.
pub(super) const REFRESH_LIFE_S: i64 = 30 * 24 * 3600;

/// SHA-256 of a refresh token. The token has 256 random bits, so a plain hash cannot be reversed.
pub(super) type RefreshHash = [u8; 32];

/// A session, as tokens name it (`sid`): 22 URL-safe characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionId(pub String);

/// Who is calling, proven by an access token.
#[derive(Clone, Debug)]
pub struct CurrentUser {
    pub user_id: UserId,
    pub session_id: SessionId,
    /// The `jti` of the token.
    pub token_id: String,
    /// When the token ends by itself.
    pub expires_at: UnixMillis,
    /// The user's token version when it was made.
    pub(super) version: i64,
}

/// A session as an administrator sees it: nothing of it that would open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub created_at: UnixMillis,
    /// When its tokens were last renewed.
    pub refreshed_at: Option<UnixMillis>,
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
    /// When it was ended.
    pub ended_at: Option<UnixMillis>,
}

/// What a login or a refresh gives.
#[derive(Debug)]
pub struct TokenPair {
    pub access: String,
    pub access_expires_at: UnixMillis,
    pub refresh: String,
    pub refresh_expires_at: UnixMillis,
}

/// A refresh token as stored.
#[derive(Debug)]
pub(super) struct StoredRefresh {
    pub(super) session_id: SessionId,
    pub(super) user_id: UserId,
    pub(super) expires_at: UnixMillis,
    pub(super) is_spent: bool,
    pub(super) session_is_over: bool,
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("the token is not one of ours")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    /// Logged out, logged out everywhere, or its session ended.
    #[error("the token was revoked")]
    Revoked,
    #[error("the user is banned")]
    Banned,
    /// Signing failed, which only a broken crypto library does.
    #[error("a token cannot be made")]
    Signing(#[source] jsonwebtoken::errors::Error),
    #[error(transparent)]
    Db(#[from] DbError),
}
