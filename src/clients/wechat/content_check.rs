//! Content safety: texts at once (`msg_sec_check`, version 2), pictures later by push
//! (`media_check_async`, version 2).
//!
//! The verdict is in `result.suggest`; a text that breaks the rules comes with `errcode` 0.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Weixin;
use super::answer::WechatError;

/// Characters of one text; a longer one is asked about in pieces.
const MAX_CHARS: usize = 2500;

/// Where a text or picture is going to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckScene {
    Profile,
    Comment,
    Forum,
    SocialLog,
}

impl CheckScene {
    fn number(self) -> u8 {
        match self {
            Self::Profile => 1,
            Self::Comment => 2,
            Self::Forum => 3,
            Self::SocialLog => 4,
        }
    }
}

/// What WeChat thinks, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Pass,
    /// A person should look; never a pass.
    Review,
    Risky,
}

impl Verdict {
    /// `pass`, `review`, `risky`; what is none of them needs a person.
    pub(super) fn of(suggest: &str) -> Self {
        match suggest {
            "pass" => Self::Pass,
            "risky" => Self::Risky,
            _ => Self::Review,
        }
    }
}

/// A text and its author.
#[derive(Clone, Copy, Debug)]
pub struct CheckedText<'a> {
    /// The author, who must have used the mini-program within two hours.
    pub openid: &'a str,
    pub scene: CheckScene,
    /// Of any length.
    pub content: &'a str,
}

/// The verdict on a text: of several pieces the worst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextVerdict {
    pub verdict: Verdict,
    /// 100 normal, 10001 ads, 20001 politics, 20002 sexual, … as WeChat numbers them.
    pub label: i64,
    /// WeChat's number of the check that decided.
    pub trace_id: Option<String>,
}

/// A picture and its author.
#[derive(Clone, Copy, Debug)]
pub struct MediaCheck<'a> {
    /// Public https address, at most 10 MB, that needs no cookie: WeChat downloads it.
    pub media_url: &'a str,
    /// The author, who must have used the mini-program within two hours.
    pub openid: &'a str,
    pub scene: CheckScene,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// 61010: the author was not seen for two hours; after a new login it works.
    #[error("the author was not seen within two hours")]
    NotSeen,
    #[error(transparent)]
    Wechat(WechatError),
}

impl From<WechatError> for CheckError {
    fn from(err: WechatError) -> Self {
        match err {
            WechatError::Refused { code: 61010, .. } => Self::NotSeen,
            other => Self::Wechat(other),
        }
    }
}

#[derive(Serialize)]
struct TextRequest<'a> {
    version: u8,
    openid: &'a str,
    scene: u8,
    content: &'a str,
}

#[derive(Deserialize)]
struct TextAnswer {
    trace_id: Option<String>,
    result: Option<SuggestAnswer>,
}

/// `{suggest, label}`, as answers and pushes have it.
#[derive(Deserialize)]
struct SuggestAnswer {
    suggest: String,
    /// A number here, a text in some pushes.
    #[serde(default)]
    label: Value,
}

#[derive(Serialize)]
struct MediaRequest<'a> {
    media_url: &'a str,
    media_type: u8,
    version: u8,
    scene: u8,
    openid: &'a str,
}

#[derive(Deserialize)]
struct MediaAnswer {
    trace_id: Option<String>,
}

impl Weixin {
    /// Asks about a text; an empty one passes.
    ///
    /// # Errors
    /// [`CheckError`], when there is no verdict on some piece and none of the others is risky.
    pub async fn check_text(&self, text: CheckedText<'_>) -> Result<TextVerdict, CheckError> {
        let mut worst = TextVerdict { verdict: Verdict::Pass, label: 100, trace_id: None };
        for content in pieces(text.content) {
            let verdict = self.check_piece(&text, content).await?;
            if verdict.verdict >= worst.verdict {
                worst = verdict;
            }
            if worst.verdict == Verdict::Risky {
                break;
            }
        }
        Ok(worst)
    }

    async fn check_piece(
        &self,
        text: &CheckedText<'_>,
        content: &str,
    ) -> Result<TextVerdict, CheckError> {
        let scene = text.scene.number();
        let request = TextRequest { version: 2, openid: text.openid, scene, content };
        let answer: TextAnswer = self.connection.post("/wxa/msg_sec_check", &request).await?;
        let result = answer.result.ok_or(WechatError::Garbled)?;
        Ok(TextVerdict {
            verdict: Verdict::of(&result.suggest),
            label: number(&result.label).unwrap_or_default(),
            trace_id: answer.trace_id,
        })
    }

    /// Asks about a picture. The verdict comes by push within 30 minutes, under the number answered
    /// here; it may come before this answer does.
    ///
    /// # Errors
    /// [`CheckError`].
    pub async fn check_media(&self, media: MediaCheck<'_>) -> Result<String, CheckError> {
        let request = MediaRequest {
            media_url: media.media_url,
            // A picture.
            media_type: 2,
            version: 2,
            scene: media.scene.number(),
            openid: media.openid,
        };
        let answer: MediaAnswer = self.connection.post("/wxa/media_check_async", &request).await?;
        let trace_id = answer.trace_id.filter(|id| !id.is_empty());
        Ok(trace_id.ok_or(WechatError::Garbled)?)
    }
}

/// A number that may be written as a text.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// `text` in pieces that one call takes, cut between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().nth(MAX_CHARS).map_or(rest.len(), |(at, _)| at);
        let (piece, left) = rest.split_at(end);
        rest = left;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "画".repeat(5001);
        let lengths: Vec<_> = pieces(&text).map(|piece| piece.chars().count()).collect();
        assert_eq!(lengths, [2500, 2500, 1]);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert_eq!(pieces("").count(), 0);
        assert_eq!(pieces(&"a".repeat(2500)).count(), 1);
    }

    #[test]
    fn what_is_no_pass_is_worse_and_the_unknown_needs_a_person() {
        assert!(Verdict::Pass < Verdict::Review && Verdict::Review < Verdict::Risky);
        assert_eq!(Verdict::of("pass"), Verdict::Pass);
        assert_eq!(Verdict::of("risky"), Verdict::Risky);
        for other in ["review", "PASS", "", "block"] {
            assert_eq!(Verdict::of(other), Verdict::Review, "{other}");
        }
    }

    #[test]
    fn a_label_may_be_a_number_or_a_text() {
        assert_eq!(number(&json!(20002)), Some(20002));
        assert_eq!(number(&json!("20002")), Some(20002));
        assert_eq!(number(&json!(null)), None);
    }
}
