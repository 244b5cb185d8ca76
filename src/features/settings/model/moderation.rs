//! Who looks at what users write and publish.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The rules of moderation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moderation {
    pub checker: Checker,
    /// What becomes of a prompt that stays with its author when WeChat cannot be asked. What is to be
    /// published is held in any case.
    pub prompts_when_unavailable: WhenUnavailable,
    /// Minutes that a verdict on a picture is waited for before WeChat is asked again; WeChat takes up to 30.
    pub verdict_minutes: u32,
    /// How often WeChat is asked about one picture before a reviewer is.
    pub picture_attempts: u32,
}

/// What texts and pictures are checked with. Each knows what the one before knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checker {
    /// Nothing is.
    Off,
    /// Texts, with the word list.
    Words,
    /// Texts with the word list and by WeChat, published pictures by WeChat.
    Wechat,
}

/// What to do without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnavailable {
    Allow,
    Refuse,
}

impl Default for Moderation {
    fn default() -> Self {
        Self {
            checker: Checker::Words,
            prompts_when_unavailable: WhenUnavailable::Allow,
            verdict_minutes: 30,
            picture_attempts: 2,
        }
    }
}

impl Checked for Moderation {
    fn check(&self) -> Result<(), SettingsError> {
        within("verdictMinutes", self.verdict_minutes, 1, 24 * 60)?;
        within("pictureAttempts", self.picture_attempts, 1, 10)
    }
}
