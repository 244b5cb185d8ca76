//! `/reconciliation` and `/revenue`: WeChat's bills against what we know, and what was earned.

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, Viewer};
use super::csv::{self, Csv, Sheet, or_empty, yuan};
use super::list::{self, said, shown};
use crate::app::App;
use crate::features::reconciliation::{
    Channel, ComparedDay, Difference, DifferenceId, DifferenceState, Earned, ReconciliationError,
    Repair, service,
};
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// Days of one report.
const DAYS_MAX: i32 = 400;

/// How long somebody waits for a comparison; it goes on without him.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whose bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum BillChannel {
    Wechat,
    Virtual,
}

impl From<BillChannel> for Channel {
    fn from(channel: BillChannel) -> Self {
        match channel {
            BillChannel::Wechat => Self::Wechat,
            BillChannel::Virtual => Self::Virtual,
        }
    }
}

impl From<Channel> for BillChannel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Wechat => Self::Wechat,
            Channel::Virtual => Self::Virtual,
        }
    }
}

/// Whether somebody has still to see to a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum ShownDifferenceState {
    Open,
    Resolved,
}

impl From<ShownDifferenceState> for DifferenceState {
    fn from(state: ShownDifferenceState) -> Self {
        match state {
            ShownDifferenceState::Open => Self::Open,
            ShownDifferenceState::Resolved => Self::Resolved,
        }
    }
}

/// Something in which WeChat says otherwise than we. Amounts in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BillDifference {
    id: i64,
    channel: BillChannel,
    day: String,
    /// `unknown_order`, `not_credited`, `not_paid`, `amount`, `payment`, `unknown_refund`,
    /// `refund_missing`, `refund_amount` or `refund_state`.
    kind: String,
    /// The order, or the refund when it is about one.
    reference: String,
    order_id: String,
    ours: Option<i64>,
    theirs: Option<i64>,
    found_at: String,
    state: ShownDifferenceState,
    resolution: Option<String>,
    resolved_by: Option<String>,
    resolved_at: Option<String>,
}

impl From<Difference> for BillDifference {
    fn from(difference: Difference) -> Self {
        Self {
            id: difference.id.0,
            channel: difference.channel.into(),
            day: difference.day,
            kind: difference.kind.as_str().to_owned(),
            reference: difference.reference,
            order_id: difference.order,
            ours: difference.ours,
            theirs: difference.theirs,
            found_at: difference.found_at.rfc3339(),
            state: match difference.state {
                DifferenceState::Open => ShownDifferenceState::Open,
                DifferenceState::Resolved => ShownDifferenceState::Resolved,
            },
            resolution: difference.resolution,
            resolved_by: difference.resolved_by,
            resolved_at: shown(difference.resolved_at),
        }
    }
}

fn sheet() -> Sheet<Difference, i64> {
    Sheet {
        name: "differences.csv",
        columns: &[
            "id",
            "channel",
            "day",
            "kind",
            "reference",
            "orderId",
            "oursYuan",
            "theirsYuan",
            "foundAt",
            "resolution",
            "resolvedBy",
            "resolvedAt",
        ],
        keys: |difference| difference.id.0,
        record: |difference| {
            vec![
                difference.id.0.to_string(),
                difference.channel.as_str().to_owned(),
                difference.day.clone(),
                difference.kind.as_str().to_owned(),
                difference.reference.clone(),
                difference.order.clone(),
                or_empty(difference.ours.map(yuan)),
                or_empty(difference.theirs.map(yuan)),
                difference.found_at.rfc3339(),
                or_empty(difference.resolution.as_ref()),
                or_empty(difference.resolved_by.as_ref()),
                or_empty(shown(difference.resolved_at)),
            ]
        },
    }
}

/// A day as it was compared last.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BillDay {
    channel: BillChannel,
    day: String,
    tried_at: String,
    compared_at: Option<String>,
    /// What WeChat lists, and what of it differed.
    listed: i64,
    differing: i64,
    /// Why it could not be compared.
    problem: Option<String>,
    /// What WeChat keeps, in fen; null where no bill says.
    fee: Option<i64>,
}

impl From<ComparedDay> for BillDay {
    fn from(day: ComparedDay) -> Self {
        Self {
            channel: day.channel.into(),
            day: day.day,
            tried_at: day.tried_at.rfc3339(),
            compared_at: shown(day.compared_at),
            listed: day.listed,
            differing: day.differing,
            problem: day.problem,
            fee: day.fee,
        }
    }
}

/// Days that were compared, or tried to be.
#[derive(Debug, Object)]
struct BillDays {
    items: Vec<BillDay>,
}

/// How a difference was seen to.
#[derive(Debug, Object)]
struct ResolveDifferenceRequest {
    /// 1–500 characters.
    #[oai(validator(min_length = 1, max_length = 500))]
    note: String,
}

/// What a repair came to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RepairedDifference {
    /// Whether nothing is left of it.
    resolved: bool,
    /// How, or why not.
    how: String,
    difference: BillDifference,
}

