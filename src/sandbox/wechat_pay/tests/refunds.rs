//! Refunds: the rules, the endings, the news of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, refused};
use crate::sandbox::RefundOutcome;

const NUMBER: &str = "DREAM0000000001";

async fn paid(total: i64) -> World {
    let world = World::start().await;
    world.prepay(NUMBER, total).await;
    world.pay().pay_silently(NUMBER).unwrap();
    world
}

#[tokio::test]
async fn the_sum_is_bounded_and_a_number_is_one_refund() {
    let world = paid(100).await;
    world.pay().set_refund_interval(Duration::ZERO);
    let first = world.refund(NUMBER, "R1", 60, 100).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("PROCESSING")));
    assert!(world.is_signed(&first));
    assert_eq!(world.query(NUMBER).await.json()["trade_state"], "REFUND");

    let again = world.refund(NUMBER, "R1", 60, 100).await.json();
    assert_eq!(again["refund_id"], first.json()["refund_id"]);
    assert_eq!(again["status"], "SUCCESS");
    refused(&world.refund(NUMBER, "R1", 59, 100).await, 400, "INVALID_REQUEST");
    refused(&world.refund(NUMBER, "R2", 41, 100).await, 400, "INVALID_REQUEST");
    refused(&world.refund(NUMBER, "R2", 40, 99).await, 400, "INVALID_REQUEST");
    assert_eq!(world.refund(NUMBER, "R2", 40, 100).await.status, 200);
    let total: i64 = world.pay().refunds(10).iter().map(|refund| refund.refund_fen).sum();
    assert_eq!(total, 100);
}

#[tokio::test]
async fn a_refund_names_one_paid_order_and_waits_a_minute() {
    let world = paid(100).await;
    let path = "/v3/refund/domestic/refunds";
    let body = world.refund_body(NUMBER, "R1", 10, 100);
    let with = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        body
    };
    for wrong in [
        with("transaction_id", json!("4200")),
        with("out_refund_no", json!("R 1")),
        with("reason", json!("字".repeat(81))),
        with("notify_url", json!("https://example.com/?a=b")),
        with("amount", json!({ "refund": 10, "total": 100 })),
        with("amount", json!({ "refund": 0, "total": 100, "currency": "CNY" })),
        with("payer", json!("alice")),
    ] {
        refused(&world.post(path, &wrong).await, 400, "PARAM_ERROR");
    }
    refused(&world.refund("DREAM9999999999", "R1", 1, 1).await, 404, "RESOURCE_NOT_EXISTS");
    world.prepay("DREAM0000000002", 100).await;
    refused(&world.refund("DREAM0000000002", "R1", 1, 100).await, 400, "INVALID_REQUEST");

    assert_eq!(world.refund(NUMBER, "R1", 10, 100).await.status, 200);
    refused(&world.refund(NUMBER, "R2", 10, 100).await, 429, "FREQUENCY_LIMITED");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.refund(NUMBER, "R2", 10, 100).await.status, 200);
    world.clock.advance(Duration::from_secs(366 * 24 * 3600));
    refused(&world.refund(NUMBER, "R3", 10, 100).await, 403, "RULE_LIMIT");
}

#[tokio::test]
async fn each_ending_is_queried_and_announced() {
    let world = paid(100).await;
    world.pay().set_refund_interval(Duration::ZERO);
    let outcomes = world.pay().refund_outcomes();
    outcomes.next(RefundOutcome::Success { after_ms: 5000 }, 1);
    outcomes.next(RefundOutcome::Abnormal { after_ms: 0 }, 1);
    outcomes.next(RefundOutcome::Closed { after_ms: 0 }, 1);
    outcomes.next(RefundOutcome::Never, 1);
    for number in ["R1", "R2", "R3", "R4"] {
        assert_eq!(world.refund(NUMBER, number, 10, 100).await.json()["status"], "PROCESSING");
    }
    let status = async |number: &str| {
        let answer = world.get(&format!("/v3/refund/domestic/refunds/{number}")).await;
        answer.json()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status("R1").await, "PROCESSING");
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(status("R1").await, "SUCCESS");
    assert_eq!(status("R2").await, "ABNORMAL");
    assert_eq!(status("R3").await, "CLOSED");
    assert_eq!(status("R4").await, "PROCESSING");
    let missing = world.get("/v3/refund/domestic/refunds/R9").await;
    refused(&missing, 404, "RESOURCE_NOT_EXISTS");

    world.sandbox.deliver_due().await;
    let mut events: Vec<String> = world
        .inbox
        .got()
        .iter()
        .map(|got| got.json()["event_type"].as_str().unwrap().to_owned())
        .collect();
    events.sort();
    assert_eq!(events, ["REFUND.ABNORMAL", "REFUND.CLOSED", "REFUND.SUCCESS"]);
    // What failed for good is free again.
    assert_eq!(world.refund(NUMBER, "R5", 70, 100).await.status, 200);
}
