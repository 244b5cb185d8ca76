//! Content safety: texts judged by words at once, pictures by a plan and later, through message push.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::WechatSim;
use crate::sandbox::crypto;
use crate::sandbox::listener::Call;
use crate::sandbox::message_push::Event;
use crate::sandbox::plan::Plan;

/// Longest text, in characters.
const MAX_TEXT: usize = 2500;
/// Longest list of words.
const MAX_WORDS: usize = 1000;
/// An author must have logged in within so many seconds.
const SEEN: i64 = 2 * 60 * 60;

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suggest {
    /// Fine.
    Pass,
    /// A person should look.
    Review,
    /// Not fine.
    Risky,
}

impl Suggest {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Review => "review",
            Self::Risky => "risky",
        }
    }
}

/// What becomes of a picture that is to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PictureVerdict {
    /// It is judged.
    Judged {
        /// The verdict.
        suggest: Suggest,
        /// 100 is normal, 20002 sexual, …
        label: i64,
        /// When the verdict is pushed, in milliseconds.
        after_ms: i64,
    },
    /// It could not be downloaded.
    NotDownloaded,
    /// No verdict is ever pushed.
    Silent,
}

/// Words, and what a text that has one of them is.
#[derive(Clone, Debug, Deserialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// What it makes of a text.
    pub suggest: Suggest,
    /// 10001 ads, 20001 politics, 20002 sexual, 20003 abuse, 20006 crime, 20008 fraud, 20012 vulgar, …
    pub label: i64,
}

/// The knobs of content safety.
#[derive(Debug)]
pub struct Moderation {
    words: Mutex<Vec<Word>>,
    pictures: Plan<PictureVerdict>,
}

impl Default for Moderation {
    fn default() -> Self {
        let word = |word: &str, suggest, label| Word { word: word.to_owned(), suggest, label };
        Self {
            words: Mutex::new(vec![
                word("sandbox-risky", Suggest::Risky, 20_002),
                word("违规内容", Suggest::Risky, 20_001),
                word("sandbox-review", Suggest::Review, 20_012),
                word("疑似违规", Suggest::Review, 21_000),
            ]),
            pictures: Plan::default(),
        }
    }
}

impl Moderation {
    /// The words that are looked for, instead of those at first (`sandbox-risky`, `sandbox-review`,
    /// 违规内容, 疑似违规). A thousand at most.
    pub fn set_words(&self, mut words: Vec<Word>) {
        words.truncate(MAX_WORDS);
        *self.words.lock() = words;
    }

    /// What becomes of pictures; they pass after a second unless something is planned.
    pub fn pictures(&self) -> &Plan<PictureVerdict> {
        &self.pictures
    }

    /// The worst verdict over a text.
    fn judge(&self, text: &str) -> (Suggest, i64, Option<String>) {
        let (mut worst, mut label, mut keyword) = (Suggest::Pass, 100, None);
        for word in self.words.lock().iter().filter(|word| text.contains(&word.word)) {
            if worst == Suggest::Pass || word.suggest == Suggest::Risky && worst == Suggest::Review
            {
                (worst, label, keyword) = (word.suggest, word.label, Some(word.word.clone()));
            }
        }
        (worst, label, keyword)
    }
}

impl WechatSim {
    /// `msg_sec_check`, version 2.
    pub(super) fn check_text(&self, call: &Call) -> Result<Value, i64> {
        let body = call.json().ok_or(47001)?;
        self.check_author(&body)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let content = text("content");
        if content.is_empty() {
            return Err(44002);
        }
        if content.chars().count() > MAX_TEXT {
            return Err(45002);
        }
        let all = [content, text("title"), text("nickname"), text("signature")].join("\n");
        let (suggest, label, keyword) = self.moderation.judge(&all);
        let mut detail = json!({
            "strategy": "content_model",
            "errcode": 0,
            "suggest": suggest.name(),
            "label": label,
            "prob": 90,
        });
        if let Some(keyword) = keyword {
            detail["strategy"] = "keyword".into();
            detail["keyword"] = keyword.into();
        }
        Ok(json!({
            "errcode": 0,
            "errmsg": "ok",
            "trace_id": self.trace_id(),
            "result": { "suggest": suggest.name(), "label": label },
            "detail": [detail],
        }))
    }

    /// `media_check_async`, version 2: answered at once, judged later.
    pub(super) fn check_media(&self, call: &Call) -> Result<Value, i64> {
        let body = call.json().ok_or(47001)?;
        self.check_author(&body)?;
        let url = body["media_url"].as_str().unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(40097);
        }
        if !matches!(body["media_type"].as_i64(), Some(1 | 2)) {
            return Err(40097);
        }
        let trace_id = self.trace_id();
        let openid = body["openid"].as_str().unwrap_or_default();
        let pass = PictureVerdict::Judged { suggest: Suggest::Pass, label: 100, after_ms: 1000 };
        match self.moderation.pictures.take().unwrap_or(pass) {
            PictureVerdict::Silent => {}
            PictureVerdict::NotDownloaded => {
                let members = json!({
                    "appid": Self::APPID,
                    "trace_id": trace_id,
                    "version": 2,
                    "errcode": -1008,
                    "errmsg": "download media failed",
                });
                self.push_verdict(&trace_id, openid, members, 0);
            }
            PictureVerdict::Judged { suggest, label, after_ms } => {
                let members = json!({
                    "appid": Self::APPID,
                    "trace_id": trace_id,
                    "version": 2,
                    "detail": [{
                        "strategy": "content_model",
                        "errcode": 0,
                        "suggest": suggest.name(),
                        "label": label,
                        "prob": 90,
                    }],
                    "errcode": 0,
                    "errmsg": "ok",
                    // A number in some pushes and a text in others.
                    "result": { "suggest": suggest.name(), "label": self.either(label) },
                });
                self.push_verdict(&trace_id, openid, members, after_ms.max(0));
            }
        }
        Ok(json!({ "errcode": 0, "errmsg": "ok", "trace_id": trace_id }))
    }

    fn push_verdict(&self, trace_id: &str, openid: &str, members: Value, delay_ms: i64) {
        self.push.push(Event {
            name: "wxa_media_check",
            subject: trace_id.to_owned(),
            openid: openid.to_owned(),
            members,
            delay_ms,
            on_accepted: Arc::new(|| {}),
        });
    }

    /// Version, scene and author of a check.
    fn check_author(&self, body: &Value) -> Result<(), i64> {
        if body["version"] != 2 {
            return Err(40097);
        }
        if !matches!(body["scene"].as_i64(), Some(1..=4)) {
            return Err(40129);
        }
        let openid = body["openid"].as_str().ok_or(40003)?;
        let session = self.sessions.get(openid).ok_or(40003)?;
        if self.clock.now() > session.since.plus_seconds(SEEN) { Err(61010) } else { Ok(()) }
    }

    fn trace_id(&self) -> String {
        let bytes = crypto::hex(&self.rng.bytes::<12>());
        [&bytes[..8], &bytes[8..16], &bytes[16..]].join("-")
    }

    fn either(&self, label: i64) -> Value {
        if self.rng.below(2) == 0 { label.into() } else { label.to_string().into() }
    }
}
