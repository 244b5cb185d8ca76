//! The check of a merchant's request signature, as strict as the real one, and stricter in one
//! thing: a nonce is good once.

use moka::sync::Cache;

use super::refusal::Refusal;
use crate::base::time::UnixMillis;
use crate::sandbox::crypto::rsa_verify;
use crate::sandbox::listener::Call;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048 ";
const NAMES: [&str; 5] = ["mchid", "nonce_str", "timestamp", "serial_no", "signature"];
/// A signature is as old at most, in seconds, or as far ahead.
const WINDOW: i64 = 300;

/// Who may call.
pub(super) struct Merchant<'a> {
    pub(super) mchid: &'a str,
    pub(super) serial: &'a str,
    pub(super) public_key: &'a [u8],
}

/// The header's parameters, in the order of [`NAMES`].
pub(super) fn parse(header: &str) -> Option<[String; 5]> {
    let mut found: [Option<String>; 5] = Default::default();
    for pair in header.strip_prefix(SCHEME)?.split(',') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        let at = NAMES.iter().position(|known| *known == name)?;
        if value.is_empty() || value.contains('"') || found[at].replace(value.to_owned()).is_some()
        {
            return None;
        }
    }
    let [Some(mchid), Some(nonce), Some(timestamp), Some(serial), Some(signature)] = found else {
        return None;
    };
    Some([mchid, nonce, timestamp, serial, signature])
}

/// Lets a call in, or says why not.
pub(super) fn check(
    call: &Call,
    merchant: &Merchant<'_>,
    nonces: &Cache<String, ()>,
    now: UnixMillis,
) -> Result<(), Refusal> {
    let [mchid, nonce, timestamp, serial, signature] = parse(call.header("authorization"))
        .ok_or_else(|| {
            Refusal::sign("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
        })?;
    if mchid != merchant.mchid {
        return Err(Refusal::sign("商户号不存在"));
    }
    if serial != merchant.serial {
        return Err(Refusal::sign("商户证书序列号有误"));
    }
    let seconds: i64 = timestamp
        .parse()
        .ok()
        .filter(|_| timestamp.len() == 10)
        .ok_or_else(|| Refusal::sign("Http头Authorization中的timestamp格式错误"))?;
    if (now.seconds() - seconds).abs() > WINDOW {
        return Err(Refusal::sign("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    if nonce.len() > 32 || !nonce.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Refusal::sign("Http头Authorization中的nonce_str格式错误"));
    }
    let mut message =
        format!("{}\n{}\n{timestamp}\n{nonce}\n", call.method, call.target).into_bytes();
    message.extend_from_slice(&call.body);
    message.push(b'\n');
    if !rsa_verify(merchant.public_key, &message, &signature) {
        return Err(Refusal::sign("签名错误，请检查后再试"));
    }
    if !nonces.entry(format!("{timestamp}/{nonce}")).or_insert(()).is_fresh() {
        return Err(Refusal::sign("nonce_str重复"));
    }
    check_headers(call)
}

/// The headers that every call has.
fn check_headers(call: &Call) -> Result<(), Refusal> {
    let wrong = |name: &str| Err(Refusal::param(name, format!("Http头{name}缺失或不正确")));
    if call.header("user-agent").is_empty() {
        return wrong("User-Agent");
    }
    if !call.header("accept").contains("application/json") {
        return wrong("Accept");
    }
    let is_json = call.header("content-type").starts_with("application/json");
    if !call.body.is_empty() && !is_json {
        return wrong("Content-Type");
    }
    Ok(())
}
