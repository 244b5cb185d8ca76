//! Virtual payment and message push over real HTTP.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Platform, VirtualPaymentSim, VirtualRefundOutcome};
use crate::base::clock::{Clock, TestClock};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::crypto::{self, opening::push_open};
use crate::sandbox::testing::{Inbox, Wire};
use crate::sandbox::{
    MessagePush, PushDelivery, PushFormat, Recorded, Sandbox, SandboxSettings, WechatSim,
};

const START: UnixMillis = UnixMillis(1_769_688_000_000);
const NUMBER: &str = "DREAM0000000001";

struct World {
    sandbox: Sandbox,
    clock: TestClock,
    wire: Wire,
    inbox: Arc<Inbox>,
    token: String,
}

impl World {
    async fn start() -> Self {
        let (clock, inbox, wire) = (TestClock::at(START), Inbox::start().await, Wire::default());
        let settings = SandboxSettings {
            deliver: false,
            push_url: Some(inbox.url("/push")),
            ..SandboxSettings::default()
        };
        let sandbox =
            Sandbox::start(settings, Clock::test(clock.clone()), Rng::seeded(1)).await.unwrap();
        let base = sandbox.wechat().base();
        let (id, secret) = (WechatSim::APPID, WechatSim::SECRET);
        let body = json!({ "grant_type": "client_credential", "appid": id, "secret": secret });
        let url = format!("{base}/cgi-bin/stable_token");
        let answer = wire.post(&url, &[], body.to_string().as_bytes()).await.unwrap().json();
        let url = format!(
            "{base}/sns/jscode2session?appid={id}&secret={secret}&js_code=dev-alice&grant_type=authorization_code"
        );
        wire.get(&url, &[]).await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { sandbox, clock, wire, inbox, token }
    }

    fn wechat(&self) -> &WechatSim {
        self.sandbox.wechat()
    }

    /// What the server gives the mini-program, with `changed` signed as if it were right.
    fn params(&self, changed: impl FnOnce(&mut Value)) -> Value {
        let mut data = json!({
            "offerId": VirtualPaymentSim::OFFER_ID,
            "buyQuantity": 1,
            "env": 0,
            "currencyType": "CNY",
            "productId": "vip_month",
            "goodsPrice": 1990,
            "outTradeNo": NUMBER,
            "attach": "附加",
        });
        changed(&mut data);
        let text = data.to_string();
        let key = if data["env"] == 1 {
            VirtualPaymentSim::SANDBOX_APP_KEY
        } else {
            VirtualPaymentSim::APP_KEY
        };
        json!({
            "mode": "short_series_goods",
            "signData": text,
            "paySig": crypto::hmac_hex(key, &format!("requestVirtualPayment&{text}")),
            "signature": crypto::hmac_hex(&self.wechat().session_key("alice").unwrap(), &text),
        })
    }

    fn buy(&self, params: &Value) -> Result<(), i64> {
        let bought = self.wechat().pay_virtually("alice", params, Platform::Android);
        bought.map(drop).map_err(|refusal| refusal.code)
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let pay_sig = crypto::hmac_hex(VirtualPaymentSim::APP_KEY, &format!("{path}&{body}"));
        self.call_signed(path, &body, &pay_sig).await
    }

    async fn call_signed(&self, path: &str, body: &str, pay_sig: &str) -> Value {
        let (base, token) = (self.wechat().base(), &self.token);
        let url = format!("{base}{path}?access_token={token}&pay_sig={pay_sig}");
        let answer = self.wire.post(&url, &[], body.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200);
        answer.json()
    }

    async fn query(&self) -> Value {
        let body = json!({ "openid": "alice", "env": 0, "order_id": NUMBER });
        self.call("/xpay/query_order", &body).await["order"].clone()
    }

    async fn refund(&self, id: &str, left: i64, fen: i64) -> i64 {
        let body = json!({
            "openid": "alice", "env": 0, "order_id": NUMBER, "refund_order_id": id,
            "left_fee": left, "refund_fee": fen, "biz_meta": "", "refund_reason": "3", "req_from": "1",
        });
        self.call("/xpay/refund_order", &body).await["errcode"].as_i64().unwrap()
    }

    /// The pushes that came, opened; `None` for those that do not hold.
    fn pushes(&self) -> Vec<Option<String>> {
        self.inbox.got().iter().map(open).collect()
    }
}

/// Checks a push as a server must.
fn open(got: &Recorded) -> Option<String> {
    let query: Vec<(&str, &str)> =
        got.target.split_once('?')?.1.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let of = |name: &str| query.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let body = String::from_utf8(got.body.clone()).unwrap();
    let sealed = match serde_json::from_str::<Value>(&body) {
        Ok(body) => body["Encrypt"].as_str()?.to_owned(),
        Err(_) => {
            let rest = body.split_once("<Encrypt><![CDATA[")?.1;
            rest.split_once("]]></Encrypt>")?.0.to_owned()
        }
    };
    let (timestamp, nonce) = (of("timestamp")?, of("nonce")?);
    let signature = crypto::sorted_sha1(&[MessagePush::TOKEN, timestamp, nonce, &sealed]);
    let key = crypto::push_key(MessagePush::AES_KEY)?;
    (of("msg_signature")? == signature && of("encrypt_type")? == "aes")
        .then(|| push_open(&key, &sealed, WechatSim::APPID))?
}