/// A day to be compared now.
#[derive(Debug, Object)]
struct CompareRequest {
    channel: BillChannel,
    /// Such as `2026-01-29`, in Asia/Shanghai.
    day: String,
}

/// What a comparison came to.
#[derive(Debug, Object)]
struct Comparison {
    channel: BillChannel,
    day: String,
    /// What WeChat lists, and what of it differs.
    listed: i64,
    differing: i64,
}

/// What one product earned through one channel on one day, in fen.
#[derive(Debug, Object)]
struct RevenueRow {
    day: String,
    channel: BillChannel,
    /// Such as `plan:vip_month`, `pack:points_100` or `amount:1000`.
    product: String,
    name: String,
    /// Orders that were paid.
    orders: i64,
    paid: i64,
    /// What went back on the day, of whatever day's orders.
    refunded: i64,
}

impl From<Earned> for RevenueRow {
    fn from(earned: Earned) -> Self {
        let Earned { day, channel, product, name, orders, paid, refunded } = earned;
        Self { day, channel: channel.into(), product, name, orders, paid, refunded }
    }
}

/// What was earned, in fen.
#[derive(Debug, Object)]
struct Revenue {
    /// By day, channel and product.
    items: Vec<RevenueRow>,
    orders: i64,
    paid: i64,
    refunded: i64,
    /// What WeChat Pay keeps, so far as its bills say.
    fee: i64,
    /// What WeChat Pay keeps by day; days without a bill are not there.
    fees: Vec<DayFee>,
}

/// What WeChat Pay keeps of a day, in fen.
#[derive(Debug, Object)]
struct DayFee {
    day: String,
    fee: i64,
}

