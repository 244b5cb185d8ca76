//! Virtual payment (xpay): the client of the mini-program places the order with what is signed here;
//! the server asks about it, reports its delivery and gives money back.
//!
//! Guarantees: what is signed is what is sent, byte for byte; every call says which environment it
//! means, and there is one, the configured one; a session key goes into signatures as the text that it
//! came in, and nowhere else.

mod error;
mod order;

use std::sync::Arc;

use serde::Serialize;

pub use self::error::VirtualPayError;
use self::order::QueryAnswer;
pub use self::order::{VirtualOrderState, VirtualTransaction};
use super::connection::Connection;
use super::hashes::hmac_sha256;
use super::weixin::Done;
use crate::base::secret::Secret;

/// What the client's call is signed as.
const CLIENT_CALL: &str = "requestVirtualPayment";

/// Goods with an id and a price that are published at WeChat, as opposed to coins that WeChat keeps.
const GOODS_MODE: &str = "short_series_goods";

/// Where orders are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtualEnv {
    /// Money moves.
    Live,
    /// WeChat's sandbox: no money moves, and nothing of it may credit live.
    Sandbox,
}

impl VirtualEnv {
    /// `env` of calls and pushes. Not the `env_type` of query answers, which counts from 1.
    pub fn number(self) -> i64 {
        match self {
            Self::Live => 0,
            Self::Sandbox => 1,
        }
    }
}

/// The shop.
#[derive(Clone, Debug)]
pub struct VirtualPaymentSettings {
    pub offer_id: String,
    /// The AppKey of `env`.
    pub app_key: Secret<String>,
    pub env: VirtualEnv,
}

/// The client of virtual payment. Clones share the line.
#[derive(Clone)]
pub struct VirtualPayment {
    connection: Arc<Connection>,
    settings: VirtualPaymentSettings,
}

/// What is bought: always one piece.
#[derive(Clone, Debug)]
pub struct VirtualOrder {
    /// Our order: 8–32 of `[0-9A-Za-z_\-|*@]`, not beginning with `_`.
    pub order_id: String,
    /// The id under which the goods are published at WeChat.
    pub product_id: String,
    /// In fen; must be the published price.
    pub price_fen: i64,
    /// Comes back in the delivery push.
    pub attach: String,
}

/// What `wx.requestVirtualPayment` takes; the client passes it through untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualPayParams {
    pub mode: String,
    /// JSON as text: signed as it is, so it must be sent as it is.
    pub sign_data: String,
    pub pay_sig: String,
    pub signature: String,
}

/// Money to give back.
#[derive(Clone, Debug)]
pub struct VirtualRefund {
    /// Who paid.
    pub openid: String,
    /// Our order.
    pub order_id: String,
    /// Our number of this refund: 8–32 of `[A-Za-z0-9_-]`. The same again is the same refund.
    pub refund_id: String,
    /// What WeChat says is left of the payment ([`VirtualTransaction::left_fen`]), in fen.
    pub left_fen: i64,
    /// What is given back of it, in fen, above 0.
    pub refund_fen: i64,
    /// Our note; comes back nowhere.
    pub note: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignData<'a> {
    offer_id: &'a str,
    buy_quantity: u8,
    env: i64,
    currency_type: &'static str,
    product_id: &'a str,
    goods_price: i64,
    out_trade_no: &'a str,
    attach: &'a str,
}

#[derive(Serialize)]
struct QueryRequest<'a> {
    openid: &'a str,
    env: i64,
    // Together with `wx_order_id` the answer is "no data", so never both.
    order_id: &'a str,
}

#[derive(Serialize)]
struct ProvideRequest<'a> {
    order_id: &'a str,
    env: i64,
}

#[derive(Serialize)]
struct RefundRequest<'a> {
    openid: &'a str,
    order_id: &'a str,
    refund_order_id: &'a str,
    left_fee: i64,
    refund_fee: i64,
    biz_meta: &'a str,
    refund_reason: &'static str,
    req_from: &'static str,
    env: i64,
}

impl VirtualPayment {
    pub(super) fn new(connection: Arc<Connection>, settings: VirtualPaymentSettings) -> Self {
        Self { connection, settings }
    }

    /// Where orders are made. A push about another environment must change nothing.
    pub fn env(&self) -> VirtualEnv {
        self.settings.env
    }

