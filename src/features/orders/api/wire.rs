//! Orders as clients send and see them.

use poem_openapi::{Enum, Object};

use crate::clients::wechat::VirtualPayParams as VirtualParams;
use crate::clients::wechat_pay::WxPayParams as WechatParams;
use crate::features::orders::model::{Kind, Method, Order, Platform, Purchase, Status, Wanted};
use crate::features::orders::service::{PayParams, Placed};
use crate::http::ApiError;

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum OrderStatus {
    /// Waits for payment until `expiresAt`.
    Pending,
    Paid,
    Cancelled,
    /// Nobody paid in time.
    Expired,
    /// Money is going back.
    Refunding,
    Refunded,
    PartiallyRefunded,
}

impl From<Status> for OrderStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Paid => Self::Paid,
            Status::Cancelled => Self::Cancelled,
            Status::Expired => Self::Expired,
            Status::Refunding => Self::Refunding,
            Status::Refunded => Self::Refunded,
            Status::PartiallyRefunded => Self::PartiallyRefunded,
        }
    }
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Pending => Self::Pending,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Cancelled => Self::Cancelled,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Refunding => Self::Refunding,
            OrderStatus::Refunded => Self::Refunded,
            OrderStatus::PartiallyRefunded => Self::PartiallyRefunded,
        }
    }
}

/// What an order sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(super) enum OrderKind {
    Vip,
    Points,
}

impl From<Kind> for OrderKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vip => Self::Vip,
            Kind::Points => Self::Points,
        }
    }
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum PaymentMethod {
    /// `wx.requestPayment`.
    Wechat,
    /// `wx.requestVirtualPayment`.
    Virtual,
}

impl From<PaymentMethod> for Method {
    fn from(method: PaymentMethod) -> Self {
        match method {
            PaymentMethod::Wechat => Self::Wechat,
            PaymentMethod::Virtual => Self::Virtual,
        }
    }
}

impl From<Method> for PaymentMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Wechat => Self::Wechat,
            Method::Virtual => Self::Virtual,
        }
    }
}

/// What to buy: a plan or a pack.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PlaceOrderRequest {
    #[oai(validator(min_length = 1, max_length = 64))]
    plan_id: Option<String>,
    #[oai(validator(min_length = 1, max_length = 64))]
    pack_id: Option<String>,
    /// Left out, the shop decides.
    payment_method: Option<PaymentMethod>,
    /// `platform` of `wx.getDeviceInfo()`.
    #[oai(validator(max_length = 32))]
    platform: Option<String>,
}

impl TryFrom<PlaceOrderRequest> for Purchase {
    type Error = ApiError;

    fn try_from(request: PlaceOrderRequest) -> Result<Self, ApiError> {
        let wanted = match (request.plan_id, request.pack_id) {
            (Some(plan), None) => Wanted::Plan(plan),
            (None, Some(pack)) => Wanted::Pack(pack),
            (None, None) => return Err(ApiError::invalid_field("planId")),
            (Some(_), Some(_)) => return Err(ApiError::invalid_field("packId")),
        };
        Ok(purchase(wanted, request.payment_method, request.platform))
    }
}

/// Which plan to buy.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PurchaseRequest {
    #[oai(validator(min_length = 1, max_length = 64))]
    plan_id: String,
    /// Left out, the shop decides.
    payment_method: Option<PaymentMethod>,
    /// `platform` of `wx.getDeviceInfo()`.
    #[oai(validator(max_length = 32))]
    platform: Option<String>,
}

impl From<PurchaseRequest> for Purchase {
    fn from(request: PurchaseRequest) -> Self {
        purchase(Wanted::Plan(request.plan_id), request.payment_method, request.platform)
    }
}

/// Which points to buy: a pack, or as many as an amount gives.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct RechargeRequest {
    #[oai(validator(min_length = 1, max_length = 64))]
    pack_id: Option<String>,
    /// In fen, 1–1000000. Whole points are given, rounded down, at least one. By `wechat` only.
    amount: Option<i64>,
    /// Left out, the shop decides.
    payment_method: Option<PaymentMethod>,
    /// `platform` of `wx.getDeviceInfo()`.
    #[oai(validator(max_length = 32))]
    platform: Option<String>,
}

impl TryFrom<RechargeRequest> for Purchase {
    type Error = ApiError;

    fn try_from(request: RechargeRequest) -> Result<Self, ApiError> {
        let wanted = match (request.pack_id, request.amount) {
            (Some(pack), None) => Wanted::Pack(pack),
            (None, Some(amount)) => Wanted::Amount(amount),
            (None, None) => return Err(ApiError::invalid_field("packId")),
            (Some(_), Some(_)) => return Err(ApiError::invalid_field("amount")),
        };
        Ok(purchase(wanted, request.payment_method, request.platform))
    }
}

