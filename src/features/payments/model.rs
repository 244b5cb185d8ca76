//! Events: what came in, and what became of it.

mod record;

pub use self::record::{EventRecord, EventState};

use crate::clients::wechat_pay::NotificationError;
use crate::db::DbError;
use crate::features::orders::OrderError;

/// How much of a refused body is kept, in bytes.
const REFUSED_BODY_MAX: usize = 4096;

/// How much of a header is kept, in characters.
const HEADER_MAX: usize = 512;

/// The headers that are kept: what a signature is judged by, and WeChat's own name for the call.
const KEPT_HEADERS: [&str; 7] = [
    "wechatpay-serial",
    "wechatpay-signature",
    "wechatpay-signature-type",
    "wechatpay-timestamp",
    "wechatpay-nonce",
    "request-id",
    "content-type",
];

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `POST /payments/wechat/notify`.
    Notify,
    /// `POST /payments/wechat/refund-notify`.
    RefundNotify,
    /// `POST /wechat/push`.
    Push,
    /// An answer to a question of ours.
    Query,
}

impl Source {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::RefundNotify => "refund_notify",
            Self::Push => "push",
            Self::Query => "query",
        }
    }
}

/// The number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId(pub i64);

/// An event as it came, with what is known of it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub source: Source,
    /// By [`kept_headers`], or the parameters that a push is signed by.
    pub headers: serde_json::Value,
    /// As it came.
    pub body: Vec<u8>,
    pub event_id: Option<String>,
    pub event_type: Option<String>,
    /// The order or refund it is about.
    pub reference: Option<String>,
    /// What it says, decrypted.
    pub content: Option<String>,
}

impl NewEvent {
    /// One that is refused: nothing of what it says is believed, and its body is cut.
    pub fn refused(source: Source, headers: serde_json::Value, body: &[u8]) -> Self {
        Self {
            source,
            headers,
            body: body.get(..REFUSED_BODY_MAX).unwrap_or(body).to_vec(),
            event_id: None,
            event_type: None,
            reference: None,
            content: None,
        }
    }
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventOutcome {
    /// It changed what it was to change.
    Done,
    /// That had been changed before.
    Repeated,
    /// It does not fit: why, for whoever looks at it.
    Flagged(String),
}

/// How a notification is answered when it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notified {
    /// Processed now or before.
    Taken,
    /// Genuine, but not for an order of ours as it is; stored and flagged.
    Flagged,
}

/// Why a notification is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// Not from WeChat, so far as we can tell.
    #[error("the notification is refused")]
    Refused(#[source] NotificationError),
    #[error("WeChat Pay is not configured")]
    NotConfigured,
    /// It may be genuine; it cannot be told now.
    #[error("the notification cannot be judged now")]
    NotNow(#[source] NotificationError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the work was cut short")]
    CutShort,
}

/// The headers of a notification that are worth keeping.
pub fn kept_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> serde_json::Value {
    let kept = headers.filter(|(name, _)| KEPT_HEADERS.contains(name)).map(|(name, value)| {
        let text: String = String::from_utf8_lossy(value).chars().take(HEADER_MAX).collect();
        (name.to_owned(), serde_json::Value::String(text))
    });
    serde_json::Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_cut() {
        let event = NewEvent::refused(Source::Notify, serde_json::json!({}), &[7; 65_536]);
        assert_eq!(event.body.len(), REFUSED_BODY_MAX);
        let short = NewEvent::refused(Source::Notify, serde_json::json!({}), b"{}");
        assert_eq!(short.body, b"{}");
    }

    #[test]
    fn only_headers_that_tell_something_are_kept_and_cut() {
        let long = vec![b'x'; 10_000];
        let headers: [(&str, &[u8]); 3] =
            [("authorization", b"secret"), ("wechatpay-nonce", b"n"), ("wechatpay-serial", &long)];
        let kept = kept_headers(headers.into_iter());
        assert_eq!(kept["wechatpay-nonce"], "n");
        assert_eq!(kept["wechatpay-serial"].as_str().unwrap().len(), HEADER_MAX);
        assert!(kept.get("authorization").is_none());
    }
}
