//! WeChat's server API as far as the product calls it: log-in codes, access tokens, phone numbers,
//! content safety, subscribe messages, shipping reports, and the calls of virtual payment.
//!
//! It answers as `api.weixin.qq.com` does: HTTP 200 for errors, `errcode` only when there is one,
//! a `rid` in every `errmsg`, `text/plain` for the log-in. The rules for codes:
//!
//! | code | what it does |
//! |---|---|
//! | `dev-NAME` | logs in as openid `NAME`, as often as you like |
//! | `once-ID-NAME` | the same, once; then 40163 |
//! | `busy-…` | -1 |
//! | `limited-…` | 45011 |
//! | `blocked-…` | 40226 |
//! | `phone-13812345678` | that phone number, as often as you like |
//! | from [`WechatSim::login_code`], [`WechatSim::phone_code`] | once, for five minutes |
//!
//! Every other code, and one kind of code used for the other, is 40029.

mod codes;
mod messages;
mod moderation;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moka::sync::Cache;
use parking_lot::Mutex;
use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

pub use self::messages::{SentMessage, Shipped};
pub use self::moderation::{Moderation, PictureVerdict, Suggest, Word};

use self::codes::{Codes, Kind};
use self::messages::Messages;
use self::tokens::Tokens;
use super::crypto;
use super::journal::Journal;
use super::listener::{Call, Reply, Simulator};
use super::message_push::MessagePush;
use super::plan::Faults;
use super::virtual_payment::{Platform, VirtualOrder, VirtualPaymentSim, VirtualRefusal};
use super::wechat_pay::WechatPaySim;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Users whose session key is remembered.
const MAX_SESSIONS: u64 = 100_000;

const LOGIN: &str = "/sns/jscode2session";
const TOKEN: &str = "/cgi-bin/stable_token";
const PHONE: &str = "/wxa/business/getuserphonenumber";
const CHECK_SESSION: &str = "/wxa/checksession";

/// A kind of call that needs an access token, each with its own knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WechatCall {
    /// Asking for an order of virtual payment.
    VirtualQuery,
    /// Asking for a refund of virtual payment.
    VirtualRefund,
    /// Telling that the goods were handed over.
    VirtualProvide,
    /// Asking for a bill of virtual payment.
    VirtualBill,
    /// Reporting a shipment.
    Shipping,
    /// Sending a subscribe message.
    Subscribe,
    /// Checking a text.
    TextCheck,
    /// Checking a picture.
    MediaCheck,
    /// Checking a session key.
    SessionCheck,
}

impl WechatCall {
    /// All of them, with their paths and the names the control page has for them.
    pub(super) const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::VirtualQuery, "/xpay/query_order", "wechat.virtualQuery"),
        (Self::VirtualRefund, "/xpay/refund_order", "wechat.virtualRefund"),
        (Self::VirtualProvide, "/xpay/notify_provide_goods", "wechat.virtualProvide"),
        (Self::VirtualBill, "/xpay/download_bill", "wechat.virtualBill"),
        (Self::Shipping, "/wxa/sec/order/upload_shipping_info", "wechat.shipping"),
        (Self::Subscribe, "/cgi-bin/message/subscribe/send", "wechat.subscribe"),
        (Self::TextCheck, "/wxa/msg_sec_check", "wechat.textCheck"),
        (Self::MediaCheck, "/wxa/media_check_async", "wechat.mediaCheck"),
        (Self::SessionCheck, CHECK_SESSION, "wechat.sessionCheck"),
    ];

    fn at(path: &str) -> Option<(usize, Self)> {
        let at = Self::ALL.iter().position(|(_, known, _)| *known == path)?;
        Some((at, Self::ALL[at].0))
    }
}

/// A user's newest session.
#[derive(Clone, Debug)]
struct Session {
    key: String,
    since: UnixMillis,
}

