//! The server's calls below `/xpay/`.

use serde_json::{Value, json};

use super::VirtualPaymentSim;
use super::client::Platform;
use super::orders::{Orders, Refund, VirtualOrder, VirtualRefundOutcome};
use crate::base::time::UnixMillis;
use crate::sandbox::listener::{Call, Reply};
use crate::sandbox::{beijing, crypto};

const OPENID: i64 = 268_490_001;
const FIELD_OR_NO_DATA: i64 = 268_490_002;
const PAY_SIG: i64 = 268_490_003;
const DONE_BEFORE: i64 = 268_490_004;
const BEING_MADE: i64 = 268_490_011;
const REFUNDING: i64 = 268_490_014;
const LEFT_FEE: i64 = 268_490_016;
/// Bills asked for.
const MAX_BILLS: usize = 1000;

/// Where the file of a bill is.
pub(in crate::sandbox) const BILL_FILE: &str = "/xpay-bill/";

impl VirtualPaymentSim {
    /// The answer to a call whose access token is good, or the `errcode`.
    pub(in crate::sandbox) fn answer(&self, call: &Call, base: &str) -> Result<Value, i64> {
        let text = std::str::from_utf8(&call.body).map_err(|_| 47001)?;
        let body = call.json().ok_or(47001)?;
        // A bill is not of an env; everything else says which key it is signed with.
        let is_bill = call.path == "/xpay/download_bill";
        let env = if is_bill { 0 } else { body["env"].as_i64().ok_or(FIELD_OR_NO_DATA)? };
        let key = Self::app_key(env).ok_or(FIELD_OR_NO_DATA)?;
        if call.query("pay_sig") != crypto::hmac_hex(key, &format!("{}&{text}", call.path)) {
            return Err(PAY_SIG);
        }
        match call.path.as_str() {
            "/xpay/query_order" => self.query_order(&body, env),
            "/xpay/refund_order" => self.refund_order(&body, env),
            "/xpay/notify_provide_goods" => self.provide(&body, env),
            "/xpay/download_bill" => self.bill(&body, base),
            _ => Err(48001),
        }
    }

    fn query_order(&self, body: &Value, env: i64) -> Result<Value, i64> {
        let mut orders = self.orders.lock();
        let order = find(&mut orders, body, env, self.clock.now())?;
        check_openid(order, body)?;
        Ok(json!({ "errcode": 0, "errmsg": "ok", "order": order.view() }))
    }

    fn provide(&self, body: &Value, env: i64) -> Result<Value, i64> {
        let mut orders = self.orders.lock();
        find(&mut orders, body, env, self.clock.now())?.provide();
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    }

    fn refund_order(&self, body: &Value, env: i64) -> Result<Value, i64> {
        let now = self.clock.now();
        let text = |name: &str| body[name].as_str().ok_or(FIELD_OR_NO_DATA);
        let fen = |name: &str| body[name].as_i64().ok_or(FIELD_OR_NO_DATA);
        let (id, left_fen, refund_fen) =
            (text("refund_order_id")?, fen("left_fee")?, fen("refund_fee")?);
        let is_id = (8..=32).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        let is_one_of = |name: &str, range: std::ops::RangeInclusive<u32>| {
            body[name]
                .as_str()
                .and_then(|text| text.parse().ok())
                .is_some_and(|n| range.contains(&n))
        };
        if !is_id || !is_one_of("refund_reason", 0..=5) || !is_one_of("req_from", 1..=3) {
            return Err(FIELD_OR_NO_DATA);
        }
        if body.get("biz_meta").is_some_and(|meta| !meta.is_string()) {
            return Err(FIELD_OR_NO_DATA);
        }
        let (order, answer, is_ok, after_ms) = {
            let mut orders = self.orders.lock();
            let is_used = orders
                .list()
                .iter()
                .any(|order| order.refunds.iter().any(|refund| refund.id == id));
            let order = find(&mut orders, body, env, now)?;
            check_openid(order, body)?;
            if order.refunds.iter().any(|old| old.id == id && old.fen == refund_fen) {
                return Err(DONE_BEFORE);
            }
            if is_used || order.platform == Platform::Ios {
                return Err(FIELD_OR_NO_DATA);
            }
            if order.is_refunding() {
                return Err(REFUNDING);
            }
            if order.left_fen != left_fen {
                return Err(LEFT_FEE);
            }
            if !(1..=left_fen).contains(&refund_fen) {
                return Err(FIELD_OR_NO_DATA);
            }
            let well = VirtualRefundOutcome::Success { after_ms: 0 };
            let (is_ok, after_ms) = match self.refund_outcomes.take().unwrap_or(well) {
                VirtualRefundOutcome::Success { after_ms } => (true, after_ms.max(0)),
                VirtualRefundOutcome::Fail { after_ms } => (false, after_ms.max(0)),
            };
            order.refunds.push(Refund {
                id: id.to_owned(),
                fen: refund_fen,
                is_ok,
                ends_at: now.plus_millis(after_ms),
                is_settled: false,
            });
            let answer = json!({
                "errcode": 0,
                "errmsg": "ok",
                "refund_order_id": id,
                "refund_wx_order_id": format!("wxr{}", crypto::hex(&self.rng.bytes::<12>())),
                "pay_order_id": order.out_trade_no,
                "pay_wx_order_id": order.wx_order_id,
            });
            (order.clone(), answer, is_ok, after_ms)
        };
        self.tell_refund(&order, id, refund_fen, is_ok, after_ms);
        Ok(answer)
    }

