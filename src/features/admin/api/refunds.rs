//! `/refunds`: all refunds, those with a problem, and trying one again.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::{OperatorSteppedUp, Viewer};
use super::csv::{self, Csv, Sheet, or_empty, yuan};
use super::list::{self, shown};
use super::orders::IfPointsSpent;
use crate::app::App;
use crate::features::refunds::service::browse;
use crate::features::refunds::{Refund, RefundFilter, RefundId, RefundStatus};
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum AdminRefundStatus {
    /// It went back without us, and is not booked yet.
    Told,
    Refunding,
    Refunded,
    Failed,
}

impl From<AdminRefundStatus> for RefundStatus {
    fn from(status: AdminRefundStatus) -> Self {
        match status {
            AdminRefundStatus::Told => Self::Told,
            AdminRefundStatus::Refunding => Self::Refunding,
            AdminRefundStatus::Refunded => Self::Refunded,
            AdminRefundStatus::Failed => Self::Failed,
        }
    }
}

impl From<RefundStatus> for AdminRefundStatus {
    fn from(status: RefundStatus) -> Self {
        match status {
            RefundStatus::Told => Self::Told,
            RefundStatus::Refunding => Self::Refunding,
            RefundStatus::Refunded => Self::Refunded,
            RefundStatus::Failed => Self::Failed,
        }
    }
}

/// A refund. Amounts in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct AdminRefund {
    refund_id: String,
    order_id: String,
    /// `asked`, `due` (nobody is left to give anything for the payment) or `told` (by WeChat).
    origin: String,
    /// Who wanted it, such as `admin:kim`.
    actor: String,
    reason: String,
    amount: i64,
    /// What the order cost.
    total: i64,
    /// Days of membership that it takes back; null: all that is left.
    vip_days: Option<i64>,
    /// Points that it was to take back, and those that it took.
    points: i64,
    points_taken: i64,
    status: AdminRefundStatus,
    /// WeChat's number of it.
    wechat_id: Option<String>,
    accepted_at: Option<String>,
    /// What is wrong with it, or was last.
    problem: Option<String>,
    created_at: String,
    ended_at: Option<String>,
}

impl From<Refund> for AdminRefund {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id.to_string(),
            order_id: refund.order.to_string(),
            origin: refund.origin.as_str().to_owned(),
            actor: refund.actor,
            reason: refund.reason,
            amount: refund.amount,
            total: refund.total,
            vip_days: refund.vip_days,
            points: refund.points,
            points_taken: refund.points_taken,
            status: refund.status.into(),
            wechat_id: refund.wechat_id,
            accepted_at: shown(refund.accepted_at),
            problem: refund.problem,
            created_at: refund.created_at.rfc3339(),
            ended_at: shown(refund.ended_at),
        }
    }
}

type Row = (i64, Refund);

fn sheet() -> Sheet<Row, i64> {
    Sheet {
        name: "refunds.csv",
        columns: &[
            "refundId",
            "orderId",
            "status",
            "amountYuan",
            "totalYuan",
            "points",
            "pointsTaken",
            "reason",
            "actor",
            "problem",
            "createdAt",
            "endedAt",
        ],
        keys: |(seq, _)| *seq,
        record: |(_, refund)| {
            vec![
                refund.id.to_string(),
                refund.order.to_string(),
                refund.status.as_str().to_owned(),
                yuan(refund.amount),
                yuan(refund.total),
                refund.points.to_string(),
                refund.points_taken.to_string(),
                refund.reason.clone(),
                refund.actor.clone(),
                or_empty(refund.problem.as_ref()),
                refund.created_at.rfc3339(),
                or_empty(shown(refund.ended_at)),
            ]
        },
    }
}

/// How a refund is tried again.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RetryRefundRequest {
    /// For one that failed, whose points were given again.
    if_points_spent: IfPointsSpent,
}

/// Refunds.
pub(super) struct AdminRefundsApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/refunds", tag = "AdminTag::Orders")]
impl AdminRefundsApi {
    /// List refunds
    ///
    /// The newest first.
    #[oai(path = "/", method = "get", operation_id = "listRefunds")]
    async fn list(
        &self,
        _admin: Viewer,
        status: Query<Option<AdminRefundStatus>>,
        /// Only those with something wrong that have not gone back; the status does not matter then.
        problem: Query<Option<bool>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<AdminRefund>>, ApiError> {
        let part = list::part::<1>(limit.0, cursor.0.as_deref())?;
        let before = part.after().map(|[seq]| seq);
        let filter = filter(status.0, problem.0);
        let found = browse::browse(&self.app, filter, before, part.fetch()).await?;
        Ok(Json(part.answer(found, None, |(seq, _)| [*seq], |(_, refund)| refund.into())))
    }

    /// Export refunds
    ///
    /// As CSV, with the filters of the list.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportRefunds")]
    async fn export(
        &self,
        _admin: Viewer,
        status: Query<Option<AdminRefundStatus>>,
        problem: Query<Option<bool>>,
    ) -> Result<Csv, ApiError> {
        let filter = filter(status.0, problem.0);
        csv::export(&self.app, sheet(), filter, |app, filter, before, fetch| async move {
            browse::browse(&app, filter, before, fetch).await
        })
        .await
    }

    /// Try a refund again
    ///
    /// One under way is sent or asked about at once; one that failed is asked for anew, with the same
    /// amount, days and points. Answers the refund that goes on. Errors: `NOT_FOUND`; `INVALID_STATE`.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retryRefund")]
    async fn retry(
        &self,
        admin: OperatorSteppedUp,
        id: Path<String>,
        body: JsonBody<RetryRefundRequest>,
    ) -> Result<Json<AdminRefund>, ApiError> {
        let id = RefundId::parse(&id.0).ok_or(ErrorCode::NotFound)?;
        let if_spent = body.0.if_points_spent.into();
        Ok(Json(browse::retry(&self.app, &id, admin.actor(), if_spent).await?.into()))
    }
}

fn filter(status: Option<AdminRefundStatus>, problem: Option<bool>) -> RefundFilter {
    match (problem, status) {
        (Some(true), _) => RefundFilter::WithProblem,
        (_, Some(status)) => RefundFilter::Of(status.into()),
        (_, None) => RefundFilter::All,
    }
}
