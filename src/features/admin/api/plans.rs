//! `/plans` and `/packs`: what is sold.

use std::sync::Arc;

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, Viewer};
use crate::app::App;
use crate::features::points::service::packs::{self, PackWish};
use crate::features::points::{Pack, PackRecord};
use crate::features::users::ShownLevel;
use crate::features::vip::Plan;
use crate::features::vip::service::plans::{self, PlanWish};
use crate::http::{ApiError, JsonBody};

/// A membership plan. Prices in fen.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminPlan {
    plan_id: String,
    name: String,
    level: ShownLevel,
    /// Days.
    duration: i64,
    original_price: i64,
    current_price: i64,
    benefits: Vec<String>,
    popular: bool,
    /// Points on top.
    points: i64,
    on_sale: bool,
    /// Its place in the list, the smallest first.
    sort: i64,
    /// Names the plan as it is; to be sent with a change.
    version: String,
}

impl From<Plan> for AdminPlan {
    fn from(plan: Plan) -> Self {
        Self {
            version: plan.version(),
            plan_id: plan.id,
            name: plan.name,
            level: plan.level.into(),
            duration: plan.days,
            original_price: plan.original_price,
            current_price: plan.current_price,
            benefits: plan.benefits,
            popular: plan.is_popular,
            points: plan.points,
            on_sale: plan.is_on_sale,
            sort: plan.sort,
        }
    }
}

/// All plans, those no longer sold included, in their order.
#[derive(Debug, Object)]
struct AdminPlans {
    items: Vec<AdminPlan>,
}

/// A plan as it shall be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PutPlanRequest {
    name: String,
    level: ShownLevel,
    /// Days, 1–36 500.
    duration: i64,
    /// In fen; not below the current one.
    original_price: i64,
    /// In fen, from 1.
    current_price: i64,
    #[oai(default)]
    benefits: Vec<String>,
    #[oai(default)]
    popular: bool,
    #[oai(default)]
    points: i64,
    on_sale: bool,
    #[oai(default)]
    sort: i64,
    /// The version that the change was made from; none makes a new plan.
    version: Option<String>,
    /// Only says what would change.
    #[oai(default)]
    dry_run: bool,
    /// Why, for the audit log.
    #[oai(validator(max_length = 200))]
    reason: Option<String>,
}

/// A plan before and after; only what would be in a dry run.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangedPlan {
    before: Option<AdminPlan>,
    after: AdminPlan,
    dry_run: bool,
}

/// A pack of points. Prices in fen.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminPack {
    pack_id: String,
    name: String,
    points: i64,
    /// On top of `points`.
    bonus_points: i64,
    original_price: i64,
    current_price: i64,
    popular: bool,
    on_sale: bool,
    sort: i64,
    /// Names the pack as it is; to be sent with a change.
    version: String,
}

impl From<PackRecord> for AdminPack {
    fn from(record: PackRecord) -> Self {
        let version = record.version();
        let PackRecord { pack, is_on_sale, sort } = record;
        Self {
            pack_id: pack.id,
            name: pack.name,
            points: pack.points,
            bonus_points: pack.bonus_points,
            original_price: pack.original_price,
            current_price: pack.current_price,
            popular: pack.is_popular,
            on_sale: is_on_sale,
            sort,
            version,
        }
    }
}

/// All packs, those no longer sold included, in their order.
#[derive(Debug, Object)]
struct AdminPacks {
    items: Vec<AdminPack>,
}

/// A pack as it shall be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PutPackRequest {
    name: String,
    /// From 1.
    points: i64,
    #[oai(default)]
    bonus_points: i64,
    /// In fen; not below the current one.
    original_price: i64,
    /// In fen, from 1.
    current_price: i64,
    #[oai(default)]
    popular: bool,
    on_sale: bool,
    #[oai(default)]
    sort: i64,
    /// The version that the change was made from; none makes a new pack.
    version: Option<String>,
    /// Only says what would change.
    #[oai(default)]
    dry_run: bool,
    /// Why, for the audit log.
    #[oai(validator(max_length = 200))]
    reason: Option<String>,
}

