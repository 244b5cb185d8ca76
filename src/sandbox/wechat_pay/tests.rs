//! The rules of WeChat Pay over real HTTP, seen by a merchant who signs by hand.

mod bills;
mod notices;
mod orders;
mod refunds;
mod strictness;

use std::sync::Arc;

use serde_json::{Value, json};

use super::WechatPaySim;
use crate::base::clock::{Clock, TestClock};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::testing::{Answer, Inbox, Wire};
use crate::sandbox::{Sandbox, SandboxSettings, WechatSim, crypto};

/// 2026-01-29T20:00:00+08:00.
const START: UnixMillis = UnixMillis(1_769_688_000_000);

/// How a call is signed; what a test changes, it changes here.
struct Header {
    scheme: &'static str,
    mchid: String,
    serial: String,
    nonce: String,
    timestamp: i64,
    /// Between URL and signature, to sign another body than is sent.
    signed_body: Option<String>,
}

struct World {
    sandbox: Sandbox,
    clock: TestClock,
    rng: Rng,
    wire: Wire,
    inbox: Arc<Inbox>,
}

impl World {
    async fn start() -> Self {
        let clock = TestClock::at(START);
        let settings = SandboxSettings { deliver: false, ..SandboxSettings::default() };
        let sandbox =
            Sandbox::start(settings, Clock::test(clock.clone()), Rng::seeded(1)).await.unwrap();
        let (wire, inbox) = (Wire::default(), Inbox::start().await);
        Self { sandbox, clock, rng: Rng::seeded(2), wire, inbox }
    }

    fn pay(&self) -> &WechatPaySim {
        self.sandbox.wechat_pay()
    }

    fn header(&self) -> Header {
        Header {
            scheme: "WECHATPAY2-SHA256-RSA2048",
            mchid: WechatPaySim::MCHID.to_owned(),
            serial: self.pay().merchant_serial().to_owned(),
            nonce: crypto::hex(&self.rng.bytes::<16>()),
            timestamp: self.clock.now().seconds(),
            signed_body: None,
        }
    }

    fn authorization(&self, header: &Header, method: &str, path: &str, body: &str) -> String {
        let Header { scheme, mchid, serial, nonce, timestamp, signed_body } = header;
        let body = signed_body.as_deref().unwrap_or(body);
        let message = format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n");
        let signature = self.pay().signing.keys.merchant.sign(message.as_bytes());
        format!(
            "{scheme} mchid=\"{mchid}\",nonce_str=\"{nonce}\",timestamp=\"{timestamp}\",\
             serial_no=\"{serial}\",signature=\"{signature}\""
        )
    }

    async fn send(&self, header: &Header, method: &str, path: &str, body: &str) -> Answer {
        let authorization = self.authorization(header, method, path, body);
        self.send_raw(&[("Authorization", &authorization)], method, path, body).await
    }

    async fn send_raw(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: &str,
    ) -> Answer {
        let mut all = vec![("Accept", "application/json"), ("User-Agent", "test")];
        if !body.is_empty() {
            all.push(("Content-Type", "application/json"));
        }
        // A test's own header stands for the usual one.
        all.retain(|(name, _)| headers.iter().all(|(other, _)| !other.eq_ignore_ascii_case(name)));
        all.extend_from_slice(headers);
        let url = format!("{}{path}", self.pay().base());
        self.wire.call(method, &url, &all, body.as_bytes()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&self.header(), "GET", path, "").await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.header(), "POST", path, &body.to_string()).await
    }

    /// What a prepay takes.
    fn order(&self, number: &str, total: i64) -> Value {
        json!({
            "appid": WechatSim::APPID,
            "mchid": WechatPaySim::MCHID,
            "description": "会员 30 天",
            "out_trade_no": number,
            "attach": "a,b",
            "notify_url": self.inbox.url("/notify"),
            "amount": { "total": total, "currency": "CNY" },
            "payer": { "openid": "alice" },
        })
    }

    async fn prepay(&self, number: &str, total: i64) -> String {
        let answer = self.post("/v3/pay/transactions/jsapi", &self.order(number, total)).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["prepay_id"].as_str().unwrap().to_owned()
    }

    async fn query(&self, number: &str) -> Answer {
        let mchid = WechatPaySim::MCHID;
        self.get(&format!("/v3/pay/transactions/out-trade-no/{number}?mchid={mchid}")).await
    }

    async fn close(&self, number: &str) -> Answer {
        let body = json!({ "mchid": WechatPaySim::MCHID });
        self.post(&format!("/v3/pay/transactions/out-trade-no/{number}/close"), &body).await
    }

    fn refund_body(&self, number: &str, refund_no: &str, refund: i64, total: i64) -> Value {
        json!({
            "out_trade_no": number,
            "out_refund_no": refund_no,
            "reason": "用户申请",
            "notify_url": self.inbox.url("/refund-notify"),
            "amount": { "refund": refund, "total": total, "currency": "CNY" },
        })
    }

    async fn refund(&self, number: &str, refund_no: &str, refund: i64, total: i64) -> Answer {
        let body = self.refund_body(number, refund_no, refund, total);
        self.post("/v3/refund/domestic/refunds", &body).await
    }

    /// Checks an answer's signature with the key its header names.
    fn is_signed(&self, answer: &Answer) -> bool {
        self.holds(&|name| answer.header(name), &answer.body)
    }

    fn holds(&self, header: &dyn Fn(&str) -> String, body: &[u8]) -> bool {
        let keys = self.pay().signing.keys;
        let serial = header("wechatpay-serial");
        let all = keys.platform.iter().chain([&keys.public_key]);
        let Some(signer) = all.into_iter().find(|signer| signer.id == serial) else { return false };
        let mut message =
            format!("{}\n{}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"))
                .into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        crypto::rsa_verify(&signer.public_der, &message, &header("wechatpay-signature"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let body = answer.json();
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{body}");
    assert!(body["message"].is_string());
}
