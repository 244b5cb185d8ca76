//! Where WeChat Pay tells of refunds.

use std::sync::Arc;

use poem::Request;
use poem_openapi::OpenApi;

use super::model::RefundError;
use super::service;
use crate::app::App;
use crate::features::payments::NotifyAnswer;
use crate::http::{ApiError, ErrorCode, Tag};

/// Called by WeChat Pay.
pub struct RefundsApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/payments/wechat", tag = "Tag::Orders")]
impl RefundsApi {
    /// Tell of a refund
    ///
    /// Called by WeChat Pay, signed and encrypted. Anything else changes nothing. The body is taken as
    /// it is, of any content type, up to 64 KB.
    #[oai(path = "/refund-notify", method = "post", operation_id = "notifyRefund")]
    async fn notify(&self, req: &Request, body: Vec<u8>) -> Result<NotifyAnswer, ApiError> {
        Ok(service::notified(&self.app, req.headers(), &body).await.into())
    }
}

impl From<RefundError> for ApiError {
    fn from(err: RefundError) -> Self {
        let state =
            |zh: &'static str, en: &'static str| Self::new(ErrorCode::InvalidState).message(zh, en);
        let code = match err {
            RefundError::Order(err) => return err.into(),
            RefundError::Points(err) => return err.into(),
            RefundError::Vip(err) => return err.into(),
            RefundError::Db(err) => return err.into(),
            RefundError::Invalid(field) => return Self::invalid_field(field),
            RefundError::TooMuch { left } => {
                return Self::invalid_field("amount")
                    .message(
                        format!("最多可退 {left} 分（amount）"),
                        format!("At most {left} fen can go back (amount)"),
                    )
                    .detail("leftFen", left);
            }
            RefundError::PointsSpent { points, balance } => {
                return state(
                    "用户剩余积分不足以扣回，请选择仍然退款或取消",
                    "The user has not enough points left to take back; refund anyway, or not",
                )
                .detail("reason", "POINTS_SPENT")
                .detail("points", points)
                .detail("balance", balance);
            }
            RefundError::NotPaid => return state("订单未支付", "The order is not paid"),
            RefundError::UnderWay => {
                return state("该订单有退款正在处理", "Another refund of the order is under way");
            }
            RefundError::NothingLeft => {
                return state("该订单已全部退款", "All of it has gone back");
            }
            RefundError::TooMany(_) => {
                return state("该订单退款次数已达上限", "The order has as many refunds as it may");
            }
            RefundError::TooSoon => {
                return state(
                    "同一订单两次退款需间隔一分钟",
                    "Refunds of one order are a minute apart",
                );
            }
            RefundError::TooOld => {
                return state("支付已超过一年，无法退款", "A payment goes back within a year");
            }
            RefundError::AppleOnly => {
                return state(
                    "该订单经苹果支付，只能由用户向苹果申请退款",
                    "Apple alone can give this back, at the user's request",
                );
            }
            RefundError::NoPayer => {
                return state("付款人信息已删除，无法退款", "It is not known any more who paid");
            }
            RefundError::NotConfigured => ErrorCode::PaymentUnavailable,
            RefundError::NoSuchOrder => ErrorCode::OrderNotFound,
            RefundError::NoSuchRefund => ErrorCode::NotFound,
            RefundError::CutShort => ErrorCode::InternalError,
        };
        Self::new(code).caused_by(err)
    }
}
