//! `/auth/refresh-token`, `/auth/logout`, `/auth/logout-all`, `/auth/check`, and the `UserAuth` of
//! every protected operation.

mod optional;

use std::sync::Arc;

use poem::Request;
use poem_openapi::auth::Bearer;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, SecurityScheme};

use super::model::{AuthError, CurrentUser, TokenPair};
use super::service;
use crate::app::App;
use crate::base::ids::UserId;
use crate::http::{ApiError, ErrorCode, JsonBody, MessageResponse, RequestContext, Tag};
pub use optional::OptionalUserAuth;

/// Access token of a mini-program user, from `POST /auth/wechat-login` or `POST /auth/refresh-token`.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", bearer_format = "JWT", checker = "check_user")]
pub struct UserAuth(Arc<CurrentUser>);

impl UserAuth {
    /// Who is calling.
    pub fn id(&self) -> UserId {
        self.0.user_id
    }

    /// The token and its session.
    pub fn current(&self) -> &CurrentUser {
        &self.0
    }
}

async fn check_user(req: &Request, token: Bearer) -> poem::Result<Arc<CurrentUser>> {
    let app = req.data::<Arc<App>>().ok_or_else(|| ApiError::new(ErrorCode::InternalError))?;
    let user = service::verify(app, &token.token).map_err(ApiError::from)?;
    if let Some(context) = RequestContext::of(req) {
        context.set_user(user.user_id);
    }
    app.limits.per_user.check(&user.user_id).map_err(ApiError::from)?;
    Ok(user)
}

/// A refresh token.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RefreshRequest {
    /// The refresh token of the last login or refresh.
    #[oai(validator(min_length = 1, max_length = 512))]
    refresh_token: String,
}

/// Fresh tokens of the same session.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RefreshResponse {
    /// Access token for `Authorization: Bearer`.
    token: String,
    /// When the access token ends.
    expires_at: String,
    /// Good for one refresh; the one that was sent is spent.
    refresh_token: String,
    /// When the refresh token ends.
    refresh_expires_at: String,
}

impl From<TokenPair> for RefreshResponse {
    fn from(pair: TokenPair) -> Self {
        Self {
            token: pair.access,
            expires_at: pair.access_expires_at.rfc3339(),
            refresh_token: pair.refresh,
            refresh_expires_at: pair.refresh_expires_at.rfc3339(),
        }
    }
}

/// A token that is good.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CheckResponse {
    /// Always true; a token that is not good is answered with 401.
    valid: bool,
    user_id: i64,
    /// When the access token ends.
    expires_at: String,
}

/// Tokens and sessions.
pub struct AuthApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/auth", tag = "Tag::Auth")]
impl AuthApi {
    /// Refresh the tokens
    ///
    /// Spends the refresh token and gives a new pair of the same session. Of several parallel calls
    /// with one token, one wins. A token that was spent before ends its whole session.
    /// Errors: `INVALID_TOKEN` (unknown), `TOKEN_EXPIRED`, `TOKEN_REVOKED`, `USER_BANNED`.
    #[oai(path = "/refresh-token", method = "post", operation_id = "refreshToken")]
    async fn refresh(
        &self,
        body: JsonBody<RefreshRequest>,
    ) -> Result<Json<RefreshResponse>, ApiError> {
        let pair = service::refresh(&self.app, &body.0.refresh_token).await?;
        Ok(Json(pair.into()))
    }

    /// Log out
    ///
    /// Ends this session: its access and refresh tokens are dead at once, other sessions live on.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn log_out(&self, user: UserAuth) -> Result<Json<MessageResponse>, ApiError> {
        service::log_out(&self.app, user.current()).await?;
        Ok(Json(MessageResponse::new("已退出登录")))
    }

    /// Log out everywhere
    ///
    /// Ends every session of the user, this one included.
    #[oai(path = "/logout-all", method = "post", operation_id = "logoutAll")]
    async fn log_out_everywhere(&self, user: UserAuth) -> Result<Json<MessageResponse>, ApiError> {
        service::log_out_everywhere(&self.app, user.id()).await?;
        Ok(Json(MessageResponse::new("已退出所有设备")))
    }

    /// Check the token
    #[oai(path = "/check", method = "get", operation_id = "checkToken")]
    async fn check(&self, user: UserAuth) -> Result<Json<CheckResponse>, ApiError> {
        let current = user.current();
        Ok(Json(CheckResponse {
            valid: true,
            user_id: current.user_id.0,
            expires_at: current.expires_at.rfc3339(),
        }))
    }
}

impl From<AuthError> for ApiError {
    fn from(err: AuthError) -> Self {
        let code = match &err {
            AuthError::Invalid => ErrorCode::InvalidToken,
            AuthError::Expired => ErrorCode::TokenExpired,
            AuthError::Revoked => ErrorCode::TokenRevoked,
            AuthError::Banned => ErrorCode::UserBanned,
            AuthError::Signing(_) => ErrorCode::InternalError,
            AuthError::Db(db) => db.into(),
        };
        Self::new(code).caused_by(err)
    }
}
