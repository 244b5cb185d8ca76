//! The group as a whole, and each file that may be mistaken for another.

use std::path::{Path, PathBuf};

use clap::{Args as _, Command, FromArgMatches as _};

use super::*;
use crate::config::Config;

const MCHID: &str = "--wechat-pay-mchid=1900009191";
const SERIAL: &str = "--wechat-pay-serial-no=594e31ad43fd0c44dcf867f417c0dc3c366387dd";
const APIV3: &str = "--wechat-pay-apiv3-key=RQfOB5w4AatZmbVcEZnzS6zjapVBHIun";
const KEY_ID: &str = "--wechat-pay-public-key-id=PUB_KEY_ID_0119000091912025100900000000000001";

fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/wechat_pay/keys");
    folder.join(name)
}

fn private_key(name: &str) -> String {
    format!("--wechat-pay-private-key-path={}", file(name).display())
}

fn public_key(name: &str) -> String {
    format!("--wechat-pay-public-key-path={}", file(name).display())
}

fn parse(flags: &[&str]) -> Result<WechatPayConfig, String> {
    let command = WechatPayConfig::augment_args(Command::new("test"));
    let matches = command
        .try_get_matches_from(std::iter::once(&"test").chain(flags))
        .map_err(|err| err.to_string())?;
    WechatPayConfig::from_arg_matches(&matches).map_err(|err| err.to_string())
}

fn problem(flags: &[&str]) -> String {
    parse(flags).unwrap().account().unwrap_err().to_string()
}

#[test]
fn the_account_is_there_whole_or_not_at_all() {
    assert!(parse(&[]).unwrap().account().unwrap().is_none());
    let key = private_key("merchant_private_key.pem");
    let whole = [MCHID, SERIAL, APIV3, key.as_str()];
    let account = parse(&whole).unwrap().account().unwrap().unwrap();
    assert_eq!(account.serial_no, "594E31AD43FD0C44DCF867F417C0DC3C366387DD");
    assert!(account.public_key.is_none());
    for (missing, name) in [
        (0, "WECHAT_PAY_MCHID is not set"),
        (1, "WECHAT_PAY_SERIAL_NO is not set"),
        (2, "WECHAT_PAY_APIV3_KEY is not set"),
        (3, "WECHAT_PAY_PRIVATE_KEY_PATH is not set"),
    ] {
        let mut part = whole.to_vec();
        part.remove(missing);
        assert!(problem(&part).starts_with(name), "{name}");
    }
    let public = public_key("wechatpay_public_key.pem");
    let with = |more: &[&'static str]| [&whole[..], more].concat();
    assert!(problem(&with(&[KEY_ID])).starts_with("WECHAT_PAY_PUBLIC_KEY_PATH is not set"));
    let mut half = whole.to_vec();
    half.push(&public);
    assert!(problem(&half).starts_with("WECHAT_PAY_PUBLIC_KEY_ID is not set"));
    assert!(problem(&[KEY_ID, &public]).starts_with("WECHAT_PAY_MCHID is not set"));
    half.push(KEY_ID);
    let (id, _) = parse(&half).unwrap().account().unwrap().unwrap().public_key.unwrap();
    assert_eq!(id, "PUB_KEY_ID_0119000091912025100900000000000001");
}

#[test]
fn the_merchants_own_public_key_is_not_wechat_pays() {
    let (key, public) =
        (private_key("merchant_private_key.pem"), public_key("merchant_public_key.pem"));
    let flags = [MCHID, SERIAL, APIV3, &key, KEY_ID, &public];
    assert!(problem(&flags).contains("merchant's own public key"), "{}", problem(&flags));
}

#[test]
fn a_file_that_is_another_is_named_as_what_it_is() {
    for (flag, said) in [
        (private_key("merchant_cert.pem"), "holds a certificate; the key is in apiclient_key.pem"),
        (private_key("merchant_public_key.pem"), "holds a public key"),
        (private_key("none.pem"), "cannot be read"),
        (private_key("../keys.json"), "is no PEM file"),
        (public_key("platform_a_cert.pem"), "holds a certificate; WeChat Pay's key is in"),
        (public_key("wechatpay_private_key.pem"), "holds a private key"),
        (public_key("none.pem"), "cannot be read"),
        (public_key("../keys.json"), "is no PEM file"),
    ] {
        let problem = parse(&[&flag]).unwrap_err();
        assert!(problem.contains(said), "{flag}: {problem}");
    }
    for (text, said) in [
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "password",
        ),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "no RSA key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no RSA key"),
        ("-----BEGIN PRIVATE KEY-----\n", "no PEM"),
        ("", "no PEM"),
    ] {
        let problem = MerchantKey::from_pem(text).unwrap_err();
        assert!(problem.contains(said) && !problem.contains("AAAA"), "{problem}");
    }
    let ec = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(PlatformKey::from_pem(ec).unwrap_err().contains("no RSA key"));
}

