//! The server calls of WeChat: one access token for all, and no secret in anything that is shown.

use std::time::Duration;

use dream_bff::base::clock::Clock;
use dream_bff::base::secret::Secret;
use dream_bff::base::time::UnixMillis;
use dream_bff::clients::wechat::{
    CheckScene, CheckedText, MediaCheck, MiniProgramState, Shipping, ShippingReport,
    SubscribeMessage, SubscribeOutcome, Verdict, VirtualEnv, VirtualPayError, VirtualPayment,
    VirtualPaymentSettings, VirtualRefund, WechatClient, WechatSettings,
};
use serde_json::{Value, json};

use crate::support::{Reaction, TestApp, Upstream};

const TOKEN_PATH: &str = "/cgi-bin/stable_token";

/// A client whose WeChat is `upstream`.
fn client(upstream: &Upstream) -> WechatClient {
    let settings = WechatSettings {
        base: upstream.base(),
        appid: "wx1".to_owned(),
        secret: Secret::new("app-secret".to_owned()),
        timeout: Duration::from_secs(10),
        concurrency: 8,
        queue: 100,
    };
    WechatClient::new(settings, Clock::system())
}

/// WeChat that answers every call with `answer`, and an access token besides.
async fn answering(mut answer: Value) -> Upstream {
    answer["access_token"] = json!("TOKEN-TO-HIDE");
    answer["expires_in"] = json!(7200);
    Upstream::start(reaction(&answer)).await
}

fn reaction(answer: &Value) -> Reaction {
    let json = [("content-type", "application/json"), ("connection", "close")];
    Reaction::answer("200 OK", &json, answer.to_string().as_bytes())
}

