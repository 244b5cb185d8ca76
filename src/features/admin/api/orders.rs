//! `/orders`: finding orders, everything about one, asking WeChat, and giving money back.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

pub(super) use self::wire::{AdminOrder, IfPointsSpent};
use self::wire::{
    AdminOrderDetail, AdminOrderKind, AdminOrderMethod, AdminOrderStatus, CheckedOrder,
    RefundPreview,
};
use super::AdminTag;
use super::auth::{Operator, OperatorSteppedUp, Viewer};
use super::csv::{self, Csv};
use super::list::{self, said};
use super::refunds::AdminRefund;
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::Tx;
use crate::features::orders::service::browse;
use crate::features::orders::{self, Order, OrderFilter, OrderId};
use crate::features::refunds::{self, RefundAmount, RefundWish};
use crate::features::{payments, vip};
use crate::http::{ApiError, ErrorCode, JsonBody, Page};

/// How long somebody waits for WeChat; the question goes on without him.
const PATIENCE: Duration = Duration::from_secs(8);

/// Money to be given back.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct RefundRequest {
    /// Fen; all that is left when it is left out.
    #[oai(validator(minimum(value = "1")))]
    amount: Option<i64>,
    /// Days of membership to take back with a part of the amount; in proportion when left out.
    #[oai(validator(minimum(value = "0"), maximum(value = "36500")))]
    days: Option<i64>,
    /// Points to take back with a part of the amount; in proportion when left out.
    #[oai(validator(minimum(value = "0")))]
    points: Option<i64>,
    /// What is done when points that are to be taken back are spent. There is no default.
    if_points_spent: IfPointsSpent,
    /// Why; shown to the payer. 1–80 characters.
    #[oai(validator(min_length = 1, max_length = 80))]
    reason: String,
}

