//! What is told to users by subscribe message.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// Fields of a template, at most; WeChat has seven.
const FIELDS_MAX: usize = 10;

/// The longest text here, in characters.
const TEXT_MAX: usize = 200;

/// The messages, each by a template of the mini-program's console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// `{prompt}`, `{count}`, `{time}` and `{jobId}` are filled in.
    pub image_ready: MessageTemplate,
    /// `{level}` and `{time}` are filled in.
    pub membership_ends: MessageTemplate,
    /// Which version of the mini-program they open.
    pub state: MessageState,
    /// Messages waiting, in all; beyond that new ones are dropped.
    pub queue_max: u32,
    /// Seconds after which a message that could not be sent is not worth sending.
    pub keep_s: u32,
}

/// What a message looks like. Without a template id it is off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageTemplate {
    pub template_id: String,
    /// What the message opens; none when empty.
    pub page: String,
    /// Exactly those of the template.
    pub fields: Vec<MessageField>,
}

/// A field of a template, such as `thing1`, and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageField {
    pub name: String,
    pub value: String,
}

/// Which version of the mini-program a message opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    Developer,
    Trial,
    Formal,
}

impl MessageTemplate {
    /// Whether it is sent at all.
    pub fn is_on(&self) -> bool {
        !self.template_id.is_empty()
    }

    fn check(&self, at: &str, known: &[&str]) -> Result<(), SettingsError> {
        let invalid = |field: &str, problem: &str| {
            Err(SettingsError::invalid(&format!("{at}.{field}"), problem))
        };
        if self.template_id.chars().count() > TEXT_MAX {
            return invalid("templateId", "is too long");
        }
        if self.page.chars().count() > TEXT_MAX || !is_filled_by(&self.page, known) {
            return invalid("page", "is too long or names what there is not");
        }
        if self.fields.len() > FIELDS_MAX || (self.is_on() && self.fields.is_empty()) {
            return invalid("fields", "must be those of the template");
        }
        for field in &self.fields {
            let is_name = !field.name.is_empty()
                && field.name.len() <= 32
                && field.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let fits = field.value.chars().count() <= TEXT_MAX;
            if !is_name || !fits || !is_filled_by(&field.value, known) {
                return invalid("fields", "a name is wrong, or a value names what there is not");
            }
        }
        Ok(())
    }
}

/// Whether nothing but `known` stands between braces.
fn is_filled_by(text: &str, known: &[&str]) -> bool {
    text.split('{').skip(1).all(|rest| {
        let name = rest.split_once('}').map(|(name, _)| name);
        name.is_some_and(|name| known.contains(&name))
    })
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            image_ready: MessageTemplate::default(),
            membership_ends: MessageTemplate::default(),
            state: MessageState::Formal,
            queue_max: 10_000,
            keep_s: 3600,
        }
    }
}

impl Checked for Messages {
    fn check(&self) -> Result<(), SettingsError> {
        self.image_ready.check("imageReady", &["prompt", "count", "time", "jobId"])?;
        self.membership_ends.check("membershipEnds", &["level", "time"])?;
        within("queueMax", self.queue_max, 1, 100_000)?;
        within("keepS", self.keep_s, 60, 86_400)
    }
}
