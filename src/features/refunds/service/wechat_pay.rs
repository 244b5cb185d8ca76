//! A refund at WeChat Pay: sent until it is taken on, then asked about.

use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::wechat_pay::{
    PayError, PayErrorKind, Refund as TheirRefund, RefundRequest, RefundState, WechatPay,
};
use crate::features::refunds::model::{Progress, Refund};

/// Sends or asks, and says what it came to.
pub(super) async fn progress(app: &App, refund: &Refund) -> Progress {
    let Some(pay) = &app.wechat_pay else {
        return Progress::Unclear("WeChat Pay is not configured".to_owned());
    };
    if refund.accepted_at.is_none() {
        return send(pay, refund).await;
    }
    match pay.query_refund(refund.id.as_str()).await {
        Ok(told) => read(refund, &told),
        // Said to be accepted and not known: the same once more cannot do it twice.
        Err(err) if err.kind() == PayErrorKind::OrderNotExist => send(pay, refund).await,
        Err(err) => unclear(&err),
    }
}

/// The same number with the same body, however often: WeChat refunds it once.
async fn send(pay: &WechatPay, refund: &Refund) -> Progress {
    let request = RefundRequest {
        out_trade_no: refund.order.as_str().to_owned(),
        out_refund_no: refund.id.as_str().to_owned(),
        reason: Some(refund.reason.clone()).filter(|reason| !reason.is_empty()),
        refund_fen: refund.amount,
        total_fen: refund.total,
    };
    let err = match pay.refund(&request).await {
        Ok(told) => return read(refund, &told),
        Err(err) => err,
    };
    match err.kind() {
        PayErrorKind::NotEnough => {
            Progress::Stuck("NOT_ENOUGH: the merchant's balance is too low".to_owned())
        }
        _ if err.is_retryable() => unclear(&err),
        // A refusal is believed when WeChat Pay says besides that it knows of no such refund: it may
        // have taken on an earlier sending whose answer was lost.
        _ => match pay.query_refund(refund.id.as_str()).await {
            Ok(told) => read(refund, &told),
            Err(asked) if asked.kind() == PayErrorKind::OrderNotExist => {
                Progress::Failed(error_chain(&err))
            }
            Err(_) => unclear(&err),
        },
    }
}

fn read(refund: &Refund, told: &TheirRefund) -> Progress {
    if told.out_trade_no != refund.order.as_str() || told.refund_fen != refund.amount {
        return Progress::Stuck("WeChat Pay has another refund under this number".to_owned());
    }
    let wechat_id = Some(told.refund_id.clone()).filter(|id| !id.is_empty());
    match &told.state {
        RefundState::Success => Progress::Succeeded { wechat_id },
        RefundState::Closed => Progress::Failed("CLOSED: WeChat Pay has given it up".to_owned()),
        RefundState::Abnormal => Progress::Stuck(
            "ABNORMAL: the payer's account does not take it; act in the merchant's console"
                .to_owned(),
        ),
        RefundState::Processing | RefundState::Other(_) => Progress::Accepted { wechat_id },
    }
}

fn unclear(err: &PayError) -> Progress {
    Progress::Unclear(error_chain(err))
}
