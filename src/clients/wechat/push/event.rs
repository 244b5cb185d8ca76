//! The events of message push that mean something to us.

use serde_json::{Map, Value};

use crate::base::time::UnixMillis;
use crate::clients::wechat::content_check::{Verdict, number};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushEvent {
    /// `xpay_goods_deliver_notify`: paid; deliver.
    GoodsDeliver(GoodsDelivery),
    /// `xpay_refund_notify`: a refund has ended, asked for by us or by the user at Apple.
    Refund(RefundNotice),
    /// `xpay_complaint_notify`: a user complains.
    Complaint,
    /// `xpay_coin_pay_notify`: coins kept by WeChat, which we do not sell.
    CoinPay,
    /// `xpay_subscribe_ios_refund_query_notify`: Apple asks what we think of a refund.
    AppleRefundQuery(AppleRefundQuery),
    /// `wxa_media_check`: the verdict on a picture.
    MediaCheck(MediaVerdict),
    /// One of the above that lacks what it must have.
    Unreadable { event: String },
    /// Anything else.
    Unknown { event: String },
}

/// Goods that are paid. Amounts in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodsDelivery {
    pub openid: String,
    /// Our order.
    pub order_id: String,
    /// 0 live, 1 sandbox.
    pub env: i64,
    /// Absent for payments through Apple.
    pub transaction_id: Option<String>,
    /// Absent for payments through Apple.
    pub paid_at: Option<UnixMillis>,
    pub product_id: String,
    pub quantity: i64,
    /// What it costs without discount.
    pub original_fen: Option<i64>,
    /// What was paid. Whether for one piece or for all is nowhere said, so we sell one.
    pub paid_fen: i64,
    pub attach: Option<String>,
}

/// A refund that has ended. Amounts in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNotice {
    pub openid: Option<String>,
    /// Our order.
    pub order_id: Option<String>,
    pub wx_order_id: Option<String>,
    /// Our number of the refund; absent when nobody here asked for it.
    pub refund_id: Option<String>,
    pub wx_refund_id: Option<String>,
    /// Of the refund's payment.
    pub transaction_id: Option<String>,
    pub refund_fen: i64,
    /// 0: the money went back.
    pub code: i64,
    pub message: String,
    pub succeeded_at: Option<UnixMillis>,
}

impl RefundNotice {
    /// Whether the money went back.
    pub fn is_success(&self) -> bool {
        self.code == 0
    }
}

/// What Apple wants to know before it decides about a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppleRefundQuery {
    /// Our order.
    pub order_id: String,
    pub product_id: Option<String>,
    pub reason: Option<String>,
}

/// The verdict on a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaVerdict {
    /// The number that the check was answered with.
    pub trace_id: String,
    /// `None`: it could not be checked, for instance not downloaded.
    pub verdict: Option<Verdict>,
    /// As WeChat numbers them; 100 is normal.
    pub label: Option<i64>,
}

impl PushEvent {
    /// The event in a message; `None` when the message says of no kind what it is.
    pub(super) fn of(root: &Map<String, Value>) -> Option<Self> {
        let fields = Fields(root);
        let event = fields.text(&["Event", "event"]).or_else(|| fields.text(&["MsgType"]))?;
        let read = match &*event {
            "xpay_goods_deliver_notify" => delivery(fields).map(Self::GoodsDeliver),
            "xpay_refund_notify" => refund(fields).map(Self::Refund),
            "xpay_complaint_notify" => Some(Self::Complaint),
            "xpay_coin_pay_notify" => Some(Self::CoinPay),
            "xpay_subscribe_ios_refund_query_notify" => {
                apple_query(fields).map(Self::AppleRefundQuery)
            }
            "wxa_media_check" => media(fields).map(Self::MediaCheck),
            _ => return Some(Self::Unknown { event }),
        };
        Some(read.unwrap_or(Self::Unreadable { event }))
    }

