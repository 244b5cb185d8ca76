//! Why a call of virtual payment did not do it, sorted by what to do next.

use crate::clients::http::CallError;
use crate::clients::wechat::WechatError;

/// Why it was not done. Never holds a key or a signature.
#[derive(Debug, thiserror::Error)]
pub enum VirtualPayError {
    /// 268490001: the openid is not one of this app.
    #[error("the openid is unknown")]
    UnknownUser,
    /// 268490002: WeChat has no such order (or misses a field, which the tests would show).
    #[error("there is no such order")]
    NotFound,
    /// 268490003: the AppKey is not the one of this environment.
    #[error("the signature is refused: the AppKey is not the one of this environment")]
    Signature,
    /// 268490004: it was done before.
    #[error("it was done before")]
    AlreadyDone,
    /// 268490009: the session key is dead; the user must log in again.
    #[error("the session key is dead")]
    SessionExpired,
    /// 268490014: the refund goes on; repeat later with the same values.
    #[error("the refund is in progress")]
    InProgress,
    /// 268490015, 45009, 45011: too many calls.
    #[error("too many calls")]
    RateLimited,
    /// 268490016: what is left of the payment is another amount.
    #[error("the amount that is left has changed")]
    LeftFeeChanged,
    /// An answer that lacks what it must have, or is about another order or environment.
    #[error("the answer cannot be used")]
    Garbled,
    /// Everything that other calls can fail with too.
    #[error(transparent)]
    Wechat(WechatError),
}

impl VirtualPayError {
    /// Whether the same call may be made again later with hope. All of them may be repeated: they are
    /// known by their order or refund number.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::InProgress | Self::RateLimited | Self::Garbled => true,
            Self::Wechat(err) => err.is_transient(),
            Self::UnknownUser
            | Self::NotFound
            | Self::Signature
            | Self::AlreadyDone
            | Self::SessionExpired
            | Self::LeftFeeChanged => false,
        }
    }

    /// Whether WeChat may have done it all the same: ask before deciding.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::Garbled
                | Self::Wechat(
                    WechatError::Garbled
                        | WechatError::Call(
                            CallError::Timeout(_) | CallError::Lost(_) | CallError::TooLarge
                        )
                )
        )
    }
}

impl From<WechatError> for VirtualPayError {
    fn from(err: WechatError) -> Self {
        match err {
            WechatError::TooOften => Self::RateLimited,
            WechatError::Refused { code, .. } => match code {
                268_490_001 => Self::UnknownUser,
                268_490_002 => Self::NotFound,
                268_490_003 => Self::Signature,
                268_490_004 => Self::AlreadyDone,
                268_490_009 => Self::SessionExpired,
                268_490_014 => Self::InProgress,
                268_490_015 | 45009 => Self::RateLimited,
                268_490_016 => Self::LeftFeeChanged,
                _ => Self::Wechat(err),
            },
            other => Self::Wechat(other),
        }
    }
}
