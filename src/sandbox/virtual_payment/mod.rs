//! Virtual payment: what `wx.requestVirtualPayment` checks, the server calls below `/xpay/`, and the
//! events about them.
//!
//! The server's calls come in through [`WechatSim`](super::WechatSim), which checks the access token;
//! `pay_sig` is checked here, over the body as it was sent. Any price is believed until a product
//! has one, or [`VirtualPaymentSim::enforce_prices`] is on.

mod client;
mod orders;
mod server;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

pub use self::client::{Platform, VirtualRefusal};
pub use self::orders::{VirtualOrder, VirtualRefundOutcome};

use self::orders::Orders;
use super::message_push::{Event, MessagePush};
use super::plan::Plan;
use crate::base::clock::Clock;
use crate::base::rng::Rng;

/// Products with a price.
const MAX_PRODUCTS: usize = 10_000;

/// The simulated virtual payment of the app.
#[derive(Debug)]
pub struct VirtualPaymentSim {
    clock: Clock,
    rng: Rng,
    push: Arc<MessagePush>,
    orders: Arc<Mutex<Orders>>,
    prices: Mutex<HashMap<String, i64>>,
    only_priced: AtomicBool,
    refund_outcomes: Plan<VirtualRefundOutcome>,
    bills: Mutex<Vec<String>>,
}

impl VirtualPaymentSim {
    /// The shop.
    pub const OFFER_ID: &'static str = "1450019686";
    /// Key of env 0. Of no use anywhere else.
    pub const APP_KEY: &'static str = "SandboxAppKeyOfEnvZero0000000000";
    /// Key of env 1.
    pub const SANDBOX_APP_KEY: &'static str = "SandboxAppKeyOfEnvOne00000000000";

    pub(super) fn new(clock: Clock, rng: Rng, push: Arc<MessagePush>) -> Self {
        Self {
            clock,
            rng,
            push,
            orders: Arc::default(),
            prices: Mutex::default(),
            only_priced: AtomicBool::new(false),
            refund_outcomes: Plan::default(),
            bills: Mutex::default(),
        }
    }

    /// Publishes a product at a price in fen; `goodsPrice` must equal it from then on.
    pub fn publish(&self, product_id: &str, price_fen: i64) {
        let mut prices = self.prices.lock();
        if prices.len() < MAX_PRODUCTS {
            prices.insert(product_id.to_owned(), price_fen);
        }
    }

    /// Whether products that were not published cannot be bought. Off at first.
    pub fn enforce_prices(&self, on: bool) {
        self.only_priced.store(on, Ordering::Relaxed);
    }

    /// How refunds end; at once and well unless something is planned.
    pub fn refund_outcomes(&self) -> &Plan<VirtualRefundOutcome> {
        &self.refund_outcomes
    }

    /// The order of this number.
    pub fn order(&self, out_trade_no: &str) -> Option<VirtualOrder> {
        self.orders.lock().find(out_trade_no, self.clock.now()).cloned()
    }

    /// The newest orders, newest first.
    pub fn orders(&self, count: usize) -> Vec<VirtualOrder> {
        let now = self.clock.now();
        let mut orders = self.orders.lock();
        orders.settle_all(now);
        orders.list().iter().rev().take(count).cloned().collect()
    }

    /// The user gets money back from Apple, without the server having asked: takes it off and tells
    /// the server.
    ///
    /// # Errors
    /// When there is no such order, or less is left of it.
    pub fn refund_by_user(&self, out_trade_no: &str, fen: i64) -> Result<(), String> {
        let now = self.clock.now();
        let order = {
            let mut orders = self.orders.lock();
            let order = orders.find(out_trade_no, now).ok_or("no such order")?;
            if !(1..=order.left_fen).contains(&fen) {
                return Err(format!("{} fen are left of the order", order.left_fen));
            }
            order.left_fen -= fen;
            order.status = if order.left_fen == 0 { orders::USER_REFUNDED } else { order.status };
            order.clone()
        };
        self.tell_refund(&order, "", fen, true, 0);
        Ok(())
    }

