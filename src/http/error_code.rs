//! The stable error codes of the API: one table of name, status, texts and advice.
//!
//! Clients decide by the name, so names and statuses never change; the texts may.
//! `docs/errors.md` is the same table for people, and a test keeps the two alike.

use std::fmt;

use poem::http::StatusCode;
use poem_openapi::Enum;

/// What went wrong, as clients tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[oai(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// A field, parameter or body is missing or wrong.
    InvalidRequest,
    /// No usable access token.
    Unauthorized,
    /// The token is not one of ours, or its user is gone.
    InvalidToken,
    /// The token was good once.
    TokenExpired,
    /// Logged out, or logged out everywhere.
    TokenRevoked,
    /// WeChat does not know the login code.
    WechatCodeInvalid,
    /// An administrator's name, password or code is wrong.
    InvalidCredentials,
    /// The password is right, and the code of the second factor is to be sent with it.
    TotpRequired,
    /// The balance does not cover the price.
    InsufficientPoints,
    /// The caller may not do this.
    Forbidden,
    /// An administrator must say once more who he is, for this touches money or secrets.
    StepUpRequired,
    /// The user is banned.
    UserBanned,
    /// A cap that points cannot lift is reached.
    QuotaExceeded,
    /// The membership level may not do this at any price.
    VipRequired,
    /// Content safety said no.
    ContentRejected,
    /// No such path, or no such thing.
    NotFound,
    /// No such user.
    UserNotFound,
    /// No such membership plan.
    PlanNotFound,
    /// No such points pack.
    PackNotFound,
    /// No such order of this user.
    OrderNotFound,
    /// No such job of this user.
    JobNotFound,
    /// No such image.
    ImageNotFound,
    /// No such template.
    TemplateNotFound,
    /// No such favorite of this user.
    FavoriteNotFound,
    /// No such redeem code.
    CodeNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The thing is in a state that does not allow this.
    InvalidState,
    /// The same key came with another request.
    IdempotencyKeyReused,
    /// The order's time to pay is over.
    OrderExpired,
    /// WeChat's session key is gone; a new login brings one.
    WechatSessionExpired,
    /// The body is beyond the limit.
    PayloadTooLarge,
    /// The content type is missing or another one.
    UnsupportedMediaType,
    /// Too many requests.
    RateLimitExceeded,
    /// A fault of ours.
    InternalError,
    /// The image API failed.
    ProviderError,
    /// WeChat failed or cannot be reached.
    WechatUnavailable,
    /// Payment is not configured or WeChat Pay cannot be reached.
    PaymentUnavailable,
    /// Too much work at the moment.
    ServiceOverload,
    /// The disk is full: nothing can be stored.
    StorageFull,
    /// The image API did not answer in time.
    ProviderTimeout,
}

/// One line of the table.
struct Row {
    code: ErrorCode,
    name: &'static str,
    status: StatusCode,
    zh: &'static str,
    en: &'static str,
    /// Seconds to wait before the same request may work; `None`: repeating it does not help.
    retry_s: Option<u32>,
}

const fn row(
    code: ErrorCode,
    name: &'static str,
    status: StatusCode,
    retry_s: Option<u32>,
    zh: &'static str,
    en: &'static str,
) -> Row {
    Row { code, name, status, zh, en, retry_s }
}

