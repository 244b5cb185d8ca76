//! What WeChat tells of refunds: of ours, and of those that nobody here asked for.

use std::sync::Arc;

use hyper::HeaderMap;

use super::book;
use super::look::look;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::wechat::push;
use crate::clients::wechat_pay::{Notification, RefundState, Resource};
use crate::db::Tx;
use crate::features::audit::Actor;
use crate::features::orders::{self, OrderError, OrderId};
use crate::features::payments::{
    self, EventId, EventOutcome, NewEvent, Notified, PaymentError, Source,
};
use crate::features::refunds::model::{
    NewRefund, Origin, Refund, RefundError, RefundId, RefundStatus, ToldRefund, ToldState,
    stuck_look,
};
use crate::features::refunds::store;

/// Takes a notification of WeChat Pay with its headers and the bytes of its body as they came. Goes on
/// to its end even when WeChat has hung up.
///
/// # Errors
/// As for notifications of payments.
pub(in crate::features::refunds) async fn notified(
    app: &Arc<App>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Notified, PaymentError> {
    let judged = payments::service::judged(app, Source::RefundNotify, headers, body).await;
    let (notification, event) = judged?;
    let task = {
        let app = Arc::clone(app);
        tokio::spawn(async move { accept(&app, notification, event).await })
    };
    let done = task.await.map_err(|_| PaymentError::CutShort)?;
    payments::service::count(app, &done);
    done
}

async fn accept(
    app: &Arc<App>,
    notification: Notification,
    event: NewEvent,
) -> Result<Notified, PaymentError> {
    let event = payments::service::events::receive(app, event).await?;
    let mchid = app.wechat_pay.as_ref().map(|pay| pay.mchid());
    let told = match notification.resource {
        Resource::Refund(notice) if mchid == Some(notice.mchid.as_str()) => Ok(notice.refund),
        Resource::Refund(_) => Err("it is for another merchant"),
        Resource::Transaction(_) => Err("a payment is told at the address of refunds"),
        Resource::Other(_) => Err("it is neither a payment nor a refund"),
    };
    let told = told.map(|told| ToldRefund {
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
    });
    let outcome = match told {
        Ok(told) => take_in(app, told, Some(event)).await.map_err(as_order)?,
        Err(why) => {
            let (outcome, now) = (EventOutcome::Flagged(why.to_owned()), app.clock.now());
            app.db
                .write("refunds.finish", move |tx| {
                    payments::service::events::finish(tx, event, &outcome, now)?;
                    Ok::<_, PaymentError>(outcome)
                })
                .await?
        }
    };
    Ok(match outcome {
        EventOutcome::Done | EventOutcome::Repeated => Notified::Taken,
        EventOutcome::Flagged(_) => Notified::Flagged,
    })
}

/// Takes the push about a refund of virtual payment, which is stored as `event`: the end of one of ours,
/// or what a user got back from Apple.
///
/// # Errors
/// What the database and the ledger fail with: WeChat must repeat it.
pub async fn take_push(
    app: &Arc<App>,
    told: push::RefundNotice,
    event: EventId,
) -> Result<EventOutcome, OrderError> {
    let state = if told.is_success() { ToldState::Success } else { ToldState::Failed };
    let told = ToldRefund {
        number: told.refund_id.as_deref().and_then(RefundId::parse),
        wechat_id: told.wx_refund_id,
        order: told.order_id.unwrap_or_default(),
        amount: told.refund_fen,
        state,
    };
    take_in(app, told, Some(event)).await.map_err(as_order)
}

/// Takes what WeChat tells of a refund, by whatever way, and notes what became of its event. Told again
/// it changes nothing. What went back without us is on record when this returns, and booked as soon as
/// its order allows.
///
/// # Errors
/// What the database and the ledger fail with.
pub async fn take_in(
    app: &Arc<App>,
    told: ToldRefund,
    event: Option<EventId>,
) -> Result<EventOutcome, RefundError> {
    let now = app.clock.now();
    let (outcome, touched) = app
        .db
        .write("refunds.told", move |tx| {
            let (outcome, touched) = decide(tx, &told, now)?;
            if let Some(event) = event {
                payments::service::events::finish(tx, event, &outcome, now)?;
            }
            Ok::<_, RefundError>((outcome, touched))
        })
        .await?;
    if let EventOutcome::Flagged(why) = &outcome {
        tracing::error!(problem = why, "what WeChat tells of a refund waits for somebody");
    }
    match touched {
        Touched::Nothing => {}
        Touched::User(user) => book::changed(app, user),
        // It is on record; if this fails the work books it.
        Touched::Told(id) => {
            if let Err(err) = look(app, &id).await {
                tracing::warn!(refund.id = %id, error = %err, "a told refund waits");
            }
        }
    }
    Ok(outcome)
}

/// What is to be done after the commit.
enum Touched {
    Nothing,
    User(UserId),
    /// This refund is to be booked.
    Told(RefundId),
}

fn decide(
    tx: &Tx<'_>,
    told: &ToldRefund,
    now: UnixMillis,
) -> Result<(EventOutcome, Touched), RefundError> {
    let flagged = |why: &str| Ok((EventOutcome::Flagged(why.to_owned()), Touched::Nothing));
    let repeated = || Ok((EventOutcome::Repeated, Touched::Nothing));
    let order = match OrderId::parse(&told.order) {
        Some(id) => orders::service::by_id(tx, &id)?,
        None => None,
    };
    let Some(order) = order else { return flagged("there is no such order") };
    let known = match &told.number {
        Some(number) => store::by_id(tx, number)?,
        None => None,
    };
    if let Some(refund) = known {
        if refund.order != order.id || refund.amount != told.amount {
            return flagged("a refund of ours has this number, and another order or amount");
        }
        match (refund.status, told.state) {
            (RefundStatus::Refunding, ToldState::Success) => {
                book::succeed(tx, &refund, told.wechat_id.as_deref(), now)?;
                return Ok((EventOutcome::Done, Touched::User(order.user)));
            }
            (RefundStatus::Refunding, ToldState::Failed) => {
                let why = "WeChat tells that the refund failed";
                book::fail(tx, &refund, &order, why, now)?;
                let outcome = EventOutcome::Flagged(why.to_owned());
                return Ok((outcome, Touched::User(order.user)));
            }
            (RefundStatus::Refunding, ToldState::Abnormal) => {
                let why = "ABNORMAL: the payer's account does not take it; \
                           act in the merchant's console";
                store::waits(tx, &refund.id, why, stuck_look(now))?;
                return flagged(why);
            }
            // It was taken for failed, and the money went all the same: another refund, by WeChat's
            // own number.
            (RefundStatus::Failed, ToldState::Success) if book::is_ours(&refund) => {
                let Some(wechat_id) = told.wechat_id.as_deref().and_then(RefundId::parse) else {
                    return flagged("it failed here and went back there, and has no number");
                };
                return record(tx, told, &order, wechat_id, now);
            }
            _ => return repeated(),
        }
    }
    if told.state != ToldState::Success {
        // Somebody else's, and no money went.
        return repeated();
    }
    if told.amount < 1 || told.amount > order.amount {
        return flagged("more is told to have gone back than the order cost");
    }
    let id = told.number.clone().or_else(|| told.wechat_id.as_deref().and_then(RefundId::parse));
    match id {
        Some(id) => record(tx, told, &order, id, now),
        None => flagged("it has no number"),
    }
}

/// Puts what was told on record, once.
fn record(
    tx: &Tx<'_>,
    told: &ToldRefund,
    order: &orders::Order,
    id: RefundId,
    now: UnixMillis,
) -> Result<(EventOutcome, Touched), RefundError> {
    if store::by_id(tx, &id)?.is_some() || is_known(tx, &order.id, told)? {
        return Ok((EventOutcome::Repeated, Touched::Nothing));
    }
    if let (Some(wechat_id), Some(found)) = (&told.wechat_id, found_before(tx, &order.id, told)?) {
        store::set_wechat_id(tx, &found.id, wechat_id)?;
        return Ok((EventOutcome::Repeated, Touched::Nothing));
    }
    let new = NewRefund {
        id: id.clone(),
        order: order.id.clone(),
        origin: Origin::Told,
        actor: Actor::Wechat.to_string(),
        reason: "told by WeChat".to_owned(),
        amount: told.amount,
        total: order.amount,
        // Decided when it is booked.
        vip_days: Some(0),
        points: 0,
        points_taken: 0,
        wechat_id: told.wechat_id.clone(),
        status: RefundStatus::Told,
        next_look_at: now,
    };
    store::insert(tx, &new, now)?;
    Ok((EventOutcome::Done, Touched::Told(id)))
}

/// Whether a refund of this number of WeChat's is on record, under a number of the merchant's.
fn is_known(tx: &Tx<'_>, order: &OrderId, told: &ToldRefund) -> Result<bool, RefundError> {
    let Some(wechat_id) = told.wechat_id.as_deref() else { return Ok(false) };
    let is_same = |refund: &Refund| {
        refund.wechat_id.as_deref() == Some(wechat_id) && refund.status != RefundStatus::Failed
    };
    Ok(store::of_order(tx, order)?.iter().any(is_same))
}

/// The refund that a repair found before its notice came, if it is this.
fn found_before(
    tx: &Tx<'_>,
    order: &OrderId,
    told: &ToldRefund,
) -> Result<Option<Refund>, RefundError> {
    let is_it = |refund: &Refund| {
        refund.id.is_found() && refund.wechat_id.is_none() && refund.amount == told.amount
    };
    Ok(store::of_order(tx, order)?.into_iter().find(is_it))
}

fn as_order(err: RefundError) -> OrderError {
    match err {
        RefundError::Db(err) => OrderError::Db(err),
        RefundError::Order(err) => err,
        RefundError::Points(err) => OrderError::Points(err),
        RefundError::Vip(err) => OrderError::Vip(err),
        // None of these is about what was told.
        RefundError::NoSuchOrder
        | RefundError::NoSuchRefund
        | RefundError::NotPaid
        | RefundError::UnderWay
        | RefundError::NothingLeft
        | RefundError::TooMuch { .. }
        | RefundError::TooMany(_)
        | RefundError::TooSoon
        | RefundError::TooOld
        | RefundError::AppleOnly
        | RefundError::NoPayer
        | RefundError::NotConfigured
        | RefundError::PointsSpent { .. }
        | RefundError::Invalid(_)
        | RefundError::CutShort => OrderError::CutShort,
    }
}
