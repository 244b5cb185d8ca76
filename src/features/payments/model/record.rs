//! An event as an administrator sees it: what matters of it, and nothing that names a person or would
//! open anything.

use serde_json::{Map, Value};

use super::EventId;
use crate::base::time::UnixMillis;

/// What a masked value shows of its beginning, in characters.
const SHOWN: usize = 4;

/// Members whose values are masked, by a part of their names in lower case: who paid, and what messages
/// are signed or sealed with.
const MASKED: [&str; 9] = [
    "openid",
    "unionid",
    "fromusername",
    "signature",
    "nonce",
    "ciphertext",
    "session_key",
    "sign",
    "token",
];

/// What is neither JSON nor short is cut, in characters.
const TEXT_MAX: usize = 4000;

/// Which events a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    All,
    /// Genuine, and somebody has to look at it.
    Flagged,
    /// Not believed.
    Refused,
}

/// An event as stored, masked.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub id: EventId,
    /// `notify`, `refund_notify`, `push` or `query`.
    pub source: String,
    pub received_at: UnixMillis,
    pub headers: Value,
    pub body_bytes: i64,
    /// `received`, `refused`, `done`, `repeated`, `flagged` or `resolved`.
    pub state: String,
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    /// The order or refund it is about.
    pub reference: Option<String>,
    /// What it says, decrypted.
    pub content: Option<Value>,
    /// Why it was refused or flagged.
    pub problem: Option<String>,
    pub processed_at: Option<UnixMillis>,
}

impl EventRecord {
    /// Headers as stored, masked.
    pub(in crate::features::payments) fn masked_headers(json: &str) -> Value {
        serde_json::from_str(json).map_or(Value::Null, |headers| masked("", headers))
    }

    /// What an event says, masked; a text where it is no JSON.
    pub(in crate::features::payments) fn masked_content(text: &str) -> Value {
        match serde_json::from_str(text) {
            Ok(content) => masked("", content),
            Err(_) => Value::String(masked_text(text)),
        }
    }
}

fn masked(name: &str, value: Value) -> Value {
    let is_secret = {
        let name = name.to_ascii_lowercase();
        MASKED.iter().any(|part| name.contains(part))
    };
    match value {
        Value::Object(members) => {
            let of = |(name, value): (String, Value)| {
                let value = masked(&name, value);
                (name, value)
            };
            Value::Object(members.into_iter().map(of).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| masked(name, item)).collect())
        }
        Value::String(text) if is_secret => Value::String(beginning(&text)),
        // A message within a message.
        Value::String(text) if text.trim_start().starts_with('{') => {
            match serde_json::from_str::<Value>(&text) {
                Ok(inner) => masked("", inner),
                Err(_) => Value::String(text),
            }
        }
        other if is_secret && !other.is_null() => Value::String("…".to_owned()),
        other => other,
    }
}

/// XML, as message push may send it: the texts of secret elements are masked.
fn masked_text(text: &str) -> String {
    let text: String = text.chars().take(TEXT_MAX).collect();
    let mut shown = String::with_capacity(text.len());
    let mut is_secret = false;
    for (at, part) in text.split('<').enumerate() {
        if at > 0 {
            shown.push('<');
        }
        let Some((element, inner)) = part.split_once('>') else {
            shown.push_str(part);
            continue;
        };
        let is_data = element.starts_with("![CDATA[");
        if !is_data {
            let name = element.to_ascii_lowercase();
            is_secret = !name.starts_with('/') && MASKED.iter().any(|part| name.contains(part));
        }
        shown.push_str(if is_data && is_secret { "…" } else { element });
        shown.push('>');
        shown.push_str(if is_secret && !inner.trim().is_empty() { "…" } else { inner });
    }
    shown
}

fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_paid_is_masked_wherever_it_stands_and_what_matters_is_not() {
        let content = json!({
            "out_trade_no": "0123456789abcdef0123", "amount": { "total": 1999 },
            "payer": { "openid": "oAAAABBBBCCCC" }, "list": [{ "OpenId": "oDDDDEEEE" }],
            "inner": "{\"openid\":\"oFFFFGGGG\",\"ok\":1}",
        });
        let shown = EventRecord::masked_content(&content.to_string());
        assert_eq!(shown["out_trade_no"], content["out_trade_no"]);
        assert_eq!(shown["amount"], content["amount"]);
        assert_eq!(shown["payer"]["openid"], "oAAA…");
        assert_eq!(shown["list"][0]["OpenId"], "oDDD…");
        assert_eq!(
            (&shown["inner"]["openid"], &shown["inner"]["ok"]),
            (&json!("oFFF…"), &json!(1))
        );
        let headers = json!({ "wechatpay-signature": "c2lnbmF0dXJl", "request-id": "08abc" });
        let shown = EventRecord::masked_headers(&headers.to_string());
        assert_eq!(shown, json!({ "wechatpay-signature": "c2ln…", "request-id": "08abc" }));
    }

    #[test]
    fn who_paid_is_masked_in_xml() {
        let xml = "<xml><OpenId><![CDATA[oAAAABBBB]]></OpenId><Event>paid</Event>\
                   <FromUserName>oCCCCDDDD</FromUserName><ToUserName>gh_1</ToUserName></xml>";
        let shown = EventRecord::masked_content(xml);
        let shown = shown.as_str().unwrap();
        assert!(!shown.contains("oAAAABBBB") && !shown.contains("oCCCCDDDD"), "{shown}");
        assert!(shown.contains("<Event>paid</Event>") && shown.contains("gh_1"), "{shown}");
    }
}
