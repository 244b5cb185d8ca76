//! The primitives against the published vectors.

use aws_lc_rs::signature::RsaKeyPair;
use serde_json::Value;
use x509_parser::pem::Pem;

use super::opening::{gcm_open, push_open};
use super::{gcm_seal, hmac_hex, push_key, push_seal, rsa_sign, rsa_verify, sorted_sha1};

fn vectors(name: &str) -> Value {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn pem(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/vectors/wechat_pay/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path).unwrap();
    Pem::iter_from_buffer(&text).next().unwrap().unwrap().contents
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap();
    assert!(!list.is_empty());
    list
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[test]
fn rsa_signs_and_verifies_as_the_vectors_say() {
    let (key, public) = (
        RsaKeyPair::from_pkcs8(&pem("merchant_private_key.pem")).unwrap(),
        pem("merchant_public_key.pem"),
    );
    for file in ["wechat_pay/request_signing.json", "wechat_pay/pay_sign.json"] {
        let vectors = vectors(file);
        let name = if file.contains("pay_sign") { "paySign" } else { "signature" };
        for case in list(&vectors, "cases") {
            let (message, signature) = (text(case, "message"), text(case, name));
            assert_eq!(rsa_sign(&key, message.as_bytes()), signature, "{}", case["name"]);
            assert!(rsa_verify(&public, message.as_bytes(), signature));
        }
        for case in list(&vectors, "must_not_verify") {
            assert!(!rsa_verify(&public, text(case, "message").as_bytes(), text(case, name)));
        }
    }
}

#[test]
fn hmacs_are_those_of_virtual_payment() {
    for case in list(&vectors("xpay.json"), "cases") {
        let (uri, body) = (text(case, "uri"), text(case, "body"));
        let pay_sig = hmac_hex(text(case, "app_key"), &format!("{uri}&{body}"));
        assert_eq!(pay_sig, text(case, "pay_sig"), "{}", case["name"]);
        if let Some(signature) = case["signature"].as_str() {
            assert_eq!(hmac_hex(text(case, "session_key"), body), signature, "{}", case["name"]);
        }
    }
}

#[test]
fn message_push_is_signed_and_sealed_as_the_vectors_say() {
    let vectors = vectors("message_push.json");
    let ours = &vectors["ours"];
    let (token, appid) = (text(ours, "token"), text(ours, "appid"));
    let key = push_key(text(ours, "encoding_aes_key")).unwrap();
    let mut opened = 0;
    for case in list(ours, "cases") {
        let sealed = serde_json::from_str::<Value>(text(case, "body")).ok();
        let sealed = sealed.and_then(|body| body["Encrypt"].as_str().map(str::to_owned));
        let (Some(sealed), true) = (sealed, case["ok"] == true) else { continue };
        let query = &case["query"];
        let signature =
            sorted_sha1(&[token, text(query, "timestamp"), text(query, "nonce"), &sealed]);
        assert_eq!(signature, text(query, "msg_signature"), "{}", case["name"]);
        assert_eq!(push_open(&key, &sealed, appid).as_deref(), case["plaintext"].as_str());
        opened += 1;
    }
    assert!(opened > 3);
    let spare = &vectors["key_with_spare_bits"];
    assert_eq!(
        super::hex(&push_key(text(spare, "encoding_aes_key")).unwrap()),
        text(spare, "key_hex")
    );
}

#[test]
fn what_is_sealed_opens_for_the_same_key_and_app_only() {
    let (key, other) = ([7; 32], [8; 32]);
    for length in 0..70 {
        let message = "x".repeat(length);
        let sealed = push_seal(&key, [9; 16], &message, "wx1");
        assert_eq!(push_open(&key, &sealed, "wx1"), Some(message));
        assert_eq!(push_open(&key, &sealed, "wx2"), None);
        assert_eq!(push_open(&other, &sealed, "wx1"), None);
    }
    let vectors = vectors("wechat_pay/aes_gcm.json");
    let mut sealed = 0;
    for case in list(&vectors, "cases") {
        let (Ok(key), Ok(nonce)) =
            (text(case, "key").as_bytes().try_into(), text(case, "nonce").as_bytes().try_into())
        else {
            continue;
        };
        let aad = case["associated_data"].as_str().unwrap_or_default();
        let plaintext = text(case, "plaintext");
        assert_eq!(gcm_seal(key, nonce, aad, plaintext.as_bytes()), text(case, "ciphertext"));
        let opened = gcm_open(key, text(case, "nonce"), aad, text(case, "ciphertext"));
        assert_eq!(opened.as_deref(), Some(plaintext.as_bytes()));
        sealed += 1;
    }
    assert!(sealed > 1);
}