/// A pack before and after; only what would be in a dry run.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ChangedPack {
    before: Option<AdminPack>,
    after: AdminPack,
    dry_run: bool,
}

/// What is sold.
pub(super) struct ProductsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Settings")]
impl ProductsApi {
    /// List the plans
    ///
    /// Those no longer sold included.
    #[oai(path = "/plans", method = "get", operation_id = "listAdminPlans")]
    async fn plans(&self, _admin: Viewer) -> Result<Json<AdminPlans>, ApiError> {
        let all = self.app.db.read_inline("admin.plans", plans::all)?;
        Ok(Json(AdminPlans { items: all.into_iter().map(AdminPlan::from).collect() }))
    }

    /// Make or change a plan
    ///
    /// What was sold of it keeps its level, days and price. A plan is never removed; `onSale` false takes
    /// it out of the list. Errors: `INVALID_REQUEST` naming the field; `PLAN_NOT_FOUND`;
    /// `INVALID_STATE` when it exists already, or somebody else changed it meanwhile.
    #[oai(path = "/plans/:id", method = "put", operation_id = "putPlan")]
    async fn put_plan(
        &self,
        admin: Operator,
        id: Path<String>,
        body: JsonBody<PutPlanRequest>,
    ) -> Result<Json<ChangedPlan>, ApiError> {
        let body = body.0;
        let plan = Plan {
            id: id.0,
            name: body.name,
            level: body.level.into(),
            days: body.duration,
            original_price: body.original_price,
            current_price: body.current_price,
            benefits: body.benefits,
            is_popular: body.popular,
            points: body.points,
            is_on_sale: body.on_sale,
            sort: body.sort,
        };
        let (dry_run, version, reason) = (body.dry_run, body.version, body.reason);
        let wish = PlanWish { plan, version, is_dry_run: dry_run, actor: admin.actor(), reason };
        let (before, after) = plans::put(&self.app, wish).await?;
        let (before, after) = (before.map(AdminPlan::from), after.into());
        Ok(Json(ChangedPlan { before, after, dry_run }))
    }

    /// List the packs
    ///
    /// Those no longer sold included.
    #[oai(path = "/packs", method = "get", operation_id = "listAdminPacks")]
    async fn packs(&self, _admin: Viewer) -> Result<Json<AdminPacks>, ApiError> {
        let all = packs::all(&self.app)?;
        Ok(Json(AdminPacks { items: all.into_iter().map(AdminPack::from).collect() }))
    }

    /// Make or change a pack
    ///
    /// What was sold of it keeps its price and points. Errors: `INVALID_REQUEST` naming the field;
    /// `PACK_NOT_FOUND`; `INVALID_STATE` when it exists already, or somebody else changed it meanwhile.
    #[oai(path = "/packs/:id", method = "put", operation_id = "putPack")]
    async fn put_pack(
        &self,
        admin: Operator,
        id: Path<String>,
        body: JsonBody<PutPackRequest>,
    ) -> Result<Json<ChangedPack>, ApiError> {
        let body = body.0;
        let pack = Pack {
            id: id.0,
            name: body.name,
            points: body.points,
            bonus_points: body.bonus_points,
            original_price: body.original_price,
            current_price: body.current_price,
            is_popular: body.popular,
        };
        let record = PackRecord { pack, is_on_sale: body.on_sale, sort: body.sort };
        let (dry_run, version, reason) = (body.dry_run, body.version, body.reason);
        let wish = PackWish { record, version, is_dry_run: dry_run, actor: admin.actor(), reason };
        let (before, after) = packs::put(&self.app, wish).await?;
        let (before, after) = (before.map(AdminPack::from), after.into());
        Ok(Json(ChangedPack { before, after, dry_run }))
    }
}
