//! `/users`: finding users, seeing everything about one, and what can be done about him.

mod change;
mod wire;

use std::sync::Arc;

use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;

pub(super) use self::change::UserChangesApi;
pub(super) use self::wire::MembershipGrant;
use self::wire::{
    AdminUser, AdminUserDetail, AdminUserSession, AdminUserSessions, LedgerRow, LedgerType,
    UserName, UserNames, UserState,
};
use super::AdminTag;
use super::auth::Viewer;
use super::csv::{self, Csv};
use super::list;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::features::users::service::browse;
use crate::features::users::{ShownLevel, UserFilter};
use crate::features::{auth, generations, orders, points, settings, users, vip};
use crate::http::{ApiError, ErrorCode, Page};

/// Users, read.
pub(super) struct UsersApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/users", tag = "AdminTag::Users")]
impl UsersApi {
    /// Find users
    ///
    /// The newest first; by a nickname's beginning in the order of names. `search` is an id, a whole
    /// openid or how a nickname begins.
    #[oai(path = "/", method = "get", operation_id = "listUsers")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn list(
        &self,
        _admin: Viewer,
        search: Query<Option<String>>,
        level: Query<Option<ShownLevel>>,
        state: Query<Option<UserState>>,
        /// Who came at this time or later: RFC 3339 or a day.
        from: Query<Option<String>>,
        /// Who came before this time.
        to: Query<Option<String>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<AdminUser>>, ApiError> {
        let filter = filter(search.0, level.0, state.0, from.0.as_deref(), to.0.as_deref())?;
        let part = list::part::<2>(limit.0, cursor.0.as_deref())?;
        let found = browse::browse(&self.app, filter, part.after(), part.fetch()).await?;
        Ok(Json(part.answer_found(found, browse::keys, AdminUser::from)))
    }

    /// Export users
    ///
    /// As CSV, with the filters of the list.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportUsers")]
    async fn export(
        &self,
        _admin: Viewer,
        search: Query<Option<String>>,
        level: Query<Option<ShownLevel>>,
        state: Query<Option<UserState>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
    ) -> Result<Csv, ApiError> {
        let filter = filter(search.0, level.0, state.0, from.0.as_deref(), to.0.as_deref())?;
        csv::export(&self.app, AdminUser::sheet(), filter, |app, filter, after, fetch| async move {
            browse::browse(&app, filter, after, fetch).await
        })
        .await
    }

    /// Who users are
    ///
    /// What up to 100 users are called, for rows that carry only their numbers, in the order asked for.
    /// Numbers that nobody ever had are left out.
    #[oai(path = "/names", method = "get", operation_id = "listUserNames")]
    async fn names(
        &self,
        _admin: Viewer,
        #[oai(validator(max_items = "100"))] ids: Query<Vec<i64>>,
    ) -> Result<Json<UserNames>, ApiError> {
        let ids: Vec<_> = ids.0.into_iter().map(UserId).collect();
        let app = &self.app;
        let users = app.db.read_inline("admin.names", |tx| browse::records(app, tx, &ids))?;
        Ok(Json(UserNames { items: users.into_iter().map(UserName::from).collect() }))
    }

    /// See a user
    ///
    /// Profile, balance, membership with its grants, quota, and what he paid. Errors: `USER_NOT_FOUND`.
    #[oai(path = "/:id", method = "get", operation_id = "getUser")]
    async fn get(&self, _admin: Viewer, id: Path<i64>) -> Result<Json<AdminUserDetail>, ApiError> {
        detail(&self.app, UserId(id.0)).map(Json)
    }

    /// A user's statement
    ///
    /// His ledger, the newest first.
    #[oai(path = "/:id/points", method = "get", operation_id = "listUserPoints")]
    async fn points(
        &self,
        _admin: Viewer,
        id: Path<i64>,
        #[oai(name = "type")] kind: Query<Option<LedgerType>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<LedgerRow>>, ApiError> {
        let part = list::part::<2>(limit.0, cursor.0.as_deref())?;
        let (user, kind) = (UserId(id.0), kind.0.map(Into::into));
        let after = part.after().unwrap_or([i64::MAX; 2]);
        let fetch = part.fetch();
        let rows = points::service::by_hand::statement(&self.app, user, kind, after, fetch).await?;
        Ok(Json(part.answer(rows, None, LedgerRow::keys, LedgerRow::from)))
    }

    /// Export a user's statement
    ///
    /// As CSV.
    #[oai(path = "/:id/points/export.csv", method = "get", operation_id = "exportUserPoints")]
    async fn export_points(
        &self,
        _admin: Viewer,
        id: Path<i64>,
        #[oai(name = "type")] kind: Query<Option<LedgerType>>,
    ) -> Result<Csv, ApiError> {
        let wanted = (UserId(id.0), kind.0.map(Into::into));
        csv::export(
            &self.app,
            LedgerRow::sheet(),
            wanted,
            |app, (user, kind), after, fetch| async move {
                let after = after.unwrap_or([i64::MAX; 2]);
                points::service::by_hand::statement(&app, user, kind, after, fetch).await
            },
        )
        .await
    }

    /// A user's sessions
    ///
    /// Those on record, the newest first.
    #[oai(path = "/:id/sessions", method = "get", operation_id = "listUserSessions")]
    async fn sessions(
        &self,
        _admin: Viewer,
        id: Path<i64>,
    ) -> Result<Json<AdminUserSessions>, ApiError> {
        let found = auth::service::sessions(&self.app, UserId(id.0))?;
        let items = found.into_iter().map(AdminUserSession::from).collect();
        Ok(Json(AdminUserSessions { items }))
    }
}

fn filter(
    search: Option<String>,
    level: Option<ShownLevel>,
    state: Option<UserState>,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<UserFilter, ApiError> {
    Ok(UserFilter {
        search,
        level: level.map(Into::into),
        state: state.map(Into::into),
        from: list::time("from", from)?,
        to: list::time("to", to)?,
    })
}

/// Everything about one user, as of one moment but for what is kept in memory.
fn detail(app: &App, id: UserId) -> Result<AdminUserDetail, ApiError> {
    let user = browse::record(app, id)?.ok_or(ErrorCode::UserNotFound)?;
    let now: UnixMillis = app.clock.now();
    let settings = settings::service::current(app);
    let (totals, membership, grants, spent, quota) =
        app.db.read_inline("admin.user", |tx| -> Result<_, ApiError> {
            let quota = match users::service::find(tx, id)? {
                Some(user) => Some(generations::service::quota_of(tx, &settings, &user, now)?),
                None => None,
            };
            Ok((
                points::service::by_hand::totals_of(tx, id)?.unwrap_or_default(),
                vip::service::membership(tx, id, now)?,
                vip::service::grants(tx, id)?,
                orders::service::browse::spent(tx, id)?,
                quota,
            ))
        })?;
    Ok(AdminUserDetail::new(user, totals, membership, grants, spent, quota))
}
