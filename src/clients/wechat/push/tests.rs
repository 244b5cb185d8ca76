use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::*;
use crate::clients::wechat::Verdict;

const NOW: UnixMillis = UnixMillis(1_760_000_000_000);

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/message_push.json")).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn keys(appid: &str, token: &str, aes_key: &str) -> PushKeys {
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(format!("{aes_key}=")).unwrap();
    PushKeys {
        appid: appid.to_owned(),
        token: Secret::new(token.to_owned()),
        aes_key: Secret::new(bytes.try_into().unwrap()),
    }
}

fn keys_of(side: &Value) -> PushKeys {
    keys(text(side, "appid"), text(side, "token"), text(side, "encoding_aes_key"))
}

fn query(value: &Value) -> PushQuery {
    let get = |name: &str| value["query"][name].as_str().map(str::to_owned);
    PushQuery {
        signature: get("signature"),
        timestamp: get("timestamp"),
        nonce: get("nonce"),
        echostr: get("echostr"),
        encrypt_type: get("encrypt_type"),
        msg_signature: get("msg_signature"),
    }
}

fn case(name: &str) -> (PushKeys, PushQuery, Vec<u8>) {
    let vectors = vectors();
    let ours = &vectors["ours"];
    let cases = ours["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == name).unwrap();
    (keys_of(ours), query(case), text(case, "body").as_bytes().to_vec())
}

fn event_of(name: &str) -> Push {
    let (keys, query, body) = case(name);
    keys.open(&query, &body, NOW).unwrap()
}

#[test]
fn every_vector_opens_or_is_refused_as_it_says() {
    let vectors = vectors();
    let ours = &vectors["ours"];
    let keys = keys_of(ours);
    let (mut good, mut bad) = (0, 0);
    for case in ours["cases"].as_array().unwrap() {
        let opened = keys.open(&query(case), text(case, "body").as_bytes(), NOW);
        let name = text(case, "name");
        if case["ok"].as_bool().unwrap() {
            assert_eq!(opened.unwrap().plaintext, text(case, "plaintext"), "{name}");
            good += 1;
        } else {
            let wanted = match name {
                "appid_inside_is_another" => PushError::OtherApp,
                _ => PushError::Forged,
            };
            assert_eq!(opened.unwrap_err(), wanted, "{name}");
            bad += 1;
        }
    }
    assert_eq!((good, bad), (6, 2));
}

#[test]
fn a_key_with_bits_to_spare_opens() {
    let vectors = vectors();
    let spare = &vectors["key_with_spare_bits"];
    let (ours, key) = (&vectors["ours"], text(spare, "encoding_aes_key"));
    let keys = keys(text(ours, "appid"), text(ours, "token"), key);
    let opened = keys.open(&query(spare), text(spare, "body").as_bytes(), NOW).unwrap();
    assert_eq!(opened.plaintext, text(spare, "plaintext"));
}

#[test]
fn wechats_own_example_opens() {
    let vectors = vectors();
    let official = &vectors["official"];
    let keys = keys_of(official);
    let check = &official["url_check"];
    let now = UnixMillis(1_714_036_504_000);
    assert_eq!(keys.check_url(&query(check), now).unwrap(), text(check, "answer_body"));

    let secure = &official["secure"];
    let body = serde_json::json!({ "ToUserName": "gh", "Encrypt": secure["encrypt"] }).to_string();
    let now = UnixMillis(1_714_112_445_000);
    let opened = keys.open(&query(secure), body.as_bytes(), now).unwrap();
    assert_eq!(opened.plaintext, text(secure, "plaintext"));
    assert_eq!(opened.event, PushEvent::Unknown { event: "debug_demo".to_owned() });

    // Signed as plain mode is, which says nothing about the body.
    let plain = &official["plain"];
    let now = UnixMillis(1_714_037_059_000);
    let refused = keys.open(&query(plain), text(plain, "body").as_bytes(), now);
    assert_eq!(refused.unwrap_err(), PushError::Unsigned);
    // Not even with a signature that would be right for nothing encrypted.
    let (timestamp, nonce) = ("1714037059", "486452656");
    let forged = PushQuery { msg_signature: Some(keys.sign(&[timestamp, nonce])), ..query(plain) };
    let refused = keys.open(&forged, text(plain, "body").as_bytes(), now);
    assert_eq!(refused.unwrap_err(), PushError::Unsigned);
}

#[test]
fn the_url_check_is_signed_and_of_now() {
    let vectors = vectors();
    let official = &vectors["official"];
    let keys = keys_of(official);
    let good = query(&official["url_check"]);
    let now = UnixMillis(1_714_036_504_000);
    let late = keys.check_url(&good, now.plus_seconds(301));
    assert_eq!(late.unwrap_err(), PushError::Stale);
    let other = PushQuery { nonce: Some("1".to_owned()), ..good.clone() };
    assert_eq!(keys.check_url(&other, now).unwrap_err(), PushError::Forged);
    for missing in [
        PushQuery { signature: None, ..good.clone() },
        PushQuery { timestamp: None, ..good.clone() },
        PushQuery { nonce: None, ..good.clone() },
        PushQuery { echostr: None, ..good },
    ] {
        assert_eq!(keys.check_url(&missing, now).unwrap_err(), PushError::Unsigned);
    }
}

#[test]
fn a_push_of_another_time_is_refused() {
    let (keys, query, body) = case("xpay_goods_deliver_json");
    for (seconds, wanted) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let opened = keys.open(&query, &body, NOW.plus_seconds(seconds));
        assert_eq!(opened.is_ok(), wanted, "{seconds}");
        assert!(wanted || opened.unwrap_err() == PushError::Stale);
    }
    for odd in ["", "-1760000000", "1.76e9", " 1760000000", "99999999999999999999"] {
        let query = PushQuery { timestamp: Some(odd.to_owned()), ..query.clone() };
        assert_eq!(keys.open(&query, &body, NOW).unwrap_err(), PushError::Stale, "{odd}");
    }
}

