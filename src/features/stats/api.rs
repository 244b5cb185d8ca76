//! `/stats/…`, and the counts beside a user: `/auth/userinfo`, `/users/me/stats`.

use std::sync::Arc;

use parking_lot::Mutex;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::model::{Account, Global, Overview, Personal, StatsError};
use super::service;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::auth::UserAuth;
use crate::features::users::User;
use crate::http::{ApiError, ErrorCode, JsonBytes, Tag};

/// How long the counts of the whole service are kept, in milliseconds.
const GLOBAL_LIFE_MS: i64 = 2_000;

/// What a user has done, in short.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct UserCounts {
    /// Jobs that succeeded.
    total_generated: i64,
    /// 0–1 of the ended jobs; 0 when none has ended.
    success_rate: f64,
    /// Jobs that succeeded in this calendar month (Asia/Shanghai).
    month_generated: i64,
}

/// The caller with his counts.
#[derive(Debug, Object)]
struct UserWithCounts {
    #[oai(flatten)]
    user: User,
    stats: UserCounts,
}

/// The caller.
#[derive(Debug, Object)]
struct UserInfoResponse {
    user: UserWithCounts,
}

impl UserInfoResponse {
    fn at(personal: &Personal, now: UnixMillis) -> Self {
        let stats = UserCounts {
            total_generated: personal.totals.succeeded,
            success_rate: personal.totals.success_rate(),
            month_generated: personal.recent.month,
        };
        Self { user: UserWithCounts { user: User::at(&personal.user, now), stats } }
    }
}

/// What a user has, and what is left of today's free pictures.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AccountCounts {
    total_favorites: i64,
    /// Placed orders, whatever became of them.
    total_orders: i64,
    /// Jobs that succeeded.
    total_generations: i64,
    /// Free pictures used today (Asia/Shanghai).
    today_generations: i64,
    /// Free pictures left today; null is no limit.
    today_remaining: Option<i64>,
    /// Free pictures a day; null is no limit.
    daily_limit: Option<i64>,
}

/// The caller with what he has.
#[derive(Debug, Object)]
struct UserStatsResponse {
    user: User,
    stats: AccountCounts,
}

impl UserStatsResponse {
    fn at(account: &Account, now: UnixMillis) -> Self {
        let quota = &account.quota;
        let stats = AccountCounts {
            total_favorites: account.favorites,
            total_orders: account.totals.orders,
            total_generations: account.totals.succeeded,
            today_generations: quota.today_used,
            today_remaining: quota.today_remaining,
            daily_limit: quota.daily_limit,
        };
        Self { user: User::at(&account.user, now), stats }
    }
}

/// How many of something.
#[derive(Debug, Object)]
struct NamedCount {
    name: String,
    count: i64,
}

/// What the caller has done.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct StatsOverview {
    /// Jobs that succeeded.
    total_generated: i64,
    /// 0–1 of the ended jobs; 0 when none has ended.
    success_rate: f64,
    favorite_count: i64,
    /// Jobs that succeeded since Monday (Asia/Shanghai).
    weekly_generated: i64,
    /// Jobs that succeeded in this calendar month.
    monthly_generated: i64,
    /// The categories of the gallery with most of the caller's public pictures, up to five.
    top_categories: Vec<NamedCount>,
}

impl From<Overview> for StatsOverview {
    fn from(overview: Overview) -> Self {
        let Overview { totals, recent, favorites, categories } = overview;
        Self {
            total_generated: totals.succeeded,
            success_rate: totals.success_rate(),
            favorite_count: favorites,
            weekly_generated: recent.week,
            monthly_generated: recent.month,
            top_categories: categories
                .into_iter()
                .map(|(name, count)| NamedCount { name, count })
                .collect(),
        }
    }
}

/// The whole service.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct GlobalStats {
    /// Without those who deleted their account.
    total_users: i64,
    /// Jobs that succeeded.
    total_generated: i64,
    /// Public pictures of the gallery.
    total_images: i64,
    /// Prompt templates.
    total_templates: i64,
}

impl From<Global> for GlobalStats {
    fn from(global: Global) -> Self {
        Self {
            total_users: global.users,
            total_generated: global.jobs_succeeded,
            total_images: global.images,
            total_templates: global.templates,
        }
    }
}

/// The counts of the whole service, and when they were made.
#[derive(Default)]
struct KeptGlobal(Mutex<Option<(UnixMillis, JsonBytes<GlobalStats>)>>);

/// Statistics.
pub struct StatsApi {
    pub app: Arc<App>,
}

#[OpenApi]
impl StatsApi {
    /// Who am I, with my counts
    ///
    /// The answer of `GET /users/me` as `user`, with `stats` in it.
    #[oai(path = "/auth/userinfo", method = "get", operation_id = "getUserInfo", tag = "Tag::Auth")]
    async fn user_info(&self, user: UserAuth) -> Result<Json<UserInfoResponse>, ApiError> {
        let personal = service::personal(&self.app, user.id())?;
        Ok(Json(UserInfoResponse::at(&personal, self.app.clock.now())))
    }

    /// What I have
    ///
    /// Favorites, orders, jobs, and the free pictures of today.
    #[oai(
        path = "/users/me/stats",
        method = "get",
        operation_id = "getMyStats",
        tag = "Tag::Users"
    )]
    async fn my_stats(&self, user: UserAuth) -> Result<Json<UserStatsResponse>, ApiError> {
        let account = service::account(&self.app, user.id())?;
        Ok(Json(UserStatsResponse::at(&account, self.app.clock.now())))
    }

    /// My overview
    ///
    /// Days, weeks (from Monday) and months are those of Asia/Shanghai.
    #[oai(
        path = "/stats/overview",
        method = "get",
        operation_id = "getStatsOverview",
        tag = "Tag::Stats"
    )]
    async fn overview(&self, user: UserAuth) -> Result<Json<StatsOverview>, ApiError> {
        Ok(Json(service::overview(&self.app, user.id())?.into()))
    }

    /// The whole service
    ///
    /// Up to two seconds old.
    #[oai(
        path = "/stats/global",
        method = "get",
        operation_id = "getGlobalStats",
        tag = "Tag::Stats"
    )]
    async fn global(&self) -> Result<JsonBytes<GlobalStats>, ApiError> {
        let kept = self.app.states.get::<KeptGlobal>();
        let now = self.app.clock.now();
        if let Some((made, bytes)) = &*kept.0.lock()
            && (0..GLOBAL_LIFE_MS).contains(&now.0.saturating_sub(made.0))
        {
            return Ok(bytes.clone());
        }
        let bytes = JsonBytes::of(&GlobalStats::from(service::global(&self.app)?)).with_etag();
        *kept.0.lock() = Some((now, bytes.clone()));
        Ok(bytes)
    }
}

impl From<StatsError> for ApiError {
    fn from(err: StatsError) -> Self {
        match err {
            StatsError::Db(err) => err.into(),
            StatsError::Quota(err) => err.into(),
            StatsError::NoSuchUser => Self::new(ErrorCode::UserNotFound).caused_by(err),
        }
    }
}
