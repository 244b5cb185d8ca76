//! Repairing a difference: WeChat is asked again, and what it says goes the way that every payment and
//! refund goes. Nothing is edited.

use std::sync::Arc;

use super::{end, virtual_payment};
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::wechat_pay::{PayErrorKind, RefundState, WechatPay};
use crate::features::audit::Actor;
use crate::features::orders::{self, Asked, Order, OrderId, Paid};
use crate::features::payments::EventOutcome;
use crate::features::reconciliation::model::{
    Channel, Difference, DifferenceId, DifferenceKind, DifferenceState, Found, OurPayment,
    ReconciliationError, Repair,
};
use crate::features::reconciliation::store;
use crate::features::refunds::{self, RefundId, RefundStatus, ToldRefund, ToldState};

/// Repairs a difference as far as that can be done without a person, and resolves it when nothing is
/// left of it. Repeating it is harmless.
///
/// # Errors
/// `NotFound`, `AlreadyResolved`, `NotConfigured`, `Unavailable` (WeChat does not answer), and what the
/// database fails with.
pub async fn repair(
    app: &Arc<App>,
    id: DifferenceId,
    actor: Actor,
) -> Result<Repair, ReconciliationError> {
    let difference = super::difference(app, id)?;
    if difference.state == DifferenceState::Resolved {
        return Err(ReconciliationError::AlreadyResolved);
    }
    let repair = match (difference.channel, difference.kind) {
        (_, DifferenceKind::NotCredited) => credit(app, &difference).await?,
        (Channel::Virtual, _) => of_virtual(app, &difference).await?,
        (Channel::Wechat, DifferenceKind::UnknownOrder) => Repair::Open(
            "there is no order to credit: look at it in the merchant's console".to_owned(),
        ),
        (
            Channel::Wechat,
            DifferenceKind::NotPaid | DifferenceKind::Amount | DifferenceKind::Payment,
        ) => of_payment(app, &difference).await?,
        (
            Channel::Wechat,
            DifferenceKind::UnknownRefund
            | DifferenceKind::RefundMissing
            | DifferenceKind::RefundAmount
            | DifferenceKind::RefundState,
        ) => of_refund(app, &difference).await?,
    };
    if let Repair::Resolved(how) = &repair {
        let (how, now) = (how.clone(), app.clock.now());
        app.db
            .write("reconciliation.repaired", move |tx| end(tx, &difference, &how, actor, now))
            .await?;
    }
    Ok(repair)
}

/// They were paid: the question that every lost notification is followed by credits it.
async fn credit(app: &Arc<App>, difference: &Difference) -> Result<Repair, ReconciliationError> {
    let Some(order) = order(app, difference)? else {
        return Ok(Repair::Open("there is no such order".to_owned()));
    };
    Ok(match orders::service::check(app, &order.id).await? {
        Asked::Paid => Repair::Resolved("WeChat was asked again, and the order is credited".into()),
        Asked::Mismatch(why) => Repair::Open(format!("what WeChat says does not fit: {why}")),
        Asked::Unpaid => Repair::Open("asked again, WeChat says that it is not paid".to_owned()),
        Asked::Nothing => Repair::Open("there is no such order".to_owned()),
        Asked::Unknown => {
            return Err(ReconciliationError::Unavailable("the order cannot be asked about".into()));
        }
    })
}

/// The bill does not agree with a payment that we have: what does WeChat say when it is asked?
async fn of_payment(app: &App, difference: &Difference) -> Result<Repair, ReconciliationError> {
    let pay = pay(app)?;
    let Some(order) = order(app, difference)? else {
        return Ok(Repair::Open("there is no such order".to_owned()));
    };
    let told = match pay.query_order(order.id.as_str()).await {
        Ok(told) => told,
        Err(err) if err.kind() == PayErrorKind::OrderNotExist => {
            return Ok(Repair::Open("WeChat Pay knows of no such order".to_owned()));
        }
        Err(err) => return Err(ReconciliationError::Unavailable(error_chain(&err))),
    };
    Ok(match Paid::of_transaction(&told, pay.appid(), pay.mchid(), "repair") {
        Ok(Some(paid))
            if paid.amount_fen == order.amount && paid.transaction_id == order.transaction_id =>
        {
            Repair::Resolved("asked about the order, WeChat Pay confirms what we have".to_owned())
        }
        Ok(Some(paid)) => Repair::Open(format!(
            "WeChat Pay tells of {} fen by the payment {}",
            paid.amount_fen,
            paid.transaction_id.as_deref().unwrap_or("without a number"),
        )),
        Ok(None) => Repair::Open("WeChat Pay says that it is not paid".to_owned()),
        Err(why) => Repair::Open(format!("what WeChat Pay says does not fit: {why}")),
    })
}

