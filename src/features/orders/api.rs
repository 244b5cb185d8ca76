//! `/orders/…`, and the older ways to the same: `/vip/purchase`, `/vip/orders`, `/points/recharge`.

mod wire;

use std::sync::Arc;

use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;

use self::wire::{
    OrderDetail, OrderItem, OrderStatus, PlaceOrderRequest, PlacedOrder, PurchaseRequest,
    RechargeRequest,
};
use super::model::{Filter, Kind, Order, OrderError, OrderId, Purchase, Status};
use super::service;
use crate::app::App;
use crate::base::ids::UserId;
use crate::features::auth::UserAuth;
use crate::features::idempotency::{self, Answer, Answered, IdempotencyKey};
use crate::http::{ApiError, ErrorCode, JsonBody, Page, PageQuery, Tag};

/// Orders.
pub struct OrdersApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/orders", tag = "Tag::Orders")]
impl OrdersApi {
    /// Place an order
    ///
    /// For a plan (`planId`) or a points pack (`packId`), at the price of now. The answer holds what
    /// `wx.requestPayment` or `wx.requestVirtualPayment` takes. An order for the same that still waits
    /// for payment is taken again; one with the other `paymentMethod` is cancelled.
    /// Errors: `PLAN_NOT_FOUND`, `PACK_NOT_FOUND`, `INVALID_STATE` (a higher membership runs, or the
    /// order that was to be replaced is paid), `WECHAT_SESSION_EXPIRED` (log in again, then repeat),
    /// `PAYMENT_UNAVAILABLE` (repeat later: the order is kept), `RATE_LIMIT_EXCEEDED` (too many orders
    /// wait), `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/", method = "post", operation_id = "placeOrder")]
    async fn place(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<PlaceOrderRequest>,
    ) -> Result<Answered<PlacedOrder>, ApiError> {
        place(&self.app, user.id(), key, body.0.try_into()?).await
    }

    /// My orders
    ///
    /// Newest first.
    #[oai(path = "/", method = "get", operation_id = "listOrders")]
    async fn list(
        &self,
        user: UserAuth,
        /// Only those of one status.
        status: Query<Option<OrderStatus>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<OrderItem>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        list(&self.app, user.id(), None, status.0, query).await
    }

    /// An order
    ///
    /// With `sync` WeChat is asked first whether it is paid: to be called when the client has paid. More
    /// often than every other second it is not asked again. Errors: `ORDER_NOT_FOUND`.
    #[oai(path = "/:orderId", method = "get", operation_id = "getOrder")]
    async fn order(
        &self,
        user: UserAuth,
        #[oai(name = "orderId")] order_id: Path<String>,
        /// Ask WeChat first.
        sync: Query<Option<bool>>,
    ) -> Result<Json<OrderDetail>, ApiError> {
        let (id, sync) = (named(&order_id.0)?, sync.0.unwrap_or(false));
        Ok(Json(service::find(&self.app, user.id(), &id, sync).await?.into()))
    }

    /// Pay an order
    ///
    /// Gives fresh payment parameters: for another try, or after a new login.
    /// Errors: `ORDER_NOT_FOUND`, `INVALID_STATE` (paid, cancelled or refunded), `ORDER_EXPIRED`,
    /// `WECHAT_SESSION_EXPIRED`, `PAYMENT_UNAVAILABLE`, `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/:orderId/pay", method = "post", operation_id = "payOrder")]
    async fn pay(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        #[oai(name = "orderId")] order_id: Path<String>,
    ) -> Result<Answered<PlacedOrder>, ApiError> {
        let (user, id) = (user.id(), named(&order_id.0)?);
        let effect = |_| async move {
            let placed = service::pay(&self.app, user, &id).await?;
            Ok::<_, OrderError>(Answer::json(200, &PlacedOrder::from(placed)))
        };
        Ok(idempotency::service::run(&self.app, key.of(user), effect).await?.into())
    }

    /// Cancel an order
    ///
    /// Again it does nothing. Errors: `ORDER_NOT_FOUND`, `INVALID_STATE` (it is paid), `ORDER_EXPIRED`.
    #[oai(path = "/:orderId/cancel", method = "post", operation_id = "cancelOrder")]
    async fn cancel(
        &self,
        user: UserAuth,
        #[oai(name = "orderId")] order_id: Path<String>,
    ) -> Result<Json<OrderDetail>, ApiError> {
        let id = named(&order_id.0)?;
        Ok(Json(service::cancel(&self.app, user.id(), &id).await?.into()))
    }
}

/// Buying by what is bought.
pub struct PurchaseApi {
    pub app: Arc<App>,
}