#[test]
fn any_change_is_noticed() {
    let (keys, query, body) = case("xpay_goods_deliver_json");
    let text = String::from_utf8(body.clone()).unwrap();
    let sealed_from = text.find("Encrypt\":\"").unwrap() + "Encrypt\":\"".len();
    for at in (sealed_from..text.len() - 4).step_by(37) {
        let mut changed = body.clone();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(keys.open(&query, &changed, NOW).unwrap_err(), PushError::Forged, "{at}");
    }
    let other = |change: fn(&mut PushQuery)| {
        let mut query = query.clone();
        change(&mut query);
        keys.open(&query, &body, NOW).unwrap_err()
    };
    assert_eq!(other(|query| query.nonce = Some("1".to_owned())), PushError::Forged);
    assert_eq!(other(|query| query.timestamp = Some("1760000001".to_owned())), PushError::Forged);
    assert_eq!(other(|query| query.msg_signature = Some(String::new())), PushError::Forged);
    assert_eq!(other(|query| query.msg_signature = None), PushError::Unsigned);
    assert_eq!(other(|query| query.encrypt_type = Some("raw".to_owned())), PushError::Unsigned);
}

#[test]
fn rubbish_in_a_right_signature_is_refused() {
    let (keys, query, _) = case("xpay_goods_deliver_json");
    let signed = |sealed: &str| {
        let parts = ["1760000000", "2439466491", sealed];
        let query = PushQuery { msg_signature: Some(keys.sign(&parts)), ..query.clone() };
        let body = serde_json::json!({ "Encrypt": sealed }).to_string();
        keys.open(&query, body.as_bytes(), NOW).unwrap_err()
    };
    for rubbish in ["", "?", "AAAA", &"A".repeat(64), &format!("{}=", "A".repeat(43))] {
        assert_eq!(signed(rubbish), PushError::Garbled, "{rubbish}");
    }
    let twice = "<xml><Encrypt>AAAA</Encrypt><Encrypt>BBBB</Encrypt></xml>";
    assert_eq!(keys.open(&query, twice.as_bytes(), NOW).unwrap_err(), PushError::Garbled);
    for body in ["", "{}", "[]", "<xml/>", "<!DOCTYPE a><xml><Encrypt>A</Encrypt></xml>"] {
        assert!(keys.open(&query, body.as_bytes(), NOW).is_err(), "{body}");
    }
}

#[test]
fn the_same_delivery_is_read_from_json_and_from_xml() {
    let wanted = GoodsDelivery {
        openid: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned(),
        order_id: "DREAM20251009000003".to_owned(),
        env: 0,
        transaction_id: Some("4200002750202510091234567892".to_owned()),
        paid_at: Some(UnixMillis(1_759_999_998_000)),
        product_id: "vip_month".to_owned(),
        quantity: 1,
        original_fen: Some(1990),
        paid_fen: 1990,
        attach: Some("u=42;月卡".to_owned()),
    };
    for (name, format) in
        [("xpay_goods_deliver_json", Format::Json), ("xpay_goods_deliver_xml", Format::Xml)]
    {
        let push = event_of(name);
        assert_eq!(push.event, PushEvent::GoodsDeliver(wanted.clone()), "{name}");
        assert_eq!(push.format, format);
    }
}