#[test]
fn malformed_values_are_named_and_the_key_is_not_shown() {
    for (flag, said) in [
        ("--wechat-pay-mchid=19000091x1", "digits only"),
        ("--wechat-pay-serial-no=59:4E:31:AD", "hexadecimal"),
        ("--wechat-pay-public-key-id=0119000091912025100900000000000001", "PUB_KEY_ID_"),
        ("--wechat-pay-base=http://api.mch.weixin.qq.com", "plain http"),
    ] {
        let problem = parse(&[flag]).unwrap_err();
        assert!(problem.contains(said), "{flag}: {problem}");
    }
    let problem = apiv3_key("hunter2").unwrap_err();
    assert_eq!(problem, "must have 32 bytes, and has 7");
    let key = private_key("merchant_private_key.pem");
    let shown = format!("{:?}", parse(&[APIV3, &key]).unwrap());
    assert!(!shown.contains("RQfOB5w4") && shown.contains("***"), "{shown}");
}

#[test]
fn a_simulator_has_no_real_wechat_pay_behind_it() {
    assert_eq!(parse(&[]).unwrap().fallback().unwrap(), "https://api2.mch.weixin.qq.com");
    let simulated = "--wechat-pay-base=http://127.0.0.1:18200";
    assert_eq!(parse(&[simulated]).unwrap().fallback(), None);
    let own = "--wechat-pay-fallback-base=http://127.0.0.1:18201/";
    assert_eq!(parse(&[simulated, own]).unwrap().fallback().unwrap(), "http://127.0.0.1:18201");
}

#[test]
fn real_wechat_pay_calls_back_over_https() {
    let check = |more: &[&str]| {
        let key = private_key("merchant_private_key.pem");
        let flags = [
            "test",
            "--jwt-secret=0123456789abcdef0123456789abcdef",
            "--wechat-appid=wx0123456789abcdef",
            "--wechat-secret=0123456789abcdef0123456789abcdef",
            MCHID,
            SERIAL,
            APIV3,
            &key,
        ];
        let command = Config::augment_args(Command::new("test"));
        let matches = command.try_get_matches_from(flags.iter().chain(more)).unwrap();
        Config::from_arg_matches(&matches)
            .unwrap()
            .check_production()
            .map_err(|err| err.to_string())
    };
    assert!(check(&[]).unwrap_err().starts_with("PUBLIC_URL must begin with https://"));
    assert!(check(&["--public-url=http://bff.example.com"]).is_err());
    assert_eq!(check(&["--public-url=https://bff.example.com"]), Ok(()));
    // A simulator is reached, and reaches us, on this machine.
    assert_eq!(check(&["--wechat-pay-base=http://127.0.0.1:18200"]), Ok(()));
    assert!(check(&["--wechat-pay-public-key-id=PUB_KEY_ID_1"]).is_err(), "half a pair");
}
