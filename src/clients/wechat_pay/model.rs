//! What is asked of WeChat Pay and what it says, as types. Money is whole fen.

use jiff::civil::Date;

use crate::base::time::UnixMillis;

/// An order as WeChat Pay is told of it.
///
/// Sent again it must be the same in every field: any difference is refused as
/// [`InvalidRequest`](super::PayErrorKind::InvalidRequest). So it is kept with the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepayRequest {
    /// On the payer's bill; at most 127 characters.
    pub description: String,
    /// 6–32 of `0-9A-Za-z_-|*`, never used for another order.
    pub out_trade_no: String,
    /// The last moment to pay, told in whole seconds. It does not close the order.
    pub time_expire: UnixMillis,
    /// At least 1.
    pub total_fen: i64,
    /// Of this mini-program.
    pub payer_openid: String,
    /// Comes back once paid; at most 128 characters.
    pub attach: Option<String>,
}

/// The handle of a prepared payment, good for two hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepayId(String);

impl PrepayId {
    /// One that was kept.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As WeChat wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What `wx.requestPayment` wants, under the names it wants. Made anew for every tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WxPayParams {
    /// Seconds since 1970 as text: `timeStamp`.
    pub time_stamp: String,
    /// `nonceStr`.
    pub nonce_str: String,
    /// `prepay_id=…`.
    pub package: String,
    /// Always `RSA`: `signType`.
    pub sign_type: &'static str,
    /// `paySign`.
    pub pay_sign: String,
}

/// How a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TradeState {
    /// Unpaid, also after a failed attempt.
    NotPay,
    /// Paid.
    Success,
    /// Closed unpaid.
    Closed,
    /// Paid, and at least one refund was requested since.
    Refund,
    /// Anything else; of pay-code payments, which we do not make. Not final.
    Other(String),
}

impl TradeState {
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "NOTPAY" => Self::NotPay,
            "SUCCESS" => Self::Success,
            "CLOSED" => Self::Closed,
            "REFUND" => Self::Refund,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the money came, even if some of it went back since.
    pub fn is_paid(&self) -> bool {
        matches!(self, Self::Success | Self::Refund)
    }
}

/// A payment as WeChat Pay knows it; before it is paid most is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub appid: String,
    pub mchid: String,
    pub out_trade_no: String,
    /// WeChat's number of the payment.
    pub transaction_id: Option<String>,
    pub state: TradeState,
    pub success_time: Option<UnixMillis>,
    pub payer_openid: Option<String>,
    /// What the order costs (`amount.total`), not what is left after coupons.
    pub total_fen: Option<i64>,
    /// `CNY`.
    pub currency: Option<String>,
    pub attach: Option<String>,
}

/// A refund to ask for. Asked again it must be the same; another `out_refund_no` refunds again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    pub out_trade_no: String,
    /// 1–64 of `0-9A-Za-z_-|*@`: what makes a repeat harmless.
    pub out_refund_no: String,
    /// Shown to the payer; at most 80 characters.
    pub reason: Option<String>,
    /// At least 1, with the others of this order at most `total_fen`.
    pub refund_fen: i64,
    /// What the order cost.
    pub total_fen: i64,
}

/// How a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// Accepted, under way.
    Processing,
    /// The money went back.
    Success,
    /// It failed; another try takes a new number.
    Closed,
    /// The payer's card is dead: somebody must act in the merchant console.
    Abnormal,
    /// Not known to us. Not final.
    Other(String),
}

impl RefundState {
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "PROCESSING" => Self::Processing,
            "SUCCESS" => Self::Success,
            "CLOSED" => Self::Closed,
            "ABNORMAL" => Self::Abnormal,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A refund as WeChat Pay answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// WeChat's number of the refund.
    pub refund_id: String,
    pub out_refund_no: String,
    /// WeChat's number of the payment.
    pub transaction_id: String,
    pub out_trade_no: String,
    pub state: RefundState,
    pub success_time: Option<UnixMillis>,
    pub refund_fen: i64,
    pub total_fen: i64,
}

/// A refund as a notification tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNotice {
    pub mchid: String,
    pub refund: Refund,
}

/// A notification whose signature, time and encryption are good. Whether it is about an order of
/// ours, and for the right amount, is not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The same on a repeat, as far as is known.
    pub id: String,
    /// Such as `TRANSACTION.SUCCESS`, `REFUND.CLOSED`.
    pub event_type: String,
    pub resource: Resource,
    /// What was decrypted, for the record.
    pub plaintext: String,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Transaction(Transaction),
    Refund(RefundNotice),
    /// Of a kind that we do not use; holds its `original_type`.
    Other(String),
}

/// What a trade bill lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillKind {
    All,
    Success,
    Refund,
}

impl BillKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
        }
    }
}

/// All payments and refunds of a day; without rows when there were none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeBill {
    /// In Asia/Shanghai.
    pub day: Date,
    pub rows: Vec<BillRow>,
    /// Missing when there was no trade that day.
    pub summary: Option<BillSummary>,
}

/// A payment or a refund in a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// When it was paid; of a refund, when it was asked for.
    pub time: UnixMillis,
    pub appid: String,
    pub mchid: String,
    pub transaction_id: String,
    pub out_trade_no: String,
    pub openid: String,
    pub state: BillRowState,
    pub currency: String,
    /// What the order costs (订单金额); in the row of a refund WeChat may say 0.
    pub total_fen: i64,
    /// Only in the row of a refund.
    pub refund: Option<BillRefund>,
}

/// What a row of a bill is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillRowState {
    /// A payment.
    Success,
    /// A refund.
    Refund,
    /// A pay-code payment taken back, and what else WeChat may add.
    Other(String),
}

/// The refund in a row of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRefund {
    pub refund_id: String,
    pub out_refund_no: String,
    /// What was asked for (申请退款金额).
    pub requested_fen: i64,
    /// Such as `SUCCESS`, `PROCESSING`, `FAIL`.
    pub status: String,
}

/// The last lines of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillSummary {
    /// Rows, by WeChat's count.
    pub count: u64,
    /// Of all orders (订单总金额).
    pub total_fen: i64,
    /// Of all refunds that were asked for (申请退款总金额).
    pub refund_fen: i64,
    /// What WeChat Pay keeps (手续费总金额), rounded; `None` where that cannot be read, for nothing is
    /// compared with it.
    pub fee_fen: Option<i64>,
}
