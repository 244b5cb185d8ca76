//! `/setup` and `/session/…`: logging in and out, who one is, step-ups, password, second factor,
//! sessions.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::auth::{OwnOrigin, Viewer};
use super::wire::{Me, Session, Sessions, shown};
use super::{AdminTag, cookie};
use crate::app::App;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::features::admin::model::{LogIn, OpenedSession};
use crate::features::admin::service::login::Proof;
use crate::features::admin::service::{accounts, login, second_factor, sessions, setup};
use crate::http::{ApiError, JsonBody, MessageResponse};

/// Name, password and, where a second factor is on, a code.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct LogInRequest {
    #[oai(validator(min_length = 1, max_length = 64))]
    username: String,
    #[oai(validator(min_length = 1, max_length = 256))]
    password: String,
    /// Six digits of the authenticator, or a recovery code.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: Option<String>,
}

/// The first owner.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct SetUpRequest {
    /// From the link that the server printed.
    #[oai(validator(min_length = 1, max_length = 128))]
    token: String,
    #[oai(validator(min_length = 1, max_length = 64))]
    username: String,
    /// 12 characters at least.
    #[oai(validator(min_length = 1, max_length = 256))]
    password: String,
}

/// One of the two.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct StepUpRequest {
    #[oai(validator(min_length = 1, max_length = 256))]
    password: Option<String>,
    /// Of the authenticator, or a recovery code.
    #[oai(validator(min_length = 1, max_length = 64))]
    code: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ChangePasswordRequest {
    #[oai(validator(min_length = 1, max_length = 256))]
    current_password: String,
    /// 12 characters at least.
    #[oai(validator(min_length = 1, max_length = 256))]
    password: String,
}

#[derive(Object)]
struct ConfirmRequest {
    /// Six digits of the authenticator.
    #[oai(validator(min_length = 6, max_length = 6))]
    code: String,
}

/// Until when money and secrets may be touched.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct StepUpResponse {
    stepped_up_until: String,
}

/// What an authenticator takes. It is shown here only.
#[derive(Object)]
struct TotpSetupResponse {
    /// To be typed, in base32.
    secret: String,
    /// The same as an address, for a QR code.
    uri: String,
}

/// Each is good once. They are shown here only.
#[derive(Object)]
struct RecoveryCodesResponse {
    codes: Vec<String>,
}

/// How many recovery codes are left.
#[derive(Debug, Object)]
struct RecoveryCodesLeft {
    left: i64,
}

