use rcgen::{CertificateParams, KeyPair};

use super::*;

/// 2026-01-01T00:00:00Z.
const START: UnixMillis = UnixMillis(1_767_225_600_000);
const DAY: i64 = 86_400;

fn pair(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 4, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn certificate(names: &[&str]) -> Certificate {
    let (chain, key) = pair(names);
    Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
}

#[test]
fn it_is_good_for_its_time_and_its_names() {
    let good = certificate(&["api.example.com", "*.cdn.example.com", "203.0.113.9"]);
    assert_eq!(good.not_before(), START);
    assert_eq!(good.not_after(), START.plus_seconds(90 * DAY));
    for host in ["api.example.com", "API.example.com", "a.cdn.example.com", "203.0.113.9"] {
        good.check(START, Some(host)).unwrap();
    }
    for host in
        ["example.com", "cdn.example.com", "a.b.cdn.example.com", "203.0.113.8", "xapi.example.com"]
    {
        let refused = good.check(START, Some(host)).unwrap_err().to_string();
        assert!(refused.contains("api.example.com, *.cdn") && refused.contains(host), "{refused}");
    }
    let late = good.check(START.plus_seconds(90 * DAY), None).unwrap_err().to_string();
    assert_eq!(late, "expired on 2026-04-01T00:00:00.000Z");
    let early = good.check(START.plus_millis(-1), None).unwrap_err().to_string();
    assert!(early.starts_with("is not valid before 2026-01-01"), "{early}");
}

#[test]
fn what_is_not_a_pair_is_refused() {
    let (chain, key) = pair(&["a.example.com"]);
    let (_, other) = pair(&["a.example.com"]);
    let refused = |chain: &str, key: &str| {
        let err = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        (err.is_about_the_key(), err.to_string())
    };
    assert_eq!(refused(&chain, &other), (true, "is not the key of the certificate".to_owned()));
    assert!(refused(&chain, &chain).1.contains("no private key"));
    assert!(refused(&key, &key).1.contains("no certificate"));
    assert!(refused("", &key).1.contains("no certificate"));
    assert!(!refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key).0);
}

#[test]
fn a_self_signed_one_is_warned_of() {
    assert!(certificate(&["a.example.com"]).warnings()[0].contains("self-signed"));
}
