//! Kinds of messages and how a template is filled.

use serde_json::{Map, Value};

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::http::CallError;
use crate::clients::wechat::WechatError;
use crate::db::DbError;
use crate::features::settings::{MessageTemplate, Messages};

/// The most consents that count for one kind.
pub(super) const CONSENTS_MAX: i64 = 100;

/// How often a message is tried.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// What a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    ImageReady,
    MembershipEnds,
}

impl MessageKind {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::ImageReady, Self::MembershipEnds];

    /// As it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImageReady => "IMAGE_READY",
            Self::MembershipEnds => "MEMBERSHIP_ENDS",
        }
    }

    /// The table's CHECK admits no other text.
    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "MEMBERSHIP_ENDS" => Self::MembershipEnds,
            _ => Self::ImageReady,
        }
    }

    /// The template of this kind; `None` when it is off.
    pub(super) fn template(self, settings: &Messages) -> Option<&MessageTemplate> {
        let template = match self {
            Self::ImageReady => &settings.image_ready,
            Self::MembershipEnds => &settings.membership_ends,
        };
        template.is_on().then_some(template)
    }
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: i64,
    pub(super) user: UserId,
    pub(super) kind: MessageKind,
    pub(super) details: Map<String, Value>,
    pub(super) attempts: u32,
    pub(super) created_at: UnixMillis,
}

/// How often a user may still be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consents {
    pub(super) kind: MessageKind,
    pub(super) left: i64,
}

/// `{name}` in `text` replaced by what `details` have for it, in one pass: what is filled in is never
/// looked at again.
pub(super) fn filled(text: &str, details: &Map<String, Value>) -> String {
    let mut parts = text.split('{');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((name, rest)) = part.split_once('}') else {
            out.push('{');
            out.push_str(part);
            continue;
        };
        match details.get(name) {
            Some(Value::String(value)) => out.push_str(value),
            Some(value) => out.push_str(&value.to_string()),
            None => {}
        }
        out.push_str(rest);
    }
    out
}

/// A time as WeChat's `time` fields take it, in Asia/Shanghai: `2026年1月29日 20:00`.
pub(super) fn wechat_time(at: UnixMillis) -> String {
    let date = at.shanghai_date();
    let text = at.rfc3339_shanghai();
    let clock = text.get(11..16).unwrap_or("00:00");
    format!("{}年{}月{}日 {clock}", date.year(), date.month(), date.day())
}

/// Whether WeChat surely has not sent the message and may do so later.
pub(super) fn is_worth_repeating(err: &WechatError) -> bool {
    match err {
        WechatError::Busy
        | WechatError::TooOften
        | WechatError::TokenDead
        | WechatError::TokenUnavailable
        | WechatError::Call(CallError::Connect(_) | CallError::Overloaded) => true,
        WechatError::Refused { .. }
        | WechatError::CodeInvalid(_)
        | WechatError::UserBlocked
        | WechatError::Misconfigured { .. }
        | WechatError::Garbled
        | WechatError::Call(_) => false,
    }
}

/// Why a consent was not noted.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("there is no message with this template")]
    UnknownTemplate,
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let json = json!({ "prompt": "{count} foxes", "count": 3 });
        let details = json.as_object().unwrap();
        assert_eq!(filled("{count}: {prompt}!{none}", details), "3: {count} foxes!");
        assert_eq!(filled("no braces", details), "no braces");
        assert_eq!(filled("{open", details), "{open");
        assert_eq!(filled("", details), "");
    }

    #[test]
    fn a_time_is_written_as_wechat_takes_it() {
        assert_eq!(wechat_time(UnixMillis(1_769_688_000_000)), "2026年1月29日 20:00");
        assert_eq!(wechat_time(UnixMillis(1_769_617_800_000)), "2026年1月29日 00:30");
    }

    #[test]
    fn what_may_have_been_sent_is_not_sent_again() {
        let refused = |code| WechatError::Refused { code, text: String::new() };
        for err in [refused(43101), refused(47003), refused(40037), WechatError::Garbled] {
            assert!(!is_worth_repeating(&err), "{err}");
        }
        let lost = WechatError::Call(CallError::Lost(ureq::Error::ConnectionFailed));
        assert!(!is_worth_repeating(&lost));
        let connect = WechatError::Call(CallError::Connect(ureq::Error::HostNotFound));
        for err in [WechatError::Busy, WechatError::TooOften, connect] {
            assert!(is_worth_repeating(&err), "{err}");
        }
    }

    #[test]
    fn a_kind_comes_back_as_it_went() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::from_stored(kind.as_str()), kind);
        }
    }
}
