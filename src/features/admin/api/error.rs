//! What the rules of administrators are to their clients.

use crate::base::cpu_pool::PoolError;
use crate::features::admin::model::AdminError;
use crate::features::admin::model::password::PasswordProblem;
use crate::http::{ApiError, ErrorCode};

impl From<AdminError> for ApiError {
    fn from(err: AdminError) -> Self {
        let answer = match &err {
            AdminError::Credentials => Self::new(ErrorCode::InvalidCredentials),
            AdminError::TotpRequired => Self::new(ErrorCode::TotpRequired),
            AdminError::Locked { retry_after_s } => locked(*retry_after_s),
            AdminError::NoSession => Self::new(ErrorCode::Unauthorized),
            AdminError::Forbidden(role) => {
                Self::new(ErrorCode::Forbidden).detail("role", role.key().to_lowercase())
            }
            AdminError::StepUpRequired => Self::new(ErrorCode::StepUpRequired),
            AdminError::NotFound => Self::new(ErrorCode::NotFound),
            AdminError::NameTaken => Self::new(ErrorCode::InvalidState)
                .message("用户名已被使用", "The name is taken")
                .field("username"),
            AdminError::BadName => Self::invalid_field("username").message(
                "用户名应为 2–32 个字母、数字或 . _ -（username）",
                "username: 2 to 32 letters, digits, `.`, `_` or `-`",
            ),
            AdminError::BadPassword(problem) => bad_password(*problem),
            AdminError::LastOwner => Self::new(ErrorCode::InvalidState)
                .message("至少要保留一位可用的所有者", "The last owner must stay one"),
            AdminError::TotpState => Self::new(ErrorCode::InvalidState).message(
                "两步验证已经开启，或尚未设置",
                "The second factor is on already, or not set up",
            ),
            AdminError::SetupClosed => Self::new(ErrorCode::NotFound).message(
                "链接无效、已使用或已过期，请重启服务获取新的链接",
                "The link is not good any more; restarting the server prints a new one",
            ),
            AdminError::TooManyStreams => Self::new(ErrorCode::RateLimitExceeded).retry_after(10),
            AdminError::Pool(PoolError::Overloaded) => Self::new(ErrorCode::ServiceOverload),
            AdminError::Pool(PoolError::Broken) | AdminError::Keys(_) => {
                Self::new(ErrorCode::InternalError)
            }
            AdminError::Db(db) => Self::new(db.into()),
        };
        answer.caused_by(err)
    }
}

fn locked(seconds: u32) -> ApiError {
    ApiError::new(ErrorCode::RateLimitExceeded)
        .message(
            format!("失败次数过多，请在 {seconds} 秒后再试"),
            format!("Too many failures; try again in {seconds} s"),
        )
        .retry_after(seconds)
        .detail("retryAfter", seconds)
}

fn bad_password(problem: PasswordProblem) -> ApiError {
    let (zh, en) = match problem {
        PasswordProblem::TooShort => {
            ("密码至少 12 个字符", "A password has 12 characters at least")
        }
        PasswordProblem::TooLong => {
            ("密码最多 256 个字符", "A password has 256 characters at most")
        }
        PasswordProblem::Guessable => {
            ("密码过于简单，容易被猜到", "The password is too easy to guess")
        }
    };
    ApiError::invalid_field("password").message(zh, en)
}