#[OpenApi(tag = "Tag::Orders")]
impl PurchaseApi {
    /// Buy a plan
    ///
    /// The same as `POST /orders` with a `planId`.
    #[oai(path = "/vip/purchase", method = "post", operation_id = "purchaseVip")]
    async fn purchase(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<PurchaseRequest>,
    ) -> Result<Answered<PlacedOrder>, ApiError> {
        place(&self.app, user.id(), key, body.0.into()).await
    }

    /// My orders of plans
    ///
    /// `GET /orders`, plans only.
    #[oai(path = "/vip/orders", method = "get", operation_id = "listVipOrders")]
    async fn list(
        &self,
        user: UserAuth,
        /// Only those of one status.
        status: Query<Option<OrderStatus>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<OrderItem>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        list(&self.app, user.id(), Some(Kind::Vip), status.0, query).await
    }

    /// An order of a plan
    ///
    /// `GET /orders/{orderId}`, plans only. Errors: `ORDER_NOT_FOUND`.
    #[oai(path = "/vip/orders/:orderId", method = "get", operation_id = "getVipOrder")]
    async fn order(
        &self,
        user: UserAuth,
        #[oai(name = "orderId")] order_id: Path<String>,
        /// Ask WeChat first.
        sync: Query<Option<bool>>,
    ) -> Result<Json<OrderDetail>, ApiError> {
        let (id, sync) = (named(&order_id.0)?, sync.0.unwrap_or(false));
        let order = service::find(&self.app, user.id(), &id, sync).await?;
        if order.kind != Kind::Vip {
            return Err(OrderError::NotFound.into());
        }
        Ok(Json(order.into()))
    }

    /// Buy points
    ///
    /// A pack (`packId`), or points for a free `amount` in fen. Otherwise as `POST /orders`.
    #[oai(path = "/points/recharge", method = "post", operation_id = "rechargePoints")]
    async fn recharge(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<RechargeRequest>,
    ) -> Result<Answered<PlacedOrder>, ApiError> {
        place(&self.app, user.id(), key, body.0.try_into()?).await
    }
}

async fn place(
    app: &Arc<App>,
    user: UserId,
    key: IdempotencyKey,
    purchase: Purchase,
) -> Result<Answered<PlacedOrder>, ApiError> {
    let effect = |_| async move {
        let placed = service::place(app, user, purchase).await?;
        Ok::<_, OrderError>(Answer::json(200, &PlacedOrder::from(placed)))
    };
    Ok(idempotency::service::run(app, key.of(user), effect).await?.into())
}

async fn list(
    app: &App,
    user: UserId,
    kind: Option<Kind>,
    status: Option<OrderStatus>,
    query: PageQuery,
) -> Result<Json<Page<OrderItem>>, ApiError> {
    let filter = Filter { user, kind, status: status.map(Status::from) };
    let (orders, total) = service::list(app, filter, query).await?;
    let keys = |order: &Order| [order.created_at.0, order.seq];
    Ok(Json(query.answer(orders, total, keys, OrderItem::from)))
}

fn named(text: &str) -> Result<OrderId, ApiError> {
    OrderId::parse(text).ok_or_else(|| OrderError::NotFound.into())
}

impl From<OrderError> for ApiError {
    fn from(err: OrderError) -> Self {
        let state =
            |zh: &'static str, en: &'static str| Self::new(ErrorCode::InvalidState).message(zh, en);
        let code = match err {
            OrderError::Idempotency(err) => return err.into(),
            OrderError::Db(err) => return err.into(),
            OrderError::Points(err) => return err.into(),
            OrderError::Vip(err) => return err.into(),
            OrderError::Invalid(field) => return Self::invalid_field(field),
            OrderError::AmountNeedsWechat => {
                return Self::invalid_field("paymentMethod").message(
                    "自定义金额不支持虚拟支付（paymentMethod），请选择积分包",
                    "A free amount cannot be paid by virtual payment (paymentMethod); choose a pack",
                );
            }
            OrderError::AlreadyPaid => return state("订单已支付", "The order is paid"),
            OrderError::NotPayable => {
                return state("订单已取消或已退款", "The order was cancelled or refunded");
            }
            OrderError::TooManyPending => {
                return Self::new(ErrorCode::RateLimitExceeded).message(
                    "待支付订单过多，请先支付或取消",
                    "Too many of your orders wait for payment; pay or cancel some",
                );
            }
            OrderError::NotFound => ErrorCode::OrderNotFound,
            OrderError::PlanNotFound => ErrorCode::PlanNotFound,
            OrderError::PackNotFound => ErrorCode::PackNotFound,
            OrderError::Expired => ErrorCode::OrderExpired,
            OrderError::Unavailable(_) => ErrorCode::PaymentUnavailable,
            OrderError::SessionExpired => ErrorCode::WechatSessionExpired,
            OrderError::NoSuchUser => ErrorCode::UserNotFound,
            OrderError::CutShort => ErrorCode::InternalError,
        };
        Self::new(code).caused_by(err)
    }
}
