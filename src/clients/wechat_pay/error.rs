//! What can go wrong at WeChat Pay, and what it means for the order.

use crate::clients::http::CallError;

/// Why a call came to nothing. Never holds a key, a signature or an openid.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// WeChat Pay answered with an error.
    #[error("WeChat Pay refuses ({status} {code}: {message}; request {request_id})")]
    Refused {
        status: u16,
        code: String,
        message: String,
        /// WeChat's own name for the call, which its support asks for.
        request_id: String,
    },
    /// Nothing was sent.
    #[error("WeChat Pay was not asked")]
    NotSent(#[source] CallError),
    /// It was sent, and no answer came.
    #[error("WeChat Pay did not answer")]
    NoAnswer(#[source] CallError),
    /// A server error, or a page of something in between.
    #[error("WeChat Pay answers {status} (request {request_id})")]
    Broken { status: u16, request_id: String },
    /// Anybody may have written this answer.
    #[error("the answer's signature is not good ({why}; request {request_id})")]
    Untrusted { why: SignatureProblem, request_id: String },
    /// A good answer that lacks what it must have.
    #[error("the answer cannot be read: {0}")]
    Garbled(&'static str),
    /// Our own request could not be made.
    #[error("the request cannot be made: {0}")]
    Unsendable(&'static str),
}

/// What a caller may want to tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayErrorKind {
    /// The order is paid: query it.
    OrderPaid,
    /// The order is closed: a new one takes a new number.
    OrderClosed,
    /// There is no such order or refund; after a lost answer, it never arrived.
    OrderNotExist,
    /// The number is used: query by it.
    OutTradeNoUsed,
    /// Refused; after a prepay also that the same number came with other parameters: query it.
    InvalidRequest,
    /// The merchant's balance is too low for the refund: the same number later.
    NotEnough,
    /// The bill is being made: later.
    NotReady,
    /// Too fast: later.
    RateLimited,
    /// Never sent: nothing happened.
    Unavailable,
    /// It may have happened: query, then decide.
    Unknown,
    /// Final; a bug of ours or the operator's to mend.
    Rejected { code: String },
}

impl PayError {
    /// All that [`PayError::word`] can say.
    pub(super) const KINDS: [&'static str; 7] =
        ["refused", "not_sent", "no_answer", "broken", "untrusted", "garbled", "unsendable"];

    /// Its sort in a word, for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::NotSent(_) => "not_sent",
            Self::NoAnswer(_) => "no_answer",
            Self::Broken { .. } => "broken",
            Self::Untrusted { .. } => "untrusted",
            Self::Garbled(_) => "garbled",
            Self::Unsendable(_) => "unsendable",
        }
    }

    /// What it means. The code says so, in either of its two spellings, and the status only where
    /// the code is none that we know; the message never does.
    pub fn kind(&self) -> PayErrorKind {
        match self {
            Self::Refused { status, code, .. } => kind_of(*status, code),
            Self::NotSent(_) => PayErrorKind::Unavailable,
            Self::Unsendable(what) => PayErrorKind::Rejected { code: (*what).to_owned() },
            Self::Broken { status: 429, .. } => PayErrorKind::RateLimited,
            Self::NoAnswer(_) | Self::Broken { .. } | Self::Untrusted { .. } | Self::Garbled(_) => {
                PayErrorKind::Unknown
            }
        }
    }

    /// Whether the very same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            PayErrorKind::NotEnough
            | PayErrorKind::NotReady
            | PayErrorKind::RateLimited
            | PayErrorKind::Unavailable
            | PayErrorKind::Unknown => true,
            PayErrorKind::OrderPaid
            | PayErrorKind::OrderClosed
            | PayErrorKind::OrderNotExist
            | PayErrorKind::OutTradeNoUsed
            | PayErrorKind::InvalidRequest
            | PayErrorKind::Rejected { .. } => false,
        }
    }

    /// Whether WeChat Pay says exactly this; written without underscores.
    pub(super) fn has_code(&self, plain: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if without_underscores(code) == plain)
    }

    /// Whether it may have passed in a moment. Our own full queue and an answer that nobody can
    /// believe or read do not.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NotSent(CallError::Connect(_))
            | Self::NoAnswer(CallError::Timeout(_) | CallError::Lost(_)) => true,
            Self::Refused { .. } | Self::Broken { .. } => {
                matches!(self.kind(), PayErrorKind::Unknown | PayErrorKind::RateLimited)
            }
            Self::NotSent(_)
            | Self::NoAnswer(_)
            | Self::Untrusted { .. }
            | Self::Garbled(_)
            | Self::Unsendable(_) => false,
        }
    }
}

/// `ORDER_PAID` and `ORDERPAID` are the same: pages of different age write either.
fn kind_of(status: u16, code: &str) -> PayErrorKind {
    match without_underscores(code).as_str() {
        "ORDERPAID" => PayErrorKind::OrderPaid,
        "ORDERCLOSED" => PayErrorKind::OrderClosed,
        "ORDERNOTEXIST" | "RESOURCENOTEXISTS" => PayErrorKind::OrderNotExist,
        "OUTTRADENOUSED" => PayErrorKind::OutTradeNoUsed,
        "INVALIDREQUEST" => PayErrorKind::InvalidRequest,
        "NOTENOUGH" => PayErrorKind::NotEnough,
        "STATEMENTCREATING" => PayErrorKind::NotReady,
        "FREQUENCYLIMITED" | "RATELIMITEXCEEDED" => PayErrorKind::RateLimited,
        "SYSTEMERROR" | "BANKERROR" => PayErrorKind::Unknown,
        // These come with 500 and are final.
        "OPENIDMISMATCH" | "INVALIDTRANSACTIONID" => {
            PayErrorKind::Rejected { code: code.to_owned() }
        }
        _ if status == 429 => PayErrorKind::RateLimited,
        _ if status >= 500 => PayErrorKind::Unknown,
        _ => PayErrorKind::Rejected { code: code.to_owned() },
    }
}

fn without_underscores(code: &str) -> String {
    code.chars().filter(|c| *c != '_').collect()
}

impl NotificationError {
    /// Whether to answer 401: it is not good, and a repeat of the same would not be either. Else
    /// the fault is ours, and WeChat should send it again (500).
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::KeysUnavailable(_))
    }
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// A header is missing, or there twice.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A header that cannot be read.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// 5 minutes or more from our time.
    #[error("its time is off by 5 minutes or more")]
    Stale,
    /// WeChat's own probe whether signatures are checked.
    #[error("it is a probe")]
    Probe,
    /// No key of that name is trusted.
    #[error("its key is not known")]
    UnknownKey,
    /// It was not made by that key over this text.
    #[error("it does not match")]
    Mismatch,
}

/// Why a notification is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotificationError {
    /// Not from WeChat, or not now. Answer 401.
    #[error("the signature is not good")]
    Signature(#[from] SignatureProblem),
    /// From WeChat, but not decrypted: the key is another one. Answer 401.
    #[error("the content cannot be decrypted: {0}")]
    Sealed(&'static str),
    /// From WeChat and decrypted or plain, but not what is documented. Answer 401, keep it for a person.
    #[error("the content cannot be read: {0}")]
    Garbled(&'static str),
    /// The key it names could not be asked for just now. Answer 500; WeChat repeats it.
    #[error("the keys of WeChat Pay cannot be had")]
    KeysUnavailable(#[source] Box<PayError>),
}

#[cfg(test)]
mod tests;