/// The simulated WeChat. Listens as long as its [`Sandbox`](super::Sandbox) runs.
#[derive(Debug)]
pub struct WechatSim {
    address: SocketAddr,
    clock: Clock,
    rng: Rng,
    journal: Journal,
    login_faults: Faults,
    token_faults: Faults,
    phone_faults: Faults,
    codes: Codes,
    sessions: Cache<String, Session>,
    tokens: Mutex<Tokens>,
    unionids: AtomicBool,
    call_faults: [Faults; WechatCall::ALL.len()],
    messages: Messages,
    moderation: Moderation,
    push: Arc<MessagePush>,
    virtual_payment: VirtualPaymentSim,
    pay: Arc<WechatPaySim>,
}

impl WechatSim {
    /// The only app it knows.
    pub const APPID: &'static str = "wxsandbox000000000";
    /// That app's secret. Of no use anywhere else.
    pub const SECRET: &'static str = "sandbox-secret-of-no-real-app-00";

    pub(super) fn new(
        address: SocketAddr,
        push: Arc<MessagePush>,
        pay: Arc<WechatPaySim>,
        clock: Clock,
        rng: Rng,
    ) -> Self {
        let virtual_payment = VirtualPaymentSim::new(clock.clone(), rng.clone(), Arc::clone(&push));
        Self {
            address,
            call_faults: Default::default(),
            messages: Messages::default(),
            moderation: Moderation::default(),
            push,
            virtual_payment,
            pay,
            clock,
            rng,
            journal: Journal::default(),
            login_faults: Faults::default(),
            token_faults: Faults::default(),
            phone_faults: Faults::default(),
            codes: Codes::default(),
            sessions: Cache::new(MAX_SESSIONS),
            tokens: Mutex::default(),
            unionids: AtomicBool::new(true),
        }
    }

    /// What stands for `https://api.weixin.qq.com`; no slash at the end.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last requests.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The knobs of `jscode2session`.
    pub fn login_faults(&self) -> &Faults {
        &self.login_faults
    }

    /// The knobs of `stable_token`.
    pub fn token_faults(&self) -> &Faults {
        &self.token_faults
    }

    /// The knobs of `getuserphonenumber`.
    pub fn phone_faults(&self) -> &Faults {
        &self.phone_faults
    }

    /// Whether log-ins carry `unionid` (`u-NAME`), as when the app is bound to an open platform
    /// account. On at first.
    pub fn set_unionids(&self, on: bool) {
        self.unionids.store(on, Ordering::Relaxed);
    }

    /// A real log-in code for `openid`: once, for five minutes.
    pub fn login_code(&self, openid: &str) -> String {
        self.codes.issue(Kind::Login, openid, self.clock.now(), &self.rng)
    }

    /// A real phone code for `number`: once, for five minutes.
    pub fn phone_code(&self, number: &str) -> String {
        self.codes.issue(Kind::Phone, number, self.clock.now(), &self.rng)
    }

    /// The newest session key of a user, in base64.
    pub fn session_key(&self, openid: &str) -> Option<String> {
        self.sessions.get(openid).map(|session| session.key)
    }

    /// The knobs of a call that needs an access token.
    pub fn faults_of(&self, call: WechatCall) -> &Faults {
        let at = WechatCall::ALL.iter().position(|(known, ..)| *known == call).unwrap_or_default();
        &self.call_faults[at]
    }

    /// The knobs of content safety.
    pub fn moderation(&self) -> &Moderation {
        &self.moderation
    }

    /// The events it pushes.
    pub fn push(&self) -> &MessagePush {
        &self.push
    }

    /// Virtual payment.
    pub fn virtual_payment(&self) -> &VirtualPaymentSim {
        &self.virtual_payment
    }

    /// The user's `wx.requestVirtualPayment` with the parameters the server gave, which are checked
    /// as WeChat does. The delivery is pushed.
    ///
    /// # Errors
    /// As `wx.requestVirtualPayment` fails.
    pub fn pay_virtually(
        &self,
        openid: &str,
        params: &Value,
        platform: Platform,
    ) -> Result<VirtualOrder, VirtualRefusal> {
        let key = self.session_key(openid);
        self.virtual_payment.pay_as(openid, key.as_deref(), params, platform)
    }