/// In the order of the enum; the assertion below makes anything else fail to compile.
#[rustfmt::skip]
static TABLE: [Row; 40] = {
    use ErrorCode as C;
    use StatusCode as S;
    [
        row(C::InvalidRequest, "INVALID_REQUEST", S::BAD_REQUEST, None,
            "请求参数不正确", "The request is not valid"),
        row(C::Unauthorized, "UNAUTHORIZED", S::UNAUTHORIZED, None,
            "请先登录", "Please log in first"),
        row(C::InvalidToken, "INVALID_TOKEN", S::UNAUTHORIZED, None,
            "登录凭证无效，请重新登录", "The token is not valid; please log in again"),
        row(C::TokenExpired, "TOKEN_EXPIRED", S::UNAUTHORIZED, None,
            "登录已过期，请重新登录", "The login has expired; refresh the token or log in again"),
        row(C::TokenRevoked, "TOKEN_REVOKED", S::UNAUTHORIZED, None,
            "登录已失效，请重新登录", "This login has ended; please log in again"),
        row(C::WechatCodeInvalid, "WECHAT_CODE_INVALID", S::UNAUTHORIZED, None,
            "微信登录凭证无效或已使用，请重新登录",
            "The WeChat code is not valid or was used before; call wx.login again"),
        row(C::InvalidCredentials, "INVALID_CREDENTIALS", S::UNAUTHORIZED, None,
            "用户名、密码或验证码不正确", "The name, the password or the code is wrong"),
        row(C::TotpRequired, "TOTP_REQUIRED", S::UNAUTHORIZED, None,
            "请输入动态验证码", "Please enter the code of your authenticator"),
        row(C::InsufficientPoints, "INSUFFICIENT_POINTS", S::PAYMENT_REQUIRED, None,
            "积分不足，请先获取积分", "Not enough points"),
        row(C::Forbidden, "FORBIDDEN", S::FORBIDDEN, None,
            "没有权限进行此操作", "You may not do this"),
        row(C::StepUpRequired, "STEP_UP_REQUIRED", S::FORBIDDEN, None,
            "请再次验证身份后继续", "Please confirm with your password or code first"),
        row(C::UserBanned, "USER_BANNED", S::FORBIDDEN, None,
            "账号已被封禁，如有疑问请联系客服", "This account is banned; please contact support"),
        row(C::QuotaExceeded, "QUOTA_EXCEEDED", S::FORBIDDEN, None,
            "今日额度已用完，请明天再试", "Today's quota is used up; it returns tomorrow"),
        row(C::VipRequired, "VIP_REQUIRED", S::FORBIDDEN, None,
            "此功能需要开通会员", "This needs a membership"),
        row(C::ContentRejected, "CONTENT_REJECTED", S::UNPROCESSABLE_ENTITY, None,
            "内容可能包含违规信息，请修改后再试", "The content was rejected; please change it"),
        row(C::NotFound, "NOT_FOUND", S::NOT_FOUND, None,
            "请求的内容不存在", "There is nothing at this address"),
        row(C::UserNotFound, "USER_NOT_FOUND", S::NOT_FOUND, None,
            "用户不存在", "No such user"),
        row(C::PlanNotFound, "PLAN_NOT_FOUND", S::NOT_FOUND, None,
            "套餐不存在或已下架", "No such plan, or it is no longer sold"),
        row(C::PackNotFound, "PACK_NOT_FOUND", S::NOT_FOUND, None,
            "积分包不存在或已下架", "No such points pack, or it is no longer sold"),
        row(C::OrderNotFound, "ORDER_NOT_FOUND", S::NOT_FOUND, None,
            "订单不存在", "No such order"),
        row(C::JobNotFound, "JOB_NOT_FOUND", S::NOT_FOUND, None,
            "任务不存在", "No such job"),
        row(C::ImageNotFound, "IMAGE_NOT_FOUND", S::NOT_FOUND, None,
            "图片不存在或已删除", "No such image, or it was removed"),
        row(C::TemplateNotFound, "TEMPLATE_NOT_FOUND", S::NOT_FOUND, None,
            "模板不存在", "No such template"),
        row(C::FavoriteNotFound, "FAVORITE_NOT_FOUND", S::NOT_FOUND, None,
            "收藏不存在", "No such favorite"),
        row(C::CodeNotFound, "CODE_NOT_FOUND", S::NOT_FOUND, None,
            "兑换码不存在", "No such redeem code"),
        row(C::MethodNotAllowed, "METHOD_NOT_ALLOWED", S::METHOD_NOT_ALLOWED, None,
            "不支持此请求方法", "This address does not take that method"),
        row(C::InvalidState, "INVALID_STATE", S::CONFLICT, None,
            "当前状态不能进行此操作", "This cannot be done in the current state"),
        row(C::IdempotencyKeyReused, "IDEMPOTENCY_KEY_REUSED", S::CONFLICT, None,
            "幂等键已用于另一个请求", "The Idempotency-Key was used for another request"),
        row(C::OrderExpired, "ORDER_EXPIRED", S::CONFLICT, None,
            "订单已过期，请重新下单", "The order has expired; please place a new one"),
        row(C::WechatSessionExpired, "WECHAT_SESSION_EXPIRED", S::CONFLICT, None,
            "微信会话已过期，请重新登录后再试", "The WeChat session has expired; log in again, then repeat"),
        row(C::PayloadTooLarge, "PAYLOAD_TOO_LARGE", S::PAYLOAD_TOO_LARGE, None,
            "请求内容过大", "The request body is too large"),
        row(C::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", S::UNSUPPORTED_MEDIA_TYPE, None,
            "不支持的内容类型", "The content type is missing or not supported here"),
        row(C::RateLimitExceeded, "RATE_LIMIT_EXCEEDED", S::TOO_MANY_REQUESTS, Some(1),
            "请求过于频繁，请稍后再试", "Too many requests; please wait a little"),
        row(C::InternalError, "INTERNAL_ERROR", S::INTERNAL_SERVER_ERROR, None,
            "服务器内部错误，请稍后再试", "Something went wrong on our side"),
        row(C::ProviderError, "PROVIDER_ERROR", S::BAD_GATEWAY, Some(5),
            "图片服务出错，请稍后再试", "The image service failed; please try again later"),
        row(C::WechatUnavailable, "WECHAT_UNAVAILABLE", S::BAD_GATEWAY, Some(2),
            "微信服务暂时不可用，请稍后再试", "WeChat cannot be reached; please try again later"),
        row(C::PaymentUnavailable, "PAYMENT_UNAVAILABLE", S::SERVICE_UNAVAILABLE, Some(30),
            "支付暂时不可用，请稍后再试", "Payment is not available at the moment"),
        row(C::ServiceOverload, "SERVICE_OVERLOAD", S::SERVICE_UNAVAILABLE, Some(1),
            "服务繁忙，请稍后再试", "The service is busy; please try again in a moment"),
        row(C::StorageFull, "STORAGE_FULL", S::SERVICE_UNAVAILABLE, Some(10),
            "服务器存储空间不足，暂时无法保存，请稍后再试", "The server has no space left to store this; please try again later"),
        row(C::ProviderTimeout, "PROVIDER_TIMEOUT", S::GATEWAY_TIMEOUT, Some(5),
            "图片服务响应超时，请稍后再试", "The image service did not answer in time"),
    ]
};

