//! The vector of two certificates in rotation, and each way of it being wrong.

use serde_json::{Value, json};

use super::super::testing::{
    NOW, PLATFORM_A, PUBLIC_KEY_ID, Pen, der, headers, key, text, vectors,
};
use super::*;
use crate::base::secret::Secret;

const PLATFORM_B: &str = "7855C22F0A376CC480961260CEFEC227CBB08991";

fn apiv3_key(key: &str) -> Apiv3Key {
    Apiv3Key::new(&Secret::new(key.to_owned())).unwrap()
}

fn real_key() -> Apiv3Key {
    apiv3_key(text(&vectors("certificates.json"), "apiv3_key"))
}

fn read_at(
    headers: &HeaderMap,
    body: &str,
    now: UnixMillis,
) -> Result<Certificates, CertificatesProblem> {
    let public = Arc::new(PlatformKey::from_spki(&key("wechatpay_public_key")).unwrap());
    let known = |serial: &str| (serial == PUBLIC_KEY_ID).then(|| Arc::clone(&public));
    read(headers, body.as_bytes(), &real_key(), known, now)
}

/// The answer `body`, signed by `pen`.
fn signed(pen: &Pen, body: &str) -> Result<Certificates, CertificatesProblem> {
    let pairs = pen.sign(body.as_bytes());
    let headers: Value = pairs.into_iter().map(|(name, value)| (name, json!(value))).collect();
    read_at(&super::super::testing::headers(&headers), body, NOW)
}

#[test]
fn both_certificates_are_read_and_believed() {
    let vector = vectors("certificates.json");
    let found = read_at(&headers(&vector["headers"]), text(&vector, "body"), NOW).unwrap();
    let mut serials: Vec<&String> = found.keys().collect();
    serials.sort_unstable();
    assert_eq!(serials, [PLATFORM_A, PLATFORM_B]);
    let expected = super::super::testing::list(&vector, "expect", 2);
    for expected in expected {
        let (serial, certified) = certificate(text(&expected, "pem")).unwrap();
        assert_eq!(serial, text(&expected, "serial_no"));
        assert_eq!(found[&serial].not_after, certified.not_after);
        assert!(certified.not_after > NOW);
    }
    // The key of the certificate is the one in the file.
    let body = b"{}";
    let claim = Pen::platform_a().sign(body);
    let claim: Value = claim.into_iter().map(|(name, value)| (name, json!(value))).collect();
    let claim = Claim::read(&headers(&claim), NOW).unwrap();
    assert_eq!(claim.verify(&found[PLATFORM_A].key, body), Ok(()));
    assert_eq!(claim.verify(&found[PLATFORM_B].key, body), Err(SignatureProblem::Mismatch));
}

#[test]
fn the_answer_itself_must_be_signed_by_one_of_them_or_by_the_public_key() {
    let vector = vectors("certificates.json");
    let body = text(&vector, "body");
    assert_eq!(signed(&Pen::platform_a(), body).unwrap().len(), 2);
    assert_eq!(signed(&Pen::public_key(), body).unwrap().len(), 2);
    let why = |done: Result<Certificates, CertificatesProblem>| done.err().unwrap();
    let mismatch = CertificatesProblem::Signature(SignatureProblem::Mismatch);
    assert_eq!(why(signed(&Pen::platform_a().called(PLATFORM_B), body)), mismatch);
    assert_eq!(why(signed(&Pen::platform_a().called(PUBLIC_KEY_ID), body)), mismatch);
    assert_eq!(
        why(signed(&Pen::platform_a().called("ABCD"), body)),
        CertificatesProblem::Signature(SignatureProblem::UnknownKey)
    );
    let spaced = body.replacen("{\"data\"", "{ \"data\"", 1);
    assert_eq!(why(read_at(&headers(&vector["headers"]), &spaced, NOW)), mismatch);
    assert_eq!(
        why(read_at(&headers(&vector["headers"]), body, NOW.plus_seconds(300))),
        CertificatesProblem::Signature(SignatureProblem::Stale)
    );
    assert!(read_at(&HeaderMap::new(), body, NOW).is_err());
}

#[test]
fn a_certificate_is_what_it_is_announced_as() {
    let vector = vectors("certificates.json");
    let body = text(&vector, "body");
    let bad = |done: Result<Certificates, CertificatesProblem>| match done {
        Err(CertificatesProblem::Bad(why)) => why,
        Err(CertificatesProblem::Signature(why)) => panic!("{why}"),
        Ok(_) => panic!("taken"),
    };
    let renamed = body.replacen(PLATFORM_B, "7855C22F0A376CC480961260CEFEC227CBB08992", 1);
    assert!(bad(signed(&Pen::platform_a(), &renamed)).contains("another serial"));
    assert!(bad(signed(&Pen::platform_a(), "[]")).contains("JSON"));
    let many = json!({ "data": vec![serde_json::from_str::<Value>(body).unwrap()["data"][0].clone(); 17] });
    assert!(bad(signed(&Pen::platform_a(), &many.to_string())).contains("too many"));
    let other = apiv3_key("PUJS48N1W4TW74WOXLE0MPABNFPK4PMJ");
    let opened =
        read(&headers(&vector["headers"]), body.as_bytes(), &other, |_| None, NOW).map(|_| ());
    assert!(matches!(opened, Err(CertificatesProblem::Bad(why)) if why.contains("APIv3 key")));
}

#[test]
fn serial_numbers_are_compared_as_numbers() {
    assert_eq!(serial_id("00ab12"), "AB12");
    assert_eq!(serial_id(PUBLIC_KEY_ID), PUBLIC_KEY_ID);
}

#[test]
fn a_private_key_is_no_certificate() {
    assert!(certificate("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").is_err());
    assert!(certificate("").is_err());
    assert!(!der("-----BEGIN X-----\nAAAA\n-----END X-----\n").is_empty());
}