/// The same for a refund; what went back without us is booked.
async fn of_refund(app: &Arc<App>, difference: &Difference) -> Result<Repair, ReconciliationError> {
    let told = match pay(app)?.query_refund(&difference.reference).await {
        Ok(told) => told,
        Err(err) if err.kind() == PayErrorKind::OrderNotExist => {
            return Ok(Repair::Open("WeChat Pay knows of no such refund".to_owned()));
        }
        Err(err) => return Err(ReconciliationError::Unavailable(error_chain(&err))),
    };
    let told = ToldRefund {
        number: RefundId::parse(&told.out_refund_no),
        wechat_id: Some(told.refund_id).filter(|id| !id.is_empty()),
        order: told.out_trade_no,
        amount: told.refund_fen,
        state: match told.state {
            RefundState::Success => ToldState::Success,
            RefundState::Closed => ToldState::Failed,
            RefundState::Abnormal => ToldState::Abnormal,
            RefundState::Processing | RefundState::Other(_) => ToldState::UnderWay,
        },
    };
    take_in(app, told).await
}

/// Has refunds book what is told, and says whether we and WeChat agree then.
async fn take_in(app: &Arc<App>, told: ToldRefund) -> Result<Repair, ReconciliationError> {
    if let EventOutcome::Flagged(why) = refunds::service::take_in(app, told.clone(), None).await? {
        return Ok(Repair::Open(why));
    }
    let Some(order) = OrderId::parse(&told.order) else {
        return Ok(Repair::Open("there is no such order".to_owned()));
    };
    let ours = app
        .db
        .read_inline("reconciliation.refunds", |tx| refunds::service::of_order(tx, &order))?;
    let is_same = |refund: &&refunds::Refund| {
        told.number.as_ref() == Some(&refund.id)
            || told.wechat_id.as_deref() == Some(refund.id.as_str())
            || told.wechat_id.is_some() && told.wechat_id == refund.wechat_id
    };
    let is_back = |refund: &refunds::Refund| {
        refund.status == RefundStatus::Refunded && refund.amount == told.amount
    };
    let has_gone_back = ours.iter().filter(is_same).any(is_back);
    Ok(match (told.state, has_gone_back) {
        (ToldState::Success, true) => Repair::Resolved(
            "asked about the refund, WeChat says that it went back; so do we".into(),
        ),
        (ToldState::Failed, false) => {
            Repair::Resolved("asked about the refund, WeChat says that it failed; so do we".into())
        }
        (ToldState::Success, false) => {
            Repair::Open("it went back, and is not booked yet: try again".to_owned())
        }
        (ToldState::Failed | ToldState::Abnormal, true) => {
            Repair::Open("we hold that it went back, WeChat that it did not".to_owned())
        }
        (ToldState::UnderWay | ToldState::Abnormal, _) => {
            Repair::Open("WeChat says that it is under way".to_owned())
        }
    })
}

/// An order of virtual payment is asked about again; what Apple gave back is booked.
async fn of_virtual(
    app: &Arc<App>,
    difference: &Difference,
) -> Result<Repair, ReconciliationError> {
    let Some(found) = again(app, difference).await? else {
        return Ok(Repair::Resolved("asked again, WeChat agrees with us".to_owned()));
    };
    let (DifferenceKind::UnknownRefund, Some(ours), Some(theirs)) =
        (found.kind, found.ours, found.theirs)
    else {
        return Ok(Repair::Open("asked again, WeChat says the same".to_owned()));
    };
    // Its push was lost, and with it its number; this one is made of what is known, so that the same
    // repair again is the same refund.
    let told = ToldRefund {
        number: Some(RefundId::found(&difference.order, theirs)),
        wechat_id: None,
        order: difference.order.clone(),
        amount: theirs.saturating_sub(ours),
        state: ToldState::Success,
    };
    take_in(app, told).await
}

async fn again(app: &App, difference: &Difference) -> Result<Option<Found>, ReconciliationError> {
    let ours: Option<OurPayment> = app
        .db
        .read_inline("reconciliation.order", |tx| store::ours::order(tx, &difference.order))?;
    match ours {
        Some(ours) => Ok(virtual_payment::compare_order(app, ours).await?.1),
        None => Err(ReconciliationError::NotFound),
    }
}

fn order(app: &App, difference: &Difference) -> Result<Option<Order>, ReconciliationError> {
    let Some(id) = OrderId::parse(&difference.order) else { return Ok(None) };
    Ok(app.db.read_inline("reconciliation.order", |tx| orders::service::by_id(tx, &id))?)
}

fn pay(app: &App) -> Result<&WechatPay, ReconciliationError> {
    app.wechat_pay.as_ref().ok_or(ReconciliationError::NotConfigured)
}
