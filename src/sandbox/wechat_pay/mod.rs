//! WeChat Pay v3 as far as the product calls it: orders of mini-programs, refunds, certificates,
//! bills, and notifications.
//!
//! As strict as the real one: the request signature over the very bytes, the nonce once, no unknown
//! member and no `null` in a body, the same parameters when an order is placed again. Answers and
//! notifications are really signed and sealed. What differs: `notify_url` may be plain http on this
//! machine, and the pauses between notifications can be shortened.

mod authorization;
mod bills;
mod fields;
mod keys;
mod notices;
mod orders;
mod refunds;
mod refusal;
mod routes;
mod signing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;
use serde_json::{Value, json};

pub use self::bills::BillEdit;
pub use self::notices::Delivery;
pub use self::orders::{PayOrder, TradeState};
pub use self::refunds::{PayRefund, RefundOutcome, RefundStatus};
pub use self::signing::{Rotation, Trust};

use self::bills::Bills;
use self::keys::Keys;
use self::notices::{Notice, Writer};
use self::orders::Orders;
use self::refunds::Refunds;
use self::signing::Signing;
use super::crypto;
use super::journal::Journal;
use super::outbox::Outbox;
use super::plan::{Faults, Plan};
use super::wechat::WechatSim;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Nonces remembered. Older ones are refused for their time.
const MAX_NONCES: u64 = 100_000;
const NONCE_LIFE: Duration = Duration::from_secs(15 * 60);
/// The parameters of `wx.requestPayment`.
const CLIENT_PARAMS: [&str; 5] = ["timeStamp", "nonceStr", "package", "signType", "paySign"];
/// Partial refunds of one order are so far apart, in milliseconds.
const REFUND_INTERVAL: i64 = 60_000;

/// A kind of call, each with its own knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayCall {
    /// Placing an order.
    Prepay,
    /// Asking for an order.
    Query,
    /// Closing an order.
    Close,
    /// Asking for a refund.
    Refund,
    /// Asking how a refund stands.
    QueryRefund,
    /// Platform certificates.
    Certificates,
    /// Asking for a bill.
    Bill,
    /// Fetching it.
    BillFile,
}

impl PayCall {
    /// All of them, with the names the control page has for them.
    pub(super) const ALL: [(Self, &'static str); 8] = [
        (Self::Prepay, "pay.prepay"),
        (Self::Query, "pay.query"),
        (Self::Close, "pay.close"),
        (Self::Refund, "pay.refund"),
        (Self::QueryRefund, "pay.queryRefund"),
        (Self::Certificates, "pay.certificates"),
        (Self::Bill, "pay.bill"),
        (Self::BillFile, "pay.billFile"),
    ];
}

/// What a payment came to; a test may hold it against what the server made of it.
#[derive(Clone, Debug)]
pub struct Paid {
    /// Our number.
    pub out_trade_no: String,
    /// WeChat's number.
    pub transaction_id: String,
    /// Fen.
    pub total_fen: i64,
}

/// The simulated WeChat Pay. Listens as long as its [`Sandbox`](super::Sandbox) runs.
#[derive(Debug)]
pub struct WechatPaySim {
    address: SocketAddr,
    clock: Clock,
    rng: Rng,
    journal: Journal,
    faults: [Faults; PayCall::ALL.len()],
    nonces: Cache<String, ()>,
    signing: Signing,
    books: Mutex<Books>,
    bills: Bills,
    old_spelling: AtomicBool,
    refund_interval_ms: AtomicI64,
    payment_notices: Plan<Delivery>,
    refund_notices: Plan<Delivery>,
    refund_outcomes: Plan<RefundOutcome>,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Default)]
struct Books {
    orders: Orders,
    refunds: Refunds,
}

impl WechatPaySim {
    /// The only merchant it knows.
    pub const MCHID: &'static str = "1900009191";
    /// That merchant's APIv3 key. Of no use anywhere else.
    pub const APIV3_KEY: &'static str = "SandboxApiv3KeyOfNoRealMerchant0";

    pub(super) fn new(
        address: SocketAddr,
        clock: Clock,
        rng: Rng,
        outbox: Arc<Outbox>,
    ) -> Result<Self, String> {
        Ok(Self {
            address,
            clock,
            journal: Journal::default(),
            faults: Default::default(),
            nonces: Cache::builder().max_capacity(MAX_NONCES).time_to_live(NONCE_LIFE).build(),
            signing: Signing::new(Keys::get()?, rng.clone()),
            rng,
            books: Mutex::default(),
            bills: Bills::default(),
            old_spelling: AtomicBool::new(false),
            refund_interval_ms: AtomicI64::new(REFUND_INTERVAL),
            payment_notices: Plan::default(),
            refund_notices: Plan::default(),
            refund_outcomes: Plan::default(),
            outbox,
        })
    }

