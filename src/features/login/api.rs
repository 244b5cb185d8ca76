//! `/auth/wechat-login`.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::model::{LoggedIn, LoginCommand, LoginError};
use super::service;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::users::{NewUserProfile, User};
use crate::http::{ApiError, Ctx, ErrorCode, JsonBody, Tag};

/// What the mini-program sends after `wx.login`.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct LoginRequest {
    /// The code of `wx.login`: single use, 5 minutes.
    #[oai(validator(min_length = 1, max_length = 512))]
    code: String,
    /// Name and picture for a user who has none yet; later ones are set with `PATCH /users/me`.
    user_info: Option<UserInfo>,
    /// A code from the `getPhoneNumber` button.
    #[oai(validator(min_length = 1, max_length = 512))]
    phone_code: Option<String>,
    /// Of whoever brought this user (`GET /users/me/invites`); counts for a new user only, and is
    /// ignored when it is nobody's.
    #[oai(validator(max_length = 64))]
    invite_code: Option<String>,
}

/// What the client knows of its user.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UserInfo {
    /// At most 32 characters.
    #[oai(validator(max_length = 32))]
    nick_name: Option<String>,
    /// An http or https address.
    #[oai(validator(max_length = 1024))]
    avatar_url: Option<String>,
}

/// A session and its user.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct LoginResponse {
    /// Access token for `Authorization: Bearer`.
    token: String,
    /// When the access token ends.
    expires_at: String,
    /// For `POST /auth/refresh-token`; good once.
    refresh_token: String,
    /// When the refresh token ends.
    refresh_expires_at: String,
    user: User,
    /// Whether this login made the user.
    is_new_user: bool,
}

impl LoginResponse {
    fn at(done: LoggedIn, now: UnixMillis) -> Self {
        Self {
            token: done.tokens.access,
            expires_at: done.tokens.access_expires_at.rfc3339(),
            refresh_token: done.tokens.refresh,
            refresh_expires_at: done.tokens.refresh_expires_at.rfc3339(),
            user: User::at(&done.user, now),
            is_new_user: done.is_new,
        }
    }
}

/// Logging in.
pub struct LoginApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/auth", tag = "Tag::Auth")]
impl LoginApi {
    /// Log in with WeChat
    ///
    /// Exchanges the code at WeChat and finds or makes the user by openid. Errors:
    /// `WECHAT_CODE_INVALID` (ask `wx.login` for a new one), `WECHAT_UNAVAILABLE` (likewise: the code
    /// may be spent), `USER_BANNED`, `FORBIDDEN` (blocked by WeChat), `RATE_LIMIT_EXCEEDED`.
    #[oai(path = "/wechat-login", method = "post", operation_id = "wechatLogin")]
    async fn log_in(
        &self,
        ctx: Ctx,
        body: JsonBody<LoginRequest>,
    ) -> Result<Json<LoginResponse>, ApiError> {
        if let Some(ip) = ctx.client_ip() {
            self.app.limits.login_per_ip.check(&ip.into())?;
        }
        let LoginRequest { code, user_info, phone_code, invite_code } = body.0;
        let profile = user_info.map_or_else(NewUserProfile::default, |info| NewUserProfile {
            nick_name: info.nick_name,
            avatar_url: info.avatar_url,
        });
        let command = LoginCommand { code, phone_code, profile, invite_code };
        let done = service::log_in(&self.app, command).await?;
        Ok(Json(LoginResponse::at(done, self.app.clock.now())))
    }
}

impl From<LoginError> for ApiError {
    fn from(err: LoginError) -> Self {
        match err {
            LoginError::Wechat(err) => err.into(),
            LoginError::Phone(err) => Self::from(err).detail("field", "phoneCode"),
            LoginError::User(err) => err.into(),
            LoginError::Auth(err) => err.into(),
            LoginError::Points(err) => err.into(),
            LoginError::Keys(err) => Self::new(ErrorCode::InternalError).caused_by(err),
            LoginError::Db(err) => err.into(),
        }
    }
}
