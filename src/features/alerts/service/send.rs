//! Messages on their way: the forms that WeCom, Feishu and others want, and what they answer.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::Url;

use crate::app::App;
use crate::base::bilingual::{Bilingual, Language};
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::clients::hook::HookClient;
use crate::features::alerts::model::{ChannelStatus, Event, Rule, Tried};
use crate::features::settings::{AlertHook, Alerts};

/// Longest time for one call of a hook.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of what is wrong. A WeCom robot refuses texts of more than 2048 bytes, and Chinese has three for a
/// character; the rest of a message takes a few hundred.
const PROBLEM_MAX: usize = 1500;

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
    /// What is wrong; nothing in a test.
    problem: Option<Bilingual>,
    language: Language,
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
    /// That a rule fires, goes on or is over.
    pub(super) fn of(
        app: &App,
        wanted: &Alerts,
        (rule, event): (Rule, Event),
        problem: Option<Bilingual>,
    ) -> Self {
        Self { rule: Some(rule), event, problem, ..Self::test(app, wanted) }
    }

    /// That messages arrive.
    pub(super) fn test(app: &App, wanted: &Alerts) -> Self {
        let host = Url::parse(&app.facts.public_url).ok();
        let server = host.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        let (language, at) = (wanted.language, app.clock.now());
        Self { rule: None, event: Event::Test, problem: None, language, server, at }
    }

    fn name(&self) -> &'static str {
        self.rule.map_or("test", Rule::name)
    }

    /// What is wrong, in the language of the messages.
    fn problem(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.text(self.language))
    }

    /// For people. The stable name stands beside the title: the runbook goes by it.
    fn text(&self) -> String {
        let test = || Bilingual::new("测试消息", "This is a test message");
        let title = self.rule.map_or_else(test, Rule::title);
        let (title, name) = (title.text(self.language), self.name());
        let head = match (self.event, self.language) {
            (Event::Firing, Language::Zh) => format!("【告警】{title}（{name}）"),
            (Event::StillFiring, Language::Zh) => format!("【告警持续】{title}（{name}）"),
            (Event::Resolved, Language::Zh) => format!("【已恢复】{title}（{name}）"),
            (Event::Test, Language::Zh) => format!("【测试】{title}（{name}）"),
            (Event::Firing, Language::En) => format!("[Alert] {title} ({name})"),
            (Event::StillFiring, Language::En) => format!("[Still firing] {title} ({name})"),
            (Event::Resolved, Language::En) => format!("[Resolved] {title} ({name})"),
            (Event::Test, Language::En) => format!("[Test] {title} ({name})"),
        };
        let arrives =
            Bilingual::new("dream-bff 的告警能送到这里", "alerts of dream-bff arrive here");
        let what = match self.event {
            Event::Test => arrives.text(self.language),
            Event::Firing | Event::StillFiring | Event::Resolved => {
                self.problem().unwrap_or_default()
            }
        };
        let time = self.at.rfc3339_shanghai();
        format!("{head}\n{}\n{} {time}", beginning(what, PROBLEM_MAX), self.server)
    }
}

/// As many characters as go into so many bytes.
fn beginning(text: &str, bytes: usize) -> &str {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let end = ends.take_while(|end| *end <= bytes).last().unwrap_or(0);
    text.get(..end).unwrap_or_default()
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
                let problem = problem.text(Language::En);
                tracing::warn!(hook = name, problem, "a message to the operator was not taken");
            }
            (name, sent)
        });
        futures_util::future::join_all(sending).await
    }

    async fn send(&self, form: Form, hook: &AlertHook, message: &Message) -> Result<(), Bilingual> {
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
        let (status, answer) = sent.map_err(|err| {
            let why = error_chain(&err);
            Bilingual::new(format!("调用失败：{why}"), why)
        })?;
        if !(200..300).contains(&status) {
            let (zh, en) = (format!("对方返回 {status}"), format!("it answers {status}"));
            return Err(Bilingual::new(zh, en));
        }
        refusal(form, &answer).map_or(Ok(()), Err)
    }
}

/// Robots answer 200 also when they refuse; the code says so.
fn refusal(form: Form, answer: &[u8]) -> Option<Bilingual> {
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
            Some(Bilingual::new(
                format!("对方拒绝（{number}：{words}）"),
                format!("it refuses ({number}: {words})"),
            ))
        }
        None => Some(Bilingual::new("无法识别对方的回答", "its answer cannot be read")),
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
        "message": message.problem(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(language: Language, event: Event, rule: Option<Rule>) -> Message {
        let problem = rule.map(|_| Bilingual::new("满了".repeat(500), "it is full ".repeat(500)));
        let server = "a.example".to_owned();
        Message { rule, event, problem, language, server, at: UnixMillis(0) }
    }

    #[test]
    fn every_message_has_title_and_name_and_fits_a_robot() {
        let rules = Rule::ALL.into_iter().map(Some).chain([None]);
        for rule in rules {
            let events: &[Event] = match rule {
                Some(_) => &[Event::Firing, Event::StillFiring, Event::Resolved],
                None => &[Event::Test],
            };
            for &event in events {
                let [zh, en] =
                    [Language::Zh, Language::En].map(|language| message(language, event, rule));
                let (name, is_cjk) = (zh.name(), |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c));
                let (zh, en) = (zh.text(), en.text());
                assert!(zh.contains(&format!("（{name}）")) && zh.starts_with('【'), "{zh}");
                assert!(en.contains(&format!(" ({name})")) && en.starts_with('['), "{en}");
                assert!(zh.contains(is_cjk) && !en.contains(is_cjk), "{zh} {en}");
                for text in [zh, en] {
                    assert!(text.len() <= 2048, "{} bytes", text.len());
                    assert!(text.ends_with("a.example 1970-01-01T08:00:00.000+08:00"), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(beginning("满了", 5), "满");
        assert_eq!(beginning("满了", 6), "满了");
        assert_eq!((beginning("", 5), beginning("满", 2)), ("", ""));
    }
}
