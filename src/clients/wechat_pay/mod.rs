//! WeChat Pay, API v3: prepared payments, queries, closing, refunds, bills, notifications.
//!
//! Guarantees: what is signed is what is sent; no success is believed without WeChat Pay's signature;
//! a call that may have been carried out never ends as one that was not ([`PayErrorKind::Unknown`]);
//! neither keys nor signatures nor openids come into logs or errors. `PayError` tells what an error
//! means for the order, [`Resource`] what a notification is about.
//!
//! ```text
//! signer ──▶ transport ──▶ signature (answers, notifications) ◀── keys ◀── certificates ◀── sealed
//! ```

mod attempts;
mod bill;
mod certificates;
mod error;
mod keys;
mod model;
mod notification;
mod sealed;
mod signature;
mod signer;
mod transport;
mod wire;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::civil::Date;
use ureq::http::{HeaderMap, Method};

pub use error::{NotificationError, PayError, PayErrorKind, SignatureProblem};
pub use model::{
    BillKind, BillRefund, BillRow, BillRowState, BillSummary, Notification, PrepayId,
    PrepayRequest, Refund, RefundNotice, RefundRequest, RefundState, Resource, TradeBill,
    TradeState, Transaction, WxPayParams,
};

use self::transport::Transport;
use self::wire::encode;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::clients::call_stats::CallState;

const PREPAY: &str = "/v3/pay/transactions/jsapi";
const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// The merchant's account and the bounds of the calls.
#[derive(Clone, Debug)]
pub struct WechatPaySettings {
    /// Without a slash at the end.
    pub base: String,
    /// Asked when no connection to `base` comes about.
    pub fallback_base: Option<String>,
    /// The mini-program that payments are for.
    pub appid: String,
    pub mchid: String,
    /// Of the merchant's certificate, hexadecimal.
    pub merchant_serial: String,
    /// The merchant's RSA key: DER of PKCS#8 or PKCS#1.
    pub merchant_key: Secret<Vec<u8>>,
    /// 32 bytes.
    pub apiv3_key: Secret<String>,
    /// WeChat Pay's public key, where the merchant has one.
    pub public_key: Option<PublicKey>,
    /// Where notifications of payments go; without a query.
    pub notify_url: String,
    /// Where notifications of refunds go; without a query.
    pub refund_notify_url: String,
    /// Of one attempt. No further one begins after it.
    pub timeout: Duration,
    pub concurrency: u32,
    pub queue: u32,
}

/// WeChat Pay's public key.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// `PUB_KEY_ID_…`.
    pub id: String,
    /// DER of its SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be used")]
