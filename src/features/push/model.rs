//! What a push is answered, and which ones are remembered.

mod evidence;
mod nonces;

pub(super) use self::evidence::Evidence;
pub(super) use self::nonces::{Admission, Nonces, Turn};

use crate::clients::wechat::push::{Format, PushError};
use crate::db::DbError;
use crate::features::orders::OrderError;

/// What WeChat is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// `success`: taken; for events that want no form of their own.
    Success,
    /// `ErrCode` 0 in the form of the push: delivered.
    Done(Format),
    /// Another `ErrCode`: WeChat repeats it.
    Again(Format, &'static str),
    /// What we think of a refund at Apple.
    Evidence(Evidence),
}

impl Reply {
    /// Whether WeChat will not come again with it.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Again(..))
    }
}

/// Content type and body, as WeChat wants them (virtual payment, "notification", answers).
///
/// The answers are in the clear although the push came encrypted: so the documentation shows them for
/// these events.
pub(super) fn rendered(reply: &Reply) -> (&'static str, String) {
    const JSON: &str = "application/json; charset=utf-8";
    let coded = |format: &Format, code: i64, text: &str| match format {
        Format::Json => (JSON, serde_json::json!({ "ErrCode": code, "ErrMsg": text }).to_string()),
        Format::Xml => (
            "text/xml; charset=utf-8",
            format!("<xml><ErrCode>{code}</ErrCode><ErrMsg><![CDATA[{text}]]></ErrMsg></xml>"),
        ),
    };
    match reply {
        Reply::Success => ("text/plain; charset=utf-8", "success".to_owned()),
        Reply::Done(format) => coded(format, 0, "success"),
        Reply::Again(format, why) => coded(format, -1, why),
        Reply::Evidence(evidence) => {
            let info = if evidence.was_used { "used" } else { "not used" };
            let body = serde_json::json!({
                "result_code": i32::from(evidence.was_used),
                "result_info": info,
                "evidence": evidence.text,
            });
            (JSON, body.to_string())
        }
    }
}

/// Why a push is not answered as WeChat wants it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PushFailure {
    /// No token and key are configured.
    #[error("message push is not configured")]
    NotConfigured,
    #[error(transparent)]
    Refused(#[from] PushError),
    /// Signed, but with the nonce of another message.
    #[error("the nonce of the push was used for another")]
    NonceReused,
    /// More pushes within minutes than are remembered.
    #[error("too many pushes are remembered")]
    Full,
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the work was cut short")]
    CutShort,
    #[error(transparent)]
    Db(#[from] DbError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_documented_forms() {
        let body = |reply: Reply| rendered(&reply).1;
        assert_eq!(body(Reply::Success), "success");
        assert_eq!(body(Reply::Done(Format::Json)), r#"{"ErrCode":0,"ErrMsg":"success"}"#);
        assert_eq!(
            body(Reply::Done(Format::Xml)),
            "<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>"
        );
        assert_eq!(body(Reply::Again(Format::Json, "later")), r#"{"ErrCode":-1,"ErrMsg":"later"}"#);
        let evidence = Evidence { was_used: true, text: "spent".to_owned() };
        assert_eq!(
            body(Reply::Evidence(evidence)),
            r#"{"evidence":"spent","result_code":1,"result_info":"used"}"#
        );
    }
}
