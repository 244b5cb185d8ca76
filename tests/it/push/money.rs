//! Virtual payment from the order to what it gives, told by push: once, and only what fits.

use std::time::Duration;

use dream_bff::base::clock::Clock;
use dream_bff::base::secret::Secret;
use dream_bff::clients::wechat::{WechatClient, WechatSettings};
use dream_bff::sandbox::{Platform, PushDelivery, PushFormat, WechatSim};
use serde_json::{Value, json};

use super::pusher::{Pusher, SETTINGS};
use crate::support::{Answer, TestApp, User};

/// Alice and an order of hers for the month, 1999 fen, to be paid virtually.
struct Placed {
    t: TestApp,
    alice: User,
    order: String,
    params: Value,
}

async fn placed(t: TestApp) -> Placed {
    let alice = t.log_in("alice").await;
    let wanted = json!({ "planId": "vip_month", "paymentMethod": "virtual" });
    let order = alice.post("/v1/orders").json(&wanted).await.ok();
    let params = order["virtualPayParams"].clone();
    let order = order["orderId"].as_str().unwrap().to_owned();
    Placed { t, alice, order, params }
}

/// The same of a server that takes what [`Pusher`] sends.
async fn placed_for_pusher() -> Placed {
    placed(TestApp::with(&SETTINGS).await).await
}

impl Placed {
    async fn status(&self) -> String {
        let order = self.alice.get(&format!("/v1/orders/{}", self.order)).await.ok();
        order["status"].as_str().unwrap().to_owned()
    }

    /// The delivery that WeChat would push.
    fn delivery(&self) -> Value {
        json!({
            "ToUserName": "gh_1", "FromUserName": "official", "MsgType": "event",
            "Event": "xpay_goods_deliver_notify", "OpenId": "alice", "OutTradeNo": self.order,
            "Env": 0,
            "WeChatPayInfo": {"MchOrderNo": "XP1", "TransactionId": "4200001",
                "PaidTime": self.t.clock.now().0 / 1000},
            "GoodsInfo": {"ProductId": "vip_month", "Quantity": 1, "OrigPrice": 1999,
                "ActualPrice": 1999, "Attach": ""},
        })
    }

    async fn push(&self, nonce: &str, message: &Value) -> Answer {
        Pusher::of(&self.t, nonce, message).send(&self.t).await
    }

    fn grants(&self) -> i64 {
        self.t.count("SELECT count(*) FROM vip_grants")
    }

    fn events(&self, state: &str) -> i64 {
        let sql = "SELECT count(*) FROM payment_events WHERE source = 'push' AND state = ";
        self.t.count(&format!("{sql}'{state}'"))
    }
}

#[track_caller]
fn error_code(answer: &Answer) -> i64 {
    answer.ok()["ErrCode"].as_i64().unwrap()
}

#[tokio::test]
async fn what_the_simulator_sells_is_delivered_once_in_json_and_in_xml() {
    for format in [PushFormat::Json, PushFormat::Xml] {
        let p = placed(TestApp::start().await).await;
        let wechat = p.t.sandbox.wechat();
        wechat.push().set_format(format);
        wechat.pay_virtually("alice", &p.params, Platform::Android).unwrap();
        assert_eq!(p.status().await, "PENDING");
        p.t.deliver_notifications().await;
        assert_eq!(p.status().await, "PAID", "{format:?}");
        assert_eq!(p.t.sandbox.undelivered(), 0, "the answer was not the one WeChat waits for");
        // Told again, with another nonce.
        wechat.virtual_payment().deliver_again(&p.order).unwrap();
        p.t.deliver_notifications().await;
        assert_eq!(p.t.sandbox.undelivered(), 0);
        assert_eq!((p.grants(), p.events("done"), p.events("repeated")), (1, 1, 1));
        let info = p.alice.get("/v1/users/me").await.ok();
        assert_eq!(info["vipLevel"], "VIP");
    }
}

