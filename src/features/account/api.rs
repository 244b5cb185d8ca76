//! `/users/me` and what is held of the caller.

mod download;

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

pub use self::download::JsonDownload;
use super::model::AccountError;
use super::service;
use crate::app::App;
use crate::features::audit::Actor;
use crate::features::auth::UserAuth;
use crate::features::users::{self, ProfileChange, User};
use crate::http::{ApiError, ErrorCode, JsonBody, JsonBytes, MessageResponse, Tag};

/// What whoever leaves is told.
const DELETED: &str = "账号已注销，个人信息已删除；剩余会员与积分随之失效";

/// A change of one's own profile; what is left out stays.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangeProfileRequest {
    /// 1–32 characters.
    #[oai(validator(min_length = 1, max_length = 32))]
    nick_name: Option<String>,
    /// An http or https address.
    #[oai(validator(min_length = 1, max_length = 1024))]
    avatar_url: Option<String>,
}

/// The caller's account as a whole.
pub struct AccountApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/users", tag = "Tag::Users")]
impl AccountApi {
    /// Who am I
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn me(&self, user: UserAuth) -> Result<JsonBytes<User>, ApiError> {
        Ok(JsonBytes::new(users::profile(&self.app, user.id())?.json))
    }

    /// Change my profile
    ///
    /// Changes what is given and leaves the rest. Errors: `INVALID_REQUEST` naming the field.
    #[oai(path = "/me", method = "patch", operation_id = "changeMe")]
    async fn change(
        &self,
        user: UserAuth,
        body: JsonBody<ChangeProfileRequest>,
    ) -> Result<JsonBytes<User>, ApiError> {
        let change = ProfileChange { nick_name: body.0.nick_name, avatar_url: body.0.avatar_url };
        users::service::change_profile(&self.app, user.id(), change).await?;
        Ok(JsonBytes::new(users::profile(&self.app, user.id())?.json))
    }

    /// Delete my account
    ///
    /// At once and for good: all tokens are dead, profile, prompts, pictures, likes and favorites are
    /// removed, waiting jobs and unpaid orders cancelled. What is left of membership and points is lost.
    /// Orders and bookings stay without a name, as the law on accounting wants. Logging in again makes a
    /// new user, without a bonus for new users.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    async fn delete(&self, user: UserAuth) -> Result<Json<MessageResponse>, ApiError> {
        service::delete(&self.app, user.id(), Actor::User(user.id()), None).await?;
        Ok(Json(MessageResponse::new(DELETED)))
    }

    /// Export everything held of me
    ///
    /// One JSON document with a list for each kind of thing, sent as a file. Errors:
    /// `RATE_LIMIT_EXCEEDED`, `SERVICE_OVERLOAD`.
    #[oai(path = "/me/export", method = "get", operation_id = "exportMe")]
    async fn export(&self, user: UserAuth) -> Result<JsonDownload, ApiError> {
        self.app.limits.export_per_user.check(&user.id())?;
        let export = service::export(&self.app, user.id()).await?;
        Ok(JsonDownload { file: export.file, bytes: export.bytes, name: "dream-bff-export.json" })
    }
}

impl From<AccountError> for ApiError {
    fn from(err: AccountError) -> Self {
        let code = match &err {
            AccountError::NotFound => ErrorCode::UserNotFound,
            AccountError::Busy => ErrorCode::ServiceOverload,
            AccountError::File(_) | AccountError::Keys(_) | AccountError::CutShort => {
                ErrorCode::InternalError
            }
            AccountError::Jobs(_) | AccountError::Orders(_) | AccountError::Gallery(_) => {
                ErrorCode::InternalError
            }
            AccountError::Db(db) => db.into(),
        };
        Self::new(code).caused_by(err)
    }
}
