//! What is refused before anything happens: signatures, headers, members of bodies.

use serde_json::{Value, json};

use super::{Header, World, refused};
use crate::sandbox::{Fault, PayCall, Rotation, Trust, WechatPaySim};

const PREPAY: &str = "/v3/pay/transactions/jsapi";

#[tokio::test]
async fn only_the_merchant_s_own_fresh_signature_is_let_in() {
    let world = World::start().await;
    let body = world.order("DREAM0000000001", 100).to_string();
    let good = || world.header();
    let now = world.clock.now().seconds();
    let near_misses: Vec<(&str, Header)> = vec![
        ("scheme", Header { scheme: "WECHATPAY2-SHA256-RSA2049", ..good() }),
        ("lower case scheme", Header { scheme: "wechatpay2-sha256-rsa2048", ..good() }),
        ("mchid", Header { mchid: "1900000000".into(), ..good() }),
        ("serial", Header { serial: "5A".repeat(20), ..good() }),
        ("old", Header { timestamp: now - 301, ..good() }),
        ("early", Header { timestamp: now + 301, ..good() }),
        ("long nonce", Header { nonce: "n".repeat(33), ..good() }),
        ("another body", Header { signed_body: Some(format!("{body} ")), ..good() }),
    ];
    for (what, header) in near_misses {
        let answer = world.send(&header, "POST", PREPAY, &body).await;
        refused(&answer, 401, "SIGN_ERROR");
        assert_eq!(answer.header("wechatpay-signature"), "", "{what}: 401 is not signed");
    }
    for edge in [now - 300, now + 300] {
        let header = Header { timestamp: edge, ..good() };
        assert_eq!(world.send(&header, "POST", PREPAY, &body).await.status, 200);
    }
    // Signed for another path.
    let elsewhere = world.authorization(&good(), "POST", "/v3/pay/transactions/app", &body);
    let answer = world.send_raw(&[("Authorization", &elsewhere)], "POST", PREPAY, &body).await;
    refused(&answer, 401, "SIGN_ERROR");
    refused(&world.send_raw(&[], "POST", PREPAY, &body).await, 401, "SIGN_ERROR");
}

#[tokio::test]
async fn a_nonce_is_good_once_and_parameters_in_any_order() {
    let world = World::start().await;
    let (header, path) = (world.header(), "/v3/certificates");
    assert_eq!(world.send(&header, "GET", path, "").await.status, 200);
    refused(&world.send(&header, "GET", path, "").await, 401, "SIGN_ERROR");

    let text = world.authorization(&world.header(), "GET", path, "");
    let (scheme, params) = text.split_once(' ').unwrap();
    let turned: Vec<&str> = params.split(',').rev().collect();
    let turned = format!("{scheme} {}", turned.join(","));
    assert_eq!(world.send_raw(&[("Authorization", &turned)], "GET", path, "").await.status, 200);

    let twice = format!("{},mchid=\"1\"", world.authorization(&world.header(), "GET", path, ""));
    let answer = world.send_raw(&[("Authorization", &twice)], "GET", path, "").await;
    refused(&answer, 401, "SIGN_ERROR");
}

#[tokio::test]
async fn headers_that_every_call_has_must_be_there() {
    let world = World::start().await;
    let body = world.order("DREAM0000000001", 100).to_string();
    for wrong in [("Accept", "text/html"), ("Content-Type", "application/x-www-form-urlencoded")] {
        let authorization = world.authorization(&world.header(), "POST", PREPAY, &body);
        let headers = [("Authorization", authorization.as_str()), wrong];
        refused(&world.send_raw(&headers, "POST", PREPAY, &body).await, 400, "PARAM_ERROR");
    }
}

