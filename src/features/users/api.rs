//! A user as he sees himself, and `/users/me/phone`. `/users/me` itself stands in the account feature,
//! which deletes it.

use std::sync::Arc;

use poem_openapi::{Enum, Object, OpenApi};
use serde::Serialize;

use super::model::{StoredUser, UserError, VipLevel, masked_phone};
use super::service;
use crate::app::{App, Profile};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::features::auth::UserAuth;
use crate::http::{ApiError, ErrorCode, JsonBody, JsonBytes, Tag};

/// Shown for users who have told no name, as WeChat does.
pub(crate) const NAMELESS: &str = "微信用户";

/// Membership level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize)]
#[oai(rename_all = "UPPERCASE", rename = "VipLevel")]
#[serde(rename_all = "UPPERCASE")]
pub enum ShownLevel {
    /// No membership.
    Normal,
    Vip,
    Svip,
}

impl From<VipLevel> for ShownLevel {
    fn from(level: VipLevel) -> Self {
        match level {
            VipLevel::Normal => Self::Normal,
            VipLevel::Vip => Self::Vip,
            VipLevel::Svip => Self::Svip,
        }
    }
}

impl From<ShownLevel> for VipLevel {
    fn from(level: ShownLevel) -> Self {
        match level {
            ShownLevel::Normal => Self::Normal,
            ShownLevel::Vip => Self::Vip,
            ShownLevel::Svip => Self::Svip,
        }
    }
}

/// A user, as he himself sees it.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: i64,
    /// WeChat's id of the user within this mini-program.
    pub openid: String,
    /// WeChat's id across the owner's apps, when there is one.
    pub unionid: Option<String>,
    pub nick_name: String,
    pub avatar_url: Option<String>,
    /// Masked: `138****1234`.
    pub phone: Option<String>,
    /// What counts now; a membership that has ended is `NORMAL`.
    pub vip_level: ShownLevel,
    /// When the membership ends; null without one.
    pub vip_expire_at: Option<String>,
    pub points_balance: i64,
    pub created_at: String,
}

impl User {
    /// The user as it is at `now`.
    pub fn at(user: &StoredUser, now: UnixMillis) -> Self {
        let level = user.level_at(now);
        Self {
            id: user.id.0,
            openid: user.openid.clone(),
            unionid: user.unionid.clone(),
            nick_name: user.nick_name.clone().unwrap_or_else(|| NAMELESS.to_owned()),
            avatar_url: user.avatar_url.clone(),
            phone: user.phone.as_deref().map(masked_phone),
            vip_level: level.into(),
            vip_expire_at: user
                .vip_expire_at
                .filter(|_| level != VipLevel::Normal)
                .map(UnixMillis::rfc3339),
            points_balance: user.points_balance,
            created_at: user.created_at.rfc3339(),
        }
    }
}

/// The caller as JSON, from memory where possible.
///
/// # Errors
/// `USER_NOT_FOUND`, and what the database fails with.
pub(crate) fn profile(app: &App, id: UserId) -> Result<Profile, UserError> {
    service::profile(app, id, |user, now| Profile {
        // A struct of texts and numbers always serialises.
        json: serde_json::to_vec(&User::at(user, now)).unwrap_or_default().into(),
        valid_until: user.vip_expire_at.filter(|end| *end > now),
    })
}

/// A code from the `getPhoneNumber` button (not from `wx.login`).
#[derive(Debug, Object)]
struct PhoneRequest {
    #[oai(validator(min_length = 1, max_length = 512))]
    code: String,
}

/// The caller's own account.
pub struct UsersApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/users", tag = "Tag::Users")]
impl UsersApi {
    /// Keep my phone number
    ///
    /// Exchanges the code at WeChat and keeps the number. Errors: `WECHAT_CODE_INVALID`,
    /// `WECHAT_UNAVAILABLE`.
    #[oai(path = "/me/phone", method = "post", operation_id = "setMyPhone")]
    async fn set_phone(
        &self,
        user: UserAuth,
        body: JsonBody<PhoneRequest>,
    ) -> Result<JsonBytes<User>, ApiError> {
        service::set_phone(&self.app, user.id(), &body.0.code).await?;
        Ok(JsonBytes::new(profile(&self.app, user.id())?.json))
    }
}

impl From<UserError> for ApiError {
    fn from(err: UserError) -> Self {
        match err {
            UserError::NotFound => Self::new(ErrorCode::UserNotFound),
            UserError::NickName => Self::invalid_field("nickName"),
            UserError::AvatarUrl => Self::invalid_field("avatarUrl"),
            UserError::Wechat(err) => err.into(),
            UserError::Db(err) => err.into(),
        }
    }
}