pub struct KeyProblem(&'static str);

/// The client of WeChat Pay.
pub struct WechatPay {
    appid: String,
    mchid: String,
    notify_url: String,
    refund_notify_url: String,
    transport: Transport,
}

impl WechatPay {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn new(settings: WechatPaySettings, clock: Clock, rng: Rng) -> Result<Self, KeyProblem> {
        let transport = Transport::new(&settings, clock, rng)?;
        let WechatPaySettings { appid, mchid, notify_url, refund_notify_url, .. } = settings;
        Ok(Self { appid, mchid, notify_url, refund_notify_url, transport })
    }

    /// What became of the calls so far: those of the API and those for bills.
    pub fn calls(&self) -> [CallState; 2] {
        self.transport.calls()
    }

    /// Until when WeChat Pay's certificates hold, where it has told any.
    pub fn certificates_end(&self) -> Option<UnixMillis> {
        self.transport.certificates_end()
    }

    /// What went wrong with calls so far, by kind.
    pub fn errors(&self) -> Vec<(&'static str, u64)> {
        self.transport.errors()
    }

    /// The merchant: what `mchid` of a transaction must be.
    pub fn mchid(&self) -> &str {
        &self.mchid
    }

    /// The mini-program: what `appid` of a transaction must be.
    pub fn appid(&self) -> &str {
        &self.appid
    }

    /// Tells WeChat Pay of an order (`POST /v3/pay/transactions/jsapi`). The same request again
    /// gives a handle again.
    ///
    /// # Errors
    /// [`PayError`]; after `Unknown` send the same request again, or query.
    pub async fn prepay(&self, request: &PrepayRequest) -> Result<PrepayId, PayError> {
        let body = wire::prepay(request, &self.appid, &self.mchid, &self.notify_url)?;
        let answer = self.transport.call(Method::POST, PREPAY, &body).await?;
        wire::prepaid(&answer).map(PrepayId::new).map_err(PayError::Garbled)
    }

    /// What the mini-program gives `wx.requestPayment`. Anew for every tap; nothing is sent.
    ///
    /// # Errors
    /// Only when signing fails, which it does not with a key that was taken.
    pub fn payment_params(&self, prepay_id: &PrepayId) -> Result<WxPayParams, PayError> {
        let now = self.transport.clock.now();
        self.transport.signer.payment_params(prepay_id, now, signer::nonce(&self.transport.rng))
    }

    /// How the order stands at WeChat Pay.
    ///
    /// # Errors
    /// [`PayError`]; `OrderNotExist` when it was never told of it.
    pub async fn query_order(&self, out_trade_no: &str) -> Result<Transaction, PayError> {
        let target = format!("{}?mchid={}", order_path(out_trade_no), encode(&self.mchid));
        let answer = self.transport.call(Method::GET, &target, &[]).await?;
        let found = wire::transaction(&answer).map_err(PayError::Garbled)?;
        match found.out_trade_no == out_trade_no {
            true => Ok(found),
            false => Err(PayError::Garbled("it is about another order")),
        }
    }

    /// Closes an order so that nobody can pay it any more. May be repeated. Query before and after:
    /// a payment can land in between.
    ///
    /// # Errors
    /// [`PayError`]; `OrderPaid` when it is too late.
    pub async fn close_order(&self, out_trade_no: &str) -> Result<(), PayError> {
        let target = format!("{}/close", order_path(out_trade_no));
        let body = wire::close(&self.mchid)?;
        self.transport.call(Method::POST, &target, &body).await.map(|_| ())
    }

    /// Asks for a refund. What comes back is that it was accepted, not that the money went.
    ///
    /// # Errors
    /// [`PayError`]; after `Unknown` ask with the same number and the same request.
    pub async fn refund(&self, request: &RefundRequest) -> Result<Refund, PayError> {
        let body = wire::refund(request, &self.refund_notify_url)?;
        let answer = self.transport.call(Method::POST, REFUNDS, &body).await?;
        refund_of(&answer, &request.out_refund_no)
    }

    /// How the refund stands.
    ///
    /// # Errors
    /// [`PayError`]; `OrderNotExist` when it was never asked for.
    pub async fn query_refund(&self, out_refund_no: &str) -> Result<Refund, PayError> {
        let target = format!("{REFUNDS}/{}", encode(out_refund_no));
        let answer = self.transport.call(Method::GET, &target, &[]).await?;
        refund_of(&answer, out_refund_no)
    }

    /// The bill of `day` (Asia/Shanghai), ready after 10:00 of the next one and kept three months.
    /// A day without trade is a bill without rows.
    ///
    /// # Errors
    /// [`PayError`]; `NotReady` while it is being made.
    pub async fn trade_bill(&self, day: Date, kind: BillKind) -> Result<TradeBill, PayError> {
        bill::trade_bill(&self.transport, day, kind).await
    }

    /// Checks and decrypts a notification: its headers, and its body byte for byte as it came.
    ///
    /// # Errors
    /// [`NotificationError`], which says what to answer.
    pub async fn open_notification(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Notification, NotificationError> {
        notification::open(&self.transport, headers, body).await
    }

    /// Asks for WeChat Pay's certificates when those at hand are 6 hours old. A merchant who has
    /// only the public key may have none.
    ///
    /// # Errors
    /// [`PayError`]; what was trusted before still is.
    pub async fn refresh_certificates(&self) -> Result<(), PayError> {
        self.transport.refresh_if_due().await
    }
}

fn order_path(out_trade_no: &str) -> String {
    format!("/v3/pay/transactions/out-trade-no/{}", encode(out_trade_no))
}

fn refund_of(answer: &[u8], out_refund_no: &str) -> Result<Refund, PayError> {
    let refund = wire::refunded(answer).map_err(PayError::Garbled)?;
    match refund.out_refund_no == out_refund_no {
        true => Ok(refund),
        false => Err(PayError::Garbled("it is about another refund")),
    }
}
