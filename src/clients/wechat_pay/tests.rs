//! The client over real HTTP: what arrives, what is believed, what is repeated, where it goes.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::testing::{
    NOW, PUBLIC_KEY_ID, Pen, Reply, Seen, Server, certificate_settings, client, key, list,
    settings, text, transport, vectors,
};
use super::*;
use crate::clients::http::CallError;

const PREPAID: &str = r#"{"prepay_id":"wx09165320123456789abcdef0123456789000"}"#;

fn order() -> PrepayRequest {
    PrepayRequest {
        description: "梦境画师-VIP月卡".to_owned(),
        out_trade_no: "DREAM20251009000001".to_owned(),
        time_expire: NOW.plus_seconds(1800),
        total_fen: 1990,
        payer_openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        attach: None,
    }
}

fn error(status: u16, code: &str) -> Reply {
    Reply::signed(status, &json!({ "code": code, "message": "m", "detail": {} }).to_string())
}

/// An address that nobody listens on.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The nonce of a request, whose signature must be the merchant's over what arrived.
#[track_caller]
fn nonce_of(seen: &Seen) -> String {
    let header = seen.headers["authorization"].to_str().unwrap();
    let value = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (time, nonce) = (value("timestamp"), value("nonce_str"));
    let head = format!("{}\n{}\n{time}\n{nonce}\n", seen.method, seen.target);
    let message = [head.as_bytes(), &seen.body, b"\n"].concat();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key("merchant_public_key"))
        .verify(&message, &STANDARD.decode(value("signature")).unwrap())
        .unwrap();
    assert_eq!(value("mchid"), "1900009191");
    assert_eq!(value("serial_no"), "594E31AD43FD0C44DCF867F417C0DC3C366387DD");
    nonce
}

#[tokio::test]
async fn an_order_is_told_as_it_is_signed() {
    let server = Server::start([Reply::signed(200, PREPAID)]).await;
    let (pay, _) = client(settings(&server.base));
    let prepay_id = pay.prepay(&order()).await.unwrap();
    assert_eq!(prepay_id.as_str(), "wx09165320123456789abcdef0123456789000");
    let seen = server.seen().remove(0);
    nonce_of(&seen);
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", PREPAY));
    assert_eq!(seen.headers["accept"], "application/json");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["wechatpay-serial"], PUBLIC_KEY_ID);
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("dream-bff/"));
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["notify_url"], "https://bff.example.com/v1/payments/wechat/notify");
    assert_eq!(body["amount"], json!({ "total": 1990, "currency": "CNY" }));
    assert_eq!(body["time_expire"], "2025-10-09T17:23:20+08:00");
    let params = pay.payment_params(&prepay_id).unwrap();
    assert_eq!(params.time_stamp, "1760000000");
    assert_ne!(params, pay.payment_params(&prepay_id).unwrap(), "anew for every tap");
}