/// Orders.
pub(super) struct AdminOrdersApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/orders", tag = "AdminTag::Orders")]
impl AdminOrdersApi {
    /// Find orders
    ///
    /// The newest first. `search` is an order's id or the number of its payment at WeChat.
    #[oai(path = "/", method = "get", operation_id = "listOrders")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn list(
        &self,
        _admin: Viewer,
        search: Query<Option<String>>,
        user: Query<Option<i64>>,
        status: Query<Option<AdminOrderStatus>>,
        method: Query<Option<AdminOrderMethod>>,
        kind: Query<Option<AdminOrderKind>>,
        /// Placed at this time or later: RFC 3339 or a day.
        from: Query<Option<String>>,
        /// Placed before this time.
        to: Query<Option<String>>,
        /// The least it costs, in fen.
        #[oai(name = "minAmount")]
        min_amount: Query<Option<i64>>,
        /// The most it costs, in fen.
        #[oai(name = "maxAmount")]
        max_amount: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        limit: Query<Option<i64>>,
    ) -> Result<Json<Page<AdminOrder>>, ApiError> {
        let filter = OrderFilter {
            search: search.0.filter(|text| !text.trim().is_empty()),
            user: user.0.map(UserId),
            status: status.0.map(Into::into),
            method: method.0.map(Into::into),
            kind: kind.0.map(Into::into),
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
            min_amount: min_amount.0,
            max_amount: max_amount.0,
        };
        let part = list::part::<2>(limit.0, cursor.0.as_deref())?;
        let found = browse::browse(&self.app, filter, part.after(), part.fetch()).await?;
        Ok(Json(part.answer_found(found, Order::keys, AdminOrder::from)))
    }

    /// Export orders
    ///
    /// As CSV, with the filters of the list.
    #[oai(path = "/export.csv", method = "get", operation_id = "exportOrders")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the list")]
    async fn export(
        &self,
        _admin: Viewer,
        search: Query<Option<String>>,
        user: Query<Option<i64>>,
        status: Query<Option<AdminOrderStatus>>,
        method: Query<Option<AdminOrderMethod>>,
        kind: Query<Option<AdminOrderKind>>,
        from: Query<Option<String>>,
        to: Query<Option<String>>,
        #[oai(name = "minAmount")] min_amount: Query<Option<i64>>,
        #[oai(name = "maxAmount")] max_amount: Query<Option<i64>>,
    ) -> Result<Csv, ApiError> {
        let filter = OrderFilter {
            search: search.0.filter(|text| !text.trim().is_empty()),
            user: user.0.map(UserId),
            status: status.0.map(Into::into),
            method: method.0.map(Into::into),
            kind: kind.0.map(Into::into),
            from: list::time("from", from.0.as_deref())?,
            to: list::time("to", to.0.as_deref())?,
            min_amount: min_amount.0,
            max_amount: max_amount.0,
        };
        csv::export(&self.app, AdminOrder::sheet(), filter, |app, filter, after, fetch| async move {
            browse::browse(&app, filter, after, fetch).await
        })
        .await
    }

    /// See an order
    ///
    /// With how it is being paid, what WeChat told of it (masked), its refunds and its grant. Errors:
    /// `ORDER_NOT_FOUND`.
    #[oai(path = "/:id", method = "get", operation_id = "getOrder")]
    async fn get(
        &self,
        _admin: Viewer,
        id: Path<String>,
    ) -> Result<Json<AdminOrderDetail>, ApiError> {
        detail(&self.app, &order_id(&id.0)?).map(Json)
    }

    /// Ask WeChat about an order now
    ///
    /// And take the step that follows: an order that is paid there is credited. Errors:
    /// `ORDER_NOT_FOUND`; `WECHAT_UNAVAILABLE` when WeChat does not answer in time.
    #[oai(path = "/:id/check", method = "post", operation_id = "checkOrder")]
    async fn check(
        &self,
        _admin: Operator,
        id: Path<String>,
    ) -> Result<Json<CheckedOrder>, ApiError> {
        let id = order_id(&id.0)?;
        detail(&self.app, &id)?;
        // Goes to its end whoever leaves; a payment that it finds is credited.
        let task = {
            let (app, id) = (Arc::clone(&self.app), id.clone());
            tokio::spawn(async move { orders::service::check(&app, &id).await })
        };
        let asked = match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(asked)) => asked?,
            Ok(Err(err)) => return Err(ApiError::new(ErrorCode::InternalError).caused_by(err)),
            Err(_) => return Err(ErrorCode::WechatUnavailable.into()),
        };
        Ok(Json(CheckedOrder::new(asked, detail(&self.app, &id)?)))
    }

    /// What could go back of an order
    ///
    /// What is not used up of it: days of membership, points. Errors: `ORDER_NOT_FOUND`.
    #[oai(path = "/:id/refund-preview", method = "get", operation_id = "previewRefund")]
    async fn preview(
        &self,
        _admin: Viewer,
        id: Path<String>,
    ) -> Result<Json<RefundPreview>, ApiError> {
        let unused = refunds::service::unused_value(&self.app, &order_id(&id.0)?)?;
        Ok(Json(unused.into()))
    }

    /// Give money back
    ///
    /// The refund goes on by itself once this has answered. What it had bought is taken back: all of it
    /// with the whole amount, else in proportion or as asked for. Errors: `ORDER_NOT_FOUND`;
    /// `INVALID_STATE` saying why it cannot be; `PAYMENT_UNAVAILABLE`; `INVALID_REQUEST`.
    #[oai(path = "/:id/refunds", method = "post", operation_id = "refundOrder")]
    async fn refund(
        &self,
        admin: OperatorSteppedUp,
        id: Path<String>,
        body: JsonBody<RefundRequest>,
    ) -> Result<Json<AdminRefund>, ApiError> {
        let RefundRequest { amount, days, points, if_points_spent, reason } = body.0;
        let wish = RefundWish {
            order: order_id(&id.0)?,
            amount: amount.map_or(RefundAmount::All, RefundAmount::Fen),
            days,
            points,
            if_spent: if_points_spent.into(),
            reason: said("reason", &reason)?,
            actor: admin.actor(),
        };
        Ok(Json(refunds::service::request(&self.app, wish).await?.into()))
    }
}

fn order_id(text: &str) -> Result<OrderId, ApiError> {
    OrderId::parse(text).ok_or_else(|| ErrorCode::OrderNotFound.into())
}

fn detail(app: &App, id: &OrderId) -> Result<AdminOrderDetail, ApiError> {
    app.db.read_inline("admin.order", |tx: &Tx<'_>| {
        let order = orders::service::by_id(tx, id)?.ok_or(ErrorCode::OrderNotFound)?;
        let refunds = refunds::service::of_order(tx, id)?;
        let mut events = payments::service::review::about(tx, id.as_str())?;
        for refund in &refunds {
            events.extend(payments::service::review::about(tx, refund.id.as_str())?);
        }
        Ok(AdminOrderDetail::new(
            order,
            browse::progress(tx, id)?,
            events,
            refunds,
            vip::service::of_order(tx, id.as_str())?,
        ))
    })
}
