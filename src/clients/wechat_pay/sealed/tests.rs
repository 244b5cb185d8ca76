//! All vectors of the encryption.

use serde_json::{Value, json};

use super::super::testing::{list, text, vectors};
use super::*;

fn open(case: &Value) -> Result<String, &'static str> {
    let key = Apiv3Key::new(&Secret::new(text(case, "key").to_owned())).unwrap();
    let mut sealed = case.clone();
    if sealed["algorithm"].is_null() {
        sealed["algorithm"] = json!("AEAD_AES_256_GCM");
    }
    key.open(&serde_json::from_value(sealed).unwrap())
}

#[test]
fn what_is_good_opens_and_nothing_else_does() {
    let vectors = vectors("aes_gcm.json");
    for case in list(&vectors, "cases", 6) {
        assert_eq!(open(&case).unwrap(), text(&case, "plaintext"), "{case}");
    }
    for case in list(&vectors, "must_fail", 8) {
        assert!(open(&case).is_err(), "{case}");
    }
}

#[test]
fn no_context_and_an_empty_one_are_the_same() {
    let cases = list(&vectors("aes_gcm.json"), "cases", 6);
    let mut case = cases.into_iter().find(|case| case["name"] == "aad_empty_string").unwrap();
    let plain = open(&case).unwrap();
    case["associated_data"] = Value::Null;
    assert_eq!(open(&case).unwrap(), plain);
    case.as_object_mut().unwrap().remove("associated_data");
    assert_eq!(open(&case).unwrap(), plain);
    case["associated_data"] = json!(" ");
    assert!(open(&case).is_err());
}

#[test]
fn a_key_has_32_bytes() {
    // That of the official example has 16, which no merchant's key has.
    let official = vectors("aes_gcm.json")["official_fixture"].take();
    let short = Secret::new(text(&official, "key").to_owned());
    assert_eq!(Apiv3Key::new(&short).err().unwrap().to_string(), "the APIv3 key cannot be used");
}

#[test]
fn another_algorithm_is_refused() {
    let mut case = list(&vectors("aes_gcm.json"), "cases", 6).remove(0);
    case["algorithm"] = json!("AEAD_SM4_GCM");
    assert!(open(&case).unwrap_err().contains("algorithm"));
}
