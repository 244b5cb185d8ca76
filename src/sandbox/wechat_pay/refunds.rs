//! Refunds of the simulated WeChat Pay: accepted at once, decided later.

use std::collections::HashMap;

use poem::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fields::{self, Field, Kind, optional, required};
use super::orders::{Orders, PayOrder, TradeState};
use super::refusal::Refusal;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::beijing;

const MAX_REFUNDS: usize = 100_000;
/// Partial refunds of one order.
const MAX_PER_ORDER: usize = 50;
/// How long an order can be refunded, in seconds.
const REFUNDABLE: i64 = 365 * 24 * 60 * 60;

const REFUND: &[Field] = &[
    optional("transaction_id", Kind::Text(32)),
    optional("out_trade_no", Kind::Text(32)),
    required("out_refund_no", Kind::Text(64)),
    optional("reason", Kind::Text(80)),
    optional("notify_url", Kind::Text(256)),
    optional("funds_account", Kind::Text(32)),
    required(
        "amount",
        Kind::Object(&[
            required("refund", Kind::Fen),
            required("total", Kind::Fen),
            required("currency", Kind::Text(16)),
            optional("from", Kind::Any),
        ]),
    ),
    optional("goods_detail", Kind::Any),
];

/// How a refund ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RefundOutcome {
    /// The money is back after so many milliseconds.
    Success {
        /// Milliseconds.
        after_ms: i64,
    },
    /// It needs a person in the console.
    Abnormal {
        /// Milliseconds.
        after_ms: i64,
    },
    /// It failed and is over.
    Closed {
        /// Milliseconds.
        after_ms: i64,
    },
    /// It stays under way.
    Never,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// Accepted.
    Processing,
    /// The money is back.
    Success,
    /// Failed for good; a new number may be tried.
    Closed,
    /// A person must act in the console.
    Abnormal,
}

impl RefundStatus {
    pub(in crate::sandbox) fn name(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
            Self::Abnormal => "ABNORMAL",
        }
    }
}

/// A refund as WeChat Pay has it.
#[derive(Clone, Debug)]
pub struct PayRefund {
    /// Our number.
    pub out_refund_no: String,
    /// WeChat's number.
    pub refund_id: String,
    /// The order it is for.
    pub out_trade_no: String,
    /// The same by WeChat's number.
    pub transaction_id: String,
    /// Fen.
    pub refund_fen: i64,
    /// Fen; the order's amount.
    pub total_fen: i64,
    /// Where its end is announced.
    pub notify_url: Option<String>,
    /// When it was asked for.
    pub created_at: UnixMillis,
    end: Option<(RefundStatus, UnixMillis)>,
    request: Value,
}

impl PayRefund {
    /// Where it stands at `now`.
    pub fn status(&self, now: UnixMillis) -> RefundStatus {
        match self.end {
            Some((status, at)) if at <= now => status,
            _ => RefundStatus::Processing,
        }
    }

    /// How it ends, and after how many milliseconds from when it was asked for.
    pub(super) fn ending(&self) -> Option<(RefundStatus, i64)> {
        self.end.map(|(status, at)| (status, at.0 - self.created_at.0))
    }

    /// When the money is back.
    pub(super) fn success_time(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.end
            .filter(|(status, at)| *status == RefundStatus::Success && *at <= now)
            .map(|(_, at)| at)
    }

    /// The answer to asking for it, and to a query.
    pub(super) fn answer(&self, now: UnixMillis) -> Value {
        let mut answer = json!({
            "refund_id": self.refund_id,
            "out_refund_no": self.out_refund_no,
            "transaction_id": self.transaction_id,
            "out_trade_no": self.out_trade_no,
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "create_time": beijing::rfc3339(self.created_at),
            "status": self.status(now).name(),
            "funds_account": "AVAILABLE",
            "amount": {
                "total": self.total_fen,
                "refund": self.refund_fen,
                "payer_total": self.total_fen,
                "payer_refund": self.refund_fen,
                "settlement_total": self.total_fen,
                "settlement_refund": self.refund_fen,
                "discount_refund": 0,
                "currency": "CNY",
            },
        });
        if let Some(at) = self.success_time(now) {
            answer["success_time"] = beijing::rfc3339(at).into();
        }
        answer
    }

    /// What a notification about it seals.
    pub(super) fn notice(&self, mchid: &str, now: UnixMillis) -> Value {
        let mut notice = json!({
            "mchid": mchid,
            "transaction_id": self.transaction_id,
            "out_trade_no": self.out_trade_no,
            "refund_id": self.refund_id,
            "out_refund_no": self.out_refund_no,
            "refund_status": self.status(now).name(),
            "user_received_account": "支付用户零钱",
            "amount": {
                "total": self.total_fen,
                "refund": self.refund_fen,
                "payer_total": self.total_fen,
                "payer_refund": self.refund_fen,
            },
        });
        if let Some(at) = self.success_time(now) {
            notice["success_time"] = beijing::rfc3339(at).into();
        }
        notice
    }
}

/// All refunds.
#[derive(Debug, Default)]
pub(super) struct Refunds {
    list: Vec<PayRefund>,
    by_number: HashMap<String, usize>,
}

