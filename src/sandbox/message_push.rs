//! Message push: the events that WeChat sends to one address, in secure mode.
//!
//! Signed over the sealed message, sealed with AES-256-CBC and padding to 32 bytes, as JSON or XML,
//! and repeated until the answer accepts it.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::crypto;
use super::outbox::{Letter, Outbox, Written};
use super::plan::Plan;
use super::wechat::WechatSim;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Seconds between the attempts of payment events: fifteen attempts.
const PAYMENT_PAUSES: [i64; 14] =
    [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];
/// Of all others: three attempts.
const PAUSES: [i64; 2] = [5, 5];
/// How old the stale ones are, in seconds.
const STALE: i64 = 600;
/// The app's original id.
const TO_USER: &str = "gh_sandbox000000";

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushFormat {
    /// JSON.
    #[default]
    Json,
    /// XML.
    Xml,
}

/// What happens to a push. Where the first attempt is bad, those after it are genuine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PushDelivery {
    /// At once.
    #[default]
    Normal,
    /// Never.
    Lost,
    /// Late.
    Delayed {
        /// Milliseconds.
        ms: i64,
    },
    /// Several at once.
    Duplicated {
        /// How many.
        times: u32,
    },
    /// The sealed text of the first is not the signed one.
    Tampered,
    /// The first is signed with another token.
    WrongToken,
    /// The first was signed ten minutes ago.
    OldTimestamp,
    /// The first is sealed for another app.
    OtherApp,
    /// The first is in plain mode, whose signature does not cover the message.
    Plain,
}

/// The pushes of one app.
#[derive(Debug)]
pub struct MessagePush {
    clock: Clock,
    rng: Rng,
    outbox: Arc<Outbox>,
    url: Mutex<Option<String>>,
    format: Mutex<PushFormat>,
    plan: Plan<PushDelivery>,
}

/// An event to push.
pub(super) struct Event {
    pub(super) name: &'static str,
    /// Order number or trace id, for the list of deliveries.
    pub(super) subject: String,
    /// Who it is about.
    pub(super) openid: String,
    /// Everything but the members that all events have.
    pub(super) members: Value,
    pub(super) delay_ms: i64,
    pub(super) on_accepted: Arc<dyn Fn() + Send + Sync>,
}

impl MessagePush {
    /// The token of the console.
    pub const TOKEN: &'static str = "sandboxPushToken0000";
    /// The EncodingAESKey of the console. Its last character has spare bits that are not zero.
    pub const AES_KEY: &'static str = "SandboxEncodingAesKeyThatProtectsNothing00B";

    pub(super) fn new(url: Option<String>, clock: Clock, rng: Rng, outbox: Arc<Outbox>) -> Self {
        let (url, format) = (Mutex::new(url), Mutex::default());
        Self { clock, rng, outbox, url, format, plan: Plan::default() }
    }

    /// What happens to the next pushes.
    pub fn plan(&self) -> &Plan<PushDelivery> {
        &self.plan
    }

    /// How messages are written from now on.
    pub fn set_format(&self, format: PushFormat) {
        *self.format.lock() = format;
    }

    /// How messages are written.
    pub fn format(&self) -> PushFormat {
        *self.format.lock()
    }

    /// Where messages go; `None` is nowhere.
    pub fn set_url(&self, url: Option<String>) {
        *self.url.lock() = url;
    }

    /// What the console does when the address is saved: asks it to repeat a text.
    ///
    /// # Errors
    /// A text for the person who saved it.
    pub async fn check_url(&self) -> Result<(), String> {
        let url = self.url.lock().clone().ok_or("no address is set")?;
        let echo = self.rng.below(u64::MAX).to_string();
        let query = self.plain_query(self.clock.now(), Self::TOKEN);
        let answer = self.outbox.call(&format!("{url}?{query}&echostr={echo}"), None).await;
        match answer {
            Some((200, body)) if body == echo.as_bytes() => Ok(()),
            Some((status, _)) => Err(format!("answered {status} and not the bare echostr")),
            None => Err("nothing answered".to_owned()),
        }
    }

    /// Pushes an event as the plan says.
    pub(super) fn push(self: &Arc<Self>, event: Event) {
        let Some(url) = self.url.lock().clone() else { return };
        let delivery = self.plan.take().unwrap_or_default();
        let (mut copies, mut delay_ms) = (1, event.delay_ms);
        match &delivery {
            PushDelivery::Lost => return,
            PushDelivery::Delayed { ms } => delay_ms += (*ms).max(0),
            PushDelivery::Duplicated { times } => copies = (*times).min(50),
            _ => {}
        }
        let is_payment = event.name.starts_with("xpay_");
        let event = Arc::new(event);
        for _ in 0..copies {
            let (push, of, delivery) = (Arc::clone(self), Arc::clone(&event), delivery.clone());
            let done = Arc::clone(&event.on_accepted);
            let letter = Letter {
                subject: event.subject.clone(),
                event: event.name.to_owned(),
                url: url.clone(),
                write: Box::new(move |attempt, now| {
                    let normal = PushDelivery::Normal;
                    push.write(&of, if attempt == 1 { &delivery } else { &normal }, now)
                }),
                is_accepted,
                on_accepted: Box::new(move || done()),
                pauses: if is_payment { &PAYMENT_PAUSES } else { &PAUSES },
            };
            self.outbox.post(letter, delay_ms);
        }
    }

