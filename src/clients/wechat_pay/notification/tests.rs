//! All notifications of the vectors, over the whole way: certificates are fetched, keys chosen,
//! signatures checked, contents decrypted.

use serde_json::Value;

use super::super::testing::{
    Reply, Server, certificate_settings, client, headers, list, settings, text, vectors,
};
use super::super::{NotificationError, RefundState, Resource, SignatureProblem, TradeState};
use crate::base::time::UnixMillis;

/// What is expected of a case, as one word.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Opened,
    BadSignature,
    NotDecrypted,
    NotReadable,
}

fn expected(case: &Value) -> Outcome {
    let expect = &case["expect"];
    if expect["signature_ok"] == false || expect["fresh"] == false {
        return Outcome::BadSignature;
    }
    match &expect["decrypt_ok"] {
        Value::Bool(true) => Outcome::Opened,
        Value::Bool(false) => Outcome::NotDecrypted,
        _ => Outcome::NotReadable,
    }
}

/// Whether an order that is as the vectors say may be paid by it; of a refund, its state.
fn applies(resource: &Resource, order: &Value) -> Value {
    match resource {
        Resource::Transaction(found) => Value::Bool(
            found.mchid == text(order, "mchid")
                && found.appid == text(order, "appid")
                && found.out_trade_no == text(order, "out_trade_no")
                && found.total_fen == order["amount_total"].as_i64()
                && found.currency.as_deref() == Some("CNY")
                && found.payer_openid.as_deref() == Some(text(order, "openid"))
                && found.state == TradeState::Success,
        ),
        Resource::Refund(notice) => {
            assert_eq!(notice.mchid, text(order, "mchid"));
            let state = match notice.refund.state {
                RefundState::Success => "SUCCESS",
                RefundState::Abnormal => "ABNORMAL",
                RefundState::Closed => "CLOSED",
                _ => "?",
            };
            format!("refund status {state}").into()
        }
        Resource::Other(kind) => panic!("{kind}"),
    }
}

#[tokio::test]
async fn every_notification_of_the_vectors_is_judged_as_they_say() {
    let vectors = vectors("notify.json");
    let mut counts = [0; 4];
    for case in list(&vectors, "cases", 31) {
        let name = text(&case, "name");
        let server = Server::start([]).await;
        // Callbacks may be signed by either key while a merchant changes.
        let (pay, clock) = client(settings(&server.base));
        assert_eq!(clock.now(), UnixMillis(case["now"].as_i64().unwrap() * 1000), "{name}");
        let body = text(&case, "body").as_bytes();
        let opened = pay.open_notification(&headers(&case["headers"]), body).await;
        let outcome = match &opened {
            Ok(_) => Outcome::Opened,
            Err(NotificationError::Signature(_)) => Outcome::BadSignature,
            Err(NotificationError::Sealed(_)) => Outcome::NotDecrypted,
            Err(NotificationError::Garbled(_)) => Outcome::NotReadable,
            Err(NotificationError::KeysUnavailable(err)) => panic!("{name}: {err}"),
        };
        assert_eq!(outcome, expected(&case), "{name}: {opened:?}");
        counts[match outcome {
            Outcome::Opened => 0,
            Outcome::BadSignature => 1,
            Outcome::NotDecrypted => 2,
            Outcome::NotReadable => 3,
        }] += 1;
        assert!(server.certificates_asked() <= 1, "{name}");
        let Ok(notification) = opened else { continue };
        assert_eq!(notification.plaintext, text(&case, "plaintext"), "{name}");
        let envelope: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(notification.id, text(&envelope, "id"), "{name}");
        assert_eq!(notification.event_type, text(&envelope, "event_type"), "{name}");
        let apply = applies(&notification.resource, &vectors["context"]["stored_order"]);
        match &case["expect"]["apply"] {
            Value::String(only_once) if only_once.starts_with("only once") => {
                assert_eq!(apply, true, "{name}");
            }
            wanted => assert_eq!(&apply, wanted, "{name}"),
        }
    }
    assert_eq!(counts, [16, 11, 3, 1], "none is skipped");
}

fn case(name: &str) -> Value {
    let cases = list(&vectors("notify.json"), "cases", 31);
    cases.into_iter().find(|case| case["name"] == name).unwrap()
}

async fn refused(name: &str) -> NotificationError {
    let server = Server::start([]).await;
    let (pay, _) = client(settings(&server.base));
    let case = case(name);
    let body = text(&case, "body").as_bytes();
    pay.open_notification(&headers(&case["headers"]), body).await.unwrap_err()
}

#[tokio::test]
async fn a_refusal_says_why() {
    use SignatureProblem as Problem;
    for (name, problem) in [
        ("signature_probe", Problem::Probe),
        ("wrong_serial_unknown", Problem::UnknownKey),
        ("wrong_signature_strangers_key", Problem::Mismatch),
        ("tampered_body_old_signature", Problem::Mismatch),
        ("replay_one_day_old", Problem::Stale),
        ("future_timestamp_301s", Problem::Stale),
        ("missing_signature_header", Problem::Missing("Wechatpay-Signature")),
        ("timestamp_not_a_number", Problem::Malformed("Wechatpay-Timestamp")),
    ] {
        let err = refused(name).await;
        assert!(err.is_refusal(), "{name}");
        assert!(
            matches!(err, NotificationError::Signature(why) if why == problem),
            "{name}: {err:?}"
        );
    }
    let err = refused("unsupported_algorithm").await;
    assert!(matches!(err, NotificationError::Sealed(why) if why.contains("algorithm")), "{err:?}");
    let err = refused("encrypted_with_another_apiv3_key").await;
    assert!(matches!(err, NotificationError::Sealed(why) if why.contains("APIv3 key")), "{err:?}");
}

#[tokio::test]
async fn without_keys_it_is_not_refused_but_asked_for_again() {
    let server = Server::start([]).await;
    server.certificates(Reply::Drop);
    let (pay, clock) = client(certificate_settings(&server.base));
    let case = case("pay_success_platform_certificate");
    let (headers, body) = (headers(&case["headers"]), text(&case, "body").as_bytes());
    let err = pay.open_notification(&headers, body).await.unwrap_err();
    assert!(matches!(err, NotificationError::KeysUnavailable(_)) && !err.is_refusal(), "{err:?}");
    // It comes again, and the keys are there by then.
    server.certificates(Reply::vector(&vectors("certificates.json")));
    clock.advance(std::time::Duration::from_secs(15));
    pay.open_notification(&headers, body).await.unwrap();
}

#[tokio::test]
async fn unknown_serials_make_us_ask_once_a_minute_and_names_of_public_keys_never() {
    let server = Server::start([]).await;
    let (pay, clock) = client(settings(&server.base));
    let mut headers = headers(&case("wrong_serial_unknown")["headers"]);
    let mut ask = async |serial: &str| {
        headers.insert("Wechatpay-Serial", serial.parse().unwrap());
        let err = pay.open_notification(&headers, b"{}").await.unwrap_err();
        assert!(
            matches!(err, NotificationError::Signature(SignatureProblem::UnknownKey)),
            "{err:?}"
        );
        server.certificates_asked()
    };
    assert_eq!(ask("PUB_KEY_ID_0119000091912025100900000000000002").await, 0);
    assert_eq!(ask("not-hexadecimal").await, 0);
    for serial in ["ABCD01", "ABCD02", "ABCD03"] {
        assert_eq!(ask(serial).await, 1, "{serial}");
    }
    clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(ask("ABCD01").await, 2);
}