#[test]
fn verdicts_on_pictures_have_labels_as_numbers_or_texts() {
    let verdict = |name: &str| match event_of(name).event {
        PushEvent::MediaCheck(verdict) => verdict,
        other => panic!("{other:?}"),
    };
    let pass = verdict("media_check_pass_json");
    assert_eq!((pass.verdict, pass.label), (Some(Verdict::Pass), Some(100)));
    assert_eq!(pass.trace_id, "68e77ae0-0c6a7b1f-3f0d2a11");
    let risky = verdict("media_check_risky_json_label_as_string");
    assert_eq!((risky.verdict, risky.label), (Some(Verdict::Risky), Some(20002)));
}

fn read(message: Value) -> PushEvent {
    PushEvent::of(message.as_object().unwrap()).unwrap()
}

#[test]
fn a_picture_that_could_not_be_fetched_has_no_verdict() {
    for code in [-1008i64, 4_294_966_288] {
        let event = read(serde_json::json!({"Event": "wxa_media_check", "trace_id": "t",
            "errcode": code, "result": {"suggest": "pass", "label": 100}}));
        let wanted = MediaVerdict { trace_id: "t".to_owned(), verdict: None, label: None };
        assert_eq!(event, PushEvent::MediaCheck(wanted), "{code}");
    }
}

#[test]
fn an_apple_payment_has_no_wechat_payment_and_old_spellings_are_read() {
    let event = read(serde_json::json!({"Event": "xpay_goods_deliver_notify", "openid": "o",
        "env": "1", "OutTradeNo": "n", "GoodsInfo": {"ProductId": "p", "Quantity": "1",
        "ActualPrice": "100"}}));
    let PushEvent::GoodsDeliver(delivery) = event else { panic!("{event:?}") };
    assert_eq!((delivery.env, delivery.paid_fen, delivery.openid.as_str()), (1, 100, "o"));
    assert_eq!((delivery.transaction_id, delivery.paid_at), (None, None));
}

#[test]
fn a_refund_that_nobody_asked_for_is_read() {
    let event = read(serde_json::json!({"Event": "xpay_refund_notify", "OpenId": "o",
        "WxRefundId": "w", "MchRefundId": "", "WxOrderId": "x", "MchOrderId": "order1",
        "RefundFee": 1990, "RetCode": 0, "RetMsg": "ok", "RefundSuccTimestamp": 1760000000,
        "RetryTimes": 0}));
    let PushEvent::Refund(refund) = event else { panic!("{event:?}") };
    assert!(refund.is_success());
    assert_eq!((refund.refund_id, refund.refund_fen), (None, 1990));
    assert_eq!(refund.order_id.as_deref(), Some("order1"));
    assert_eq!(refund.succeeded_at, Some(NOW));
}

#[test]
fn what_lacks_a_field_is_told_from_what_is_unknown() {
    let unreadable = |message: Value| matches!(read(message), PushEvent::Unreadable { .. });
    assert!(unreadable(serde_json::json!({"Event": "xpay_goods_deliver_notify"})));
    assert!(unreadable(serde_json::json!({"Event": "xpay_goods_deliver_notify", "OpenId": "o",
        "OutTradeNo": ["a", "b"], "Env": 0, "GoodsInfo": {"ProductId": "p", "Quantity": 1,
        "ActualPrice": 1}})));
    assert!(unreadable(serde_json::json!({"Event": "xpay_refund_notify", "RefundFee": 1,
        "RetCode": 0})));
    assert!(unreadable(serde_json::json!({"Event": "wxa_media_check"})));
    let text = read(serde_json::json!({"MsgType": "text", "Content": "hello"}));
    assert_eq!(text, PushEvent::Unknown { event: "text".to_owned() });
    assert_eq!(PushEvent::of(&serde_json::Map::new()), None);
}

#[test]
fn printing_keys_shows_none() {
    let shown = format!("{:?}", keys("wx1", "tokentoken", &"A".repeat(43)));
    assert!(shown.contains("wx1") && !shown.contains("tokentoken"), "{shown}");
}
