//! What goes over the line, and how it becomes the types of [`model`](super::model).
//!
//! A field that is not used is left out: WeChat Pay refuses `null` and what it does not know.

use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};

use super::error::PayError;
use super::model::{
    PrepayRequest, Refund, RefundNotice, RefundRequest, RefundState, TradeState, Transaction,
};
use crate::base::time::UnixMillis;

const CURRENCY: &str = "CNY";

/// Something is missing or not as documented.
type Read<T> = Result<T, &'static str>;

#[derive(Serialize)]
struct Prepay<'a> {
    appid: &'a str,
    mchid: &'a str,
    description: &'a str,
    out_trade_no: &'a str,
    time_expire: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attach: Option<&'a str>,
    notify_url: &'a str,
    amount: PrepayAmount,
    payer: PrepayPayer<'a>,
}

#[derive(Serialize)]
struct PrepayAmount {
    total: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct PrepayPayer<'a> {
    openid: &'a str,
}

/// The body of a prepay; the same for the same request.
pub(super) fn prepay(
    request: &PrepayRequest,
    appid: &str,
    mchid: &str,
    notify_url: &str,
) -> Result<Vec<u8>, PayError> {
    body(&Prepay {
        appid,
        mchid,
        description: &request.description,
        out_trade_no: &request.out_trade_no,
        time_expire: beijing_time(request.time_expire),
        attach: request.attach.as_deref(),
        notify_url,
        amount: PrepayAmount { total: request.total_fen, currency: CURRENCY },
        payer: PrepayPayer { openid: &request.payer_openid },
    })
}

#[derive(Deserialize)]
struct Prepaid {
    prepay_id: String,
}

/// The handle in the answer of a prepay.
pub(super) fn prepaid(answer: &[u8]) -> Read<String> {
    let prepaid: Prepaid = serde_json::from_slice(answer).map_err(|_| "prepay_id is missing")?;
    Some(prepaid.prepay_id).filter(|id| !id.is_empty()).ok_or("prepay_id is empty")
}

#[derive(Serialize)]
struct Close<'a> {
    mchid: &'a str,
}

/// The body that closes an order.
pub(super) fn close(mchid: &str) -> Result<Vec<u8>, PayError> {
    body(&Close { mchid })
}

#[derive(Serialize)]
struct WireRefundRequest<'a> {
    out_trade_no: &'a str,
    out_refund_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    notify_url: &'a str,
    amount: WireRefundAmount,
}

#[derive(Serialize)]
struct WireRefundAmount {
    refund: i64,
    total: i64,
    currency: &'static str,
}

/// The body of a refund; the same for the same request.
pub(super) fn refund(request: &RefundRequest, notify_url: &str) -> Result<Vec<u8>, PayError> {
    body(&WireRefundRequest {
        out_trade_no: &request.out_trade_no,
        out_refund_no: &request.out_refund_no,
        reason: request.reason.as_deref(),
        notify_url,
        amount: WireRefundAmount {
            refund: request.refund_fen,
            total: request.total_fen,
            currency: CURRENCY,
        },
    })
}

fn body(body: &impl Serialize) -> Result<Vec<u8>, PayError> {
    serde_json::to_vec(body).map_err(|_| PayError::Unsendable("it is no JSON"))
}

#[derive(Deserialize)]
struct WireTransaction {
    appid: String,
    mchid: String,
    out_trade_no: String,
    transaction_id: Option<String>,
    trade_state: String,
    success_time: Option<String>,
    attach: Option<String>,
    payer: Option<WirePayer>,
    amount: Option<WireAmount>,
}

#[derive(Deserialize)]
struct WirePayer {
    openid: Option<String>,
}

#[derive(Deserialize)]
struct WireAmount {
    total: Option<i64>,
    currency: Option<String>,
}

/// A payment, of a query or of a notification.
pub(super) fn transaction(json: &[u8]) -> Read<Transaction> {
    let wire: WireTransaction =
        serde_json::from_slice(json).map_err(|_| "it is no payment as documented")?;
    let (total_fen, currency) =
        wire.amount.map_or((None, None), |amount| (amount.total, amount.currency));
    Ok(Transaction {
        appid: wire.appid,
        mchid: wire.mchid,
        out_trade_no: wire.out_trade_no,
        transaction_id: filled(wire.transaction_id),
        state: TradeState::parse(&wire.trade_state),
        success_time: time(wire.success_time)?,
        payer_openid: filled(wire.payer.and_then(|payer| payer.openid)),
        total_fen,
        currency: filled(currency),
        attach: filled(wire.attach),
    })
}

#[derive(Deserialize)]
struct WireRefund {
    /// Only in a notification.
    mchid: Option<String>,
    refund_id: String,
    out_refund_no: String,
    transaction_id: String,
    out_trade_no: String,
    /// An answer says `status`, a notification `refund_status`.
    #[serde(alias = "refund_status")]
    status: String,
    success_time: Option<String>,
    amount: WireRefunded,
}

#[derive(Deserialize)]
struct WireRefunded {
    refund: i64,
    total: i64,
}

/// A refund, of an answer.
pub(super) fn refunded(json: &[u8]) -> Read<Refund> {
    wire_refund(json)?.read()
}

/// A refund, of a notification.
pub(super) fn refund_notice(json: &[u8]) -> Read<RefundNotice> {
    let mut wire = wire_refund(json)?;
    let mchid = wire.mchid.take().ok_or("mchid is missing")?;
    Ok(RefundNotice { mchid, refund: wire.read()? })
}

fn wire_refund(json: &[u8]) -> Read<WireRefund> {
    serde_json::from_slice(json).map_err(|_| "it is no refund as documented")
}

impl WireRefund {
    fn read(self) -> Read<Refund> {
        Ok(Refund {
            refund_id: self.refund_id,
            out_refund_no: self.out_refund_no,
            transaction_id: self.transaction_id,
            out_trade_no: self.out_trade_no,
            state: RefundState::parse(&self.status),
            success_time: time(self.success_time)?,
            refund_fen: self.amount.refund,
            total_fen: self.amount.total,
        })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn time(text: Option<String>) -> Read<Option<UnixMillis>> {
    let parsed = filled(text).map(|text| text.parse::<Timestamp>()).transpose();
    let parsed = parsed.map_err(|_| "a time is not RFC 3339")?;
    Ok(parsed.map(|time| UnixMillis(time.as_millisecond())))
}

/// RFC 3339 in whole seconds with `+08:00`.
fn beijing_time(time: UnixMillis) -> String {
    let time = Timestamp::from_millisecond(time.0).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::fixed(tz::offset(8))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Percent-encodes everything but unreserved characters, for a part of a path or a query value.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests;
