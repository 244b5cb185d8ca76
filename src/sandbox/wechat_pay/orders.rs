//! The orders of the simulated WeChat Pay and their states.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::fields::{self, Field, Kind, optional, required};
use super::refusal::Refusal;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::{beijing, crypto};

/// Orders remembered; beyond it there are no more.
const MAX_ORDERS: usize = 100_000;
/// How long a prepay id may be used, in seconds.
const PREPAY_LIFE: i64 = 2 * 60 * 60;
/// When an unpaid order closes by itself, in seconds.
const UNPAID_LIFE: i64 = 7 * 24 * 60 * 60;

const PREPAY: &[Field] = &[
    required("appid", Kind::Text(32)),
    required("mchid", Kind::Text(32)),
    required("description", Kind::Text(127)),
    required("out_trade_no", Kind::Text(32)),
    optional("time_expire", Kind::Text(64)),
    optional("attach", Kind::Text(128)),
    required("notify_url", Kind::Text(255)),
    optional("goods_tag", Kind::Text(32)),
    optional("support_fapiao", Kind::Flag),
    required(
        "amount",
        Kind::Object(&[required("total", Kind::Fen), optional("currency", Kind::Text(16))]),
    ),
    required("payer", Kind::Object(&[required("openid", Kind::Text(128))])),
    optional("detail", Kind::Any),
    optional("scene_info", Kind::Any),
    optional("settle_info", Kind::Any),
];

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeState {
    /// Not paid.
    NotPay,
    /// Paid.
    Success,
    /// Closed before it was paid.
    Closed,
    /// Paid, and a refund was asked for.
    Refund,
}

impl TradeState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotPay => "NOTPAY",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
            Self::Refund => "REFUND",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::NotPay => "订单未支付",
            Self::Success => "支付成功",
            Self::Closed => "订单已关闭",
            Self::Refund => "转入退款",
        }
    }
}

/// An order as WeChat Pay has it.
#[derive(Clone, Debug)]
pub struct PayOrder {
    /// Our number.
    pub out_trade_no: String,
    /// WeChat's number, once paid.
    pub transaction_id: Option<String>,
    /// What the user reads on the bill.
    pub description: String,
    /// Comes back once paid.
    pub attach: Option<String>,
    /// Who is to pay.
    pub openid: String,
    /// Fen.
    pub total_fen: i64,
    /// Where the payment is announced.
    pub notify_url: String,
    /// The last moment to pay.
    pub time_expire: Option<UnixMillis>,
    /// Where it stands.
    pub state: TradeState,
    /// When it was placed.
    pub created_at: UnixMillis,
    /// When it was paid.
    pub paid_at: Option<UnixMillis>,
    request: Value,
    prepay_id: String,
    prepay_until: UnixMillis,
}

impl PayOrder {
    fn place(request: Value, now: UnixMillis, rng: &Rng) -> Result<Self, Refusal> {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let time_expire = match request["time_expire"].as_str() {
            None => None,
            Some(text) => {
                let at = beijing::parse(text)
                    .ok_or_else(|| Refusal::param("/time_expire", "不符合rfc3339格式"))?;
                if at <= now {
                    return Err(Refusal::param("/time_expire", "早于当前时间"));
                }
                Some(at.max(now.plus_seconds(60)))
            }
        };
        Ok(Self {
            out_trade_no: text("out_trade_no"),
            transaction_id: None,
            description: text("description"),
            attach: request["attach"].as_str().map(str::to_owned),
            openid: request["payer"]["openid"].as_str().unwrap_or_default().to_owned(),
            total_fen: request["amount"]["total"].as_i64().unwrap_or_default(),
            notify_url: text("notify_url"),
            time_expire,
            state: TradeState::NotPay,
            created_at: now,
            paid_at: None,
            prepay_id: new_prepay_id(now, rng),
            prepay_until: now.plus_seconds(PREPAY_LIFE),
            request,
        })
    }

    /// The answer to a query, which is also what a notification seals.
    pub(super) fn answer(&self, appid: &str, mchid: &str) -> Value {
        let mut answer = json!({
            "appid": appid,
            "mchid": mchid,
            "out_trade_no": self.out_trade_no,
            "trade_state": self.state.name(),
            "trade_state_desc": self.state.description(),
            "payer": {},
        });
        if let (Some(paid_at), Some(id)) = (self.paid_at, &self.transaction_id) {
            let paid = json!({
                "transaction_id": id,
                "trade_type": "JSAPI",
                "bank_type": "OTHERS",
                "attach": self.attach.clone().unwrap_or_default(),
                "success_time": beijing::rfc3339(paid_at),
                "payer": { "openid": self.openid },
                "amount": {
                    "total": self.total_fen,
                    "payer_total": self.total_fen,
                    "currency": "CNY",
                    "payer_currency": "CNY",
                },
            });
            if let (Some(answer), Some(paid)) = (answer.as_object_mut(), paid.as_object()) {
                answer.extend(paid.clone());
            }
        }
        answer
    }

    /// Whether it was paid, whatever became of the money.
    pub fn is_paid(&self) -> bool {
        self.paid_at.is_some()
    }

    /// What the prepay call answered last.
    pub fn prepay_id(&self) -> &str {
        &self.prepay_id
    }
}

fn new_prepay_id(now: UnixMillis, rng: &Rng) -> String {
    format!("wx{}{}0000", &beijing::digits(now)[6..], crypto::hex(&rng.bytes::<11>()))
}