    /// The user complains about an order.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn complain(&self, out_trade_no: &str, text: &str) -> Result<(), String> {
        let order = self.order(out_trade_no).ok_or("no such order")?;
        let members = json!({
            "OpenId": order.openid,
            "WxOrderId": order.wx_order_id,
            "MchOrderId": order.out_trade_no,
            "TransactionId": order.transaction_id,
            "ComplaintTime": self.clock.now().seconds(),
            "ComplaintDetail": text,
            "RetryTimes": 0,
        });
        self.tell("xpay_complaint_notify", &order, members, 0, Arc::new(|| {}));
        Ok(())
    }

    /// Tells of a payment once more, as message push is told to.
    ///
    /// # Errors
    /// When there is no such order.
    pub fn deliver_again(&self, out_trade_no: &str) -> Result<(), String> {
        let order = self.order(out_trade_no).ok_or("no such order")?;
        self.tell_payment(&order);
        Ok(())
    }

    fn tell_payment(&self, order: &VirtualOrder) {
        let mut members = json!({
            "OpenId": order.openid,
            "OutTradeNo": order.out_trade_no,
            "Env": order.env,
            "GoodsInfo": {
                "ProductId": order.product_id,
                "Quantity": order.quantity,
                "OrigPrice": order.price_fen,
                "ActualPrice": order.price_fen,
                "Attach": order.attach,
            },
        });
        // Apple has no such numbers.
        if order.platform == Platform::Android {
            members["WeChatPayInfo"] = json!({
                "MchOrderNo": order.wx_order_id,
                "TransactionId": order.transaction_id,
                "PaidTime": order.paid_at.seconds(),
            });
        }
        let (orders, number, clock) =
            (Arc::clone(&self.orders), order.out_trade_no.clone(), self.clock.clone());
        let provided = move || {
            if let Some(order) = orders.lock().find(&number, clock.now()) {
                order.provide();
            }
        };
        self.tell("xpay_goods_deliver_notify", order, members, 0, Arc::new(provided));
    }

    fn tell_refund(&self, order: &VirtualOrder, id: &str, fen: i64, is_ok: bool, delay_ms: i64) {
        let now = self.clock.now();
        let members = json!({
            "OpenId": order.openid,
            "WxRefundId": format!("wxr{}", crate::sandbox::crypto::hex(&self.rng.bytes::<12>())),
            "MchRefundId": id,
            "WxOrderId": order.wx_order_id,
            "MchOrderId": order.out_trade_no,
            "RefundFee": fen,
            "RetCode": if is_ok { 0 } else { 1 },
            "RetMsg": if is_ok { "success" } else { "refund failed" },
            "RefundStartTimestamp": now.seconds(),
            "RefundSuccTimestamp": now.plus_millis(delay_ms).seconds(),
            "WxpayRefundTransactionId": order.transaction_id,
            "RetryTimes": 0,
        });
        self.tell("xpay_refund_notify", order, members, delay_ms, Arc::new(|| {}));
    }

    fn tell(
        &self,
        name: &'static str,
        order: &VirtualOrder,
        members: Value,
        delay_ms: i64,
        on_accepted: Arc<dyn Fn() + Send + Sync>,
    ) {
        self.push.push(Event {
            name,
            subject: order.out_trade_no.clone(),
            // Not the buyer: an official sender. The buyer is a member of the event.
            openid: "oSandboxOfficialSender000000".to_owned(),
            members,
            delay_ms,
            on_accepted,
        });
    }

    /// The key of an env; `None` is no env.
    fn app_key(env: i64) -> Option<&'static str> {
        match env {
            0 => Some(Self::APP_KEY),
            1 => Some(Self::SANDBOX_APP_KEY),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