    /// What stands for `https://api.mch.weixin.qq.com`; no slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last requests.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The knobs of one kind of call. [`Fault::Error`](super::Fault::Error) takes an HTTP status and
    /// picks the code that goes with it: 403 of a refund is `NOT_ENOUGH`, 429 `FREQUENCY_LIMITED`.
    pub fn faults_of(&self, call: PayCall) -> &Faults {
        let at = PayCall::ALL.iter().position(|(known, _)| *known == call).unwrap_or_default();
        &self.faults[at]
    }

    /// Serial number of the merchant's certificate.
    pub fn merchant_serial(&self) -> &str {
        &self.signing.keys.merchant.id
    }

    /// The merchant's private key, for the server under test.
    pub fn merchant_private_key_pem(&self) -> &str {
        &self.signing.keys.merchant.private_pem
    }

    /// Id of the WeChat Pay public key: `PUB_KEY_ID_…`.
    pub fn public_key_id(&self) -> &str {
        &self.signing.keys.public_key.id
    }

    /// The WeChat Pay public key.
    pub fn public_key_pem(&self) -> &str {
        &self.signing.keys.public_key.public_pem
    }

    /// Serial numbers of the platform certificates, the older first.
    pub fn platform_serials(&self) -> [&str; 2] {
        let [old, new] = &self.signing.keys.platform;
        [&old.id, &new.id]
    }

    /// How the merchant trusts it; [`Trust::Mixed`] at first.
    pub fn set_trust(&self, trust: Trust) {
        self.signing.set_trust(trust);
    }

