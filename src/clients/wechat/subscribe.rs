//! Subscribe messages (`/cgi-bin/message/subscribe/send`): one consent of the user, one message.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Weixin;
use super::answer::WechatError;
use super::weixin::Done;

/// The user gave no consent, or it is used up.
const NO_CONSENT: i64 = 43101;

/// Which version of the mini-program the message opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MiniProgramState {
    Developer,
    Trial,
    Formal,
}

/// A message to one user.
#[derive(Clone, Debug)]
pub struct SubscribeMessage {
    pub openid: String,
    pub template_id: String,
    /// What the message opens; a slash at its beginning is dropped.
    pub page: Option<String>,
    /// The fields of the template by name (`thing1`) and what to write there; cut to what WeChat takes.
    pub fields: Vec<(String, String)>,
    pub state: MiniProgramState,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeOutcome {
    /// On its way.
    Sent,
    /// 43101: the user gave no consent for another one. Final.
    NoConsent,
}

#[derive(Serialize)]
struct Request<'a> {
    touser: &'a str,
    template_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'a str>,
    data: BTreeMap<&'a str, Field>,
    miniprogram_state: MiniProgramState,
    lang: &'static str,
}

#[derive(Serialize)]
struct Field {
    value: String,
}

impl Weixin {
    /// Sends a message, using up one consent.
    ///
    /// # Errors
    /// [`WechatError`]; a template, page or value that WeChat refuses (40037, 41030, 47003) is final. After
    /// a lost answer the message may have been sent.
    pub async fn send_subscribe_message(
        &self,
        message: &SubscribeMessage,
    ) -> Result<SubscribeOutcome, WechatError> {
        let path = "/cgi-bin/message/subscribe/send";
        match self.connection.post::<Done>(path, &request(message)).await {
            Ok(Done {}) => Ok(SubscribeOutcome::Sent),
            Err(WechatError::Refused { code: NO_CONSENT, .. }) => Ok(SubscribeOutcome::NoConsent),
            Err(err) => Err(err),
        }
    }
}

fn request(message: &SubscribeMessage) -> Request<'_> {
    let field = |(name, value): &(String, String)| Field { value: FieldKind::of(name).cut(value) };
    Request {
        touser: &message.openid,
        template_id: &message.template_id,
        page: message.page.as_deref().map(|page| page.trim_start_matches('/')),
        data: message.fields.iter().map(|pair| (&*pair.0, field(pair))).collect(),
        miniprogram_state: message.state,
        lang: "zh_CN",
    }
}

/// What a field of a template may hold; told by its name without the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// 20 characters of any kind.
    Thing,
    /// 32 letters, digits and symbols.
    CharacterString,
    /// 32 digits, with or without a point.
    Number,
    /// 5 Chinese characters.
    Phrase,
    /// 10 Chinese characters, or 20 letters.
    Name,
    /// Times, amounts and what else there is: as given.
    Other,
}

impl FieldKind {
    /// The kind of the field `name`, such as `thing1`.
    pub fn of(name: &str) -> Self {
        match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "thing" => Self::Thing,
            "character_string" => Self::CharacterString,
            "number" => Self::Number,
            "phrase" => Self::Phrase,
            "name" => Self::Name,
            _ => Self::Other,
        }
    }

    /// `value` as the field takes it: on one line, cut by characters, and never empty.
    pub fn cut(self, value: &str) -> String {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = match self {
            Self::Thing => value.chars().take(20).collect(),
            Self::CharacterString => {
                value.chars().filter(char::is_ascii_graphic).take(32).collect()
            }
            Self::Number => {
                value.chars().filter(|c| c.is_ascii_digit() || *c == '.').take(32).collect()
            }
            Self::Phrase => value.chars().filter(|c| !c.is_ascii()).take(5).collect(),
            Self::Name if value.is_ascii() => value.chars().take(20).collect(),
            Self::Name => value.chars().take(10).collect(),
            Self::Other => value,
        };
        match (cut.is_empty(), self) {
            (false, _) => cut,
            // WeChat refuses the whole message for one empty field.
            (true, Self::Number) => "0".to_owned(),
            (true, Self::Phrase | Self::Name | Self::Thing) => "无".to_owned(),
            (true, Self::CharacterString | Self::Other) => "-".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_cut_by_the_kind_of_their_field() {
        let cut = |name: &str, value: &str| FieldKind::of(name).cut(value);
        assert_eq!(cut("thing1", &"图".repeat(30)), "图".repeat(20));
        assert_eq!(cut("thing12", "two\nlines "), "two lines");
        assert_eq!(cut("character_string3", "订单 A-1"), "A-1");
        assert_eq!(cut("number2", "12张"), "12");
        assert_eq!(cut("phrase1", "已经全部生成完毕"), "已经全部生");
        assert_eq!(cut("name1", &"n".repeat(30)), "n".repeat(20));
        assert_eq!(cut("name1", &"名".repeat(30)), "名".repeat(10));
        assert_eq!(cut("time4", "2026年1月29日 20:00"), "2026年1月29日 20:00");
        for name in ["thing1", "character_string1", "number1", "phrase1", "name1", "date1"] {
            assert!(!cut(name, " ").is_empty(), "{name}");
        }
    }

    #[test]
    fn a_message_has_the_documented_shape() {
        let message = SubscribeMessage {
            openid: "o1".to_owned(),
            template_id: "t1".to_owned(),
            page: Some("/pages/job?id=1".to_owned()),
            fields: vec![("thing1".to_owned(), "画好了".to_owned())],
            state: MiniProgramState::Formal,
        };
        assert_eq!(
            serde_json::to_value(request(&message)).unwrap(),
            json!({"touser": "o1", "template_id": "t1", "page": "pages/job?id=1",
                   "data": {"thing1": {"value": "画好了"}}, "miniprogram_state": "formal",
                   "lang": "zh_CN"})
        );
    }
}
