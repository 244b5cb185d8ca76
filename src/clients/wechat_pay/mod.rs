//! WeChat Pay, API v3: prepared payments, queries, refunds, bills, notifications.

mod error;
mod model;

use std::time::Duration;

use jiff::civil::Date;
use ureq::http::HeaderMap;

pub use error::{NotificationError, PayError, PayErrorKind, SignatureProblem};
pub use model::{
    BillKind, BillRefund, BillRow, BillRowState, BillSummary, Notification, PrepayId,
    PrepayRequest, Refund, RefundNotice, RefundRequest, RefundState, Resource, TradeBill,
    TradeState, Transaction, WxPayParams,
};

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::secret::Secret;

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
    /// Where notifications of payments go.
    pub notify_url: String,
    /// Where notifications of refunds go.
    pub refund_notify_url: String,
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
    settings: WechatPaySettings,
    clock: Clock,
    rng: Rng,
}

impl WechatPay {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn new(settings: WechatPaySettings, clock: Clock, rng: Rng) -> Result<Self, KeyProblem> {
        Ok(Self { settings, clock, rng })
    }

    /// The merchant: what `mchid` of a transaction must be.
    pub fn mchid(&self) -> &str {
        &self.settings.mchid
    }

    /// The mini-program: what `appid` of a transaction must be.
    pub fn appid(&self) -> &str {
        &self.settings.appid
    }

    pub async fn prepay(&self, request: &PrepayRequest) -> Result<PrepayId, PayError> {
        let _ = request;
        Err(PayError::Unsendable("not yet"))
    }

    pub fn payment_params(&self, prepay_id: &PrepayId) -> Result<WxPayParams, PayError> {
        let _ = (prepay_id, self.clock.now(), self.rng.bytes::<1>());
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn query_order(&self, out_trade_no: &str) -> Result<Transaction, PayError> {
        let _ = out_trade_no;
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn close_order(&self, out_trade_no: &str) -> Result<(), PayError> {
        let _ = out_trade_no;
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn refund(&self, request: &RefundRequest) -> Result<Refund, PayError> {
        let _ = request;
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn query_refund(&self, out_refund_no: &str) -> Result<Refund, PayError> {
        let _ = out_refund_no;
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn trade_bill(&self, day: Date, kind: BillKind) -> Result<TradeBill, PayError> {
        let _ = (day, kind);
        Err(PayError::Unsendable("not yet"))
    }

    pub async fn open_notification(
        &self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Notification, NotificationError> {
        let _ = (headers, body);
        Err(NotificationError::Garbled("not yet"))
    }
}

impl PayError {
    /// What it means.
    pub fn kind(&self) -> PayErrorKind {
        PayErrorKind::Unknown
    }

    /// Whether the same call may be repeated later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), PayErrorKind::Unknown)
    }
}
