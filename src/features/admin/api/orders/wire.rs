//! Wire types of orders.

use poem_openapi::{Enum, Object};

use super::super::csv::{Sheet, or_empty, yuan};
use super::super::list::shown;
use super::super::payment_events::PaymentEvent;
use super::super::refunds::AdminRefund;
use super::super::users::MembershipGrant;
use crate::features::orders::{Asked, Kind, Method, Order, PaymentProgress, Status};
use crate::features::payments::EventRecord;
use crate::features::refunds::{IfSpent, Refund, UnusedValue};
use crate::features::vip::StoredGrant;

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in super::super) enum AdminOrderStatus {
    Pending,
    Paid,
    Cancelled,
    Expired,
    Refunding,
    Refunded,
    PartiallyRefunded,
}

impl From<AdminOrderStatus> for Status {
    fn from(status: AdminOrderStatus) -> Self {
        match status {
            AdminOrderStatus::Pending => Self::Pending,
            AdminOrderStatus::Paid => Self::Paid,
            AdminOrderStatus::Cancelled => Self::Cancelled,
            AdminOrderStatus::Expired => Self::Expired,
            AdminOrderStatus::Refunding => Self::Refunding,
            AdminOrderStatus::Refunded => Self::Refunded,
            AdminOrderStatus::PartiallyRefunded => Self::PartiallyRefunded,
        }
    }
}

impl From<Status> for AdminOrderStatus {
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

/// The channel an order is paid through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(in super::super) enum AdminOrderMethod {
    Wechat,
    Virtual,
}

impl From<AdminOrderMethod> for Method {
    fn from(method: AdminOrderMethod) -> Self {
        match method {
            AdminOrderMethod::Wechat => Self::Wechat,
            AdminOrderMethod::Virtual => Self::Virtual,
        }
    }
}

impl From<Method> for AdminOrderMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Wechat => Self::Wechat,
            Method::Virtual => Self::Virtual,
        }
    }
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(in super::super) enum AdminOrderKind {
    Vip,
    Points,
}

impl From<AdminOrderKind> for Kind {
    fn from(kind: AdminOrderKind) -> Self {
        match kind {
            AdminOrderKind::Vip => Self::Vip,
            AdminOrderKind::Points => Self::Points,
        }
    }
}

impl From<Kind> for AdminOrderKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vip => Self::Vip,
            Kind::Points => Self::Points,
        }
    }
}

/// What is done when points that are to be taken back are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(in super::super) enum IfPointsSpent {
    /// No refund.
    Refuse,
    /// Refund anyway, and take what is left.
    TakeWhatIsLeft,
}

impl From<IfPointsSpent> for IfSpent {
    fn from(choice: IfPointsSpent) -> Self {
        match choice {
            IfPointsSpent::Refuse => Self::Refuse,
            IfPointsSpent::TakeWhatIsLeft => Self::TakeWhatIsLeft,
        }
    }
}

/// An order, as administrators see it. Amounts in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminOrder {
    order_id: String,
    user_id: i64,
    kind: AdminOrderKind,
    product_name: String,
    plan_id: Option<String>,
    pack_id: Option<String>,
    status: AdminOrderStatus,
    method: AdminOrderMethod,
    amount: i64,
    refunded_amount: i64,
    /// What it gives when paid.
    points: i64,
    /// WeChat's number of the payment.
    transaction_id: Option<String>,
    paid_at: Option<String>,
    /// The membership's end as this order left it.
    vip_expire_at: Option<String>,
    expires_at: String,
    created_at: String,
}

impl AdminOrder {
    pub(super) fn sheet() -> Sheet<Order, [i64; 2]> {
        Sheet {
            name: "orders.csv",
            columns: &[
                "orderId",
                "userId",
                "kind",
                "product",
                "status",
                "method",
                "amountYuan",
                "refundedYuan",
                "transactionId",
                "createdAt",
                "paidAt",
            ],
            keys: Order::keys,
            record: |order| {
                vec![
                    order.id.to_string(),
                    order.user.to_string(),
                    order.kind.as_str().to_owned(),
                    order.name.clone(),
                    order.status.as_str().to_owned(),
                    order.method.as_str().to_owned(),
                    yuan(order.amount),
                    yuan(order.refunded_amount),
                    or_empty(order.transaction_id.as_ref()),
                    order.created_at.rfc3339(),
                    or_empty(shown(order.paid_at)),
                ]
            },
        }
    }
}

