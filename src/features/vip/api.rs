//! `/vip/plans` and `/vip/quote`.

mod words;

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::model::{Change, Plan, Quote, VipError};
use super::service;
use crate::app::App;
use crate::app::cache::LoadCache;
use crate::base::time::UnixMillis;
use crate::features::auth::UserAuth;
use crate::features::users::ShownLevel;
use crate::http::{ApiError, Ctx, ErrorCode, JsonBytes, Language, Tag};

/// How long the list of plans is kept in memory.
const PLANS_LIFE: Duration = Duration::from_secs(300);

/// Lists kept at once: the one in force, and those that a change has just replaced.
const PLANS_KEPT: u64 = 8;

/// What is for sale.
#[derive(Debug, Object)]
struct VipPlans {
    plans: Vec<VipPlan>,
}

/// A membership for money. Prices in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VipPlan {
    id: String,
    name: String,
    /// `VIP` or `SVIP`.
    level: ShownLevel,
    /// Days.
    duration: i64,
    original_price: i64,
    current_price: i64,
    benefits: Vec<String>,
    popular: bool,
    /// Points on top.
    points: i64,
}

impl From<Plan> for VipPlan {
    fn from(plan: Plan) -> Self {
        Self {
            id: plan.id,
            name: plan.name,
            level: plan.level.into(),
            duration: plan.days,
            original_price: plan.original_price,
            current_price: plan.current_price,
            benefits: plan.benefits,
            popular: plan.is_popular,
            points: plan.points,
        }
    }
}

/// What buying a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum VipChange {
    /// There is no membership yet.
    New,
    /// The same level goes on for longer.
    Renewal,
    /// A higher level begins at once, and what is left of the lower one is converted.
    Upgrade,
}

/// What paying for a plan now would come to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VipQuote {
    plan_id: String,
    /// In fen.
    price: i64,
    change: VipChange,
    /// The level after it.
    level: ShownLevel,
    /// When that ends.
    expires_at: String,
    /// The days of the plan.
    plan_days: i64,
    /// What is left of a lower level and is converted; null unless `change` is `UPGRADE`.
    conversion: Option<VipConversion>,
    /// All this for the user to read, with the formula of the conversion.
    text: String,
}

/// Time of a lower level that becomes time of the new one, by the prices per day. Days are rounded down
/// to hundredths here; what counts is exact to the millisecond.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VipConversion {
    /// The lower level.
    from_level: ShownLevel,
    /// Days that are left of it.
    left_days: f64,
    /// Days of the new level that they become.
    converted_days: f64,
}

impl VipQuote {
    fn of(quote: Quote, language: Language) -> Self {
        let text = words::of(&quote, language);
        let (change, conversion) = match quote.change {
            Change::Begins => (VipChange::New, None),
            // The shop refuses what would be another `Extends`.
            Change::Renews | Change::Extends { .. } => (VipChange::Renewal, None),
            Change::Upgrades { from, left_ms, converted_ms } => {
                let conversion = VipConversion {
                    from_level: from.into(),
                    left_days: words::days(left_ms),
                    converted_days: words::days(converted_ms),
                };
                (VipChange::Upgrade, Some(conversion))
            }
        };
        Self {
            plan_id: quote.plan.id,
            price: quote.plan.current_price,
            change,
            level: quote.after.level.into(),
            expires_at: quote.after.expires_at.map(UnixMillis::rfc3339).unwrap_or_default(),
            plan_days: quote.plan.days,
            conversion,
            text,
        }
    }
}

/// The list of plans, ready to send, by the version of the list.
struct KeptPlans(LoadCache<u64, JsonBytes<VipPlans>>);

impl Default for KeptPlans {
    fn default() -> Self {
        Self(LoadCache::new(PLANS_KEPT, PLANS_LIFE))
    }
}

/// What is sold, and what buying it would give.
pub struct VipApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/vip", tag = "Tag::Vip")]
impl VipApi {
    /// Plans
    ///
    /// What `POST /vip/purchase` sells. Public.
    #[oai(path = "/plans", method = "get", operation_id = "listVipPlans")]
    async fn plans(&self) -> Result<JsonBytes<VipPlans>, ApiError> {
        let kept = self.app.states.get::<KeptPlans>();
        let version = service::plans::version(&self.app);
        if let Some(plans) = kept.0.get(version) {
            return Ok(plans);
        }
        let load = || {
            let plans = service::plans::on_sale(&self.app)?.into_iter().map(VipPlan::from);
            Ok::<_, ApiError>(JsonBytes::of(&VipPlans { plans: plans.collect() }).with_etag())
        };
        kept.0.load(version, load)
    }

    /// What buying a plan would give
    ///
    /// Level and end after paying now, and how time that is left of a lower level is converted. Nothing
    /// is bought or held: what counts is the moment of payment.
    /// Errors: `PLAN_NOT_FOUND`, `INVALID_STATE` (a higher level runs).
    #[oai(path = "/quote", method = "get", operation_id = "quoteVipPlan")]
    async fn quote(
        &self,
        user: UserAuth,
        ctx: Ctx,
        #[oai(name = "planId", validator(min_length = 1, max_length = 64))] plan_id: Query<String>,
    ) -> Result<Json<VipQuote>, ApiError> {
        let quote = service::quote_now(&self.app, user.id(), &plan_id.0)?;
        Ok(Json(VipQuote::of(quote, ctx.language())))
    }
}

impl From<VipError> for ApiError {
    fn from(err: VipError) -> Self {
        let code = match err {
            VipError::Points(err) => return err.into(),
            VipError::Db(err) => return err.into(),
            VipError::Invalid(field) => return Self::invalid_field(field),
            VipError::PlanNotFound => ErrorCode::PlanNotFound,
            VipError::NoSuchUser => ErrorCode::UserNotFound,
            VipError::GrantNotFound => ErrorCode::NotFound,
            VipError::PlanExists => {
                return Self::new(ErrorCode::InvalidState)
                    .message("该套餐编号已存在", "There is a plan of this id already");
            }
            VipError::Outdated => return Self::outdated(),
            VipError::LowerLevel { running, until } => {
                let (level, until) = (words::name(running), until.shanghai_date());
                return Self::new(ErrorCode::InvalidState).message(
                    format!("您的 {level} 会员有效期至 {until}，在此之前不能购买更低等级的套餐"),
                    format!(
                        "Your {level} runs until {until}; a lower level cannot be bought before"
                    ),
                );
            }
            VipError::LongEnough => {
                return Self::new(ErrorCode::InvalidState).message(
                    "会员有效期已足够长，无需继续购买",
                    "Your membership lasts long enough already",
                );
            }
        };
        Self::new(code).caused_by(err)
    }
}