    fn write(&self, event: &Event, how: &PushDelivery, now: UnixMillis) -> Written {
        let format = self.format();
        let at = if *how == PushDelivery::OldTimestamp { now.plus_seconds(-STALE) } else { now };
        let token = if *how == PushDelivery::WrongToken { "another" } else { Self::TOKEN };
        let appid =
            if *how == PushDelivery::OtherApp { "wx0000000000000000" } else { WechatSim::APPID };
        let message = render(&message(event, now), format);
        let mut query = self.plain_query(at, token);
        let content_type = match format {
            PushFormat::Json => "application/json",
            PushFormat::Xml => "text/xml",
        };
        let headers = vec![("Content-Type", content_type.to_owned())];
        if *how == PushDelivery::Plain {
            return Written { query, headers, body: message.into_bytes() };
        }
        let mut sealed = crypto::push_key(Self::AES_KEY).map_or_else(String::new, |key| {
            crypto::push_seal(&key, self.rng.bytes(), &message, appid)
        });
        let nonce = self.rng.below(10_000_000_000).to_string();
        let timestamp = at.seconds().to_string();
        let signature = crypto::sorted_sha1(&[token, &timestamp, &nonce]);
        let msg_signature = crypto::sorted_sha1(&[token, &timestamp, &nonce, &sealed]);
        query = format!(
            "signature={signature}&timestamp={timestamp}&nonce={nonce}&openid={}\
             &encrypt_type=aes&msg_signature={msg_signature}",
            percent(&event.openid)
        );
        if *how == PushDelivery::Tampered {
            let changed = if sealed.starts_with('A') { "B" } else { "A" };
            sealed.replace_range(..1, changed);
        }
        let envelope = json!({ "ToUserName": TO_USER, "Encrypt": sealed });
        Written { query, headers, body: render(&envelope, format).into_bytes() }
    }

    fn plain_query(&self, at: UnixMillis, token: &str) -> String {
        let (timestamp, nonce) = (at.seconds().to_string(), self.rng.below(1 << 32).to_string());
        let signature = crypto::sorted_sha1(&[token, &timestamp, &nonce]);
        format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
    }
}

fn message(event: &Event, now: UnixMillis) -> Value {
    let mut message = json!({
        "ToUserName": TO_USER,
        "FromUserName": event.openid,
        "CreateTime": now.seconds(),
        "MsgType": "event",
        "Event": event.name,
    });
    if let (Some(message), Some(members)) = (message.as_object_mut(), event.members.as_object()) {
        message.extend(members.clone());
    }
    message
}

/// An empty body, `success` and the code 0 accept a message.
fn is_accepted(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let code = serde_json::from_str::<Value>(text).ok().and_then(|body| body["ErrCode"].as_i64());
    status == 200
        && (text.is_empty()
            || text == "success"
            || code == Some(0)
            || (text.starts_with("<xml>") && text.contains("<ErrCode>0</ErrCode>")))
}

fn render(message: &Value, format: PushFormat) -> String {
    match format {
        PushFormat::Json => message.to_string(),
        PushFormat::Xml => {
            let mut xml = "<xml>".to_owned();
            members(&mut xml, message);
            xml + "</xml>"
        }
    }
}

fn members(xml: &mut String, of: &Value) {
    for (name, value) in of.as_object().into_iter().flatten() {
        // A list is its element, repeated.
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            *xml += &format!("<{name}>");
            match value {
                Value::String(text) => {
                    *xml += &format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"));
                }
                Value::Object(_) => members(xml, value),
                other => *xml += &other.to_string(),
            }
            *xml += &format!("</{name}>");
        }
    }
}

fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into())
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_that_accept() {
        for body in ["", "success", r#"{"ErrCode":0,"ErrMsg":"success"}"#] {
            assert!(is_accepted(200, body.as_bytes()), "{body}");
            assert!(!is_accepted(500, body.as_bytes()), "{body}");
        }
        assert!(is_accepted(200, b"<xml><ErrCode>0</ErrCode><ErrMsg>x</ErrMsg></xml>"));
        for body in ["fail", r#"{"ErrCode":1}"#, "<xml><ErrCode>1</ErrCode></xml>", "{}"] {
            assert!(!is_accepted(200, body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn xml_nests_and_cannot_be_broken_out_of() {
        let message =
            json!({ "A": "x]]><B>1</B>", "C": { "D": 2 }, "E": [{ "F": 1 }, { "F": 2 }] });
        assert_eq!(
            render(&message, PushFormat::Xml),
            "<xml><A><![CDATA[x]]]]><![CDATA[><B>1</B>]]></A><C><D>2</D></C><E><F>1</F></E><E><F>2</F></E></xml>"
        );
    }

    #[test]
    fn the_key_has_spare_bits() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD_NO_PAD;
        assert_eq!(MessagePush::AES_KEY.len(), 43);
        assert!(crypto::push_key(MessagePush::AES_KEY).is_some());
        assert!(STANDARD_NO_PAD.decode(MessagePush::AES_KEY).is_err());
    }
}
