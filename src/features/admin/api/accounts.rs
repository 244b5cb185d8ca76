//! `/admins`: administrators and their roles, for owners.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Owner, OwnerSteppedUp};
use super::wire::{Admin, AdminRole, Session, Sessions, shown};
use crate::app::App;
use crate::features::admin::model::{AdminChange, AdminId};
use crate::features::admin::service::accounts::Reset;
use crate::features::admin::service::{accounts, sessions};
use crate::http::{ApiError, JsonBody};

/// All administrators, the first made first.
#[derive(Debug, Object)]
struct Admins {
    items: Vec<Admin>,
}

#[derive(Object)]
struct CreateAdminRequest {
    /// 2 to 32 letters, digits, `.`, `_` or `-`; case does not matter.
    #[oai(validator(min_length = 1, max_length = 64))]
    username: String,
    role: AdminRole,
}

/// A new administrator with his first password, which is shown here only.
#[derive(Object)]
struct CreatedAdmin {
    admin: Admin,
    password: String,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ChangeAdminRequest {
    role: Option<AdminRole>,
    /// Whoever is disabled is logged out and cannot log in.
    is_disabled: Option<bool>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct ResetAdminRequest {
    /// Draw a new password.
    #[oai(default)]
    password: bool,
    /// Take the second factor away.
    #[oai(default)]
    second_factor: bool,
}

#[derive(Object)]
struct ResetAdminResponse {
    /// The new password, when one was asked for; it is shown here only.
    password: Option<String>,
}

/// How many sessions were ended.
#[derive(Debug, Object)]
struct EndedSessions {
    ended: u64,
}

/// Administrators.
pub(super) struct AccountsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/admins", tag = "AdminTag::Admins")]
impl AccountsApi {
    /// List the administrators
    #[oai(path = "/", method = "get", operation_id = "listAdmins")]
    async fn list(&self, _admin: Owner) -> Result<Json<Admins>, ApiError> {
        let all = accounts::list(&self.app).await?;
        Ok(Json(Admins { items: all.into_iter().map(Admin::from).collect() }))
    }

    /// Make an administrator
    ///
    /// His password is drawn and answered once. Errors: `INVALID_STATE` when the name is taken.
    #[oai(path = "/", method = "post", operation_id = "createAdmin")]
    async fn create(
        &self,
        admin: OwnerSteppedUp,
        body: JsonBody<CreateAdminRequest>,
    ) -> Result<Json<CreatedAdmin>, ApiError> {
        let CreateAdminRequest { username, role } = body.0;
        let (made, password) = accounts::create(&self.app, &admin, &username, role.into()).await?;
        Ok(Json(CreatedAdmin { admin: made.into(), password: shown(&password.0) }))
    }

    /// Change an administrator
    ///
    /// Role and standing; holds from his next request on. Errors: `NOT_FOUND`; `INVALID_STATE` when no
    /// owner would be left.
    #[oai(path = "/:adminId", method = "patch", operation_id = "changeAdmin")]
    async fn change(
        &self,
        admin: OwnerSteppedUp,
        #[oai(name = "adminId")] id: Path<i64>,
        body: JsonBody<ChangeAdminRequest>,
    ) -> Result<Json<Admin>, ApiError> {
        let ChangeAdminRequest { role, is_disabled } = body.0;
        let change = AdminChange { role: role.map(Into::into), is_disabled };
        let changed = accounts::change(&self.app, &admin, AdminId(id.0), change).await?;
        Ok(Json(changed.into()))
    }

    /// Let an administrator in again
    ///
    /// Draws a new password, takes the second factor away, or both, and logs him out everywhere.
    /// Errors: `NOT_FOUND`.
    #[oai(path = "/:adminId/reset", method = "post", operation_id = "resetAdmin")]
    async fn reset(
        &self,
        admin: OwnerSteppedUp,
        #[oai(name = "adminId")] id: Path<i64>,
        body: JsonBody<ResetAdminRequest>,
    ) -> Result<Json<ResetAdminResponse>, ApiError> {
        let ResetAdminRequest { password, second_factor } = body.0;
        if !password && !second_factor {
            return Err(ApiError::invalid_field("password"));
        }
        let what = Reset { password, second_factor };
        let new = accounts::reset(&self.app, &admin, AdminId(id.0), what).await?;
        Ok(Json(ResetAdminResponse { password: new.map(|new| shown(&new.0)) }))
    }

    /// List an administrator's sessions
    ///
    /// Errors: `NOT_FOUND`.
    #[oai(path = "/:adminId/sessions", method = "get", operation_id = "listAdminSessions")]
    async fn sessions(
        &self,
        admin: Owner,
        #[oai(name = "adminId")] id: Path<i64>,
    ) -> Result<Json<Sessions>, ApiError> {
        let rows = sessions::list(&self.app, AdminId(id.0)).await?;
        let items = rows.into_iter().map(|row| Session::of(row, admin.session_id)).collect();
        Ok(Json(Sessions { items }))
    }

    /// Log an administrator out everywhere
    ///
    /// But for the caller's own session. Errors: `NOT_FOUND`.
    #[oai(path = "/:adminId/sessions", method = "delete", operation_id = "endAdminSessions")]
    async fn end_sessions(
        &self,
        admin: Owner,
        #[oai(name = "adminId")] id: Path<i64>,
    ) -> Result<Json<EndedSessions>, ApiError> {
        let ended = sessions::end_all(&self.app, &admin, AdminId(id.0)).await?;
        Ok(Json(EndedSessions { ended: u64::try_from(ended).unwrap_or(u64::MAX) }))
    }
}
