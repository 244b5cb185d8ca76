//! What WeChat answers, and what its error codes mean to us.

use serde::Deserialize;
use ureq::http::StatusCode;

use crate::clients::http::CallError;

/// Why WeChat did not do it. Never holds a code, a token or a session key.
#[derive(Debug, thiserror::Error)]
pub enum WechatError {
    /// 40029, 40163: the code is wrong, too old or used. The client asks `wx.login` for a new one.
    #[error("the code is invalid or used (errcode {0})")]
    CodeInvalid(i64),
    /// 45011: too many calls within a minute (of a login: by this user).
    #[error("too many calls within a minute")]
    TooOften,
    /// 40226: WeChat blocks this user.
    #[error("the user is blocked as high-risk")]
    UserBlocked,
    /// 40001, 40014, 42001: the access token is dead.
    #[error("the access token is dead")]
    TokenDead,
    /// Another call that was fetching the access token failed; nothing was sent for this one.
    #[error("no access token can be had")]
    TokenUnavailable,
    /// 40013, 40125, 40164 and others that only the operator can mend.
    #[error("the mini-program's settings are refused (errcode {code}: {text})")]
    Misconfigured { code: i64, text: String },
    /// -1.
    #[error("WeChat is busy")]
    Busy,
    /// Anything else that WeChat answers.
    #[error("WeChat refuses (errcode {code}: {text})")]
    Refused { code: i64, text: String },
    /// An answer that is no JSON or lacks what it must have.
    #[error("the answer cannot be read")]
    Garbled,
    /// No answer.
    #[error("WeChat cannot be asked")]
    Call(#[from] CallError),
}

impl WechatError {
    /// All that [`WechatError::kind`] can say.
    pub(super) const KINDS: [&'static str; 10] = [
        "code_invalid",
        "too_often",
        "user_blocked",
        "token_dead",
        "token_unavailable",
        "misconfigured",
        "busy",
        "refused",
        "garbled",
        "no_answer",
    ];

    /// Its kind in a word, for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::CodeInvalid(_) => "code_invalid",
            Self::TooOften => "too_often",
            Self::UserBlocked => "user_blocked",
            Self::TokenDead => "token_dead",
            Self::TokenUnavailable => "token_unavailable",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Busy => "busy",
            Self::Refused { .. } => "refused",
            Self::Garbled => "garbled",
            Self::Call(_) => "no_answer",
        }
    }

    /// WeChat's `errcode`, where one is kept.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::CodeInvalid(code)
            | Self::Misconfigured { code, .. }
            | Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same call may be made again later with hope: WeChat is busy, slow or away.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TooOften
            | Self::TokenDead
            | Self::TokenUnavailable
            | Self::Busy
            | Self::Garbled
            | Self::Call(_) => true,
            // 45009: the quota of the day, which begins anew.
            Self::Refused { code, .. } => *code == 45009,
            Self::CodeInvalid(_) | Self::UserBlocked | Self::Misconfigured { .. } => false,
        }
    }

    /// Whether WeChat surely has not acted on the call.
    pub(super) fn repeat_is_safe(&self) -> bool {
        matches!(self, Self::Busy | Self::Call(CallError::Connect(_)))
    }
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

#[derive(Deserialize)]
pub(super) struct SessionAnswer {
    pub(super) openid: Option<String>,
    pub(super) session_key: Option<String>,
    pub(super) unionid: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) access_token: Option<String>,
    #[serde(default)]
    pub(super) expires_in: i64,
}

#[derive(Deserialize)]
pub(super) struct PhoneAnswer {
    pub(super) phone_info: Option<PhoneInfo>,
}

#[derive(Deserialize)]
pub(super) struct PhoneInfo {
    #[serde(rename = "purePhoneNumber")]
    pub(super) pure_phone_number: String,
    pub(super) watermark: Watermark,
}

#[derive(Deserialize)]
pub(super) struct Watermark {
    pub(super) appid: String,
}

/// Reads an answer: JSON whatever its content type; an `errcode` other than 0 is a failure.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(
    status: StatusCode,
    body: &[u8],
) -> Result<T, WechatError> {
    if !status.is_success() {
        return Err(WechatError::Garbled);
    }
    let failure: Failure = serde_json::from_slice(body).map_err(|_| WechatError::Garbled)?;
    match failure.errcode {
        0 => serde_json::from_slice(body).map_err(|_| WechatError::Garbled),
        -1 => Err(WechatError::Busy),
        code @ (40029 | 40163) => Err(WechatError::CodeInvalid(code)),
        45011 => Err(WechatError::TooOften),
        40226 => Err(WechatError::UserBlocked),
        40001 | 40014 | 42001 => Err(WechatError::TokenDead),
        code @ (40013 | 40125 | 40164 | 41002 | 41004 | 48001) => {
            Err(WechatError::Misconfigured { code, text: failure.errmsg })
        }
        code => Err(WechatError::Refused { code, text: failure.errmsg }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(body: &str) -> Result<SessionAnswer, WechatError> {
        parse(StatusCode::OK, body.as_bytes())
    }

    #[test]
    fn no_errcode_is_success_and_errors_come_with_status_200() {
        assert_eq!(
            session(r#"{"openid":"o","session_key":"k"}"#).ok().unwrap().openid.unwrap(),
            "o"
        );
        assert!(matches!(
            session(r#"{"errcode":40029,"errmsg":"x"}"#),
            Err(WechatError::CodeInvalid(40029))
        ));
        assert!(matches!(
            session(r#"{"errcode":40163,"errmsg":"x"}"#),
            Err(WechatError::CodeInvalid(40163))
        ));
        assert!(matches!(session(r#"{"errcode":-1}"#), Err(WechatError::Busy)));
        assert!(matches!(
            session(r#"{"errcode":268490009,"errmsg":"x"}"#),
            Err(WechatError::Refused { .. })
        ));
        assert!(matches!(session("<html>"), Err(WechatError::Garbled)));
        assert!(matches!(
            parse::<SessionAnswer>(StatusCode::BAD_GATEWAY, b"{}"),
            Err(WechatError::Garbled)
        ));
    }

    #[test]
    fn only_what_was_not_acted_on_is_repeated() {
        assert!(WechatError::Busy.repeat_is_safe());
        assert!(WechatError::Call(CallError::Connect(ureq::Error::HostNotFound)).repeat_is_safe());
        assert!(
            !WechatError::Call(CallError::Lost(ureq::Error::ConnectionFailed)).repeat_is_safe()
        );
        assert!(!WechatError::Garbled.repeat_is_safe());
    }
}
