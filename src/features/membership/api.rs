//! `/vip/info`.

use std::sync::Arc;

use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::model::{Info, InfoError};
use super::service;
use crate::app::App;
use crate::features::auth::UserAuth;
use crate::features::users::ShownLevel;
use crate::http::{ApiError, ErrorCode, Tag};

/// The caller's membership.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VipInfo {
    /// What counts now; a membership that has ended is `NORMAL`.
    vip_level: ShownLevel,
    /// When the membership ends; null without one.
    vip_expire_at: Option<String>,
    /// Rounded up; 0 without a membership.
    remaining_days: i64,
    quota: VipQuota,
    /// What the level gives, to be shown; empty without a membership.
    benefits: Vec<String>,
}

/// Free pictures.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VipQuota {
    /// Of the calendar day in Asia/Shanghai.
    daily_generations: QuotaUse,
    /// Of the calendar month in Asia/Shanghai.
    monthly_generations: QuotaUse,
    /// Left today by both limits; null is no limit.
    total_remaining: Option<i64>,
}

/// One limit, and how much of it is used.
#[derive(Debug, Object)]
struct QuotaUse {
    used: i64,
    /// Null is no limit.
    limit: Option<i64>,
}

impl From<Info> for VipInfo {
    fn from(info: Info) -> Self {
        let quota = info.quota;
        Self {
            vip_level: quota.level.into(),
            vip_expire_at: info.expires_at.map(|end| end.rfc3339()),
            remaining_days: info.remaining_days,
            quota: VipQuota {
                daily_generations: QuotaUse { used: quota.today_used, limit: quota.daily_limit },
                monthly_generations: QuotaUse {
                    used: quota.month_used,
                    limit: quota.monthly_limit,
                },
                total_remaining: quota.today_remaining,
            },
            benefits: info.benefits,
        }
    }
}

/// The caller's membership.
pub struct MembershipApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/vip", tag = "Tag::Vip")]
impl MembershipApi {
    /// My membership
    ///
    /// Level, end, and how much of the free quota is used.
    #[oai(path = "/info", method = "get", operation_id = "getVipInfo")]
    async fn info(&self, user: UserAuth) -> Result<Json<VipInfo>, ApiError> {
        Ok(Json(service::info(&self.app, user.id())?.into()))
    }
}

impl From<InfoError> for ApiError {
    fn from(err: InfoError) -> Self {
        match err {
            InfoError::NoSuchUser => Self::new(ErrorCode::UserNotFound),
            InfoError::Quota(err) => err.into(),
            InfoError::Db(err) => err.into(),
        }
    }
}
