//! WeChat's `api.weixin.qq.com`: logging in, server calls, virtual payment, message push.
//!
//! Rules that shape these files: errors come with HTTP 200 and an `errcode`, and code2session labels
//! its JSON `text/plain` (mini-program documentation, "code2Session"); codes are single use, so a
//! call that may have reached WeChat is never repeated with the same code.

mod access_token;
mod answer;
mod connection;
mod content_check;
mod hashes;
pub mod push;
mod session;
mod shipping;
mod subscribe;
mod virtual_payment;
mod weixin;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::answer::WechatError;
use self::answer::{PhoneAnswer, SessionAnswer};
use self::connection::{Connection, encode};
pub use self::content_check::{
    CheckError, CheckScene, CheckedText, MediaCheck, TextVerdict, Verdict,
};
pub use self::shipping::{Shipping, ShippingReport};
pub use self::subscribe::{FieldKind, MiniProgramState, SubscribeMessage, SubscribeOutcome};
pub use self::virtual_payment::{
    VirtualEnv, VirtualOrder, VirtualOrderState, VirtualPayError, VirtualPayParams, VirtualPayment,
    VirtualPaymentSettings, VirtualRefund, VirtualTransaction,
};
pub use self::weixin::Weixin;
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::clients::call_stats::CallState;

/// The mini-program's account and the bounds of the calls.
#[derive(Clone, Debug)]
pub struct WechatSettings {
    /// Without a slash at the end.
    pub base: String,
    pub appid: String,
    pub secret: Secret<String>,
    pub timeout: Duration,
    pub concurrency: u32,
    pub queue: u32,
}

/// Who logged in, as WeChat says.
#[derive(Debug)]
pub struct WechatSession {
    pub openid: String,
    pub unionid: Option<String>,
    /// Base64 text of 16 bytes. Never leaves the server.
    pub session_key: Secret<String>,
}

/// The client of `api.weixin.qq.com`, as far as logging in needs it.
pub struct WechatClient {
    connection: Arc<Connection>,
}

#[derive(Serialize)]
struct PhoneRequest<'a> {
    code: &'a str,
}

impl WechatClient {
    /// Prepares the client; nothing is sent yet.
    pub fn new(settings: WechatSettings, clock: Clock) -> Self {
        Self { connection: Arc::new(Connection::new(settings, clock)) }
    }

    /// What became of the calls so far.
    pub fn calls(&self) -> CallState {
        self.connection.calls()
    }

    /// Whether WeChat accepts app id and secret: asks for the access token that it has anyway, which
    /// changes nothing there.
    ///
    /// # Errors
    /// [`WechatError`].
    pub async fn check_account(&self) -> Result<(), WechatError> {
        self.connection.fetch_token().await.map(drop)
    }

    /// What WeChat complained about so far, by kind.
    pub fn errors(&self) -> Vec<(&'static str, u64)> {
        self.connection.errors.all()
    }

    /// How often an access token was had, and how often not.
    pub fn token_fetches(&self) -> (u64, u64) {
        self.connection.token_fetches()
    }

    /// The other server calls, over the same line and with the same access token.
    pub fn weixin(&self) -> Weixin {
        Weixin::new(Arc::clone(&self.connection))
    }

    /// Virtual payment, over the same line and with the same access token.
    pub fn virtual_payment(&self, settings: VirtualPaymentSettings) -> VirtualPayment {
        VirtualPayment::new(Arc::clone(&self.connection), settings)
    }

    /// Exchanges a code of `wx.login` (`GET /sns/jscode2session`).
    ///
    /// # Errors
    /// [`WechatError`]; repeated once after "busy" or when no connection came about.
    pub async fn code_to_session(&self, code: &str) -> Result<WechatSession, WechatError> {
        let target = format!(
            "/sns/jscode2session?appid={}&secret={}&js_code={}&grant_type=authorization_code",
            encode(&self.connection.appid),
            encode(self.connection.secret.expose()),
            encode(code),
        );
        let answer: SessionAnswer = self.connection.get(&target).await?;
        match (answer.openid, answer.session_key) {
            (Some(openid), Some(session_key)) if !openid.is_empty() => {
                let unionid = answer.unionid.filter(|id| !id.is_empty());
                Ok(WechatSession { openid, unionid, session_key: Secret::new(session_key) })
            }
            _ => Err(WechatError::Garbled),
        }
    }

    /// Exchanges a code of the `getPhoneNumber` button for the number without country code
    /// (`POST /wxa/business/getuserphonenumber`).
    ///
    /// # Errors
    /// [`WechatError`]; a dead access token is fetched anew once.
    pub async fn phone_number(&self, code: &str) -> Result<String, WechatError> {
        let answer: PhoneAnswer = self
            .connection
            .post("/wxa/business/getuserphonenumber", &PhoneRequest { code })
            .await?;
        let info = answer.phone_info.ok_or(WechatError::Garbled)?;
        // A number that was made for another app must not be taken for this user's.
        if info.watermark.appid != self.connection.appid {
            return Err(WechatError::Garbled);
        }
        Ok(info.pure_phone_number)
    }
}