fn purchase(wanted: Wanted, method: Option<PaymentMethod>, platform: Option<String>) -> Purchase {
    let platform = platform.as_deref().map_or(Platform::Other, Platform::named);
    Purchase { wanted, method: method.map(Method::from), platform }
}

/// An order with what its payment takes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PlacedOrder {
    order_id: String,
    /// In fen.
    amount: i64,
    status: OrderStatus,
    /// The last moment to pay.
    expires_at: String,
    payment_method: PaymentMethod,
    /// When `paymentMethod` is `wechat`.
    wx_pay_params: Option<WxPayParams>,
    /// When `paymentMethod` is `virtual`.
    virtual_pay_params: Option<VirtualPayParams>,
}

/// Arguments of `wx.requestPayment`.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct WxPayParams {
    /// Seconds since 1970, as text.
    time_stamp: String,
    nonce_str: String,
    /// `prepay_id=…`.
    package: String,
    /// `RSA`.
    sign_type: String,
    pay_sign: String,
}

impl From<WechatParams> for WxPayParams {
    fn from(params: WechatParams) -> Self {
        Self {
            time_stamp: params.time_stamp,
            nonce_str: params.nonce_str,
            package: params.package,
            sign_type: params.sign_type.to_owned(),
            pay_sign: params.pay_sign,
        }
    }
}

/// Arguments of `wx.requestVirtualPayment`.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct VirtualPayParams {
    /// `short_series_goods`.
    mode: String,
    /// JSON as text, to be passed on untouched.
    sign_data: String,
    pay_sig: String,
    signature: String,
}

impl From<VirtualParams> for VirtualPayParams {
    fn from(params: VirtualParams) -> Self {
        let VirtualParams { mode, sign_data, pay_sig, signature } = params;
        Self { mode, sign_data, pay_sig, signature }
    }
}

impl From<Placed> for PlacedOrder {
    fn from(placed: Placed) -> Self {
        let order = placed.order;
        let (wx_pay_params, virtual_pay_params) = match placed.params {
            PayParams::Wechat(params) => (Some(params.into()), None),
            PayParams::Virtual(params) => (None, Some(params.into())),
        };
        Self {
            order_id: order.id.as_str().to_owned(),
            amount: order.amount,
            status: order.status.into(),
            expires_at: order.expires_at.rfc3339(),
            payment_method: order.method.into(),
            wx_pay_params,
            virtual_pay_params,
        }
    }
}

/// An order in a list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct OrderItem {
    order_id: String,
    kind: OrderKind,
    status: OrderStatus,
    /// Null for points.
    plan_id: Option<String>,
    /// The plan's name, or the pack's.
    plan_name: String,
    /// In fen.
    amount: i64,
    created_at: String,
    paid_at: Option<String>,
    /// The last moment to pay.
    expires_at: String,
}

impl From<Order> for OrderItem {
    fn from(order: Order) -> Self {
        Self {
            order_id: order.id.as_str().to_owned(),
            kind: order.kind.into(),
            status: order.status.into(),
            plan_id: order.plan.map(|plan| plan.id),
            plan_name: order.name,
            amount: order.amount,
            created_at: order.created_at.rfc3339(),
            paid_at: order.paid_at.map(|at| at.rfc3339()),
            expires_at: order.expires_at.rfc3339(),
        }
    }
}

/// An order.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct OrderDetail {
    order_id: String,
    kind: OrderKind,
    status: OrderStatus,
    /// Null for points.
    plan_id: Option<String>,
    /// The plan's name, or the pack's.
    plan_name: String,
    /// In fen.
    amount: i64,
    created_at: String,
    paid_at: Option<String>,
    /// The last moment to pay.
    expires_at: String,
    payment_method: PaymentMethod,
    /// The plan as it was bought; null for points.
    plan: Option<OrderedPlan>,
    /// The end of the membership as this order left it.
    vip_expire_at: Option<String>,
    /// In fen.
    refunded_amount: i64,
}

/// A plan as it was bought.
#[derive(Debug, Object)]
struct OrderedPlan {
    id: String,
    name: String,
    /// In days.
    duration: i64,
}

impl From<Order> for OrderDetail {
    fn from(order: Order) -> Self {
        let plan = order.plan.as_ref().map(|plan| OrderedPlan {
            id: plan.id.clone(),
            name: order.name.clone(),
            duration: plan.days,
        });
        let payment_method = order.method.into();
        let vip_expire_at = order.vip_expire_at.map(|at| at.rfc3339());
        let refunded_amount = order.refunded_amount;
        let OrderItem {
            order_id,
            kind,
            status,
            plan_id,
            plan_name,
            amount,
            created_at,
            paid_at,
            expires_at,
        } = order.into();
        Self {
            order_id,
            kind,
            status,
            plan_id,
            plan_name,
            amount,
            created_at,
            paid_at,
            expires_at,
            payment_method,
            plan,
            vip_expire_at,
            refunded_amount,
        }
    }
}
