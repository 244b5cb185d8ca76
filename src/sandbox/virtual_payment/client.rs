//! What WeChat does in the user's hand when the mini-program calls `wx.requestVirtualPayment`.

use std::fmt;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::VirtualPaymentSim;
use super::orders::{MAX_ORDERS, PAID, VirtualOrder};
use crate::sandbox::{beijing, crypto};

/// A parameter is wrong.
const PARAMETER: i64 = -15001;
/// `signature`, by the session key, does not hold.
const SIGNATURE: i64 = -15005;
/// `paySig`, by the AppKey, does not hold.
const PAY_SIG: i64 = -15006;
/// A text was expected and something else came.
const NOT_TEXT: i64 = -15016;
/// Apple sells nothing below one yuan.
const APPLE_MINIMUM: i64 = 100;

const PARAMS: [&str; 4] = ["signData", "mode", "paySig", "signature"];
const MEMBERS: [&str; 9] = [
    "offerId",
    "buyQuantity",
    "env",
    "currencyType",
    "productId",
    "goodsPrice",
    "activitySellingPrice",
    "outTradeNo",
    "attach",
];

/// Through whom the user pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// WeChat Pay.
    #[default]
    Android,
    /// Apple: no sandbox, one yuan at least, no numbers of WeChat Pay.
    Ios,
}

/// What the mini-program's `fail` gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRefusal {
    /// `errCode`.
    pub code: i64,
    /// `errMsg`.
    pub message: String,
}

impl fmt::Display for VirtualRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

fn refuse<T>(code: i64, message: impl Into<String>) -> Result<T, VirtualRefusal> {
    Err(VirtualRefusal { code, message: message.into() })
}

/// The order data, checked.
struct SignData {
    env: i64,
    quantity: i64,
    product_id: String,
    price_fen: i64,
    unit_fen: i64,
    out_trade_no: String,
    attach: String,
}

impl VirtualPaymentSim {
    /// The user `openid`, whose newest session key is `session_key`, pays with the parameters the
    /// server gave. The delivery is pushed.
    ///
    /// # Errors
    /// As `wx.requestVirtualPayment` fails.
    pub(in crate::sandbox) fn pay_as(
        &self,
        openid: &str,
        session_key: Option<&str>,
        params: &Value,
        platform: Platform,
    ) -> Result<VirtualOrder, VirtualRefusal> {
        let order = self.place(openid, session_key, params, platform)?;
        self.tell_payment(&order);
        Ok(order)
    }

    /// The same, and nobody is told.
    pub(in crate::sandbox) fn place(
        &self,
        openid: &str,
        session_key: Option<&str>,
        params: &Value,
        platform: Platform,
    ) -> Result<VirtualOrder, VirtualRefusal> {
        let text = |name: &str| match &params[name] {
            Value::String(text) => Ok(text.as_str()),
            _ => refuse(PARAMETER, format!("{name} must be a text")),
        };
        if let Some(other) = params
            .as_object()
            .and_then(|all| all.keys().find(|name| !PARAMS.contains(&name.as_str())))
        {
            return refuse(PARAMETER, format!("{other} is no parameter"));
        }
        if text("mode")? != "short_series_goods" {
            return refuse(PARAMETER, "mode must be short_series_goods");
        }
        let signed = text("signData")?;
        let data = self.parse(signed)?;
        let app_key = Self::app_key(data.env).unwrap_or_default();
        let pay_sig = crypto::hmac_hex(app_key, &format!("requestVirtualPayment&{signed}"));
        if text("paySig")? != pay_sig {
            return refuse(PAY_SIG, "paySig does not hold");
        }
        let is_signed = session_key
            .is_some_and(|key| params["signature"] == crypto::hmac_hex(key, signed).as_str());
        if !is_signed {
            return refuse(SIGNATURE, "signature does not hold: is the session key the newest?");
        }
        if platform == Platform::Ios && (data.env != 0 || data.unit_fen < APPLE_MINIMUM) {
            return refuse(PARAMETER, "Apple has no sandbox and sells nothing below one yuan");
        }
        self.book(openid, data, platform)
    }