    /// Which certificates are there; both at first.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.signing.set_rotation(rotation);
    }

    /// Whether codes are spelled without underscores, as on older pages.
    pub fn set_old_spelling(&self, on: bool) {
        self.old_spelling.store(on, Ordering::Relaxed);
    }

    /// How far apart refunds of one order are at least; one minute at first.
    pub fn set_refund_interval(&self, interval: Duration) {
        let ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        self.refund_interval_ms.store(ms, Ordering::Relaxed);
    }

    /// What happens to the notifications of payments.
    pub fn payment_notices(&self) -> &Plan<Delivery> {
        &self.payment_notices
    }

    /// What happens to the notifications of refunds.
    pub fn refund_notices(&self) -> &Plan<Delivery> {
        &self.refund_notices
    }

    /// How refunds end; at once and well unless something is planned.
    pub fn refund_outcomes(&self) -> &Plan<RefundOutcome> {
        &self.refund_outcomes
    }

    /// Lets something be wrong in every bill made from now on.
    pub fn edit_bills(&self, edit: BillEdit) {
        self.bills.edit(edit);
    }

    /// Makes bills right again.
    pub fn clear_bill_edits(&self) {
        self.bills.clear_edits();
    }

    /// The order of this number.
    pub fn order(&self, out_trade_no: &str) -> Option<PayOrder> {
        self.books.lock().orders.find(out_trade_no, self.clock.now()).cloned()
    }

    /// The newest orders, newest first.
    pub fn orders(&self, count: usize) -> Vec<PayOrder> {
        self.books.lock().orders.list().iter().rev().take(count).cloned().collect()
    }

    /// The number of the order with this number of WeChat's.
    pub fn number_of(&self, transaction_id: &str) -> Option<String> {
        self.books.lock().orders.number_of(transaction_id)
    }

    /// The refund of this number.
    pub fn refund(&self, out_refund_no: &str) -> Option<PayRefund> {
        self.books.lock().refunds.find(out_refund_no).cloned()
    }

    /// The newest refunds, newest first.
    pub fn refunds(&self, count: usize) -> Vec<PayRefund> {
        self.books.lock().refunds.list().iter().rev().take(count).cloned().collect()
    }

    /// The user's `wx.requestPayment` with the parameters the server gave, which are checked as
    /// WeChat does, and the payment. It is announced as [`Self::payment_notices`] says.
    ///
    /// # Errors
    /// What the user would be told: wrong parameters, an order that cannot be paid.
    pub fn pay(&self, params: &Value) -> Result<Paid, String> {
        let out_trade_no = self.check_params(params)?;
        self.pay_order(&out_trade_no)
    }

    /// The same without the parameters.
    ///
    /// # Errors
    /// When the order cannot be paid.
    pub fn pay_order(&self, out_trade_no: &str) -> Result<Paid, String> {
        let (paid, delivery) =
            (self.settle(out_trade_no)?, self.payment_notices.take().unwrap_or_default());
        self.announce_payment(&paid, delivery);
        Ok(self.paid(&paid))
    }

    /// The same, and nobody is told.
    ///
    /// # Errors
    /// When the order cannot be paid.
    pub fn pay_silently(&self, out_trade_no: &str) -> Result<Paid, String> {
        Ok(self.paid(&self.settle(out_trade_no)?))
    }

    /// Tells of a payment once more, as [`Delivery`] says and with a new id.
    ///
    /// # Errors
    /// When the order is not there or not paid.
    pub fn notify_again(&self, out_trade_no: &str, delivery: Delivery) -> Result<(), String> {
        let order = self.order(out_trade_no).filter(PayOrder::is_paid);
        self.announce_payment(&order.ok_or("no such order that is paid")?, delivery);
        Ok(())
    }

    fn settle(&self, out_trade_no: &str) -> Result<PayOrder, String> {
        self.books.lock().orders.pay(out_trade_no, self.clock.now(), &self.rng)
    }

    fn paid(&self, order: &PayOrder) -> Paid {
        Paid {
            out_trade_no: order.out_trade_no.clone(),
            transaction_id: order.transaction_id.clone().unwrap_or_default(),
            total_fen: order.total_fen,
        }
    }

    /// The number of the order that `params` pay.
    fn check_params(&self, params: &Value) -> Result<String, String> {
        let members = params.as_object().ok_or("the parameters are no object")?;
        if let Some(other) = members.keys().find(|name| !CLIENT_PARAMS.contains(&name.as_str())) {
            return Err(format!("{other} is no parameter of wx.requestPayment"));
        }
        let text = |name: &str| {
            members.get(name).and_then(Value::as_str).ok_or(format!("{name} must be a text"))
        };
        let (time, nonce, package) = (text("timeStamp")?, text("nonceStr")?, text("package")?);
        if text("signType")? != "RSA" {
            return Err("signType must be RSA".to_owned());
        }
        if time.len() != 10 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("timeStamp must be seconds".to_owned());
        }
        if !(1..=32).contains(&nonce.len()) {
            return Err("nonceStr must have 1 to 32 characters".to_owned());
        }
        let prepay_id =
            package.strip_prefix("prepay_id=").ok_or("package must begin with prepay_id=")?;
        let message = format!("{}\n{time}\n{nonce}\n{package}\n", WechatSim::APPID);
        let merchant = &self.signing.keys.merchant.public_der;
        if !crypto::rsa_verify(merchant, message.as_bytes(), text("paySign")?) {
            return Err("paySign does not hold".to_owned());
        }
        let found = self.books.lock().orders.prepaid(prepay_id, self.clock.now());
        found.ok_or_else(|| "no order has this prepay_id, or it is too old".to_owned())
    }

    fn announce_payment(&self, order: &PayOrder, delivery: Delivery) {
        let notice = Notice {
            url: order.notify_url.clone(),
            subject: order.out_trade_no.clone(),
            event: "TRANSACTION.SUCCESS".to_owned(),
            original_type: "transaction",
            summary: "支付成功",
            plaintext: {
                // What was paid stays a success in its notification, whatever was refunded since.
                let mut told = order.clone();
                told.state = TradeState::Success;
                told.answer(WechatSim::APPID, Self::MCHID)
            },
            delay_ms: 0,
        };
        self.announce(notice, delivery);
    }

    fn announce_refund(&self, refund: &PayRefund) {
        let Some(url) = refund.notify_url.clone() else { return };
        let Some((status, after_ms)) = refund.ending() else { return };
        let notice = Notice {
            url,
            subject: refund.out_refund_no.clone(),
            event: format!("REFUND.{}", status.name()),
            original_type: "refund",
            summary: "退款结果",
            plaintext: refund.notice(Self::MCHID, refund.created_at.plus_millis(after_ms)),
            delay_ms: after_ms,
        };
        self.announce(notice, self.refund_notices.take().unwrap_or_default());
    }

    fn writer(&self) -> Writer {
        Writer { sim: self.signing.clone(), apiv3_key: apiv3_key() }
    }

    /// The sandbox's time.
    pub(super) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// What the control page shows of the knobs.
    pub(super) fn knobs(&self) -> Value {
        json!({
            "trust": self.signing.trust(),
            "paymentNotices": self.payment_notices.view(),
            "refundNotices": self.refund_notices.view(),
            "refundOutcomes": self.refund_outcomes.view(),
        })
    }
}

/// The APIv3 key is used as the bytes of its text.
fn apiv3_key() -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(WechatPaySim::APIV3_KEY.as_bytes());
    key
}

#[cfg(test)]
mod tests;
