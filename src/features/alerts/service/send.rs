//! Messages on their way: the forms that WeCom, Feishu and others want, and what they answer.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::hook::HookClient;
use crate::features::alerts::model::{ChannelStatus, Event, Rule, Tried};
use crate::features::settings::{AlertHook, Alerts};

/// Longest time for one call of a hook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Robots of groups refuse longer texts.
const TEXT_MAX: usize = 1500;

/// A way to tell.
#[derive(Clone, Copy)]
enum Form {
    Wecom,
    Feishu,
    Json,
}

/// A message, before it has a form.
pub(super) struct Message {
    rule: Option<Rule>,
    event: Event,
    problem: Option<String>,
    /// Which server speaks: an operator may have several.
    server: String,
    at: UnixMillis,
}

/// The line to the hooks.
pub(super) struct Hooks(HookClient);

impl Default for Hooks {
    fn default() -> Self {
        Self(HookClient::new(TIMEOUT))
    }
}

/// What there is to go through.
pub(super) fn channels(wanted: &Alerts) -> Vec<ChannelStatus> {
    let status = |(name, _, hook): (&'static str, Form, &AlertHook)| ChannelStatus {
        name,
        is_on: hook.enabled,
        has_address: !hook.url.is_empty(),
        has_secret: !hook.secret.is_empty(),
    };
    hooks(wanted).into_iter().map(status).collect()
}

/// Whether there is anybody to tell.
pub(super) fn is_any_on(wanted: &Alerts) -> bool {
    hooks(wanted).iter().any(|(_, _, hook)| hook.enabled)
}

fn hooks(wanted: &Alerts) -> [(&'static str, Form, &AlertHook); 3] {
    [
        ("wecom", Form::Wecom, &wanted.wecom),
        ("feishu", Form::Feishu, &wanted.feishu),
        ("webhook", Form::Json, &wanted.webhook),
    ]
}

impl Message {
    pub(super) fn of(app: &App, rule: Option<Rule>, event: Event, problem: Option<String>) -> Self {
        let host = Url::parse(&app.facts.public_url).ok();
        let server = host.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        Self { rule, event, problem, server, at: app.clock.now() }
    }

    fn name(&self) -> &'static str {
        self.rule.map_or("test", Rule::name)
    }

    /// For people, in Chinese as the admin page is.
    fn text(&self) -> String {
        let head = match self.event {
            Event::Firing => "【告警】",
            Event::StillFiring => "【告警持续】",
            Event::Resolved => "【已恢复】",
            Event::Test => "【测试】",
        };
        let what = match self.event {
            Event::Test => "dream-bff 告警通道正常",
            _ => self.problem.as_deref().unwrap_or_default(),
        };
        let time = self.at.rfc3339_shanghai();
        let text = format!("{head}{}\n{what}\n{} {time}", self.name(), self.server);
        text.chars().take(TEXT_MAX).collect()
    }
}

impl Hooks {
    /// Tells every enabled hook at once; says of each what came of it.
    pub(super) async fn send_all(
        &self,
        app: &App,
        wanted: &Alerts,
        message: &Message,
    ) -> Vec<Tried> {
        let enabled = hooks(wanted).into_iter().filter(|(_, _, hook)| hook.enabled);
        let sending = enabled.map(|(name, form, hook)| async move {
            let sent = self.send(form, hook, message).await;
            app.events.alerts.add(if sent.is_ok() { "sent" } else { "failed" });
            if let Err(problem) = &sent {
                tracing::warn!(hook = name, problem, "a message to the operator was not taken");
            }
            (name, sent)
        });
        futures_util::future::join_all(sending).await
    }

    async fn send(&self, form: Form, hook: &AlertHook, message: &Message) -> Result<(), String> {
        let (body, headers) = match form {
            Form::Wecom => {
                (json!({ "msgtype": "text", "text": { "content": message.text() } }), Vec::new())
            }
            Form::Feishu => (feishu(hook.secret.expose(), message), Vec::new()),
            Form::Json => {
                let body = plain(message);
                let headers = signed(hook.secret.expose(), &body.to_string(), message.at);
                (body, headers)
            }
        };
        let body = body.to_string().into_bytes();
        let sent = self.0.post(hook.url.expose(), &headers, body).await;
        let (status, answer) = sent.map_err(|err| error_chain(&err))?;
        if !(200..300).contains(&status) {
            return Err(format!("it answers {status}"));
        }
        refusal(form, &answer).map_or(Ok(()), Err)
    }
}

/// Robots answer 200 also when they refuse; the code says so.
fn refusal(form: Form, answer: &[u8]) -> Option<String> {
    let (code, text) = match form {
        Form::Wecom => ("errcode", "errmsg"),
        Form::Feishu => ("code", "msg"),
        Form::Json => return None,
    };
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer[code].as_i64() {
        Some(0) => None,
        Some(number) => {
            let words: String =
                answer[text].as_str().unwrap_or_default().chars().take(200).collect();
            Some(format!("it refuses ({number}: {words})"))
        }
        None => Some("its answer cannot be read".to_owned()),
    }
}

/// A text for a Feishu robot; with a secret it is signed as Feishu wants it: the key is the time, a line
/// feed and the secret, and what is signed is empty.
fn feishu(secret: &str, message: &Message) -> Value {
    let mut body = json!({ "msg_type": "text", "content": { "text": message.text() } });
    if !secret.is_empty() {
        let time = message.at.seconds().to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{time}\n{secret}").as_bytes());
        body["sign"] = STANDARD.encode(hmac::sign(&key, b"")).into();
        body["timestamp"] = time.into();
    }
    body
}

/// A message for programs.
fn plain(message: &Message) -> Value {
    json!({
        "event": message.event,
        "rule": message.name(),
        "message": message.problem,
        "text": message.text(),
        "server": message.server,
        "at": message.at.rfc3339(),
    })
}

/// The time, and with a secret the signature of time, point and body.
fn signed(secret: &str, body: &str, at: UnixMillis) -> Vec<(&'static str, String)> {
    let time = at.seconds().to_string();
    let mut headers = vec![("X-Dream-Timestamp", time.clone())];
    if !secret.is_empty() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        headers.push(("X-Dream-Signature", format!("sha256={hex}")));
    }
    headers
}