// Every code has its row, at its own index: `ErrorCode::row` cannot miss.
const _: () = {
    assert!(TABLE.len() == ErrorCode::ProviderTimeout as usize + 1);
    let mut index = 0;
    while index < TABLE.len() {
        assert!(TABLE[index].code as usize == index);
        index += 1;
    }
};

impl ErrorCode {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Every code, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.code)
    }

    /// The stable name: the `error` of an answer.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        self.row().status
    }

    /// What a user of the mini-program reads.
    pub fn zh(self) -> &'static str {
        self.row().zh
    }

    /// The same in English.
    pub fn en(self) -> &'static str {
        self.row().en
    }

    /// Whether the same request may work later without being changed.
    pub fn is_retryable(self) -> bool {
        self.row().retry_s.is_some()
    }

    /// After how many seconds, when nothing better is known.
    pub fn default_retry_after_s(self) -> Option<u32> {
        self.row().retry_s
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use poem_openapi::types::ToJSON;

    use super::*;

    #[test]
    fn the_documented_name_is_the_sent_name() {
        for code in ErrorCode::all() {
            assert_eq!(code.to_json(), Some(code.name().into()));
        }
    }

    #[test]
    fn names_differ_and_texts_are_there() {
        let names: HashSet<_> = ErrorCode::all().map(ErrorCode::name).collect();
        assert_eq!(names.len(), ErrorCode::all().count());
        assert!(ErrorCode::all().all(|code| !code.zh().is_ascii() && code.en().is_ascii()));
        assert!(ErrorCode::all().all(|code| code.status().as_u16() >= 400));
    }

    #[test]
    fn too_many_and_unavailable_always_say_when_to_come_back() {
        for code in ErrorCode::all().filter(|code| matches!(code.status().as_u16(), 429 | 503)) {
            assert!(code.is_retryable(), "{code}");
        }
    }

    #[test]
    fn docs_errors_md_lists_every_code_with_its_status() {
        let docs = include_str!("../../docs/errors.md");
        for code in ErrorCode::all() {
            let line = docs
                .lines()
                .find(|line| line.starts_with(&format!("| `{code}` |")))
                .unwrap_or_else(|| panic!("docs/errors.md has no row for {code}"));
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            assert_eq!(cells[2], code.status().as_str(), "status of {code}");
            let retry = if code.is_retryable() { "yes" } else { "no" };
            assert_eq!(cells[3], retry, "whether a retry helps for {code}");
        }
        let rows = docs.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(
            rows,
            ErrorCode::all().count(),
            "docs/errors.md names a code that does not exist"
        );
    }
}
