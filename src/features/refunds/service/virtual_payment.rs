//! A refund at virtual payment, which has no query for refunds: what is left of the payment tells.

use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::wechat::{
    VirtualOrderState, VirtualPayError, VirtualPayment, VirtualRefund, VirtualTransaction,
};
use crate::db::DbError;
use crate::features::orders;
use crate::features::refunds::model::{Progress, Refund};
use crate::features::refunds::store;

/// Sends or asks, and says what it came to.
///
/// # Errors
/// What the database fails with.
pub(super) async fn progress(app: &App, refund: &Refund) -> Result<Progress, DbError> {
    let Some(shop) = &app.virtual_payment else {
        return Ok(Progress::Unclear("virtual payment is not configured".to_owned()));
    };
    let payer =
        app.db.read_inline("refunds.payer", |tx| orders::service::payer(tx, &refund.order))?;
    let Some(openid) = payer else {
        return Ok(Progress::Stuck("it is not known any more who paid".to_owned()));
    };
    let told = match shop.query_order(&openid, refund.order.as_str()).await {
        Ok(told) => told,
        Err(err) => return Ok(Progress::Unclear(error_chain(&err))),
    };
    let Some(left) = told.left_fen else {
        return Ok(Progress::Unclear("WeChat does not say what is left".to_owned()));
    };
    let asked = match refund.left_fen {
        Some(asked) => {
            if let Some(progress) = read(refund, asked, left, &told) {
                return Ok(progress);
            }
            asked
        }
        None => {
            note(app, refund, left, &told).await?;
            left
        }
    };
    Ok(send(shop, refund, openid, asked).await)
}

/// What the order says about a refund that was sent; `None`: nothing yet, it is to be sent (again).
fn read(refund: &Refund, asked: i64, left: i64, told: &VirtualTransaction) -> Option<Progress> {
    if left == asked.saturating_sub(refund.amount) {
        return Some(Progress::Succeeded { wechat_id: None });
    }
    if left != asked {
        return Some(Progress::Stuck(format!(
            "of the payment {left} fen are left, neither as before nor less this refund"
        )));
    }
    // An earlier refund that failed leaves the order in this state; then only a push can tell.
    if told.state == VirtualOrderState::RefundFailed && !refund.had_failed {
        return Some(Progress::Failed("WeChat could not give it back".to_owned()));
    }
    refund.accepted_at.map(|_| Progress::Accepted { wechat_id: None })
}

/// What is sent is stored before, so that it can be sent again to the letter.
async fn note(
    app: &App,
    refund: &Refund,
    left: i64,
    told: &VirtualTransaction,
) -> Result<(), DbError> {
    let (id, had_failed) = (refund.id.clone(), told.state == VirtualOrderState::RefundFailed);
    app.db.write("refunds.left", move |tx| store::set_left(tx, &id, left, had_failed)).await
}

async fn send(shop: &VirtualPayment, refund: &Refund, openid: String, left_fen: i64) -> Progress {
    let request = VirtualRefund {
        openid,
        order_id: refund.order.as_str().to_owned(),
        refund_id: refund.id.as_str().to_owned(),
        left_fen,
        refund_fen: refund.amount,
        note: refund.reason.clone(),
    };
    let Err(err) = shop.refund_order(&request).await else {
        return Progress::Accepted { wechat_id: None };
    };
    match &err {
        // Ours, or one that somebody else began: what is left will tell.
        VirtualPayError::InProgress | VirtualPayError::LeftFeeChanged => {
            Progress::Unclear(err.to_string())
        }
        // The operator's to mend.
        VirtualPayError::Signature => Progress::Stuck(err.to_string()),
        _ if err.is_retryable() || err.is_unknown() => Progress::Unclear(error_chain(&err)),
        _ => Progress::Failed(error_chain(&err)),
    }
}