#[tokio::test]
async fn a_session_key_that_died_is_forgotten_and_a_login_helps() {
    let p = placed(TestApp::start().await).await;
    // Logged in elsewhere, which gave WeChat's user another key.
    let elsewhere = WechatSettings {
        base: p.t.sandbox.wechat().base(),
        appid: WechatSim::APPID.to_owned(),
        secret: Secret::new(WechatSim::SECRET.to_owned()),
        timeout: Duration::from_secs(10),
        concurrency: 1,
        queue: 1,
    };
    let elsewhere = WechatClient::new(elsewhere, Clock::system());
    elsewhere.code_to_session("dev-alice").await.unwrap();
    let pay = |user: &User| user.post(&format!("/v1/orders/{}/pay", p.order)).json(&json!({}));
    let wechat = p.t.sandbox.wechat();
    wechat.pay_virtually("alice", &p.params, Platform::Android).unwrap_err();
    for _ in 0..2 {
        pay(&p.alice).await.fails(409, "WECHAT_SESSION_EXPIRED");
        let kept = "SELECT count(*) FROM users WHERE session_key_sealed IS NOT NULL";
        assert_eq!(p.t.count(kept), 0);
    }
    let again = p.t.log_in("alice").await;
    let params = pay(&again).await.ok()["virtualPayParams"].clone();
    wechat.pay_virtually("alice", &params, Platform::Android).unwrap();
    p.t.deliver_notifications().await;
    assert_eq!(p.status().await, "PAID");
}

#[tokio::test]
async fn a_payment_through_apple_is_delivered_without_a_number() {
    let p = placed(TestApp::start().await).await;
    p.t.sandbox.wechat().pay_virtually("alice", &p.params, Platform::Ios).unwrap();
    p.t.deliver_notifications().await;
    assert_eq!(p.status().await, "PAID");
}

#[tokio::test]
async fn a_lost_push_is_found_by_asking() {
    let p = placed(TestApp::start().await).await;
    let wechat = p.t.sandbox.wechat();
    wechat.pay_virtually_in_silence("alice", &p.params, Platform::Android).unwrap();
    p.t.clock.advance(Duration::from_secs(10));
    let order = p.alice.get(&format!("/v1/orders/{}?sync=true", p.order)).await.ok();
    assert_eq!(order["status"], "PAID");
    assert_eq!(p.grants(), 1);
}

#[tokio::test]
async fn twenty_pushes_at_once_deliver_once() {
    let p = placed_for_pusher().await;
    let message = p.delivery();
    let all = (0..20).map(|nonce| {
        let push = Pusher::of(&p.t, &nonce.to_string(), &message).sealed();
        let t = &p.t;
        async move { push.send(t).await }
    });
    for answer in futures_util::future::join_all(all).await {
        assert_eq!(error_code(&answer), 0, "{}", answer.text());
    }
    assert_eq!(p.status().await, "PAID");
    assert_eq!((p.grants(), p.events("done"), p.events("repeated")), (1, 1, 19));
}