/// What asking for a refund came to.
pub(super) enum Asked {
    /// It is new, and somebody may have to be told of its end.
    New(PayRefund),
    /// The same was asked before.
    Again(PayRefund),
}

impl Refunds {
    /// Accepts a refund, or tells of the one with the same number and content.
    pub(super) fn ask(
        &mut self,
        body: &[u8],
        orders: &mut Orders,
        now: UnixMillis,
        rng: &Rng,
        min_interval_ms: i64,
        outcome: impl FnOnce() -> RefundOutcome,
    ) -> Result<Asked, Refusal> {
        let request = fields::check(body, REFUND)?;
        let number = request["out_refund_no"].as_str().unwrap_or_default();
        if !fields::is_number(number, 1..=64, "_-|*@") {
            return Err(Refusal::param("/out_refund_no", "商户退款单号格式错误"));
        }
        if request["amount"]["currency"] != "CNY" {
            return Err(Refusal::param("/amount/currency", "仅支持CNY"));
        }
        if let Some(url) = request["notify_url"].as_str() {
            fields::check_notify_url(url)?;
        }
        if let Some(known) = self.by_number.get(number).and_then(|at| self.list.get(*at)) {
            return match known.request == request {
                true => Ok(Asked::Again(known.clone())),
                false => Err(Refusal::invalid("同一退款单号的请求参数不一致")),
            };
        }
        let order = ordered(&request, orders, now)?;
        let refund_fen = request["amount"]["refund"].as_i64().unwrap_or_default();
        if request["amount"]["total"] != order.total_fen {
            return Err(Refusal::invalid("订单金额与原订单不一致"));
        }
        self.check_room(order, refund_fen, now, min_interval_ms)?;
        order.state = TradeState::Refund;
        let refund = PayRefund {
            out_refund_no: number.to_owned(),
            refund_id: format!("5030{}{:010}", beijing::digits(now), rng.below(10_000_000_000)),
            out_trade_no: order.out_trade_no.clone(),
            transaction_id: order.transaction_id.clone().unwrap_or_default(),
            refund_fen,
            total_fen: order.total_fen,
            notify_url: request["notify_url"].as_str().map(str::to_owned),
            created_at: now,
            end: ending(outcome(), now),
            request,
        };
        self.by_number.insert(refund.out_refund_no.clone(), self.list.len());
        self.list.push(refund.clone());
        Ok(Asked::New(refund))
    }

    fn check_room(
        &self,
        order: &PayOrder,
        refund_fen: i64,
        now: UnixMillis,
        min_interval_ms: i64,
    ) -> Result<(), Refusal> {
        let of_order: Vec<&PayRefund> =
            self.list.iter().filter(|old| old.out_trade_no == order.out_trade_no).collect();
        let holds = |old: &&&PayRefund| old.status(now) != RefundStatus::Closed;
        let refunded: i64 = of_order.iter().filter(holds).map(|old| old.refund_fen).sum();
        if refunded + refund_fen > order.total_fen {
            return Err(Refusal::invalid("申请退款金额超过订单剩余可退金额"));
        }
        if of_order.len() >= MAX_PER_ORDER || self.list.len() >= MAX_REFUNDS {
            return Err(Refusal::invalid("部分退款次数超过限制"));
        }
        let too_soon = |last: &&PayRefund| now.0 - last.created_at.0 < min_interval_ms;
        if of_order.last().is_some_and(too_soon) {
            return Err(Refusal::too_fast("同一笔订单的退款间隔须在1分钟以上"));
        }
        if order.paid_at.is_some_and(|paid| now > paid.plus_seconds(REFUNDABLE)) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "RULE_LIMIT",
                "订单已超过可退款的期限",
            ));
        }
        Ok(())
    }

    pub(super) fn find(&self, out_refund_no: &str) -> Option<&PayRefund> {
        self.list.get(*self.by_number.get(out_refund_no)?)
    }

    /// All refunds, oldest first.
    pub(super) fn list(&self) -> &[PayRefund] {
        &self.list
    }
}

fn ordered<'a>(
    request: &Value,
    orders: &'a mut Orders,
    now: UnixMillis,
) -> Result<&'a mut PayOrder, Refusal> {
    let number = match (request["transaction_id"].as_str(), request["out_trade_no"].as_str()) {
        (Some(id), None) => orders.number_of(id),
        (None, Some(number)) => Some(number.to_owned()),
        _ => {
            let text = "transaction_id和out_trade_no必须二选一";
            return Err(Refusal::param("/out_trade_no", text));
        }
    };
    let order = number.and_then(|number| orders.find(&number, now));
    let order = order.ok_or_else(|| Refusal::no_resource("订单不存在"))?;
    match order.is_paid() {
        true => Ok(order),
        false => Err(Refusal::invalid("订单未支付，不能退款")),
    }
}

fn ending(outcome: RefundOutcome, now: UnixMillis) -> Option<(RefundStatus, UnixMillis)> {
    let (status, after_ms) = match outcome {
        RefundOutcome::Success { after_ms } => (RefundStatus::Success, after_ms),
        RefundOutcome::Abnormal { after_ms } => (RefundStatus::Abnormal, after_ms),
        RefundOutcome::Closed { after_ms } => (RefundStatus::Closed, after_ms),
        RefundOutcome::Never => return None,
    };
    Some((status, now.plus_millis(after_ms.max(0))))
}