/// Who is logged in now, with the session's cookie.
#[derive(ApiResponse)]
enum LoggedIn {
    #[oai(status = 200)]
    Ok(
        Json<Me>,
        /// The session, for `/admin`.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

/// Done, and the cookie is taken away.
#[derive(ApiResponse)]
enum LoggedOut {
    #[oai(status = 200)]
    Ok(Json<MessageResponse>, #[oai(header = "Set-Cookie")] String),
}

/// The caller's own session.
pub(super) struct SessionApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Session")]
impl SessionApi {
    /// Make the first owner
    ///
    /// With the token of the link that the server prints while there is no administrator; logs him in.
    /// Errors: `NOT_FOUND` for a link that is not good any more, `INVALID_REQUEST`.
    #[oai(path = "/setup", method = "post", operation_id = "setUpAdmin")]
    async fn set_up(
        &self,
        origin: OwnOrigin,
        body: JsonBody<SetUpRequest>,
    ) -> Result<LoggedIn, ApiError> {
        origin.check_rate(&self.app)?;
        let SetUpRequest { token, username, password } = body.0;
        let (token, password) = (Secret::new(token), Secret::new(password));
        let opened = setup::set_up(&self.app, &token, &username, password, origin.0).await?;
        Ok(self.logged_in(&opened))
    }

    /// Log in
    ///
    /// Errors: `INVALID_CREDENTIALS` whatever is wrong; `TOTP_REQUIRED` when only the code is missing:
    /// send all three then; `RATE_LIMIT_EXCEEDED` after too many failures, with `Retry-After`.
    #[oai(path = "/session/login", method = "post", operation_id = "adminLogIn")]
    async fn log_in(
        &self,
        origin: OwnOrigin,
        body: JsonBody<LogInRequest>,
    ) -> Result<LoggedIn, ApiError> {
        origin.check_rate(&self.app)?;
        let LogInRequest { username, password, code } = body.0;
        let tried =
            LogIn { username, password: Secret::new(password), code: code.map(Secret::new) };
        let opened = login::log_in(&self.app, tried, origin.0).await?;
        Ok(self.logged_in(&opened))
    }

    /// Log out
    ///
    /// Ends this session.
    #[oai(path = "/session/logout", method = "post", operation_id = "adminLogOut")]
    async fn log_out(&self, admin: Viewer) -> Result<LoggedOut, ApiError> {
        sessions::log_out(&self.app, &admin).await?;
        let done = Json(MessageResponse::new("已退出登录"));
        Ok(LoggedOut::Ok(done, cookie::clear(&self.app.admin)))
    }

    /// Who is logged in
    #[oai(path = "/session", method = "get", operation_id = "getAdminSession")]
    async fn me(&self, admin: Viewer) -> Result<Json<Me>, ApiError> {
        Ok(Json(Me::of(&self.app, &admin)))
    }

    /// Step up
    ///
    /// Password or code again; money and secrets may be touched for some minutes then.
    /// Errors: `INVALID_CREDENTIALS`, `RATE_LIMIT_EXCEEDED` after too many failures.
    #[oai(path = "/session/step-up", method = "post", operation_id = "stepUp")]
    async fn step_up(
        &self,
        admin: Viewer,
        body: JsonBody<StepUpRequest>,
    ) -> Result<Json<StepUpResponse>, ApiError> {
        let proof = match (body.0.password, body.0.code) {
            (_, Some(code)) => Proof::Code(Secret::new(code)),
            (Some(password), None) => Proof::Password(Secret::new(password)),
            (None, None) => return Err(ApiError::invalid_field("password")),
        };
        let until = sessions::step_up(&self.app, &admin, proof).await?;
        Ok(Json(StepUpResponse { stepped_up_until: UnixMillis::rfc3339(until) }))
    }

    /// Change the password
    ///
    /// Ends the caller's other sessions. Errors: `INVALID_CREDENTIALS` when the current one is wrong,
    /// `INVALID_REQUEST` when the new one is too short or simple.
    #[oai(path = "/session/password", method = "post", operation_id = "changeAdminPassword")]
    async fn change_password(
        &self,
        admin: Viewer,
        body: JsonBody<ChangePasswordRequest>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        let ChangePasswordRequest { current_password, password } = body.0;
        let (current, new) = (Secret::new(current_password), Secret::new(password));
        accounts::change_password(&self.app, &admin, current, new).await?;
        Ok(Json(MessageResponse::new("密码已修改，其他设备已退出登录")))
    }

    /// Set up a second factor
    ///
    /// Gives a secret for an authenticator; nothing is asked for until `confirm`. Takes a step-up.
    /// Errors: `INVALID_STATE` when one is on already.
    #[oai(path = "/session/totp", method = "post", operation_id = "setUpTotp")]
    async fn set_up_totp(&self, admin: Viewer) -> Result<Json<TotpSetupResponse>, ApiError> {
        admin.stepped_up(&self.app)?;
        let setup = second_factor::set_up(&self.app, &admin).await?;
        Ok(Json(TotpSetupResponse { secret: shown(&setup.secret), uri: shown(&setup.uri) }))
    }

    /// Take the second factor away
    ///
    /// Takes a step-up. Errors: `INVALID_STATE` when there is none.
    #[oai(path = "/session/totp", method = "delete", operation_id = "removeTotp")]
    async fn remove_totp(&self, admin: Viewer) -> Result<Json<MessageResponse>, ApiError> {
        admin.stepped_up(&self.app)?;
        second_factor::remove(&self.app, &admin).await?;
        Ok(Json(MessageResponse::new("两步验证已关闭")))
    }

    /// Confirm the second factor
    ///
    /// With a code of the authenticator; from now on log-ins ask for one. Gives the recovery codes.
    /// Takes a step-up. Errors: `INVALID_CREDENTIALS` for a wrong code, `INVALID_STATE`.
    #[oai(path = "/session/totp/confirm", method = "post", operation_id = "confirmTotp")]
    async fn confirm_totp(
        &self,
        admin: Viewer,
        body: JsonBody<ConfirmRequest>,
    ) -> Result<Json<RecoveryCodesResponse>, ApiError> {
        admin.stepped_up(&self.app)?;
        let code = Secret::new(body.0.code);
        let codes = second_factor::confirm(&self.app, &admin, code).await?;
        Ok(Json(RecoveryCodesResponse { codes: codes.iter().map(shown).collect() }))
    }

    /// Count the recovery codes
    #[oai(path = "/session/recovery-codes", method = "get", operation_id = "countRecoveryCodes")]
    async fn codes_left(&self, admin: Viewer) -> Result<Json<RecoveryCodesLeft>, ApiError> {
        let left = second_factor::codes_left(&self.app, admin.id)?;
        Ok(Json(RecoveryCodesLeft { left }))
    }

    /// Renew the recovery codes
    ///
    /// The old ones are good no more. Takes a step-up. Errors: `INVALID_STATE` without a second factor.
    #[oai(path = "/session/recovery-codes", method = "post", operation_id = "renewRecoveryCodes")]
    async fn renew_codes(&self, admin: Viewer) -> Result<Json<RecoveryCodesResponse>, ApiError> {
        admin.stepped_up(&self.app)?;
        let codes = second_factor::renew_codes(&self.app, &admin).await?;
        Ok(Json(RecoveryCodesResponse { codes: codes.iter().map(shown).collect() }))
    }

    /// List one's sessions
    #[oai(path = "/session/sessions", method = "get", operation_id = "listOwnSessions")]
    async fn sessions(&self, admin: Viewer) -> Result<Json<Sessions>, ApiError> {
        let rows = sessions::list(&self.app, admin.id).await?;
        let items = rows.into_iter().map(|row| Session::of(row, admin.session_id)).collect();
        Ok(Json(Sessions { items }))
    }

    /// End one of one's sessions
    ///
    /// Errors: `NOT_FOUND`.
    #[oai(path = "/session/sessions/:sessionId", method = "delete", operation_id = "endOwnSession")]
    async fn end_session(
        &self,
        admin: Viewer,
        #[oai(name = "sessionId")] session_id: Path<i64>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        sessions::end(&self.app, &admin, admin.id, session_id.0).await?;
        Ok(Json(MessageResponse::new("该设备已退出登录")))
    }
}

impl SessionApi {
    fn logged_in(&self, opened: &OpenedSession) -> LoggedIn {
        let me = Me::of(&self.app, &opened.admin);
        LoggedIn::Ok(Json(me), cookie::set(&self.app.admin, &opened.token))
    }
}