    /// What the client needs to ask for the money. No call: WeChat hears of the order from the client.
    ///
    /// # Errors
    /// Only when the order cannot be written as JSON, which it always can.
    pub fn params(
        &self,
        order: &VirtualOrder,
        session_key: &Secret<String>,
    ) -> Result<VirtualPayParams, VirtualPayError> {
        let sign_data = self.write(&SignData {
            offer_id: &self.settings.offer_id,
            buy_quantity: 1,
            env: self.settings.env.number(),
            currency_type: "CNY",
            product_id: &order.product_id,
            goods_price: order.price_fen,
            out_trade_no: &order.order_id,
            attach: &order.attach,
        })?;
        Ok(VirtualPayParams {
            mode: GOODS_MODE.to_owned(),
            pay_sig: pay_sig(&self.settings.app_key, CLIENT_CALL, &sign_data),
            signature: user_signature(session_key, &sign_data),
            sign_data,
        })
    }

    /// How WeChat sees our order (`/xpay/query_order`).
    ///
    /// # Errors
    /// [`VirtualPayError`]; `NotFound` when WeChat has no such order, which is so until the client has
    /// asked for the money.
    pub async fn query_order(
        &self,
        openid: &str,
        order_id: &str,
    ) -> Result<VirtualTransaction, VirtualPayError> {
        let request = QueryRequest { openid, env: self.settings.env.number(), order_id };
        let answer: QueryAnswer = self.call("/xpay/query_order", &request).await?;
        answer.transaction(order_id, self.settings.env)
    }

    /// Tells WeChat that the goods were delivered (`/xpay/notify_provide_goods`): needed when the push
    /// could not be answered with success. Harmless to repeat.
    ///
    /// # Errors
    /// [`VirtualPayError`].
    pub async fn notify_provide_goods(&self, order_id: &str) -> Result<(), VirtualPayError> {
        let request = ProvideRequest { order_id, env: self.settings.env.number() };
        self.do_once("/xpay/notify_provide_goods", &request).await
    }

    /// Begins a refund (`/xpay/refund_order`); its end is told by push and by `query_order`. The same
    /// [`VirtualRefund::refund_id`] again is the same refund. What was paid through Apple cannot be
    /// refunded here.
    ///
    /// # Errors
    /// [`VirtualPayError`]: `InProgress`: repeat later, unchanged; `LeftFeeChanged`: query first.
    pub async fn refund_order(&self, refund: &VirtualRefund) -> Result<(), VirtualPayError> {
        let request = RefundRequest {
            openid: &refund.openid,
            order_id: &refund.order_id,
            refund_order_id: &refund.refund_id,
            left_fee: refund.left_fen,
            refund_fee: refund.refund_fen,
            biz_meta: &refund.note,
            refund_reason: REFUND_REASON,
            req_from: REFUND_FROM,
            env: self.settings.env.number(),
        };
        self.do_once("/xpay/refund_order", &request).await
    }

    /// A call that has succeeded too when WeChat says that it was done before.
    async fn do_once(&self, path: &str, request: &impl Serialize) -> Result<(), VirtualPayError> {
        match self.call::<Done>(path, request).await {
            Ok(Done {}) | Err(VirtualPayError::AlreadyDone) => Ok(()),
            Err(err) => Err(err),
        }
    }

    async fn call<T>(&self, path: &str, request: &impl Serialize) -> Result<T, VirtualPayError>
    where
        T: for<'de> serde::Deserialize<'de>,
    {
        let body = self.write(request)?;
        let query = format!("pay_sig={}", pay_sig(&self.settings.app_key, path, &body));
        let answer = self.connection.post_bytes(path, &query, body.as_bytes()).await;
        answer.map_err(VirtualPayError::from)
    }

    fn write(&self, request: &impl Serialize) -> Result<String, VirtualPayError> {
        serde_json::to_string(request).map_err(|_| VirtualPayError::Garbled)
    }
}

/// Why money goes back, as WeChat numbers it: "0" is "no reason given".
const REFUND_REASON: &str = "0";

/// Who wants it back, as WeChat numbers it: "1" is the customer service of the shop.
const REFUND_FROM: &str = "1";

/// Proves that the shop says it. `call` is the path without query, or the client's call.
fn pay_sig(app_key: &Secret<String>, call: &str, body: &str) -> String {
    hmac_sha256(app_key.expose(), &[call.as_bytes(), b"&", body.as_bytes()])
}

/// Proves that the user is logged in with us.
fn user_signature(session_key: &Secret<String>, body: &str) -> String {
    hmac_sha256(session_key.expose(), &[body.as_bytes()])
}

#[cfg(test)]
mod tests;
