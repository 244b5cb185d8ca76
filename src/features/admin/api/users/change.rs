//! What an administrator does about a user.

use std::sync::Arc;

use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::super::AdminTag;
use super::super::auth::{Operator, OperatorSteppedUp};
use super::super::list::{ReasonRequest, said};
use super::detail;
use super::wire::{AdminUserDetail, MembershipState};
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::points::service::by_hand::Adjustment;
use crate::features::users::ShownLevel;
use crate::features::vip::service::by_hand::{Gift, Moved, TakeBack};
use crate::features::vip::{GrantId, RevokeDays};
use crate::features::{account, auth, points, vip};
use crate::http::{ApiError, ErrorCode, JsonBody};

/// The most points that are given or taken at once by hand.
const POINTS_MAX: i64 = 1_000_000;

/// Points to be given or taken.
#[derive(Debug, Object)]
struct AdjustPointsRequest {
    /// What is given, or with a minus taken; from -1000000 to 1000000, not 0.
    amount: i64,
    /// Why; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    reason: String,
    /// What the user reads in his statement; a general text when it is left out.
    #[oai(validator(min_length = 1, max_length = 64))]
    description: Option<String>,
}

/// The balance after a change.
#[derive(Debug, Object)]
struct AdjustPointsResponse {
    balance: i64,
}

/// Days of membership to be given.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct GiveMembershipRequest {
    /// `VIP` or `SVIP`.
    level: ShownLevel,
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    days: i64,
    /// Why; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    reason: String,
    /// Only says what it would come to.
    #[oai(default)]
    dry_run: bool,
}

/// A grant to be taken back.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RevokeGrantRequest {
    /// Days to take back; all that is left when it is left out.
    #[oai(validator(minimum(value = "1"), maximum(value = "36500")))]
    days: Option<i64>,
    /// Why; 1–200 characters.
    #[oai(validator(min_length = 1, max_length = 200))]
    reason: String,
    /// Only says what it would come to.
    #[oai(default)]
    dry_run: bool,
}

/// A membership before and after a change, which was made unless it was a dry run.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MembershipChange {
    before: MembershipState,
    after: MembershipState,
    dry_run: bool,
}

impl MembershipChange {
    fn of(moved: Moved, dry_run: bool) -> Self {
        Self { before: moved.before.into(), after: moved.after.into(), dry_run }
    }
}

/// Users, changed.
pub(in super::super) struct UserChangesApi {
    pub(in super::super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/users", tag = "AdminTag::Users")]
impl UserChangesApi {
    /// Give or take points
    ///
    /// Repeated with the same `Idempotency-Key` it happens once. A balance is never below zero. Errors:
    /// `INSUFFICIENT_POINTS`, `USER_NOT_FOUND`, `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/:id/points/adjust", method = "post", operation_id = "adjustUserPoints")]
    async fn adjust_points(
        &self,
        admin: OperatorSteppedUp,
        id: Path<i64>,
        #[oai(name = "Idempotency-Key", validator(min_length = 1, max_length = 64))] key: Header<
            String,
        >,
        body: JsonBody<AdjustPointsRequest>,
    ) -> Result<Json<AdjustPointsResponse>, ApiError> {
        let AdjustPointsRequest { amount, reason, description } = body.0;
        if amount == 0 || !(-POINTS_MAX..=POINTS_MAX).contains(&amount) {
            return Err(ApiError::invalid_field("amount"));
        }
        let description = description.map(|text| said("description", &text)).transpose()?;
        let wish = Adjustment {
            user: UserId(id.0),
            amount,
            reason: said("reason", &reason)?,
            description,
            actor: admin.actor(),
            key: key.0,
        };
        let balance = points::service::by_hand::adjust(&self.app, wish).await?;
        Ok(Json(AdjustPointsResponse { balance }))
    }

    /// Give membership
    ///
    /// Days for nothing, by the same rules as bought ones. Repeated with the same `Idempotency-Key` it
    /// happens once. Errors: `USER_NOT_FOUND`, `PLAN_NOT_FOUND` when no plan sells the level.
    #[oai(path = "/:id/membership", method = "post", operation_id = "giveUserMembership")]
    async fn give_membership(
        &self,
        admin: OperatorSteppedUp,
        id: Path<i64>,
        #[oai(name = "Idempotency-Key", validator(min_length = 1, max_length = 64))] key: Header<
            String,
        >,
        body: JsonBody<GiveMembershipRequest>,
    ) -> Result<Json<MembershipChange>, ApiError> {
        let GiveMembershipRequest { level, days, reason, dry_run } = body.0;
        let (user, level, reason) = (UserId(id.0), level.into(), said("reason", &reason)?);
        let moved = if dry_run {
            vip::service::by_hand::preview(&self.app, user, level, days)?
        } else {
            let gift = Gift { user, level, days, reason, actor: admin.actor(), key: key.0 };
            vip::service::by_hand::give(&self.app, gift).await?
        };
        Ok(Json(MembershipChange::of(moved, dry_run)))
    }

    /// Take membership back
    ///
    /// A grant, in whole or in part; what else the user has stays. Errors: `NOT_FOUND`.
    #[oai(
        path = "/:id/membership/grants/:grant/revoke",
        method = "post",
        operation_id = "revokeUserGrant"
    )]
    async fn revoke_grant(
        &self,
        admin: OperatorSteppedUp,
        id: Path<i64>,
        grant: Path<i64>,
        body: JsonBody<RevokeGrantRequest>,
    ) -> Result<Json<MembershipChange>, ApiError> {
        let RevokeGrantRequest { days, reason, dry_run } = body.0;
        let (user, grant, reason) = (UserId(id.0), GrantId(grant.0), said("reason", &reason)?);
        let days = days.map_or(RevokeDays::All, RevokeDays::Days);
        let moved = if dry_run {
            vip::service::by_hand::preview_take_back(&self.app, user, grant, days)?
        } else {
            let wish = TakeBack { user, grant, days, reason, actor: admin.actor() };
            vip::service::by_hand::take_back(&self.app, wish).await?
        };
        Ok(Json(MembershipChange::of(moved, dry_run)))
    }

