//! The life of an order.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, refused};
use crate::sandbox::{TradeState, WechatPaySim, WechatSim};

const NUMBER: &str = "DREAM0000000001";

fn params(world: &World, prepay_id: &str) -> Value {
    let package = format!("prepay_id={prepay_id}");
    signed(world, "1769688000", "nonce", &package)
}

fn signed(world: &World, time: &str, nonce: &str, package: &str) -> Value {
    let message = format!("{}\n{time}\n{nonce}\n{package}\n", WechatSim::APPID);
    json!({
        "timeStamp": time,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": world.pay().signing.keys.merchant.sign(message.as_bytes()),
    })
}

#[tokio::test]
async fn placing_again_needs_the_same_parameters() {
    let world = World::start().await;
    let first = world.prepay(NUMBER, 100).await;
    assert!(first.starts_with("wx") && first.len() == 36, "{first}");
    assert_eq!(world.prepay(NUMBER, 100).await, first);
    let path = "/v3/pay/transactions/jsapi";
    refused(&world.post(path, &world.order(NUMBER, 101)).await, 400, "INVALID_REQUEST");

    world.clock.advance(Duration::from_secs(7200));
    let second = world.prepay(NUMBER, 100).await;
    assert_ne!(first, second);
    assert!(world.pay().pay(&params(&world, &first)).is_err());
    world.pay().pay(&params(&world, &second)).unwrap();
    refused(&world.post(path, &world.order(NUMBER, 100)).await, 400, "ORDER_PAID");

    world.prepay("DREAM0000000002", 100).await;
    assert_eq!(world.close("DREAM0000000002").await.status, 204);
    let answer = world.post(path, &world.order("DREAM0000000002", 100)).await;
    refused(&answer, 400, "ORDER_CLOSED");
}

#[tokio::test]
async fn an_unpaid_order_says_little_and_a_paid_one_everything() {
    let world = World::start().await;
    let id = world.prepay(NUMBER, 1234).await;
    let unpaid = world.query(NUMBER).await.json();
    assert_eq!(unpaid["trade_state"], "NOTPAY");
    assert!(unpaid.get("amount").is_none() && unpaid.get("transaction_id").is_none());
    assert_eq!(unpaid["payer"], json!({}));

    let paid = world.pay().pay(&params(&world, &id)).unwrap();
    let answer = world.query(NUMBER).await;
    assert!(world.is_signed(&answer));
    let body = answer.json();
    assert_eq!(body["trade_state"], "SUCCESS");
    assert_eq!(body["transaction_id"], paid.transaction_id.as_str());
    assert_eq!(body["amount"]["total"], 1234);
    assert_eq!(body["payer"]["openid"], "alice");
    assert_eq!(body["attach"], "a,b");
    assert_eq!(body["success_time"], "2026-01-29T20:00:00+08:00");
    let by_id =
        format!("/v3/pay/transactions/id/{}?mchid={}", paid.transaction_id, WechatPaySim::MCHID);
    assert_eq!(world.get(&by_id).await.json(), body);

    let path = format!("/v3/pay/transactions/out-trade-no/{NUMBER}");
    refused(&world.get(&path).await, 400, "PARAM_ERROR");
    refused(&world.query("DREAM9999999999").await, 404, "ORDER_NOT_EXIST");
}

#[tokio::test]
async fn closing_answers_204_signed_and_not_for_paid_orders() {
    let world = World::start().await;
    let id = world.prepay(NUMBER, 100).await;
    for _ in 0..2 {
        let answer = world.close(NUMBER).await;
        assert_eq!((answer.status, answer.body.as_slice()), (204, b"".as_slice()));
        assert!(world.is_signed(&answer));
    }
    assert_eq!(world.query(NUMBER).await.json()["trade_state"], "CLOSED");
    assert!(world.pay().pay(&params(&world, &id)).unwrap_err().contains("closed"));

    world.prepay("DREAM0000000002", 100).await;
    world.pay().pay_silently("DREAM0000000002").unwrap();
    refused(&world.close("DREAM0000000002").await, 400, "ORDER_PAID");
    refused(&world.close("DREAM9999999999").await, 404, "ORDER_NOT_EXIST");
    let path = format!("/v3/pay/transactions/out-trade-no/{NUMBER}/close");
    refused(&world.post(&path, &json!({})).await, 400, "PARAM_ERROR");
    refused(&world.post(&path, &json!({ "mchid": "1" })).await, 400, "PARAM_ERROR");
}

#[tokio::test]
async fn wrong_parameters_of_the_client_fail() {
    let world = World::start().await;
    let id = world.prepay(NUMBER, 100).await;
    let good = params(&world, &id);
    let with = |name: &str, value: Value| {
        let mut params = good.clone();
        params[name] = value;
        params
    };
    for wrong in [
        with("appId", json!(WechatSim::APPID)),
        with("timeStamp", json!(1_769_688_000)),
        with("signType", json!("MD5")),
        with("nonceStr", json!("other")),
        with("package", json!("prepay_id=wx00000000000000000000000000000000000")),
        with("paySign", json!("AAAA")),
        signed(&world, "1769688000000", "nonce", &format!("prepay_id={id}")),
        // The rule of apps: the bare id.
        signed(&world, "1769688000", "nonce", &id),
        json!("text"),
    ] {
        assert!(world.pay().pay(&wrong).is_err(), "{wrong}");
    }
    assert_eq!(world.pay().order(NUMBER).unwrap().state, TradeState::NotPay);
    world.pay().pay(&good).unwrap();
    assert!(world.pay().pay(&good).unwrap_err().contains("paid already"));
}

#[tokio::test]
async fn nobody_pays_after_the_last_moment_and_a_week_closes() {
    let world = World::start().await;
    let mut order = world.order(NUMBER, 100);
    // Less than a minute ahead is raised to a minute.
    order["time_expire"] = "2026-01-29T20:00:05+08:00".into();
    let path = "/v3/pay/transactions/jsapi";
    assert_eq!(world.post(path, &order).await.status, 200);
    world.clock.advance(Duration::from_secs(60));
    assert!(world.pay().pay_order(NUMBER).unwrap_err().contains("last moment"));
    assert_eq!(world.query(NUMBER).await.json()["trade_state"], "NOTPAY");
    world.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(world.query(NUMBER).await.json()["trade_state"], "CLOSED");
}
