//! The table of codes.

use super::*;

fn refused(status: u16, code: &str) -> PayError {
    PayError::Refused {
        status,
        code: code.to_owned(),
        message: "ORDER_PAID".to_owned(),
        request_id: "R".to_owned(),
    }
}

#[test]
fn the_code_decides_in_either_spelling_then_the_status_and_never_the_message() {
    use PayErrorKind as Kind;
    let rejected = |code: &str| Kind::Rejected { code: code.to_owned() };
    let table = [
        (400, "PARAM_ERROR", rejected("PARAM_ERROR"), false),
        (400, "INVALID_REQUEST", Kind::InvalidRequest, false),
        (400, "APPID_MCHID_NOT_MATCH", rejected("APPID_MCHID_NOT_MATCH"), false),
        (400, "MCH_NOT_EXISTS", rejected("MCH_NOT_EXISTS"), false),
        (400, "ORDER_CLOSED", Kind::OrderClosed, false),
        (400, "ORDERCLOSED", Kind::OrderClosed, false),
        (400, "ORDER_PAID", Kind::OrderPaid, false),
        (403, "ORDERPAID", Kind::OrderPaid, false),
        (401, "SIGN_ERROR", rejected("SIGN_ERROR"), false),
        (403, "NO_AUTH", rejected("NO_AUTH"), false),
        (403, "NOAUTH", rejected("NOAUTH"), false),
        (403, "RULE_LIMIT", rejected("RULE_LIMIT"), false),
        (403, "ACCOUNT_ERROR", rejected("ACCOUNT_ERROR"), false),
        (403, "TRADE_ERROR", rejected("TRADE_ERROR"), false),
        (403, "OUT_TRADE_NO_USED", Kind::OutTradeNoUsed, false),
        (403, "NOT_ENOUGH", Kind::NotEnough, true),
        (403, "NOTENOUGH", Kind::NotEnough, true),
        (404, "ORDER_NOT_EXIST", Kind::OrderNotExist, false),
        (404, "ORDERNOTEXIST", Kind::OrderNotExist, false),
        (404, "RESOURCE_NOT_EXISTS", Kind::OrderNotExist, false),
        (429, "FREQUENCY_LIMITED", Kind::RateLimited, true),
        (403, "FREQUENCY_LIMITED", Kind::RateLimited, true),
        (429, "SOMETHING_NEW", Kind::RateLimited, true),
        (500, "SYSTEM_ERROR", Kind::Unknown, true),
        (500, "SYSTEMERROR", Kind::Unknown, true),
        (500, "BANK_ERROR", Kind::Unknown, true),
        (500, "OPENID_MISMATCH", rejected("OPENID_MISMATCH"), false),
        (500, "INVALID_TRANSACTIONID", rejected("INVALID_TRANSACTIONID"), false),
        (500, "SOMETHING_NEW", Kind::Unknown, true),
        (502, "SOMETHING_NEW", Kind::Unknown, true),
        (400, "SOMETHING_NEW", rejected("SOMETHING_NEW"), false),
        (400, "STATEMENT_CREATING", Kind::NotReady, true),
    ];
    for (status, code, kind, is_retryable) in table {
        let err = refused(status, code);
        assert_eq!(err.kind(), kind, "{status} {code}");
        assert_eq!(err.is_retryable(), is_retryable, "{status} {code}");
    }
}

#[test]
fn what_may_have_happened_is_unknown_and_what_was_not_sent_is_not() {
    let lost = || CallError::Lost(ureq::Error::ConnectionFailed);
    let id = || "R".to_owned();
    let why = SignatureProblem::Mismatch;
    for (err, kind, may_pass) in [
        (PayError::NoAnswer(lost()), PayErrorKind::Unknown, true),
        (PayError::NoAnswer(CallError::TooLarge), PayErrorKind::Unknown, false),
        (PayError::Broken { status: 502, request_id: id() }, PayErrorKind::Unknown, true),
        (PayError::Broken { status: 200, request_id: id() }, PayErrorKind::Unknown, true),
        (PayError::Broken { status: 429, request_id: id() }, PayErrorKind::RateLimited, true),
        (PayError::Untrusted { why, request_id: id() }, PayErrorKind::Unknown, false),
        (PayError::Garbled("x"), PayErrorKind::Unknown, false),
        (PayError::NotSent(CallError::Overloaded), PayErrorKind::Unavailable, false),
        (
            PayError::NotSent(CallError::Connect(ureq::Error::HostNotFound)),
            PayErrorKind::Unavailable,
            true,
        ),
    ] {
        assert_eq!(err.kind(), kind, "{err}");
        assert_eq!(err.may_pass(), may_pass, "{err}");
        assert!(err.is_retryable(), "{err}");
    }
}

#[test]
fn only_our_own_fault_makes_wechat_repeat_a_notification_for_a_reason() {
    assert!(NotificationError::Signature(SignatureProblem::Probe).is_refusal());
    assert!(NotificationError::Sealed("x").is_refusal());
    assert!(NotificationError::Garbled("x").is_refusal());
    let overloaded = Box::new(PayError::NotSent(CallError::Overloaded));
    assert!(!NotificationError::KeysUnavailable(overloaded).is_refusal());
}