/// All orders.
#[derive(Debug, Default)]
pub(super) struct Orders {
    list: Vec<PayOrder>,
    by_number: HashMap<String, usize>,
    by_transaction: HashMap<String, usize>,
    by_prepay: HashMap<String, usize>,
}

impl Orders {
    /// Places an order, or the same again; the prepay id.
    pub(super) fn prepay(
        &mut self,
        body: &[u8],
        (appid, mchid): (&str, &str),
        now: UnixMillis,
        rng: &Rng,
    ) -> Result<String, Refusal> {
        let request = fields::check(body, PREPAY)?;
        if request["mchid"] != mchid {
            return Err(Refusal::param("/mchid", "与请求头中的商户号不一致"));
        }
        if request["appid"] != appid {
            let text = "appid和mchid不匹配";
            let status = poem::http::StatusCode::BAD_REQUEST;
            return Err(Refusal::new(status, "APPID_MCHID_NOT_MATCH", text));
        }
        let number = request["out_trade_no"].as_str().unwrap_or_default().to_owned();
        if !fields::is_number(&number, 6..=32, "_-|*") {
            return Err(Refusal::param("/out_trade_no", "商户订单号格式错误"));
        }
        if request["amount"].get("currency").is_some_and(|currency| currency != "CNY") {
            return Err(Refusal::param("/amount/currency", "仅支持CNY"));
        }
        fields::check_notify_url(request["notify_url"].as_str().unwrap_or_default())?;
        match self.find(&number, now) {
            None => self.place(PayOrder::place(request, now, rng)?),
            Some(order) if order.is_paid() => Err(Refusal::paid()),
            Some(order) if order.state == TradeState::Closed => Err(Refusal::closed()),
            Some(order) if order.request != request => {
                Err(Refusal::invalid("请求重入时，参数与首次请求时不一致"))
            }
            Some(order) if now < order.prepay_until => Ok(order.prepay_id.clone()),
            Some(order) => {
                order.prepay_id = new_prepay_id(now, rng);
                order.prepay_until = now.plus_seconds(PREPAY_LIFE);
                let id = order.prepay_id.clone();
                if let Some(at) = self.by_number.get(&number) {
                    self.by_prepay.insert(id.clone(), *at);
                }
                Ok(id)
            }
        }
    }

    fn place(&mut self, order: PayOrder) -> Result<String, Refusal> {
        if self.list.len() >= MAX_ORDERS {
            return Err(Refusal::too_fast("沙盒中的订单过多"));
        }
        let (at, id) = (self.list.len(), order.prepay_id.clone());
        self.by_number.insert(order.out_trade_no.clone(), at);
        self.by_prepay.insert(id.clone(), at);
        self.list.push(order);
        Ok(id)
    }

    /// The order of this number. One that nobody paid in a week is closed by now.
    pub(super) fn find(&mut self, out_trade_no: &str, now: UnixMillis) -> Option<&mut PayOrder> {
        let order = self.list.get_mut(*self.by_number.get(out_trade_no)?)?;
        if order.state == TradeState::NotPay && now >= order.created_at.plus_seconds(UNPAID_LIFE) {
            order.state = TradeState::Closed;
        }
        Some(order)
    }

    /// The number of the order with this transaction id.
    pub(super) fn number_of(&self, transaction_id: &str) -> Option<String> {
        let at = *self.by_transaction.get(transaction_id)?;
        self.list.get(at).map(|order| order.out_trade_no.clone())
    }

    /// The number of the order that a prepay id, still good, is for.
    pub(super) fn prepaid(&self, prepay_id: &str, now: UnixMillis) -> Option<String> {
        let order = self.list.get(*self.by_prepay.get(prepay_id)?)?;
        let is_current = order.prepay_id == prepay_id && now < order.prepay_until;
        is_current.then(|| order.out_trade_no.clone())
    }

    /// Closes an unpaid order; again is fine.
    pub(super) fn close(&mut self, out_trade_no: &str, now: UnixMillis) -> Result<(), Refusal> {
        let order = self.find(out_trade_no, now).ok_or_else(Refusal::no_order)?;
        if order.is_paid() {
            return Err(Refusal::paid());
        }
        order.state = TradeState::Closed;
        Ok(())
    }

    /// The user pays. Why it does not work is a text for the person who tried.
    pub(super) fn pay(
        &mut self,
        out_trade_no: &str,
        now: UnixMillis,
        rng: &Rng,
    ) -> Result<PayOrder, String> {
        let order = self.find(out_trade_no, now).ok_or("no such order")?;
        match order.state {
            TradeState::NotPay => {}
            TradeState::Closed => return Err("the order is closed".to_owned()),
            TradeState::Success | TradeState::Refund => {
                return Err("the order is paid already".to_owned());
            }
        }
        if order.time_expire.is_some_and(|last| now >= last) {
            return Err("the last moment to pay is over".to_owned());
        }
        let id = format!("4200{}{:010}", beijing::digits(now), rng.below(10_000_000_000));
        order.state = TradeState::Success;
        order.paid_at = Some(now);
        order.transaction_id = Some(id.clone());
        let paid = order.clone();
        if let Some(at) = self.by_number.get(out_trade_no) {
            self.by_transaction.insert(id, *at);
        }
        Ok(paid)
    }

    /// All orders, oldest first.
    pub(super) fn list(&self) -> &[PayOrder] {
        &self.list
    }
}