    /// The name of the event, as WeChat writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::GoodsDeliver(_) => "xpay_goods_deliver_notify",
            Self::Refund(_) => "xpay_refund_notify",
            Self::Complaint => "xpay_complaint_notify",
            Self::CoinPay => "xpay_coin_pay_notify",
            Self::AppleRefundQuery(_) => "xpay_subscribe_ios_refund_query_notify",
            Self::MediaCheck(_) => "wxa_media_check",
            Self::Unreadable { event } | Self::Unknown { event } => event,
        }
    }
}

fn delivery(fields: Fields<'_>) -> Option<GoodsDelivery> {
    let goods = fields.inner("GoodsInfo")?;
    let payment = fields.inner("WeChatPayInfo");
    Some(GoodsDelivery {
        openid: fields.text(&["OpenId", "openid"])?,
        order_id: fields.text(&["OutTradeNo"])?,
        env: fields.number(&["Env", "env"])?,
        transaction_id: payment.and_then(|payment| payment.text(&["TransactionId"])),
        paid_at: payment.and_then(|payment| payment.seconds(&["PaidTime"])),
        product_id: goods.text(&["ProductId"])?,
        quantity: goods.number(&["Quantity"])?,
        original_fen: goods.number(&["OrigPrice"]),
        paid_fen: goods.number(&["ActualPrice"])?,
        attach: goods.text(&["Attach"]),
    })
}

fn refund(fields: Fields<'_>) -> Option<RefundNotice> {
    let order_id = fields.text(&["MchOrderId"]);
    let wx_order_id = fields.text(&["WxOrderId"]);
    // One of them must say what it is about.
    order_id.as_ref().or(wx_order_id.as_ref())?;
    Some(RefundNotice {
        openid: fields.text(&["OpenId", "openid"]),
        order_id,
        wx_order_id,
        refund_id: fields.text(&["MchRefundId"]),
        wx_refund_id: fields.text(&["WxRefundId"]),
        transaction_id: fields.text(&["WxpayRefundTransactionId"]),
        refund_fen: fields.number(&["RefundFee"])?,
        code: fields.number(&["RetCode"])?,
        message: fields.text(&["RetMsg"]).unwrap_or_default(),
        succeeded_at: fields.seconds(&["RefundSuccTimestamp"]),
    })
}

fn apple_query(fields: Fields<'_>) -> Option<AppleRefundQuery> {
    Some(AppleRefundQuery {
        order_id: fields.text(&["pay_order_id"])?,
        product_id: fields.text(&["product_id"]),
        reason: fields.text(&["refund_request_reason"]),
    })
}

fn media(fields: Fields<'_>) -> Option<MediaVerdict> {
    let trace_id = fields.text(&["trace_id"])?;
    // The result counts when there is no error, or none is mentioned.
    let was_checked = fields.number(&["errcode"]).is_none_or(|code| code == 0);
    let result = fields.inner("result").filter(|_| was_checked);
    let suggest = result.and_then(|result| result.text(&["suggest"]));
    Some(MediaVerdict {
        trace_id,
        verdict: suggest.map(|suggest| Verdict::of(&suggest)),
        label: result.and_then(|result| result.number(&["label"])),
    })
}

/// The fields of a message, each under the first of its names that is there. JSON has numbers where XML
/// has texts, and some samples of WeChat spell a name otherwise.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn value(self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.0.get(*name))
    }

    /// A text that is not empty, or a number as text.
    fn text(self, names: &[&str]) -> Option<String> {
        match self.value(names)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn number(self, names: &[&str]) -> Option<i64> {
        number(self.value(names)?)
    }

    fn seconds(self, names: &[&str]) -> Option<UnixMillis> {
        let seconds = self.number(names).filter(|seconds| *seconds > 0)?;
        Some(UnixMillis(0).plus_seconds(seconds))
    }

    fn inner(self, name: &str) -> Option<Fields<'a>> {
        self.0.get(name)?.as_object().map(Fields)
    }
}