#[tokio::test]
async fn the_very_same_push_again_is_answered_and_leaves_nothing() {
    let p = placed_for_pusher().await;
    let push = Pusher::of(&p.t, "1", p.delivery());
    let first = push.send(&p.t).await;
    assert_eq!(first.text(), r#"{"ErrCode":0,"ErrMsg":"success"}"#);
    let again = push.send(&p.t).await;
    assert_eq!((again.status, again.text()), (200, first.text()));
    assert_eq!((p.grants(), p.events("done"), p.events("repeated")), (1, 1, 0));
    // After a restart nobody remembers the nonce, and still nothing happens twice.
    p.t.restart();
    assert_eq!(error_code(&push.send(&p.t).await), 0);
    assert_eq!((p.grants(), p.events("repeated")), (1, 1));
}

#[tokio::test]
async fn what_does_not_fit_the_order_credits_nobody() {
    let p = placed_for_pusher().await;
    let changes: [(&str, Value); 8] = [
        ("/Env", json!(1)),
        ("/OutTradeNo", json!("0123456789abcdef01234567")),
        ("/OutTradeNo", json!("'; DROP TABLE orders")),
        ("/OpenId", json!("mallory")),
        ("/GoodsInfo/ProductId", json!("vip_year")),
        ("/GoodsInfo/Quantity", json!(2)),
        ("/GoodsInfo/ActualPrice", json!(1)),
        ("/GoodsInfo/ActualPrice", json!(-1999)),
    ];
    for (at, (field, value)) in changes.iter().enumerate() {
        let mut message = p.delivery();
        *message.pointer_mut(field).unwrap() = value.clone();
        let answer = p.push(&format!("bad-{at}"), &message).await;
        // WeChat must not count it as delivered.
        assert_ne!(error_code(&answer), 0, "{field}: {}", answer.text());
        assert_eq!(p.status().await, "PENDING", "{field}");
    }
    let mut unreadable = p.delivery();
    unreadable.as_object_mut().unwrap().remove("GoodsInfo");
    assert_ne!(error_code(&p.push("bad", &unreadable).await), 0);
    assert_eq!((p.grants(), p.events("flagged"), p.events("done")), (0, 9, 0));
    // What fits is not refused for what came before.
    assert_eq!(error_code(&p.push("good", &p.delivery()).await), 0);
    assert_eq!((p.status().await.as_str(), p.grants()), ("PAID", 1));
}

#[tokio::test]
async fn a_refused_push_is_kept_for_looking_at_and_changes_nothing() {
    let p = placed_for_pusher().await;
    let mut push = Pusher::of(&p.t, "1", p.delivery());
    push.token = "guessed".to_owned();
    push.send(&p.t).await.fails(401, "UNAUTHORIZED");
    assert_eq!((p.events("refused"), p.grants()), (1, 0));
    assert_eq!(p.status().await, "PENDING");
}

#[tokio::test]
async fn refunds_and_complaints_are_kept_and_taken() {
    let p = placed_for_pusher().await;
    let refund = json!({"Event": "xpay_refund_notify", "OpenId": "alice", "MchOrderId": p.order,
        "WxOrderId": "w", "RefundFee": 1999, "RetCode": 0, "RetMsg": "ok"});
    assert_eq!(error_code(&p.push("1", &refund).await), 0);
    let complaint = json!({"Event": "xpay_complaint_notify", "OpenId": "alice"});
    assert_eq!(error_code(&p.push("2", &complaint).await), 0);
    assert_eq!(error_code(&p.push("3", &json!({"Event": "xpay_coin_pay_notify"})).await), 0);
    assert_eq!(p.events("flagged"), 3);
    let verdict = json!({"Event": "wxa_media_check", "trace_id": "t-1", "errcode": 0,
        "result": {"suggest": "pass", "label": 100}});
    let answer = p.push("4", &verdict).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "success"));
    let kept = "SELECT count(*) FROM payment_events WHERE reference = 't-1'";
    assert_eq!(p.t.count(kept), 1);
}

#[tokio::test]
async fn apple_is_told_what_was_used() {
    let p = placed_for_pusher().await;
    let ask = |order: &str| {
        json!({"Event": "xpay_subscribe_ios_refund_query_notify", "pay_order_id": order,
            "product_id": "vip_month", "refund_request_reason": "UNINTENDED_PURCHASE"})
    };
    let told = p.push("1", &ask(&p.order)).await.ok();
    assert_eq!(told["result_code"], 0, "nothing was delivered: {told}");
    assert_eq!(error_code(&p.push("2", &p.delivery()).await), 0);
    assert_eq!(p.push("3", &ask(&p.order)).await.ok()["result_code"], 0, "just bought");
    p.t.clock.advance(Duration::from_secs(25 * 3600));
    let question = Pusher::of(&p.t, "4", ask(&p.order));
    for _ in 0..2 {
        // It is asked up to three times, perhaps with the same bytes.
        let told = question.send(&p.t).await.ok();
        assert_eq!(told["result_code"], 1, "{told}");
        assert!(told["evidence"].as_str().unwrap().contains(&p.order));
    }
    assert_eq!(p.push("5", &ask("nobody's")).await.ok()["result_code"], 0);
}

#[tokio::test]
async fn a_push_that_comes_several_times_at_once_delivers_once() {
    let p = placed(TestApp::start().await).await;
    let wechat = p.t.sandbox.wechat();
    wechat.push().plan().next(PushDelivery::Duplicated { times: 3 }, 1);
    wechat.pay_virtually("alice", &p.params, Platform::Android).unwrap();
    for _ in 0..4 {
        p.t.deliver_notifications().await;
        p.t.clock.advance(Duration::from_secs(60));
    }
    assert_eq!((p.status().await.as_str(), p.grants()), ("PAID", 1));
}