    /// Ban a user
    ///
    /// At once: his tokens are dead, his pictures off the public lists, what waits is cancelled and given
    /// back. Banning whom is banned changes nothing. Errors: `USER_NOT_FOUND`.
    #[oai(path = "/:id/ban", method = "post", operation_id = "banUser")]
    async fn ban(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminUserDetail>, ApiError> {
        let (user, reason) = (UserId(id.0), body.0.reason()?);
        account::service::ban(&self.app, user, admin.actor(), reason).await?;
        detail(&self.app, user).map(Json)
    }

    /// Lift a ban
    ///
    /// He may log in again, and his pictures are where they were. Errors: `USER_NOT_FOUND`.
    #[oai(path = "/:id/unban", method = "post", operation_id = "unbanUser")]
    async fn unban(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminUserDetail>, ApiError> {
        let (user, reason) = (UserId(id.0), body.0.reason()?);
        account::service::unban(&self.app, user, admin.actor(), reason).await?;
        detail(&self.app, user).map(Json)
    }

    /// Log a user out everywhere
    ///
    /// All his sessions end at once. Errors: `USER_NOT_FOUND`.
    #[oai(path = "/:id/logout", method = "post", operation_id = "logOutUser")]
    async fn log_out(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminUserDetail>, ApiError> {
        let (user, reason) = (UserId(id.0), body.0.reason()?);
        let actor = admin.actor();
        if !auth::service::log_out_everywhere_as(&self.app, user, actor, reason).await? {
            return Err(ErrorCode::UserNotFound.into());
        }
        detail(&self.app, user).map(Json)
    }

    /// Export everything held of a user
    ///
    /// The document that he can get himself, as the law wants. Errors: `USER_NOT_FOUND`,
    /// `SERVICE_OVERLOAD`.
    #[oai(path = "/:id/export", method = "get", operation_id = "exportUser")]
    async fn export(
        &self,
        admin: OperatorSteppedUp,
        id: Path<i64>,
    ) -> Result<account::JsonDownload, ApiError> {
        let made = account::service::export_as(&self.app, UserId(id.0), admin.actor()).await?;
        let account::Export { file, bytes } = made;
        Ok(account::JsonDownload { file, bytes, name: "user-export.json" })
    }

    /// Delete a user
    ///
    /// For good, exactly as when he asks for it himself. Errors: `USER_NOT_FOUND`.
    #[oai(path = "/:id/delete", method = "post", operation_id = "deleteUser")]
    async fn delete(
        &self,
        admin: OperatorSteppedUp,
        id: Path<i64>,
        body: JsonBody<ReasonRequest>,
    ) -> Result<Json<AdminUserDetail>, ApiError> {
        let (user, reason) = (UserId(id.0), body.0.reason()?);
        account::service::delete(&self.app, user, admin.actor(), Some(reason)).await?;
        detail(&self.app, user).map(Json)
    }
}
