//! What failures of the layers below mean to a client.

use super::error::ApiError;
use super::error_code::ErrorCode;
use crate::clients::http::CallError;
use crate::clients::wechat::WechatError;
use crate::db::DbError;

impl From<&DbError> for ErrorCode {
    fn from(err: &DbError) -> Self {
        match err {
            // It heals when space returns: the client may come again, unlike after a bug.
            DbError::DiskFull(_) => Self::StorageFull,
            err if err.is_transient() => Self::ServiceOverload,
            _ => Self::InternalError,
        }
    }
}

impl From<DbError> for ApiError {
    fn from(err: DbError) -> Self {
        Self::new(ErrorCode::from(&err)).caused_by(err)
    }
}

impl From<WechatError> for ApiError {
    fn from(err: WechatError) -> Self {
        let code = match &err {
            WechatError::CodeInvalid(_) => ErrorCode::WechatCodeInvalid,
            WechatError::TooOften => ErrorCode::RateLimitExceeded,
            WechatError::UserBlocked => ErrorCode::Forbidden,
            WechatError::Misconfigured { .. } | WechatError::TokenDead => ErrorCode::InternalError,
            WechatError::Call(CallError::Overloaded) => ErrorCode::ServiceOverload,
            WechatError::Busy
            | WechatError::TokenUnavailable
            | WechatError::Refused { .. }
            | WechatError::Garbled
            | WechatError::Call(_) => ErrorCode::WechatUnavailable,
        };
        Self::new(code).caused_by(err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_to_do_is_503_and_a_bug_is_500() {
        assert_eq!(ErrorCode::from(&DbError::Overloaded), ErrorCode::ServiceOverload);
        assert_eq!(ErrorCode::from(&DbError::NoRow), ErrorCode::InternalError);
    }
}