impl Drop for World {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

#[tokio::test]
async fn wrong_parameters_of_the_client_fail_with_their_code() {
    let world = World::start().await;
    let of = |name: &'static str, value: Value| world.params(move |data| data[name] = value);
    for (params, code) in [
        (of("offerId", json!(1_450_019_686)), -15016),
        (of("offerId", json!("1")), -15001),
        (of("buyQuantity", json!(0)), -15001),
        (of("env", json!(2)), -15001),
        (of("currencyType", json!("USD")), -15001),
        (of("productId", json!("")), -15001),
        (of("goodsPrice", json!("1990")), -15001),
        (of("outTradeNo", json!("_REAM0000000001")), -15001),
        (of("outTradeNo", json!("short")), -15001),
        (of("attach", Value::Null), -15001),
        (of("platform", json!("android")), -15001),
        (of("activitySellingPrice", json!(100)), -15001),
    ] {
        assert_eq!(world.buy(&params), Err(code), "{params}");
    }
    let with = |name: &str, value: &str| {
        let mut params = world.params(|_| {});
        params[name] = value.into();
        params
    };
    assert_eq!(world.buy(&with("mode", "short_series_coin")), Err(-15001));
    assert_eq!(world.buy(&with("paySig", "00")), Err(-15006));
    assert_eq!(world.buy(&with("signature", "00")), Err(-15005));
    assert_eq!(world.buy(&with("signData", "{}")), Err(-15001));
    assert!(world.wechat().pay_virtually("bob", &world.params(|_| {}), Platform::Ios).is_err());

    world.wechat().virtual_payment().publish("vip_month", 2000);
    assert_eq!(world.buy(&world.params(|_| {})), Err(-15001));
    world.wechat().virtual_payment().publish("vip_month", 1990);
    world.wechat().virtual_payment().enforce_prices(true);
    assert_eq!(world.buy(&of("productId", json!("vip_year"))), Err(-15001));
    assert_eq!(world.buy(&world.params(|_| {})), Ok(()));
    assert_eq!(world.buy(&world.params(|_| {})), Err(-15001), "a number is used once");
}

#[tokio::test]
async fn a_payment_is_pushed_until_it_is_accepted_and_then_delivered() {
    for format in [PushFormat::Json, PushFormat::Xml] {
        let world = World::start().await;
        world.wechat().push().set_format(format);
        world.inbox.answer_next(200, r#"{"ErrCode":1,"ErrMsg":"no"}"#);
        world.inbox.answer_next(200, r#"{"ErrCode":0,"ErrMsg":"success"}"#);
        world.buy(&world.params(|_| {})).unwrap();
        world.sandbox.deliver_due().await;
        assert_eq!(world.query().await["status"], 2);
        world.clock.advance(Duration::from_secs(2));
        world.sandbox.deliver_due().await;
        let order = world.query().await;
        assert_eq!((&order["status"], &order["env_type"]), (&json!(4), &json!(1)));
        let pushes = world.pushes();
        assert_eq!(pushes.len(), 2);
        for push in pushes {
            let push = push.unwrap();
            assert!(push.contains("xpay_goods_deliver_notify") && push.contains(NUMBER), "{push}");
            assert!(push.contains("1990") && push.contains("TransactionId"), "{push}");
        }
        assert_eq!(world.sandbox.undelivered(), 0);
    }
}

#[tokio::test]
async fn bad_pushes_do_not_hold_and_good_ones_follow() {
    for delivery in [
        PushDelivery::Tampered,
        PushDelivery::WrongToken,
        PushDelivery::OtherApp,
        PushDelivery::Plain,
    ] {
        let world = World::start().await;
        world.wechat().push().plan().next(delivery.clone(), 1);
        world.inbox.answer_next(401, "");
        world.inbox.answer_next(200, "success");
        world.buy(&world.params(|_| {})).unwrap();
        world.sandbox.deliver_due().await;
        world.clock.advance(Duration::from_secs(2));
        world.sandbox.deliver_due().await;
        let pushes = world.pushes();
        assert!(pushes[0].is_none() && pushes[1].is_some(), "{delivery:?}");
    }
}

#[tokio::test]
async fn apple_has_no_numbers_of_wechat_pay_no_sandbox_and_no_refunds_of_ours() {
    let world = World::start().await;
    let buy = |params: Value| world.wechat().pay_virtually("alice", &params, Platform::Ios);
    assert!(buy(world.params(|data| data["env"] = 1.into())).is_err());
    assert!(buy(world.params(|data| data["goodsPrice"] = 99.into())).is_err());
    buy(world.params(|_| {})).unwrap();
    world.inbox.answer_next(200, "");
    world.sandbox.deliver_due().await;
    assert!(!world.pushes()[0].as_ref().unwrap().contains("WeChatPayInfo"));
    assert_eq!(world.refund("REFUND01", 1990, 1990).await, 268_490_002);

    world.inbox.answer_next(200, "");
    world.wechat().virtual_payment().refund_by_user(NUMBER, 1990).unwrap();
    world.sandbox.deliver_due().await;
    let push = world.pushes().pop().unwrap().unwrap();
    assert!(push.contains("xpay_refund_notify") && push.contains(r#""MchRefundId":"""#), "{push}");
    assert_eq!(world.query().await["status"], 8);
}

#[tokio::test]
async fn server_calls_need_their_signature_and_one_number() {
    let world = World::start().await;
    world.buy(&world.params(|_| {})).unwrap();
    let path = "/xpay/query_order";
    let body = json!({ "openid": "alice", "env": 0, "order_id": NUMBER }).to_string();
    let with_query = crypto::hmac_hex(VirtualPaymentSim::APP_KEY, &format!("{path}?a=b&{body}"));
    let without_slash =
        crypto::hmac_hex(VirtualPaymentSim::APP_KEY, &format!("{}&{body}", &path[1..]));
    let other_env = crypto::hmac_hex(VirtualPaymentSim::SANDBOX_APP_KEY, &format!("{path}&{body}"));
    for wrong in ["", &with_query, &without_slash, &other_env] {
        assert_eq!(world.call_signed(path, &body, wrong).await["errcode"], 268_490_003);
    }
    let wx = world.query().await["wx_order_id"].clone();
    for (body, code) in [
        (
            json!({ "openid": "alice", "env": 0, "order_id": NUMBER, "wx_order_id": wx }),
            268_490_002,
        ),
        (json!({ "openid": "alice", "env": 0, "order_id": "DREAM0000000009" }), 268_490_002),
        (json!({ "openid": "bob", "env": 0, "order_id": NUMBER }), 268_490_001),
        (json!({ "openid": "alice", "env": 0, "wx_order_id": wx }), 0),
    ] {
        assert_eq!(world.call(path, &body).await["errcode"], code, "{body}");
    }
    let provided = json!({ "env": 0, "order_id": NUMBER });
    assert_eq!(world.call("/xpay/notify_provide_goods", &provided).await["errcode"], 0);
    assert_eq!(world.query().await["status"], 4);
    world.wechat().revoke_access_tokens();
    assert_eq!(world.call(path, &json!({})).await["errcode"], 40001);
}

#[tokio::test]
async fn refunds_keep_the_rules_and_end_later() {
    let world = World::start().await;
    world.buy(&world.params(|_| {})).unwrap();
    assert_eq!(world.refund("REFUND01", 1989, 10).await, 268_490_016);
    assert_eq!(world.refund("REFUND01", 1990, 1991).await, 268_490_002);
    assert_eq!(world.refund("short", 1990, 10).await, 268_490_002);
    let outcomes = world.wechat().virtual_payment().refund_outcomes();
    outcomes.next(VirtualRefundOutcome::Success { after_ms: 5000 }, 1);
    outcomes.next(VirtualRefundOutcome::Fail { after_ms: 0 }, 1);
    assert_eq!(world.refund("REFUND01", 1990, 990).await, 0);
    assert_eq!(world.refund("REFUND01", 1990, 990).await, 268_490_004);
    assert_eq!(world.refund("REFUND02", 1990, 1000).await, 268_490_014);
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.query().await["left_fee"], 1000);
    assert_eq!(world.refund("REFUND02", 1000, 1000).await, 0);
    assert_eq!(world.query().await["status"], 7);
    assert_eq!(world.refund("REFUND03", 1000, 1000).await, 0);
    let order = world.query().await;
    assert_eq!((&order["status"], &order["left_fee"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn a_bill_is_made_first_and_fetched_then() {
    let world = World::start().await;
    world.buy(&world.params(|_| {})).unwrap();
    let body = json!({ "begin_ds": 20_260_129, "end_ds": 20_260_129 });
    assert_eq!(world.call("/xpay/download_bill", &body).await["errcode"], 268_490_011);
    let url = world.call("/xpay/download_bill", &body).await["url"].as_str().unwrap().to_owned();
    let file = world.wire.get(&url, &[]).await.unwrap();
    assert!(String::from_utf8(file.body).unwrap().contains(NUMBER));
}

#[tokio::test]
async fn the_console_checks_the_address() {
    let world = World::start().await;
    world.wechat().push().check_url().await.unwrap();
    world.inbox.answer_next(200, "\"1\"");
    assert!(world.wechat().push().check_url().await.is_err());
    world.inbox.answer_next(401, "");
    assert!(world.wechat().push().check_url().await.is_err());
}