    /// The first call starts it, the next has the link.
    fn bill(&self, body: &Value, base: &str) -> Result<Value, i64> {
        let day = |name: &str| {
            let number = body[name].as_i64().ok_or(FIELD_OR_NO_DATA)?;
            (20_000_101..=99_991_231).contains(&number).then_some(number).ok_or(FIELD_OR_NO_DATA)
        };
        let (begin, end) = (day("begin_ds")?, day("end_ds")?);
        if begin > end {
            return Err(FIELD_OR_NO_DATA);
        }
        let name = format!("{begin}-{end}");
        let mut bills = self.bills.lock();
        if bills.contains(&name) {
            return Ok(
                json!({ "errcode": 0, "errmsg": "ok", "url": format!("{base}{BILL_FILE}{name}") }),
            );
        }
        if bills.len() < MAX_BILLS {
            bills.push(name);
        }
        Err(BEING_MADE)
    }

    /// The file of a bill: a line for every order of those days.
    pub(in crate::sandbox) fn bill_file(&self, call: &Call) -> Option<Reply> {
        let name = call.path.strip_prefix(BILL_FILE)?;
        let (begin, end) =
            name.split_once('-').filter(|_| self.bills.lock().iter().any(|b| b == name))?;
        let mut text =
            "\u{feff}支付时间,商户订单号,微信订单号,道具ID,支付金额(分),剩余金额(分),状态\r\n"
                .to_owned();
        let mut orders = self.orders.lock();
        orders.settle_all(self.clock.now());
        for order in orders.list() {
            let day = beijing::day(order.paid_at);
            if (begin..=end).contains(&day.as_str()) {
                text += &format!(
                    "{},{},{},{},{},{},{}\r\n",
                    beijing::plain(order.paid_at),
                    order.out_trade_no,
                    order.wx_order_id,
                    order.product_id,
                    order.paid_fen,
                    order.left_fen,
                    order.status
                );
            }
        }
        let mut reply = Reply::empty(poem::http::StatusCode::OK);
        reply.content_type = "text/csv";
        reply.body = text.into_bytes();
        Some(reply)
    }
}

/// The order that exactly one of the two numbers names.
fn find<'a>(
    orders: &'a mut Orders,
    body: &Value,
    env: i64,
    now: UnixMillis,
) -> Result<&'a mut VirtualOrder, i64> {
    let order = match (body["order_id"].as_str(), body["wx_order_id"].as_str()) {
        (Some(number), None) => orders.find(number, now),
        (None, Some(id)) => orders.find_wx(id, now),
        _ => None,
    };
    order.filter(|order| order.env == env).ok_or(FIELD_OR_NO_DATA)
}

fn check_openid(order: &VirtualOrder, body: &Value) -> Result<(), i64> {
    if body["openid"] == order.openid.as_str() { Ok(()) } else { Err(OPENID) }
}
