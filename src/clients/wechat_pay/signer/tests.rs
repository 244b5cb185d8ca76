//! All published and made signatures of requests and payment parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::signature::PlatformKey;
use super::super::testing::{NOW, key, list, settings, text, vectors};
use super::*;

fn signer() -> Signer {
    let settings = settings("");
    Signer::new(&settings.merchant_key, &settings.mchid, &settings.merchant_serial, &settings.appid)
        .unwrap()
}

/// Whether the merchant's public key takes it.
fn verifies(case: &Value, signature: &str) -> bool {
    let key = PlatformKey::from_spki(&key("merchant_public_key")).unwrap();
    let signature = STANDARD.decode(text(case, signature)).unwrap();
    key.verify(text(case, "message").as_bytes(), &signature).is_ok()
}

/// The parameters of an `Authorization`.
fn parameters(header: &str) -> BTreeMap<String, String> {
    let (scheme, rest) = header.split_once(' ').unwrap();
    assert_eq!(scheme, SCHEME);
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap();
        (name.to_owned(), value.strip_prefix('"').unwrap().strip_suffix('"').unwrap().to_owned())
    };
    rest.split(',').map(pair).collect()
}

#[test]
fn requests_are_signed_as_the_vectors_say() {
    let (vectors, signer) = (vectors("request_signing.json"), signer());
    let mut made = Vec::new();
    for case in list(&vectors, "cases", 12) {
        let name = text(&case, "name");
        let (method, url) = (text(&case, "method"), text(&case, "url"));
        let (nonce, body) = (text(&case, "nonce"), text(&case, "body").as_bytes());
        let seconds = case["timestamp"].as_i64().unwrap();
        let message = request_message(method, url, seconds, nonce, body);
        assert_eq!(String::from_utf8(message).unwrap(), text(&case, "message"), "{name}");
        let now = UnixMillis(seconds * 1000 + 999);
        let header = signer.authorization(method, url, body, now, nonce).unwrap();
        assert_eq!(header, text(&case, "authorization"), "{name}");
        assert!(verifies(&case, "signature"), "{name}");
        made.push(parameters(&header));
    }
    for case in list(&vectors, "must_not_verify", 5) {
        assert!(!verifies(&case, "signature"), "{case}");
    }
    // What a strict server takes, in any order, is what we send.
    for header in list(&vectors["authorization_parser"], "accept_orders", 2) {
        assert!(made.contains(&parameters(header.as_str().unwrap())), "{header}");
    }
}

#[test]
fn payment_parameters_are_signed_as_the_vectors_say() {
    let (vectors, signer) = (vectors("pay_sign.json"), signer());
    for case in list(&vectors, "cases", 2) {
        let seconds: i64 = text(&case, "timeStamp").parse().unwrap();
        let prepay_id = PrepayId::new(text(&case, "package").strip_prefix("prepay_id=").unwrap());
        let nonce = text(&case, "nonceStr").to_owned();
        let made = signer.payment_params(&prepay_id, UnixMillis(seconds * 1000), nonce).unwrap();
        assert_eq!(made.time_stamp, text(&case, "timeStamp"));
        assert_eq!(made.nonce_str, text(&case, "nonceStr"));
        assert_eq!(made.package, text(&case, "package"));
        assert_eq!(made.sign_type, text(&case, "signType"));
        assert_eq!(made.pay_sign, text(&case, "paySign"));
        assert!(verifies(&case, "paySign"));
    }
    for case in list(&vectors, "must_not_verify", 2) {
        assert!(!verifies(&case, "paySign"), "{case}");
    }
    // The key of the published one is not public; what it covers is.
    let published = text(&vectors["published_by_wechat_pay"], "message");
    let lines: Vec<&str> = published.lines().collect();
    let [appid, time, nonce, package] = lines.as_slice() else { panic!("{published}") };
    assert_eq!(payment_message(appid, time, nonce, package), published);
}

#[test]
fn the_published_answer_of_rsa_is_taken_and_its_neighbour_is_not() {
    let vector = vectors("rsa_known_answer.json");
    let key = PlatformKey::from_spki(&super::super::testing::der(text(&vector, "public_key")));
    let signature = STANDARD.decode(text(&vector, "signature")).unwrap();
    let verify = |message: &str| key.as_ref().unwrap().verify(message.as_bytes(), &signature);
    assert!(verify(text(&vector, "message")).is_ok());
    assert!(verify(text(&vector["must_not_verify"], "message")).is_err());
}

#[test]
fn nonces_are_32_characters_and_never_the_same() {
    let rng = Rng::seeded(1);
    let nonces: Vec<String> = (0..100).map(|_| nonce(&rng)).collect();
    assert!(nonces.iter().all(|nonce| nonce.len() == 32));
    let different: std::collections::BTreeSet<&String> = nonces.iter().collect();
    assert_eq!(different.len(), 100);
}

#[test]
fn a_key_that_is_none_is_said_without_being_shown() {
    let bad = Secret::new(b"hunter2".to_vec());
    let problem = Signer::new(&bad, "1", "2", "3").err().unwrap();
    assert_eq!(problem.to_string(), "the merchant's private key cannot be used");
    assert!(
        signer().authorization("GET", "/", b"", NOW, "N").unwrap().contains("serial_no=\"594E")
    );
}
