//! Headers: what is missing, twice, or out of time.

use ureq::http::HeaderValue;

use super::super::testing::{NOW, Pen, der, headers, text, vectors};
use super::*;

const BODY: &[u8] = b"{}";

fn signed() -> HeaderMap {
    let pen = Pen::platform_a();
    let pair = |(name, value): (String, String)| {
        (name.parse::<ureq::http::HeaderName>().unwrap(), HeaderValue::from_str(&value).unwrap())
    };
    pen.sign(BODY).into_iter().map(pair).collect()
}

fn read(headers: &HeaderMap, now: UnixMillis) -> Result<(), SignatureProblem> {
    Claim::read(headers, now).map(|_| ())
}

#[test]
fn exactly_five_minutes_are_too_much_on_either_side() {
    let headers = signed();
    for good in [-299_999, 0, 299_999] {
        assert_eq!(read(&headers, NOW.plus_millis(good)), Ok(()), "{good}");
    }
    for bad in [-300_000, 300_000, 86_400_000, i64::MAX, i64::MIN] {
        assert_eq!(read(&headers, NOW.plus_millis(bad)), Err(SignatureProblem::Stale), "{bad}");
    }
}

#[test]
fn each_header_is_needed_once() {
    for name in [TIMESTAMP, NONCE, SIGNATURE, SERIAL] {
        let mut headers = signed();
        let value = headers.remove(name).unwrap();
        assert_eq!(read(&headers, NOW), Err(SignatureProblem::Missing(name)));
        headers.insert(name, HeaderValue::from_static(""));
        assert_eq!(read(&headers, NOW), Err(SignatureProblem::Missing(name)));
        headers.insert(name, value.clone());
        assert_eq!(read(&headers, NOW), Ok(()));
        headers.append(name, value);
        assert_eq!(read(&headers, NOW), Err(SignatureProblem::Malformed(name)));
        headers.insert(name, HeaderValue::from_bytes(&[b'1', 0xff]).unwrap());
        assert_eq!(read(&headers, NOW), Err(SignatureProblem::Malformed(name)));
    }
}

#[test]
fn a_time_is_digits_and_a_signature_base64() {
    for time in ["+1760000000", "1760000000.0", "1760000000000000000000", "now", "-1", " 1"] {
        let mut headers = signed();
        headers.insert(TIMESTAMP, HeaderValue::from_str(time).unwrap());
        assert_eq!(read(&headers, NOW), Err(SignatureProblem::Malformed(TIMESTAMP)), "{time}");
    }
    // Milliseconds are far in the future.
    let mut headers = signed();
    headers.insert(TIMESTAMP, HeaderValue::from_static("1760000000000"));
    assert_eq!(read(&headers, NOW), Err(SignatureProblem::Stale));
    headers = signed();
    headers.insert(SIGNATURE, HeaderValue::from_static("***"));
    assert_eq!(read(&headers, NOW), Err(SignatureProblem::Malformed(SIGNATURE)));
    // Also one whose rest would be base64.
    headers.insert(SIGNATURE, HeaderValue::from_static("WECHATPAY/SIGNTEST/AAAA"));
    assert_eq!(read(&headers, NOW), Err(SignatureProblem::Probe));
}

#[test]
fn the_published_notification_verifies() {
    let case = vectors("notify.json")["official_fixture"].take();
    let now = UnixMillis(case["now"].as_i64().unwrap() * 1000);
    let claim = Claim::read(&headers(&case["headers"]), now).unwrap();
    assert_eq!(claim.serial, text(&case, "serial"));
    let key = PlatformKey::from_spki(&der(text(&case, "public_key"))).unwrap();
    let body = text(&case, "body").as_bytes();
    assert_eq!(claim.verify(&key, body), Ok(()));
    assert_eq!(claim.verify(&key, &body[1..]), Err(SignatureProblem::Mismatch));
    assert_eq!(claim.verify(&key, &[body, b"\n"].concat()), Err(SignatureProblem::Mismatch));
}

#[test]
fn a_key_is_rsa() {
    assert!(PlatformKey::from_spki(b"hunter2").is_none());
}