impl From<Order> for AdminOrder {
    fn from(order: Order) -> Self {
        Self {
            order_id: order.id.to_string(),
            user_id: order.user.0,
            kind: order.kind.into(),
            product_name: order.name,
            plan_id: order.plan.map(|plan| plan.id),
            pack_id: order.pack_id,
            status: order.status.into(),
            method: order.method.into(),
            amount: order.amount,
            refunded_amount: order.refunded_amount,
            points: order.points,
            transaction_id: order.transaction_id,
            paid_at: shown(order.paid_at),
            vip_expire_at: shown(order.vip_expire_at),
            expires_at: order.expires_at.rfc3339(),
            created_at: order.created_at.rfc3339(),
        }
    }
}

/// How an order is being paid.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminPaymentProgress {
    /// `ios`, `android` or `other`.
    platform: String,
    /// Whether WeChat Pay has prepared the payment.
    has_prepay: bool,
    started_at: Option<String>,
    /// When WeChat is asked next, and was asked last.
    next_ask_at: Option<String>,
    asked_at: Option<String>,
    failed_asks: i64,
    /// Ended here, still to be closed at WeChat.
    close_pending: bool,
    /// When the delivery is reported next.
    next_ship_at: Option<String>,
    ship_attempts: i64,
    /// Why the whole amount goes back, if it does.
    refund_due: Option<String>,
}

impl From<PaymentProgress> for AdminPaymentProgress {
    fn from(progress: PaymentProgress) -> Self {
        Self {
            platform: progress.platform,
            has_prepay: progress.has_prepay,
            started_at: shown(progress.started_at),
            next_ask_at: shown(progress.next_ask_at),
            asked_at: shown(progress.asked_at),
            failed_asks: progress.failed_asks,
            close_pending: progress.is_close_pending,
            next_ship_at: shown(progress.next_ship_at),
            ship_attempts: progress.ship_attempts,
            refund_due: progress.refund_due,
        }
    }
}

/// An order with everything that is about it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct AdminOrderDetail {
    order: AdminOrder,
    /// Null of one from before payments were kept.
    payment: Option<AdminPaymentProgress>,
    /// What WeChat told of the order and its refunds, masked.
    events: Vec<PaymentEvent>,
    /// The oldest first.
    refunds: Vec<AdminRefund>,
    /// The membership that it granted.
    grant: Option<MembershipGrant>,
}

impl AdminOrderDetail {
    pub(super) fn new(
        order: Order,
        payment: Option<PaymentProgress>,
        events: Vec<EventRecord>,
        refunds: Vec<Refund>,
        grant: Option<StoredGrant>,
    ) -> Self {
        Self {
            order: order.into(),
            payment: payment.map(Into::into),
            events: events.into_iter().map(PaymentEvent::from).collect(),
            refunds: refunds.into_iter().map(AdminRefund::from).collect(),
            grant: grant.map(Into::into),
        }
    }
}

/// What WeChat said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "UPPERCASE")]
enum AskedOutcome {
    Paid,
    Unpaid,
    /// It tells of a payment that does not fit.
    Mismatch,
    /// It could not be asked; it will be again.
    Unknown,
    /// There is nothing to ask about it.
    Nothing,
}

/// What asking came to, and the order as it is then.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct CheckedOrder {
    outcome: AskedOutcome,
    /// Of a mismatch: what does not fit.
    problem: Option<String>,
    order: AdminOrderDetail,
}

impl CheckedOrder {
    pub(super) fn new(asked: Asked, order: AdminOrderDetail) -> Self {
        let (outcome, problem) = match asked {
            Asked::Paid => (AskedOutcome::Paid, None),
            Asked::Unpaid => (AskedOutcome::Unpaid, None),
            Asked::Mismatch(why) => (AskedOutcome::Mismatch, Some(why.to_string())),
            Asked::Unknown => (AskedOutcome::Unknown, None),
            Asked::Nothing => (AskedOutcome::Nothing, None),
        };
        Self { outcome, problem, order }
    }
}

/// What of an order is not used up.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(in super::super) struct RefundPreview {
    /// What can go back at most, in fen.
    left_fen: i64,
    /// What is not used up of it, in fen.
    unused_fen: i64,
    /// Whole days of membership ahead.
    unused_days: i64,
    /// Points of the order that are not spent.
    unused_points: i64,
}

impl From<UnusedValue> for RefundPreview {
    fn from(unused: UnusedValue) -> Self {
        let UnusedValue { left_fen, unused_fen, unused_days, unused_points } = unused;
        Self { left_fen, unused_fen, unused_days, unused_points }
    }
}