    /// The same, and nobody is told.
    ///
    /// # Errors
    /// As `wx.requestVirtualPayment` fails.
    pub fn pay_virtually_in_silence(
        &self,
        openid: &str,
        params: &Value,
        platform: Platform,
    ) -> Result<VirtualOrder, VirtualRefusal> {
        let key = self.session_key(openid);
        self.virtual_payment.place(openid, key.as_deref(), params, platform)
    }

    /// Kills all access tokens, as another forced refresh somewhere would.
    pub fn revoke_access_tokens(&self) {
        self.tokens.lock().revoke();
    }

    fn failure(&self, code: i64) -> Value {
        let text = match code {
            -1 => "system error",
            40001 => "invalid credential, access_token is invalid or not latest",
            40002 => "invalid grant_type",
            40013 => "invalid appid",
            40029 => "invalid code",
            40125 => "invalid appsecret",
            40163 => "code been used",
            40226 => "code blocked",
            41001 => "access_token missing",
            41002 => "appid missing",
            41004 => "appsecret missing",
            41008 => "missing code",
            42001 => "access_token expired",
            43001 => "require GET method",
            43002 => "require POST method",
            40003 => "invalid openid",
            40037 => "invalid template_id",
            40097 => "invalid args",
            40129 => "invalid scene",
            41030 => "invalid page",
            43101 => "user refuse to accept the msg",
            44002 => "empty content",
            45002 => "content size out of limit",
            45009 => "reach max api daily quota limit",
            45011 => "api minute-quota reach limit, must slower, retry next minute",
            47001 => "data format error",
            47003 => "argument invalid",
            48001 => "api unauthorized",
            61010 => "code is expired",
            87009 => "invalid signature",
            10_060_001 => "支付单不存在",
            10_060_002 => "支付单已完成发货，无法继续发货",
            10_060_004 => "支付单处于不可发货的状态",
            10_060_012 => "参数错误",
            268_490_001 => "openid错误",
            268_490_002 => "请求参数字段错误，或无数据",
            268_490_003 => "签名错误",
            268_490_004 => "重复操作",
            268_490_011 => "数据生成中，请稍后调用本接口获取",
            268_490_014 => "退款操作进行中，稍后可以使用相同参数重试",
            268_490_016 => "退款金额和实际剩余金额不一致",
            _ => "error",
        };
        let now = self.clock.now().seconds();
        let rid =
            format!("{now:x}-{:08x}-{:08x}", self.rng.below(1 << 32), self.rng.below(1 << 32));
        json!({ "errcode": code, "errmsg": format!("{text}, rid: {rid}") })
    }

    fn log_in(&self, call: &Call) -> Result<Value, i64> {
        check_app(call.query("appid"), call.query("secret"))?;
        if call.query("grant_type") != "authorization_code" {
            return Err(40002);
        }
        let openid = self.codes.log_in(call.query("js_code"), self.clock.now())?;
        let session_key = STANDARD.encode(self.rng.bytes::<16>());
        let session = Session { key: session_key.clone(), since: self.clock.now() };
        self.sessions.insert(openid.clone(), session);
        let mut answer = json!({ "session_key": session_key, "openid": openid });
        if self.unionids.load(Ordering::Relaxed) {
            answer["unionid"] = format!("u-{openid}").into();
        }
        Ok(answer)
    }

    fn stable_token(&self, call: &Call) -> Result<Value, i64> {
        let body = call.json().ok_or(47001)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if text("grant_type") != "client_credential" {
            return Err(40002);
        }
        check_app(text("appid"), text("secret"))?;
        let forced = body["force_refresh"].as_bool().unwrap_or_default();
        let now = self.clock.now();
        let (token, expires_in) = self.tokens.lock().get(forced, now, &self.rng)?;
        Ok(json!({ "access_token": token, "expires_in": expires_in }))
    }