/// The last request: its target, and its body as JSON.
fn last(upstream: &Upstream) -> (String, Value) {
    let requests = upstream.seen();
    let text = String::from_utf8(requests.last().unwrap().clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    (target, serde_json::from_str(body).unwrap_or_default())
}

fn fetches(t: &TestApp) -> usize {
    t.sandbox.wechat().journal().requests_to(TOKEN_PATH).len()
}

async fn ask_at_once(t: &TestApp, callers: usize) {
    let calls: Vec<_> = (0..callers)
        .map(|_| {
            let app = t.app();
            tokio::spawn(async move { app.wechat.phone_number("phone-13812345678").await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "13812345678");
    }
}

#[tokio::test]
async fn fifty_callers_at_once_fetch_one_access_token() {
    let t = TestApp::start().await;
    ask_at_once(&t, 50).await;
    assert_eq!(fetches(&t), 1);
}

#[tokio::test]
async fn a_token_that_died_is_fetched_once_for_all_who_notice() {
    let t = TestApp::start().await;
    ask_at_once(&t, 1).await;
    t.sandbox.wechat().revoke_access_tokens();
    ask_at_once(&t, 50).await;
    assert_eq!(fetches(&t), 2);
}

#[tokio::test]
async fn a_call_is_repeated_once_with_a_new_token_and_then_given_up() {
    let upstream = answering(json!({})).await;
    let client = client(&upstream).weixin();
    let report = report();
    client.upload_shipping_info(&report).await.unwrap();
    // From now on every token is dead, also a new one. The fetch itself fails then.
    upstream.react(reaction(&json!({"errcode": 42001, "errmsg": "expired"})));
    let before = upstream.seen().len();
    let err = client.upload_shipping_info(&report).await.unwrap_err();
    assert!(err.is_transient(), "{err}");
    assert_eq!(upstream.seen().len(), before + 2, "one call, one fetch");
}

fn report() -> ShippingReport {
    ShippingReport {
        mchid: "190".to_owned(),
        out_trade_no: "order1".to_owned(),
        description: "年卡".to_owned(),
        payer_openid: "o1".to_owned(),
        delivered_at: UnixMillis(1_760_000_000_000),
    }
}

#[tokio::test]
async fn a_delivery_is_reported_until_wechat_knows_the_payment() {
    let upstream = answering(json!({"errcode": 0})).await;
    let weixin = client(&upstream).weixin();
    assert_eq!(weixin.upload_shipping_info(&report()).await.unwrap(), Shipping::Accepted);
    let (target, body) = last(&upstream);
    assert_eq!(target, "/wxa/sec/order/upload_shipping_info?access_token=TOKEN-TO-HIDE");
    assert_eq!(body["order_key"]["out_trade_no"], "order1");
    for (code, wanted) in [(10_060_001, Shipping::NotYet), (10_060_004, Shipping::NotNeeded)] {
        upstream.react(reaction(&json!({"errcode": code, "errmsg": "x"})));
        assert_eq!(weixin.upload_shipping_info(&report()).await.unwrap(), wanted);
    }
}

#[tokio::test]
async fn a_subscribe_message_is_cut_and_sent_once() {
    let upstream = answering(json!({"errcode": 0})).await;
    let weixin = client(&upstream).weixin();
    let message = SubscribeMessage {
        openid: "o1".to_owned(),
        template_id: "t1".to_owned(),
        page: None,
        fields: vec![("thing1".to_owned(), "画".repeat(50))],
        state: MiniProgramState::Trial,
    };
    let sent = weixin.send_subscribe_message(&message).await.unwrap();
    assert_eq!(sent, SubscribeOutcome::Sent);
    assert_eq!(last(&upstream).1["data"]["thing1"]["value"], "画".repeat(20));
    upstream.react(reaction(&json!({"errcode": 43101, "errmsg": "user refuse"})));
    let refused = weixin.send_subscribe_message(&message).await.unwrap();
    assert_eq!(refused, SubscribeOutcome::NoConsent);
}

#[tokio::test]
async fn a_text_is_judged_by_its_suggestion_and_in_pieces() {
    let verdict = |suggest: &str| json!({"errcode": 0, "trace_id": "t", "result": {"suggest": suggest, "label": 20002}});
    let upstream = answering(verdict("risky")).await;
    let weixin = client(&upstream).weixin();
    let long = "画".repeat(4000);
    let text = |content| CheckedText { openid: "o1", scene: CheckScene::SocialLog, content };
    // The first piece decides; the token came before it.
    let judged = weixin.check_text(text(&long)).await.unwrap();
    assert_eq!((judged.verdict, judged.label), (Verdict::Risky, 20002));
    assert_eq!(upstream.seen().len(), 2);
    let (_, body) = last(&upstream);
    assert_eq!(body["content"].as_str().unwrap().chars().count(), 2500);
    assert_eq!((&body["version"], &body["scene"]), (&json!(2), &json!(4)));

    upstream.react(reaction(&verdict("pass")));
    assert_eq!(weixin.check_text(text(&long)).await.unwrap().verdict, Verdict::Pass);
    assert_eq!(last(&upstream).1["content"].as_str().unwrap().chars().count(), 1500);

    // Success without a verdict is none.
    upstream.react(reaction(&json!({"errcode": 0})));
    assert!(weixin.check_text(text("x")).await.is_err());
    let picture =
        MediaCheck { media_url: "https://a/b.png", openid: "o1", scene: CheckScene::SocialLog };
    assert!(weixin.check_media(picture).await.is_err());
    upstream.react(reaction(&json!({"errcode": 0, "trace_id": "t-1"})));
    assert_eq!(weixin.check_media(picture).await.unwrap(), "t-1");
    assert_eq!(last(&upstream).1["media_type"], 2);
}

#[tokio::test]
async fn a_dead_session_key_is_told_from_one_that_cannot_be_checked() {
    let upstream = answering(json!({"errcode": 0})).await;
    let weixin = client(&upstream).weixin();
    let key = Secret::new("s/9CG9QCbylQ42thFhwQsA==".to_owned());
    assert!(weixin.session_lives("o&1", &key).await.unwrap());
    let (target, _) = last(&upstream);
    assert!(target.contains("openid=o%261&"), "{target}");
    assert!(target.contains("9c4590e2338eabe121ad3499b14844f73f9bb8bd689d793a1745cb98120e47f5"));
    upstream.react(reaction(&json!({"errcode": 87009, "errmsg": "x"})));
    assert!(!weixin.session_lives("o1", &key).await.unwrap());
    upstream.react(reaction(&json!({"errcode": 48001, "errmsg": "x"})));
    assert!(weixin.session_lives("o1", &key).await.is_err());
}

fn shop(client: &WechatClient) -> VirtualPayment {
    client.virtual_payment(VirtualPaymentSettings {
        offer_id: "145".to_owned(),
        app_key: Secret::new("MADndav79NNChxlVYj6a0YsrYd7DDPYt".to_owned()),
        env: VirtualEnv::Live,
    })
}

#[tokio::test]
async fn server_calls_of_virtual_payment_are_signed_as_the_vectors_say() {
    let order = json!({"order_id": "DREAM20251009000003", "status": 2, "order_fee": 1990,
        "paid_fee": 1990, "left_fee": 1990, "paid_time": 1759999998, "env_type": 1});
    let upstream = answering(json!({"errcode": 0, "order": order})).await;
    let shop = shop(&client(&upstream));
    let openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
    shop.query_order(openid, "DREAM20251009000003").await.unwrap();
    let vectors: Value = serde_json::from_str(include_str!("../vectors/xpay.json")).unwrap();
    let signature = |name: &str| {
        let case = vectors["cases"].as_array().unwrap().iter().find(|case| case["name"] == name);
        case.unwrap()["pay_sig"].as_str().unwrap().to_owned()
    };
    let (target, _) = last(&upstream);
    let wanted = format!("&pay_sig={}", signature("query_order"));
    assert!(target.starts_with("/xpay/query_order?access_token=") && target.ends_with(&wanted));

    shop.notify_provide_goods("DREAM20251009000003").await.unwrap();
    let wanted = format!("&pay_sig={}", signature("notify_provide_goods"));
    assert!(last(&upstream).0.ends_with(&wanted));
}

#[tokio::test]
async fn errors_of_virtual_payment_say_what_to_do() {
    let upstream = answering(json!({"errcode": 268_490_004, "errmsg": "dup"})).await;
    let shop = shop(&client(&upstream));
    let refund = VirtualRefund {
        openid: "o1".to_owned(),
        order_id: "order1".to_owned(),
        refund_id: "refund01".to_owned(),
        left_fen: 1990,
        refund_fen: 990,
        note: "partial".to_owned(),
    };
    // The fetch of the token answers the same here, so it comes first by itself.
    upstream.react(reaction(&json!({"access_token": "T", "expires_in": 7200})));
    shop.refund_order(&refund).await.unwrap();
    let (_, body) = last(&upstream);
    assert_eq!((&body["left_fee"], &body["refund_fee"]), (&json!(1990), &json!(990)));
    assert_eq!(body["env"], 0);

    upstream.react(reaction(&json!({"errcode": 268_490_004, "errmsg": "dup"})));
    shop.refund_order(&refund).await.expect("done before is done");
    for (code, is_right) in [
        (268_490_002, (|err| matches!(err, VirtualPayError::NotFound)) as fn(&_) -> bool),
        (268_490_003, |err| matches!(err, VirtualPayError::Signature)),
        (268_490_009, |err| matches!(err, VirtualPayError::SessionExpired)),
        (268_490_014, |err| matches!(err, VirtualPayError::InProgress)),
        (268_490_015, |err| matches!(err, VirtualPayError::RateLimited)),
        (268_490_016, |err| matches!(err, VirtualPayError::LeftFeeChanged)),
    ] {
        upstream.react(reaction(&json!({"errcode": code, "errmsg": "x"})));
        let err = shop.refund_order(&refund).await.unwrap_err();
        assert!(is_right(&err), "{code}: {err}");
        let err = shop.query_order("o1", "order1").await.unwrap_err();
        assert!(is_right(&err), "{code}: {err}");
    }
}

#[tokio::test]
async fn no_error_shows_a_token_a_key_or_a_signature() {
    let upstream = answering(json!({"errcode": 0})).await;
    let client = client(&upstream);
    let (weixin, shop) = (client.weixin(), shop(&client));
    weixin.upload_shipping_info(&report()).await.unwrap();
    let silent = Reaction::Send(Vec::new());
    let page = Reaction::answer("502 Bad Gateway", &[("connection", "close")], b"<html>");
    for reaction in [silent, page, reaction(&json!({"errcode": 40013, "errmsg": "invalid appid"}))]
    {
        upstream.react(reaction);
        let mut shown = format!("{:?}", weixin.upload_shipping_info(&report()).await.unwrap_err());
        let err = shop.query_order("o1", "order1").await.unwrap_err();
        shown += &format!("{err:?} {err}");
        let mut cause: Option<&dyn std::error::Error> = Some(&err);
        while let Some(err) = cause {
            shown += &err.to_string();
            cause = err.source();
        }
        for secret in ["TOKEN-TO-HIDE", "app-secret", "MADndav79", "pay_sig"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
