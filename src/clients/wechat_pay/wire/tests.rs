//! Bodies byte for byte, and answers in all the shapes they come in.

use super::*;

/// 2025-10-09T17:23:20+08:00.
const TIME: UnixMillis = UnixMillis(1_760_001_800_000);

#[test]
fn a_prepay_has_what_is_used_and_nothing_else() {
    let mut request = PrepayRequest {
        description: "梦境画师-VIP月卡".to_owned(),
        out_trade_no: "DREAM20251009000001".to_owned(),
        time_expire: TIME.plus_millis(999),
        total_fen: 1990,
        payer_openid: "oUpF8".to_owned(),
        attach: Some("u=42".to_owned()),
    };
    let body = |request: &PrepayRequest| {
        String::from_utf8(prepay(request, "wx8d", "19", "https://b/n").unwrap()).unwrap()
    };
    assert_eq!(
        body(&request),
        r#"{"appid":"wx8d","mchid":"19","description":"梦境画师-VIP月卡","out_trade_no":"DREAM20251009000001","time_expire":"2025-10-09T17:23:20+08:00","attach":"u=42","notify_url":"https://b/n","amount":{"total":1990,"currency":"CNY"},"payer":{"openid":"oUpF8"}}"#
    );
    request.attach = None;
    assert!(!body(&request).contains("attach"));
    assert!(!body(&request).contains("null"));
}

#[test]
fn a_refund_says_its_currency() {
    let mut request = RefundRequest {
        out_trade_no: "D1".to_owned(),
        out_refund_no: "R1".to_owned(),
        reason: None,
        refund_fen: 990,
        total_fen: 1990,
    };
    let body = |request: &RefundRequest| {
        String::from_utf8(refund(request, "https://b/r").unwrap()).unwrap()
    };
    assert_eq!(
        body(&request),
        r#"{"out_trade_no":"D1","out_refund_no":"R1","notify_url":"https://b/r","amount":{"refund":990,"total":1990,"currency":"CNY"}}"#
    );
    request.reason = Some("用户申请".to_owned());
    assert!(body(&request).contains(r#""reason":"用户申请","#));
    assert_eq!(close("19").unwrap(), br#"{"mchid":"19"}"#);
}

#[test]
fn an_unpaid_order_lacks_most_or_has_it_empty() {
    for rest in [
        "",
        r#","payer":{},"amount":{}"#,
        r#","payer":null,"amount":null,"transaction_id":null,"success_time":"","attach":"""#,
    ] {
        let json = format!(
            r#"{{"appid":"a","mchid":"m","out_trade_no":"o","trade_state":"NOTPAY","trade_state_desc":"未支付"{rest}}}"#
        );
        let found = transaction(json.as_bytes()).unwrap();
        let wanted = Transaction {
            appid: "a".to_owned(),
            mchid: "m".to_owned(),
            out_trade_no: "o".to_owned(),
            transaction_id: None,
            state: TradeState::NotPay,
            success_time: None,
            payer_openid: None,
            total_fen: None,
            currency: None,
            attach: None,
        };
        assert_eq!(found, wanted, "{json}");
    }
}

#[test]
fn a_paid_order_has_the_orders_price_and_not_what_the_payer_paid() {
    let json = r#"{"appid":"a","mchid":"m","out_trade_no":"o","trade_state":"REFUND",
        "transaction_id":"42","success_time":"2025-10-09T17:23:20+08:00","payer":{"openid":"oU"},
        "amount":{"total":1990,"payer_total":1790,"currency":"CNY","payer_currency":"CNY"},
        "promotion_detail":[{}]}"#;
    let found = transaction(json.as_bytes()).unwrap();
    assert_eq!((found.total_fen, found.currency.as_deref()), (Some(1990), Some("CNY")));
    assert_eq!(found.success_time, Some(TIME));
    assert_eq!(found.payer_openid.as_deref(), Some("oU"));
    assert!(found.state.is_paid(), "the money came, though some went back");
}

#[test]
fn only_success_and_refund_mean_that_the_money_came() {
    for (text, is_paid) in [
        ("SUCCESS", true),
        ("REFUND", true),
        ("NOTPAY", false),
        ("CLOSED", false),
        ("REVOKED", false),
        ("USERPAYING", false),
        ("PAYERROR", false),
        ("success", false),
        ("", false),
    ] {
        assert_eq!(TradeState::parse(text).is_paid(), is_paid, "{text}");
    }
}

#[test]
fn what_is_not_as_documented_is_not_guessed_at() {
    for bad in [
        "",
        "[]",
        r#"{"appid":"a","mchid":"m","out_trade_no":"o"}"#,
        r#"{"appid":"a","mchid":"m","out_trade_no":"o","trade_state":"SUCCESS","amount":{"total":19.9}}"#,
        r#"{"appid":"a","mchid":"m","out_trade_no":"o","trade_state":"SUCCESS","amount":{"total":"1990"}}"#,
        r#"{"appid":"a","mchid":"m","out_trade_no":"o","trade_state":"SUCCESS","success_time":"yesterday"}"#,
    ] {
        assert!(transaction(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(prepaid(b"{}").is_err());
    assert!(prepaid(br#"{"prepay_id":""}"#).is_err());
    assert_eq!(prepaid(br#"{"prepay_id":"wx1"}"#).unwrap(), "wx1");
}

#[test]
fn a_refund_has_its_state_under_either_name() {
    let json = |state: &str| {
        format!(
            r#"{{"refund_id":"50","out_refund_no":"R1","transaction_id":"42","out_trade_no":"D1",
               {state},"amount":{{"refund":990,"total":1990,"payer_total":1790}}}}"#
        )
    };
    for (text, state) in [
        ("PROCESSING", RefundState::Processing),
        ("SUCCESS", RefundState::Success),
        ("CLOSED", RefundState::Closed),
        ("ABNORMAL", RefundState::Abnormal),
        ("NEW", RefundState::Other("NEW".to_owned())),
    ] {
        let answer = refunded(json(&format!(r#""status":"{text}""#)).as_bytes()).unwrap();
        assert_eq!((&answer.state, answer.refund_fen, answer.total_fen), (&state, 990, 1990));
        let notice = json(&format!(r#""mchid":"19","refund_status":"{text}""#));
        let notice = refund_notice(notice.as_bytes()).unwrap();
        assert_eq!((notice.mchid.as_str(), notice.refund), ("19", answer));
    }
    assert!(refund_notice(json(r#""refund_status":"SUCCESS""#).as_bytes()).is_err(), "no mchid");
    assert!(refunded(br#"{"status":"SUCCESS"}"#).is_err());
}

#[test]
fn numbers_stand_in_paths_encoded() {
    assert_eq!(encode("A_b-c|d*9"), "A_b-c%7Cd%2A9");
    assert_eq!(encode("a/../b?c=d&e#f@"), "a%2F..%2Fb%3Fc%3Dd%26e%23f%40");
    assert_eq!(encode("梦~."), "%E6%A2%A6~.");
}