    /// A call that needs an access token.
    fn with_token(&self, what: WechatCall, call: &Call) -> Result<Value, i64> {
        let is_get = what == WechatCall::SessionCheck;
        if is_get != (call.method == Method::GET) {
            return Err(if is_get { 43001 } else { 43002 });
        }
        self.tokens.lock().check(call.query("access_token"), self.clock.now())?;
        let done = || json!({ "errcode": 0, "errmsg": "ok" });
        match what {
            WechatCall::Shipping => self.ship(call).map(|()| done()),
            WechatCall::Subscribe => self.send_message(call).map(|()| done()),
            WechatCall::TextCheck => self.check_text(call),
            WechatCall::MediaCheck => self.check_media(call),
            WechatCall::SessionCheck => self.check_session(call).map(|()| done()),
            WechatCall::VirtualQuery
            | WechatCall::VirtualRefund
            | WechatCall::VirtualProvide
            | WechatCall::VirtualBill => self.virtual_payment.answer(call, &self.base()),
        }
    }

    /// Whether the caller has the newest session key: it signs the empty text with it.
    fn check_session(&self, call: &Call) -> Result<(), i64> {
        let session = self.sessions.get(call.query("openid")).ok_or(40003)?;
        let is_good = call.query("sig_method") == "hmac_sha256"
            && call.query("signature") == crypto::hmac_hex(&session.key, "");
        if is_good { Ok(()) } else { Err(87009) }
    }

    fn phone_number(&self, call: &Call) -> Result<Value, i64> {
        let now = self.clock.now();
        self.tokens.lock().check(call.query("access_token"), now)?;
        let body = call.json().ok_or(47001)?;
        let number = self.codes.phone(body["code"].as_str().ok_or(40029)?, now)?;
        // The documentation says text and its sample shows a number, so clients must take both.
        let odd = number.bytes().last().is_some_and(|digit| digit % 2 == 1);
        let country = if odd { json!(86) } else { json!("86") };
        Ok(json!({
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": number,
                "purePhoneNumber": number,
                "countryCode": country,
                "watermark": { "timestamp": now.seconds(), "appid": Self::APPID },
            },
        }))
    }
}

fn check_app(appid: &str, secret: &str) -> Result<(), i64> {
    match (appid, secret) {
        ("", _) => Err(41002),
        (WechatSim::APPID, "") => Err(41004),
        (WechatSim::APPID, WechatSim::SECRET) => Ok(()),
        (WechatSim::APPID, _) => Err(40125),
        _ => Err(40013),
    }
}

impl Simulator for WechatSim {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn faults(&self, call: &Call) -> Option<&Faults> {
        match call.path.as_str() {
            LOGIN => Some(&self.login_faults),
            TOKEN => Some(&self.token_faults),
            PHONE => Some(&self.phone_faults),
            path => WechatCall::at(path).and_then(|(at, _)| self.call_faults.get(at)),
        }
    }

    fn error(&self, call: &Call, code: i64) -> Reply {
        reply(call, &self.failure(code))
    }

    async fn answer(&self, call: &Call) -> Reply {
        if let Some((_, what)) = WechatCall::at(&call.path) {
            let answer = self.with_token(what, call);
            return reply(call, &answer.unwrap_or_else(|code| self.failure(code)));
        }
        if let Some(file) = self.virtual_payment.bill_file(call) {
            return file;
        }
        let answer = match (call.path.as_str(), &call.method) {
            (LOGIN, &Method::GET) => self.log_in(call),
            (LOGIN, _) => Err(43001),
            (TOKEN, &Method::POST) => self.stable_token(call),
            (PHONE, &Method::POST) => self.phone_number(call),
            (TOKEN | PHONE, _) => Err(43002),
            _ => return Reply::empty(StatusCode::NOT_FOUND),
        };
        reply(call, &answer.unwrap_or_else(|code| self.failure(code)))
    }
}

fn reply(call: &Call, body: &Value) -> Reply {
    let mut reply = Reply::json(StatusCode::OK, body);
    if call.path == LOGIN {
        reply.content_type = "text/plain";
    }
    reply
}

#[cfg(test)]
mod tests;