/// Reconciliation and revenue.
pub(super) struct ReconciliationApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Orders")]
impl ReconciliationApi {
    /// List differences
    ///
    /// The newest first; the open ones unless `state` says otherwise.
    #[oai(path = "/reconciliation/differences", method = "get", operation_id = "listDifferences")]
    async fn differences(
        &self,
        _admin: Viewer,
        state: Query<Option<ShownDifferenceState>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<BillDifference>>, ApiError> {
        let part = list::part::<1>(limit.0, cursor.0.as_deref())?;
        let state = state.0.unwrap_or(ShownDifferenceState::Open).into();
        let before = part.after().map(|[id]| DifferenceId(id));
        let found = service::differences(&self.app, state, before, part.fetch())?;
        Ok(Json(part.answer(found, None, |found| [found.id.0], BillDifference::from)))
    }

    /// Export differences
    ///
    /// As CSV.
    #[oai(
        path = "/reconciliation/differences/export.csv",
        method = "get",
        operation_id = "exportDifferences"
    )]
    async fn export_differences(
        &self,
        _admin: Viewer,
        state: Query<Option<ShownDifferenceState>>,
    ) -> Result<Csv, ApiError> {
        let state = state.0.unwrap_or(ShownDifferenceState::Open).into();
        csv::export(&self.app, sheet(), state, |app, state, before, fetch| async move {
            service::differences(&app, state, before.map(DifferenceId), fetch)
        })
        .await
    }

    /// Resolve a difference by hand
    ///
    /// Somebody has seen to it, and says how. Errors: `NOT_FOUND`; `INVALID_STATE`.
    #[oai(
        path = "/reconciliation/differences/:id/resolve",
        method = "post",
        operation_id = "resolveDifference"
    )]
    async fn resolve(
        &self,
        admin: Operator,
        id: Path<i64>,
        body: JsonBody<ResolveDifferenceRequest>,
    ) -> Result<Json<BillDifference>, ApiError> {
        let (id, note) = (DifferenceId(id.0), said("note", &body.0.note)?);
        service::resolve(&self.app, id, note, admin.actor()).await?;
        Ok(Json(service::difference(&self.app, id)?.into()))
    }

    /// Repair a difference
    ///
    /// WeChat is asked again, and what it says goes the way that every payment and refund goes. Errors:
    /// `NOT_FOUND`; `INVALID_STATE`; `PAYMENT_UNAVAILABLE`; `WECHAT_UNAVAILABLE`.
    #[oai(
        path = "/reconciliation/differences/:id/repair",
        method = "post",
        operation_id = "repairDifference"
    )]
    async fn repair(
        &self,
        admin: Operator,
        id: Path<i64>,
    ) -> Result<Json<RepairedDifference>, ApiError> {
        let id = DifferenceId(id.0);
        let (resolved, how) = match service::repair(&self.app, id, admin.actor()).await? {
            Repair::Resolved(how) => (true, how),
            Repair::Open(why) => (false, why),
        };
        let difference = service::difference(&self.app, id)?.into();
        Ok(Json(RepairedDifference { resolved, how, difference }))
    }

    /// Compare a day now
    ///
    /// Again if need be. A bill is there from 10 o'clock of the next day. Errors: `INVALID_REQUEST`;
    /// `PAYMENT_UNAVAILABLE`; `WECHAT_UNAVAILABLE`.
    #[oai(path = "/reconciliation/compare", method = "post", operation_id = "compareDay")]
    async fn compare(
        &self,
        _admin: Operator,
        body: JsonBody<CompareRequest>,
    ) -> Result<Json<Comparison>, ApiError> {
        let CompareRequest { channel, day } = body.0;
        let day = list::day("day", &day)?;
        if day >= self.app.clock.now().shanghai_date() {
            return Err(ApiError::invalid_field("day"));
        }
        let app = Arc::clone(&self.app);
        let task =
            tokio::spawn(async move { service::compare_day(&app, channel.into(), day).await });
        let run = match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(run)) => run?,
            Ok(Err(err)) => return Err(ApiError::new(ErrorCode::InternalError).caused_by(err)),
            Err(_) => return Err(ErrorCode::WechatUnavailable.into()),
        };
        let (listed, differing) = (run.listed, run.differing);
        Ok(Json(Comparison { channel, day: day.to_string(), listed, differing }))
    }

    /// List the days that were compared
    ///
    /// Both channels, each the newest first; 400 days at most.
    #[oai(path = "/reconciliation/days", method = "get", operation_id = "listBillDays")]
    async fn days(
        &self,
        _admin: Viewer,
        /// The first day, such as `2026-01-01`.
        from: Query<String>,
        /// The last day.
        to: Query<String>,
    ) -> Result<Json<BillDays>, ApiError> {
        let (from, to) = list::days(&from.0, &to.0, DAYS_MAX)?;
        let found = service::days(&self.app, from, to).await?;
        Ok(Json(BillDays { items: found.into_iter().map(BillDay::from).collect() }))
    }

    /// What was earned
    ///
    /// By day, channel and product, with what WeChat Pay keeps so far as its bills say; 400 days at most.
    #[oai(path = "/revenue", method = "get", operation_id = "getRevenue")]
    async fn revenue(
        &self,
        _admin: Viewer,
        /// The first day, such as `2026-01-01`.
        from: Query<String>,
        /// The last day.
        to: Query<String>,
    ) -> Result<Json<Revenue>, ApiError> {
        let (from, to) = list::days(&from.0, &to.0, DAYS_MAX)?;
        let items = service::report(&self.app, from, to).await?;
        let days = service::days(&self.app, from, to).await?.into_iter();
        let fees: Vec<DayFee> = days
            .filter_map(|compared| Some(DayFee { fee: compared.fee?, day: compared.day }))
            .collect();
        let sum = |of: fn(&Earned) -> i64| items.iter().map(of).fold(0_i64, i64::saturating_add);
        Ok(Json(Revenue {
            orders: sum(|earned| earned.orders),
            paid: sum(|earned| earned.paid),
            refunded: sum(|earned| earned.refunded),
            fee: fees.iter().map(|fee| fee.fee).fold(0, i64::saturating_add),
            fees,
            items: items.into_iter().map(RevenueRow::from).collect(),
        }))
    }

    /// Export what was earned
    ///
    /// As CSV.
    #[oai(path = "/revenue/export.csv", method = "get", operation_id = "exportRevenue")]
    async fn export_revenue(
        &self,
        _admin: Viewer,
        from: Query<String>,
        to: Query<String>,
    ) -> Result<Csv, ApiError> {
        let (from, to) = list::days(&from.0, &to.0, DAYS_MAX)?;
        let sheet = Sheet {
            name: "revenue.csv",
            columns: &["day", "channel", "product", "name", "orders", "paidYuan", "refundedYuan"],
            keys: |_: &Earned| (),
            record: |earned| {
                vec![
                    earned.day.clone(),
                    earned.channel.as_str().to_owned(),
                    earned.product.clone(),
                    earned.name.clone(),
                    earned.orders.to_string(),
                    yuan(earned.paid),
                    yuan(earned.refunded),
                ]
            },
        };
        // It is one sum of all, not a list that is read in parts.
        csv::export(&self.app, sheet, (from, to), |app, (from, to), behind, _| async move {
            match behind {
                None => service::report(&app, from, to).await,
                Some(()) => Ok(Vec::new()),
            }
        })
        .await
    }
}

impl From<ReconciliationError> for ApiError {
    fn from(err: ReconciliationError) -> Self {
        let code = match err {
            ReconciliationError::Order(err) => return err.into(),
            ReconciliationError::Refund(err) => return err.into(),
            ReconciliationError::Db(err) => return err.into(),
            ReconciliationError::Note => return Self::invalid_field("note"),
            ReconciliationError::NotFound => ErrorCode::NotFound,
            ReconciliationError::AlreadyResolved => ErrorCode::InvalidState,
            ReconciliationError::NotConfigured => ErrorCode::PaymentUnavailable,
            ReconciliationError::Unavailable(_) | ReconciliationError::Bill(_) => {
                ErrorCode::WechatUnavailable
            }
        };
        Self::new(code).caused_by(err)
    }
}