    fn book(
        &self,
        openid: &str,
        data: SignData,
        platform: Platform,
    ) -> Result<VirtualOrder, VirtualRefusal> {
        let now = self.clock.now();
        let mut orders = self.orders.lock();
        if orders.find(&data.out_trade_no, now).is_some() {
            return refuse(PARAMETER, "outTradeNo was used before");
        }
        if orders.list().len() >= MAX_ORDERS {
            return refuse(-1, "the sandbox has too many orders");
        }
        let digits = beijing::digits(now);
        let transaction_id = match platform {
            Platform::Android => format!("4200{digits}{:010}", self.rng.below(10_000_000_000)),
            Platform::Ios => String::new(),
        };
        let paid_fen = data.unit_fen.saturating_mul(data.quantity);
        let order = VirtualOrder {
            wx_order_id: format!("wxo{digits}{}", crypto::hex(&self.rng.bytes::<6>())),
            out_trade_no: data.out_trade_no,
            transaction_id,
            openid: openid.to_owned(),
            env: data.env,
            product_id: data.product_id,
            quantity: data.quantity,
            price_fen: data.price_fen,
            paid_fen,
            left_fen: paid_fen,
            attach: data.attach,
            platform,
            status: PAID,
            paid_at: now,
            refunds: Vec::new(),
        };
        orders.insert(order.clone());
        Ok(order)
    }

    fn parse(&self, text: &str) -> Result<SignData, VirtualRefusal> {
        let Ok(Value::Object(data)) = serde_json::from_str(text) else {
            return refuse(PARAMETER, "signData must be the text of a JSON object");
        };
        if let Some(other) = data.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return refuse(PARAMETER, format!("signData has no {other}"));
        }
        let offer_id = member(&data, "offerId")?.as_str();
        match offer_id {
            None => return refuse(NOT_TEXT, "offerId must be a text"),
            Some(Self::OFFER_ID) => {}
            Some(_) => return refuse(PARAMETER, "no such offerId"),
        }
        let env = number(&data, "env")?;
        if Self::app_key(env).is_none() {
            return refuse(PARAMETER, "env must be 0 or 1");
        }
        let quantity = number(&data, "buyQuantity")?;
        if quantity < 1 {
            return refuse(PARAMETER, "buyQuantity must be at least 1");
        }
        if string(&data, "currencyType")? != "CNY" {
            return refuse(PARAMETER, "currencyType must be CNY");
        }
        let (product_id, price_fen) = (string(&data, "productId")?, number(&data, "goodsPrice")?);
        self.check_price(&product_id, price_fen)?;
        let unit_fen = match data.get("activitySellingPrice") {
            None => price_fen,
            Some(_) => number(&data, "activitySellingPrice")?,
        };
        if unit_fen > price_fen || unit_fen.saturating_mul(10) < price_fen.saturating_mul(4) {
            return refuse(PARAMETER, "activitySellingPrice must be 40 to 100 % of goodsPrice");
        }
        let out_trade_no = string(&data, "outTradeNo")?;
        let is_number = (8..=32).contains(&out_trade_no.len())
            && !out_trade_no.starts_with('_')
            && out_trade_no.chars().all(|c| c.is_ascii_alphanumeric() || "_-|*@".contains(c));
        if !is_number {
            return refuse(PARAMETER, "outTradeNo has a wrong form");
        }
        let attach = string(&data, "attach")?;
        Ok(SignData { env, quantity, product_id, price_fen, unit_fen, out_trade_no, attach })
    }

    fn check_price(&self, product_id: &str, price_fen: i64) -> Result<(), VirtualRefusal> {
        if product_id.is_empty() || price_fen < 1 {
            return refuse(PARAMETER, "productId and goodsPrice are required");
        }
        match self.prices.lock().get(product_id) {
            Some(published) if *published == price_fen => Ok(()),
            Some(published) => refuse(PARAMETER, format!("the published price is {published} fen")),
            None if self.only_priced.load(Ordering::Relaxed) => {
                refuse(PARAMETER, format!("no product {product_id} is published"))
            }
            None => Ok(()),
        }
    }
}

fn member<'a>(data: &'a Map<String, Value>, name: &str) -> Result<&'a Value, VirtualRefusal> {
    match data.get(name) {
        Some(value) => Ok(value),
        None => refuse(PARAMETER, format!("signData lacks {name}")),
    }
}

fn number(data: &Map<String, Value>, name: &str) -> Result<i64, VirtualRefusal> {
    match member(data, name)?.as_i64() {
        Some(number) => Ok(number),
        None => refuse(PARAMETER, format!("{name} must be a whole number")),
    }
}

fn string(data: &Map<String, Value>, name: &str) -> Result<String, VirtualRefusal> {
    match member(data, name)?.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => refuse(PARAMETER, format!("{name} must be a text")),
    }
}