#[tokio::test]
async fn a_body_has_no_unknown_member_no_null_and_nothing_out_of_range() {
    let world = World::start().await;
    let order = world.order("DREAM0000000001", 100);
    let with = |pointer: &str, value: Value| {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut body = order.clone();
        body.pointer_mut(parent).unwrap()[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = order.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let mut wrong: Vec<Value> = [
        ("/sub_mchid", json!("1")),
        ("/attach", Value::Null),
        ("/attach", json!("")),
        ("/attach", json!("x".repeat(129))),
        ("/description", json!("字".repeat(128))),
        ("/out_trade_no", json!("short")),
        ("/out_trade_no", json!("x".repeat(33))),
        ("/out_trade_no", json!("DREAM 000001")),
        ("/out_trade_no", json!("DREAM@000001")),
        ("/notify_url", json!("https://example.com/notify?a=1")),
        ("/notify_url", json!("http://example.com/notify")),
        ("/notify_url", json!("notify")),
        ("/amount/total", json!(0)),
        ("/amount/total", json!(1.5)),
        ("/amount/total", json!("100")),
        ("/amount/currency", json!("USD")),
        ("/amount/refund", json!(1)),
        ("/payer/openid", json!(7)),
        ("/payer", json!("alice")),
        ("/time_expire", json!("2026-01-30 12:00:00")),
        ("/time_expire", json!("2026-01-29T19:00:00+08:00")),
        ("/mchid", json!("1900000000")),
    ]
    .into_iter()
    .map(|(pointer, value)| with(pointer, value))
    .collect();
    wrong.extend(["appid", "description", "amount", "payer", "notify_url"].map(without));
    wrong.push(json!([1]));
    for body in wrong {
        let answer = world.post(PREPAY, &body).await;
        refused(&answer, 400, "PARAM_ERROR");
        assert!(answer.json()["detail"]["field"].is_string(), "{body}");
        assert!(world.is_signed(&answer));
    }
    let answer = world.post(PREPAY, &with("/appid", json!("wx0"))).await;
    refused(&answer, 400, "APPID_MCHID_NOT_MATCH");
    for fine in [
        with("/description", json!("字".repeat(127))),
        with("/out_trade_no", json!("A_-|*1")),
        with("/out_trade_no", json!("x".repeat(32))),
    ] {
        assert_eq!(world.post(PREPAY, &fine).await.status, 200, "{fine}");
    }
}

#[tokio::test]
async fn answers_are_signed_by_the_key_that_was_asked_for() {
    let world = World::start().await;
    let [old, new] = world.pay().platform_serials().map(str::to_owned);
    let public = world.pay().public_key_id().to_owned();
    let path = format!("/v3/pay/transactions/out-trade-no/none?mchid={}", WechatPaySim::MCHID);
    let ask = async |serial: &str| {
        let authorization = world.authorization(&world.header(), "GET", &path, "");
        let mut headers = vec![("Authorization", authorization.as_str())];
        if !serial.is_empty() {
            headers.push(("Wechatpay-Serial", serial));
        }
        world.send_raw(&headers, "GET", &path, "").await
    };
    for serial in [&old, &new, &public] {
        let answer = ask(serial).await;
        refused(&answer, 404, "ORDER_NOT_EXIST");
        assert_eq!(answer.header("wechatpay-serial"), *serial);
        assert!(world.is_signed(&answer));
        assert!(!answer.header("request-id").is_empty());
    }
    refused(&ask("5A").await, 400, "PARAM_ERROR");

    world.pay().set_trust(Trust::Certificates);
    refused(&ask(&public).await, 400, "PARAM_ERROR");
    world.pay().set_rotation(Rotation::New);
    assert_eq!(ask("").await.header("wechatpay-serial"), new);
    refused(&ask(&old).await, 400, "PARAM_ERROR");
    assert_eq!(world.get("/v3/certificates").await.json()["data"].as_array().unwrap().len(), 1);

    world.pay().set_trust(Trust::PublicKey);
    refused(&ask("").await, 400, "PARAM_ERROR");
    refused(&ask(&old).await, 400, "PARAM_ERROR");
    assert_eq!(ask(&public).await.status, 404);
    let authorization = world.authorization(&world.header(), "GET", "/v3/certificates", "");
    let headers = [("Authorization", authorization.as_str()), ("Wechatpay-Serial", &public)];
    let answer = world.send_raw(&headers, "GET", "/v3/certificates", "").await;
    refused(&answer, 404, "RESOURCE_NOT_EXISTS");
}

#[tokio::test]
async fn certificates_open_with_the_apiv3_key_and_are_those_that_sign() {
    use x509_parser::pem::Pem;
    let world = World::start().await;
    let answer = world.get("/v3/certificates").await;
    assert!(world.is_signed(&answer));
    let body = answer.json();
    let list = body["data"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    for entry in list {
        let sealed = &entry["encrypt_certificate"];
        let text = |name: &str| sealed[name].as_str().unwrap();
        let pem = crate::sandbox::crypto::opening::gcm_open(
            &super::super::apiv3_key(),
            text("nonce"),
            text("associated_data"),
            text("ciphertext"),
        )
        .unwrap();
        let pem = Pem::iter_from_buffer(&pem).next().unwrap().unwrap();
        let certificate = pem.parse_x509().unwrap();
        let serial = crate::sandbox::crypto::hex(certificate.raw_serial()).to_uppercase();
        assert_eq!(entry["serial_no"], serial.as_str());
        let validity = certificate.validity();
        let at = |name: &str| {
            crate::sandbox::beijing::parse(entry[name].as_str().unwrap()).unwrap().seconds()
        };
        assert_eq!(validity.not_before.timestamp(), at("effective_time"));
        assert_eq!(validity.not_after.timestamp(), at("expire_time"));
    }
}

#[tokio::test]
async fn faults_come_in_the_service_s_own_form() {
    let world = World::start().await;
    let faults = world.pay().faults_of(PayCall::Prepay);
    for (status, code) in [(429, "FREQUENCY_LIMITED"), (500, "SYSTEM_ERROR"), (403, "NO_AUTH")] {
        faults.next(Fault::Error { code: status.into() }, 1);
        let answer = world.post(PREPAY, &world.order("DREAM0000000001", 100)).await;
        refused(&answer, status, code);
        assert!(world.pay().order("DREAM0000000001").is_none());
    }
    let refunds = world.pay().faults_of(PayCall::Refund);
    refunds.next(Fault::Error { code: 403 }, 1);
    refused(&world.refund("A00000001", "R1", 1, 1).await, 403, "NOT_ENOUGH");

    faults.next(Fault::BadSignature, 1);
    let answer = world.post(PREPAY, &world.order("DREAM0000000001", 100)).await;
    assert_eq!(answer.status, 200);
    assert!(!world.is_signed(&answer));

    // Done, and not answered: the outcome is unknown to the caller.
    faults.next(Fault::Silence, 1);
    let body = world.order("DREAM0000000002", 100).to_string();
    let authorization = world.authorization(&world.header(), "POST", PREPAY, &body);
    let headers = [
        ("Accept", "application/json"),
        ("Content-Type", "application/json"),
        ("Authorization", &authorization),
    ];
    let url = format!("{}{PREPAY}", world.pay().base());
    assert!(world.wire.post(&url, &headers, body.as_bytes()).await.is_err());
    assert!(world.pay().order("DREAM0000000002").is_some());

    world.pay().set_old_spelling(true);
    refused(&world.query("nothing").await, 404, "ORDERNOTEXIST");
}
