//! A day of virtual payment: its bill needs a console to read, so each order of the day is asked about.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;

use super::Compared;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::wechat::{VirtualOrderState, VirtualPayError, VirtualTransaction};
use crate::db::DbError;
use crate::features::orders::{self, OrderId};
use crate::features::reconciliation::model::{
    Channel, DifferenceKind, Found, OurPayment, ReconciliationError, bounds,
};
use crate::features::reconciliation::store;
use crate::features::settings;

pub(super) async fn compare_day(
    app: &Arc<App>,
    day: Date,
) -> Result<Compared, ReconciliationError> {
    let ours = app
        .db
        .read("reconciliation.virtual", move |tx| {
            let mut ours = store::ours::paid_between(tx, Channel::Virtual, bounds(day))?;
            ours.extend(store::ours::unpaid_between(tx, Channel::Virtual, bounds(day))?);
            Ok::<_, DbError>(ours)
        })
        .await?;
    let at_once =
        usize::try_from(settings::service::current(app).payment.ask_concurrency).unwrap_or(1);
    let asked: Vec<(bool, Option<Found>)> = stream::iter(ours)
        .map(|ours| async move { compare_order(app, ours).await })
        .buffered(at_once)
        .try_collect()
        .await?;
    let listed = asked.iter().filter(|(is_there, _)| *is_there).count();
    let found = asked.into_iter().filter_map(|(_, found)| found).collect();
    Ok(Compared { listed, found, billed: Vec::new(), fee: None })
}

/// Whether WeChat has a payment of the order, and what differs.
pub(super) async fn compare_order(
    app: &App,
    ours: OurPayment,
) -> Result<(bool, Option<Found>), ReconciliationError> {
    let shop = app.virtual_payment.as_ref().ok_or(ReconciliationError::NotConfigured)?;
    let payer = app.db.read_inline("reconciliation.payer", |tx| {
        let id = OrderId::parse(&ours.order);
        id.map_or(Ok(None), |id| orders::service::payer(tx, &id))
    })?;
    // Without an openid there is nobody to ask about.
    let Some(openid) = payer else { return Ok((false, None)) };
    let told = match shop.query_order(&openid, &ours.order).await {
        Ok(told) => Some(told),
        Err(VirtualPayError::NotFound) => None,
        Err(err) => return Err(ReconciliationError::Unavailable(error_chain(&err))),
    };
    // Read after the question: what was booked meanwhile is no difference.
    let (ours, gone_back) = app.db.read_inline("reconciliation.ours", |tx| {
        let now = store::ours::order(tx, &ours.order)?.unwrap_or(ours);
        let gone_back = store::ours::gone_back(tx, &now.order)?;
        Ok::<_, DbError>((now, gone_back))
    })?;
    let is_there = told.as_ref().is_some_and(|told| is_paid(told.state));
    Ok((is_there, differs(&ours, gone_back, told.as_ref())))
}

fn differs(
    ours: &OurPayment,
    gone_back: Option<i64>,
    told: Option<&VirtualTransaction>,
) -> Option<Found> {
    let found = |kind, our_fen, their_fen| {
        let reference = ours.order.clone();
        Some(Found { kind, reference, order: ours.order.clone(), ours: our_fen, theirs: their_fen })
    };
    let told = told.filter(|told| is_paid(told.state));
    let (is_paid, Some(told)) = (ours.is_paid, told) else {
        let kind = DifferenceKind::NotPaid;
        return if ours.is_paid { found(kind, Some(ours.amount), None) } else { None };
    };
    if !is_paid {
        // What was given back before it was credited is even.
        let is_even = told.state == VirtualOrderState::Refunded;
        return if is_even {
            None
        } else {
            found(DifferenceKind::NotCredited, None, told.order_fen)
        };
    }
    if told.order_fen.is_some_and(|fen| fen != ours.amount) {
        return found(DifferenceKind::Amount, Some(ours.amount), told.order_fen);
    }
    if told.transaction_id != ours.transaction_id && told.transaction_id.is_some() {
        return found(DifferenceKind::Payment, Some(ours.amount), told.order_fen);
    }
    let back_here = gone_back?;
    let back_there = match (told.left_fen, told.state) {
        (Some(left), _) => ours.amount.saturating_sub(left),
        (None, VirtualOrderState::Refunded) => ours.amount,
        (None, _) => return None,
    };
    match back_there.cmp(&back_here) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => {
            found(DifferenceKind::UnknownRefund, Some(back_here), Some(back_there))
        }
        std::cmp::Ordering::Less => {
            found(DifferenceKind::RefundMissing, Some(back_here), Some(back_there))
        }
    }
}

const fn is_paid(state: VirtualOrderState) -> bool {
    match state {
        VirtualOrderState::Paid { .. }
        | VirtualOrderState::Refunded
        | VirtualOrderState::RefundFailed
        // Settlement among merchants is of paid orders.
        | VirtualOrderState::Other(9 | 10) => true,
        VirtualOrderState::Unpaid | VirtualOrderState::Closed | VirtualOrderState::Other(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: VirtualOrderState, left: i64) -> VirtualTransaction {
        VirtualTransaction {
            order_id: "a".into(),
            wx_order_id: None,
            transaction_id: Some("t".into()),
            state,
            order_fen: Some(100),
            paid_fen: Some(100),
            left_fen: Some(left),
            paid_at: None,
        }
    }

    fn ours(is_paid: bool) -> OurPayment {
        let transaction_id = is_paid.then(|| "t".to_owned());
        OurPayment { order: "a".into(), amount: 100, is_paid, transaction_id }
    }

    fn kind(
        ours: &OurPayment,
        gone_back: Option<i64>,
        told: Option<&VirtualTransaction>,
    ) -> Option<&'static str> {
        differs(ours, gone_back, told).map(|found| found.kind.as_str())
    }

    #[test]
    fn an_order_is_compared_by_what_is_left_of_it() {
        let paid = VirtualOrderState::Paid { delivered: true };
        let case = |is_paid, gone_back, state, left| {
            kind(&ours(is_paid), gone_back, Some(&told(state, left)))
        };
        assert_eq!(case(true, Some(0), paid, 100), None);
        assert_eq!(case(true, Some(40), paid, 60), None);
        assert_eq!(case(true, Some(0), paid, 60), Some("unknown_refund"));
        assert_eq!(case(true, Some(40), paid, 100), Some("refund_missing"));
        assert_eq!(case(true, None, paid, 60), None, "a refund is under way");
        assert_eq!(case(true, Some(0), VirtualOrderState::Unpaid, 100), Some("not_paid"));
        assert_eq!(case(false, Some(0), paid, 100), Some("not_credited"));
        assert_eq!(case(false, Some(0), VirtualOrderState::Refunded, 0), None);
        assert_eq!(kind(&ours(true), Some(0), None), Some("not_paid"));
        assert_eq!(kind(&ours(false), Some(0), None), None);
        let other = VirtualTransaction { order_fen: Some(99), ..told(paid, 100) };
        assert_eq!(kind(&ours(true), Some(0), Some(&other)), Some("amount"));
        let other = VirtualTransaction { transaction_id: Some("u".into()), ..told(paid, 100) };
        assert_eq!(kind(&ours(true), Some(0), Some(&other)), Some("payment"));
    }
}