#[tokio::test]
async fn the_other_calls_go_where_they_should() {
    let unpaid = r#"{"appid":"wx8d7f3a5b1c2e4960","mchid":"1900009191","out_trade_no":"A|1","trade_state":"NOTPAY"}"#;
    let refund = r#"{"refund_id":"50","out_refund_no":"R*1","transaction_id":"42","out_trade_no":"A|1","status":"PROCESSING","amount":{"refund":1,"total":2}}"#;
    let server = Server::start([
        Reply::signed(200, unpaid),
        Reply::signed(204, ""),
        Reply::signed(200, refund),
        Reply::signed(200, refund),
    ])
    .await;
    let (pay, _) = client(settings(&server.base));
    assert_eq!(pay.query_order("A|1").await.unwrap().state, TradeState::NotPay);
    pay.close_order("A|1").await.unwrap();
    let request = RefundRequest {
        out_trade_no: "A|1".to_owned(),
        out_refund_no: "R*1".to_owned(),
        reason: None,
        refund_fen: 1,
        total_fen: 2,
    };
    assert_eq!(pay.refund(&request).await.unwrap().state, RefundState::Processing);
    assert_eq!(pay.query_refund("R*1").await.unwrap().refund_fen, 1);
    let seen = server.seen();
    let calls: Vec<String> =
        seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    assert_eq!(
        calls,
        [
            "GET /v3/pay/transactions/out-trade-no/A%7C1?mchid=1900009191",
            "POST /v3/pay/transactions/out-trade-no/A%7C1/close",
            "POST /v3/refund/domestic/refunds",
            "GET /v3/refund/domestic/refunds/R%2A1",
        ]
    );
    seen.iter().for_each(|seen| {
        nonce_of(seen);
    });
    assert!(!seen[0].headers.contains_key("content-type"), "without a body");
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_taken() {
    let other = r#"{"appid":"a","mchid":"m","out_trade_no":"B","trade_state":"SUCCESS"}"#;
    let server = Server::start([Reply::signed(200, other), Reply::signed(200, "{}")]).await;
    let (pay, _) = client(settings(&server.base));
    for _ in 0..2 {
        assert_eq!(pay.query_order("A").await.unwrap_err().kind(), PayErrorKind::Unknown);
    }
}

#[tokio::test]
async fn every_answer_of_the_vectors_is_judged_as_they_say() {
    let vectors = vectors("response_verify.json");
    assert_eq!(vectors["now"].as_i64().unwrap(), NOW.seconds());
    let mut good = 0;
    for case in list(&vectors, "cases", 12) {
        let name = text(&case, "name");
        let server = Server::start([Reply::vector(&case)]).await;
        let transport = transport(&settings(&server.base));
        let answer = transport.call(Method::GET, "/v3/x", &[]).await;
        let is_success = case["status"].as_u64().unwrap() < 300;
        match (answer, case["ok"].as_bool().unwrap()) {
            (Ok(body), true) if is_success => assert_eq!(body, text(&case, "body").as_bytes()),
            (Err(err @ PayError::Refused { .. }), true) if !is_success => {
                assert_eq!(err.kind(), PayErrorKind::OrderClosed, "{name}");
            }
            (Err(err @ PayError::Untrusted { .. }), false) => {
                assert_eq!(err.kind(), PayErrorKind::Unknown, "{name}");
            }
            (answer, _) => panic!("{name}: {answer:?}"),
        }
        good += usize::from(case["ok"] == true);
        assert_eq!(server.seen().len(), 1, "{name} is not repeated");
        assert!(server.certificates_asked() <= 1, "{name}");
    }
    assert_eq!(good, 5);
}

#[tokio::test]
async fn an_error_needs_no_signature_but_a_bad_one_is_worse_than_none() {
    let paid = r#"{"code":"ORDER_PAID","message":"m"}"#;
    let forged = Pen::platform_a().called(PUBLIC_KEY_ID);
    let server = Server::start([
        Reply::unsigned(401, r#"{"code":"SIGN_ERROR","message":"签名错误"}"#),
        Reply::signed_by(&forged, 400, paid),
        Reply::signed(400, paid),
        Reply::unsigned(400, "<html>no"),
    ])
    .await;
    let (pay, _) = client(settings(&server.base));
    let kind = async || pay.close_order("A").await.unwrap_err().kind();
    assert_eq!(kind().await, PayErrorKind::Rejected { code: "SIGN_ERROR".to_owned() });
    assert_eq!(kind().await, PayErrorKind::Unknown);
    assert_eq!(kind().await, PayErrorKind::OrderPaid);
    // The fourth is a page of something in between, and so are those behind it.
    assert_eq!(kind().await, PayErrorKind::Unknown);
}

#[tokio::test]
async fn what_may_pass_is_repeated_twice_and_signed_anew() {
    let server = Server::start([
        error(500, "SYSTEM_ERROR"),
        Reply::Drop,
        Reply::signed(200, PREPAID),
        error(429, "FREQUENCY_LIMITED"),
        Reply::unsigned(502, "<html>"),
        error(500, "SYSTEM_ERROR"),
        Reply::signed(200, PREPAID),
        error(400, "PARAM_ERROR"),
    ])
    .await;
    let (pay, _) = client(settings(&server.base));
    pay.prepay(&order()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|one| one.body == seen[0].body), "the same wish");
    let mut nonces: Vec<String> = seen.iter().map(nonce_of).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
    assert_eq!(pay.prepay(&order()).await.unwrap_err().kind(), PayErrorKind::Unknown);
    assert_eq!(server.seen().len(), 6, "three attempts are all");
    pay.prepay(&order()).await.unwrap();
    let rejected = pay.prepay(&order()).await.unwrap_err().kind();
    assert_eq!(rejected, PayErrorKind::Rejected { code: "PARAM_ERROR".to_owned() });
    assert_eq!(server.seen().len(), 8, "what is final is not repeated");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_unknown_and_not_waited_for_again() {
    let server = Server::start([Reply::Hang]).await;
    let (pay, _) =
        client(WechatPaySettings { timeout: Duration::from_millis(300), ..settings(&server.base) });
    let err = pay.prepay(&order()).await.unwrap_err();
    assert!(matches!(err, PayError::NoAnswer(CallError::Timeout(_))), "{err:?}");
    assert_eq!(err.kind(), PayErrorKind::Unknown);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_may_have_happened_stays_so_when_a_repeat_does_not_get_through() {
    let lost = || PayError::NoAnswer(CallError::Lost(ureq::Error::ConnectionFailed));
    let unreached = || PayError::NotSent(CallError::Connect(ureq::Error::ConnectionFailed));
    let limited = || PayError::Broken { status: 429, request_id: String::new() };
    let closed = || PayError::Refused {
        status: 400,
        code: "ORDER_CLOSED".to_owned(),
        message: String::new(),
        request_id: String::new(),
    };
    type Make<'a> = &'a (dyn Fn() -> PayError + Sync);
    let cases: [([Make<'_>; 3], PayErrorKind, usize); 5] = [
        ([&lost, &unreached, &unreached], PayErrorKind::Unknown, 3),
        ([&lost, &limited, &unreached], PayErrorKind::Unknown, 3),
        ([&unreached, &unreached, &unreached], PayErrorKind::Unavailable, 3),
        ([&unreached, &lost, &unreached], PayErrorKind::Unknown, 3),
        // A clear word about the number ends it.
        ([&lost, &closed, &unreached], PayErrorKind::OrderClosed, 2),
    ];
    for (index, (errors, kind, wanted)) in cases.into_iter().enumerate() {
        let rng = Rng::seeded(1);
        let mut tries = attempts::Attempts::new(Duration::from_secs(10), &rng);
        let mut made = 0;
        let err = loop {
            made += 1;
            if let Err(err) = tries.next(errors[made - 1]()).await {
                break err;
            }
        };
        assert_eq!((err.kind(), made), (kind, wanted), "{index}");
    }
}

#[tokio::test]
async fn the_second_address_is_for_when_the_first_cannot_be_reached_and_for_nothing_else() {
    let server = Server::start(vec![Reply::signed(200, PREPAID); 3]).await;
    let dead = nobody().await;
    let (pay, clock) =
        client(WechatPaySettings { fallback_base: Some(server.base.clone()), ..settings(&dead) });
    pay.prepay(&order()).await.unwrap();
    pay.prepay(&order()).await.unwrap();
    clock.advance(Duration::from_secs(61));
    // The answers' time is 61 seconds off by now, which is good.
    pay.prepay(&order()).await.unwrap();
    assert_eq!(server.seen().len(), 3);

    let (first, second) = (Server::start([]).await, Server::start([]).await);
    first.reply(error(500, "OPENID_MISMATCH"));
    let (pay, _) = client(WechatPaySettings {
        fallback_base: Some(second.base.clone()),
        ..settings(&first.base)
    });
    pay.prepay(&order()).await.unwrap_err();
    first.reply(Reply::Drop);
    first.reply(Reply::signed(200, PREPAID));
    pay.prepay(&order()).await.unwrap();
    assert_eq!((first.seen().len(), second.seen().len()), (3, 0));

    let (pay, _) = client(WechatPaySettings {
        fallback_base: Some(nobody().await),
        ..settings(&nobody().await)
    });
    assert_eq!(pay.prepay(&order()).await.unwrap_err().kind(), PayErrorKind::Unavailable);
}

#[tokio::test]
async fn certificates_are_asked_for_by_one_and_used_by_all() {
    let server = Server::start(vec![Reply::signed_by(&Pen::platform_a(), 200, PREPAID); 12]).await;
    let (pay, clock) = client(certificate_settings(&server.base));
    let pay = std::sync::Arc::new(pay);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let pay = std::sync::Arc::clone(&pay);
        calls.spawn(async move { pay.prepay(&order()).await.map(|_| ()) });
    }
    calls.join_all().await.into_iter().for_each(|done| done.unwrap());
    assert_eq!((server.seen().len(), server.certificates_asked()), (12, 1));
    assert!(server.seen().iter().all(|seen| !seen.headers.contains_key("wechatpay-serial")));
    // Then not before they are old; what is at hand outlives a failure.
    pay.refresh_certificates().await.unwrap();
    assert_eq!(server.certificates_asked(), 1);
    clock.advance(Duration::from_secs(6 * 3600));
    server.certificates(Reply::unsigned(404, r#"{"code":"RESOURCE_NOT_EXISTS"}"#));
    assert_eq!(
        pay.refresh_certificates().await.unwrap_err().kind(),
        PayErrorKind::OrderNotExist,
        "who has no public key needs certificates"
    );
    assert_eq!(server.certificates_asked(), 2);
}

#[tokio::test]
async fn who_has_the_public_key_needs_no_certificates() {
    let server = Server::start(vec![Reply::signed(200, PREPAID); 2]).await;
    server.certificates(Reply::unsigned(404, r#"{"code":"RESOURCE_NOT_EXISTS","message":"无"}"#));
    let (pay, _) = client(settings(&server.base));
    pay.prepay(&order()).await.unwrap();
    assert_eq!(server.certificates_asked(), 0);
    for _ in 0..3 {
        pay.refresh_certificates().await.unwrap();
    }
    assert_eq!(server.certificates_asked(), 1, "once in six hours is enough to hear that");
    pay.prepay(&order()).await.unwrap();
}

#[tokio::test]
async fn certificates_that_are_not_good_are_not_used() {
    let mut answer = vectors("certificates.json");
    answer["body"] = text(&answer, "body").replacen("{\"data\"", "{ \"data\"", 1).into();
    let server = Server::start([Reply::signed_by(&Pen::platform_a(), 200, PREPAID)]).await;
    server.certificates(Reply::vector(&answer));
    let (pay, _) = client(certificate_settings(&server.base));
    assert_eq!(pay.refresh_certificates().await.unwrap_err().kind(), PayErrorKind::Unknown);
    assert_eq!(pay.prepay(&order()).await.unwrap_err().kind(), PayErrorKind::Unknown);
}

#[test]
fn secrets_are_not_printed() {
    let settings = settings("http://127.0.0.1:1");
    let shown = format!("{settings:?}");
    assert!(!shown.contains(settings.apiv3_key.expose()), "{shown}");
    assert_eq!(shown.matches("***").count(), 2, "{shown}");
}

#[tokio::test]
async fn every_call_may_be_made_from_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let (pay, _) = client(settings("http://127.0.0.1:1"));
    let request = RefundRequest {
        out_trade_no: "A".to_owned(),
        out_refund_no: "R".to_owned(),
        reason: None,
        refund_fen: 1,
        total_fen: 1,
    };
    is_send(pay.prepay(&order()));
    is_send(pay.query_order("A"));
    is_send(pay.close_order("A"));
    is_send(pay.refund(&request));
    is_send(pay.query_refund("R"));
    is_send(pay.trade_bill(Date::new(2025, 10, 8).unwrap(), BillKind::All));
    is_send(pay.open_notification(&HeaderMap::new(), b""));
    is_send(pay.refresh_certificates());
}
