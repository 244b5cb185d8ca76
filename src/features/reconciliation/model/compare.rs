//! A bill of WeChat Pay against what we know of its orders and refunds.

use std::collections::{HashMap, HashSet};

use crate::clients::wechat_pay::{BillRow, BillRowState};
use crate::features::reconciliation::model::{DifferenceKind, Found};

/// An order as we have it.
#[derive(Clone, Debug)]
pub(in crate::features::reconciliation) struct OurPayment {
    pub(in crate::features::reconciliation) order: String,
    pub(in crate::features::reconciliation) amount: i64,
    pub(in crate::features::reconciliation) is_paid: bool,
    pub(in crate::features::reconciliation) transaction_id: Option<String>,
}

/// A refund as we have it.
#[derive(Clone, Debug)]
pub(in crate::features::reconciliation) struct OurRefund {
    pub(in crate::features::reconciliation) id: String,
    /// WeChat's number of it.
    pub(in crate::features::reconciliation) wechat_id: Option<String>,
    pub(in crate::features::reconciliation) order: String,
    pub(in crate::features::reconciliation) amount: i64,
    pub(in crate::features::reconciliation) has_failed: bool,
    pub(in crate::features::reconciliation) has_ended_well: bool,
}

/// What we have.
#[derive(Clone, Debug, Default)]
pub(in crate::features::reconciliation) struct Ours {
    /// Every order that the bill names, of whatever day and state.
    pub(in crate::features::reconciliation) orders: HashMap<String, OurPayment>,
    /// The orders that were paid on that day, as we have it.
    pub(in crate::features::reconciliation) paid_that_day: Vec<OurPayment>,
    /// Every refund of the orders that the bill names.
    pub(in crate::features::reconciliation) refunds: Vec<OurRefund>,
    /// The refunds that this bill should have, or one before it, and none has had so far.
    pub(in crate::features::reconciliation) not_billed: Vec<OurRefund>,
}

/// What differs, in the order of the bill, then what the bill lacks.
pub(in crate::features::reconciliation) fn compare(rows: &[&BillRow], ours: &Ours) -> Vec<Found> {
    let mut found = Vec::new();
    let mut listed = HashSet::new();
    let mut listed_refunds = HashSet::new();
    for row in rows {
        match (&row.refund, &row.state) {
            (Some(refund), _) => {
                listed_refunds.insert(refund.out_refund_no.as_str());
                found.extend(of_refund(row, ours));
            }
            (None, BillRowState::Success) => {
                listed.insert(row.out_trade_no.as_str());
                found.extend(of_payment(row, ours));
            }
            // Of pay-code payments, which we do not make.
            (None, BillRowState::Refund | BillRowState::Other(_)) => {}
        }
    }
    for paid in ours.paid_that_day.iter().filter(|paid| !listed.contains(paid.order.as_str())) {
        found.push(Found {
            kind: DifferenceKind::NotPaid,
            reference: paid.order.clone(),
            order: paid.order.clone(),
            ours: Some(paid.amount),
            theirs: None,
        });
    }
    for refund in ours.not_billed.iter().filter(|refund| !listed_refunds.contains(&*refund.id)) {
        found.push(Found {
            kind: DifferenceKind::RefundMissing,
            reference: refund.id.clone(),
            order: refund.order.clone(),
            ours: Some(refund.amount),
            theirs: None,
        });
    }
    found
}

fn of_payment(row: &BillRow, ours: &Ours) -> Option<Found> {
    let theirs = row.total_fen;
    let (kind, our_amount) = match ours.orders.get(&row.out_trade_no) {
        None => (DifferenceKind::UnknownOrder, None),
        Some(order) if !order.is_paid => (DifferenceKind::NotCredited, None),
        Some(order) if order.amount != theirs => (DifferenceKind::Amount, Some(order.amount)),
        Some(order) if order.transaction_id.as_deref() != Some(&row.transaction_id) => {
            (DifferenceKind::Payment, Some(order.amount))
        }
        Some(_) => return None,
    };
    Some(Found {
        kind,
        reference: row.out_trade_no.clone(),
        order: row.out_trade_no.clone(),
        ours: our_amount,
        theirs: Some(theirs),
    })
}

fn of_refund(row: &BillRow, ours: &Ours) -> Option<Found> {
    let told = row.refund.as_ref()?;
    // One that was taken for failed and went back all the same stands under WeChat's own number.
    let known = ours
        .refunds
        .iter()
        .filter(|refund| {
            refund.id == told.out_refund_no
                || refund.id == told.refund_id
                || refund.wechat_id.as_deref() == Some(&told.refund_id)
        })
        .max_by_key(|refund| !refund.has_failed);
    let (kind, amount) = match known {
        // Nothing went back, so there is nothing to know of.
        None if is_failed(&told.status) => return None,
        None => (DifferenceKind::UnknownRefund, None),
        Some(refund) if refund.amount != told.requested_fen => {
            (DifferenceKind::RefundAmount, Some(refund.amount))
        }
        Some(refund)
            if (refund.has_failed && told.status == "SUCCESS")
                || (refund.has_ended_well && is_failed(&told.status)) =>
        {
            (DifferenceKind::RefundState, Some(refund.amount))
        }
        Some(_) => return None,
    };
    Some(Found {
        kind,
        reference: told.out_refund_no.clone(),
        order: row.out_trade_no.clone(),
        ours: amount,
        theirs: Some(told.requested_fen),
    })
}

fn is_failed(status: &str) -> bool {
    matches!(status, "FAIL" | "CLOSED" | "CHANGE")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixMillis;
    use crate::clients::wechat_pay::BillRefund;

    fn payment(order: &str, fen: i64) -> BillRow {
        BillRow {
            time: UnixMillis(0),
            appid: "wx1".into(),
            mchid: "190".into(),
            transaction_id: format!("t-{order}"),
            out_trade_no: order.into(),
            openid: "o".into(),
            state: BillRowState::Success,
            currency: "CNY".into(),
            total_fen: fen,
            refund: None,
        }
    }

    fn refund(order: &str, number: &str, fen: i64, status: &str) -> BillRow {
        let refund = BillRefund {
            refund_id: format!("w-{number}"),
            out_refund_no: number.into(),
            requested_fen: fen,
            status: status.into(),
        };
        BillRow {
            state: BillRowState::Refund,
            total_fen: 0,
            refund: Some(refund),
            ..payment(order, 0)
        }
    }

    fn order(id: &str, amount: i64, is_paid: bool) -> OurPayment {
        OurPayment {
            order: id.into(),
            amount,
            is_paid,
            transaction_id: is_paid.then(|| format!("t-{id}")),
        }
    }

    fn our_refund(id: &str, order: &str, amount: i64, has_failed: bool) -> OurRefund {
        OurRefund {
            id: id.into(),
            wechat_id: None,
            order: order.into(),
            amount,
            has_failed,
            has_ended_well: !has_failed,
        }
    }

    fn kinds(rows: &[BillRow], ours: &Ours) -> Vec<(&'static str, String)> {
        let rows: Vec<&BillRow> = rows.iter().collect();
        let found = compare(&rows, ours);
        found.into_iter().map(|found| (found.kind.as_str(), found.reference)).collect()
    }

    fn ours(orders: &[OurPayment]) -> Ours {
        Ours {
            orders: orders.iter().map(|order| (order.order.clone(), order.clone())).collect(),
            paid_that_day: orders.iter().filter(|order| order.is_paid).cloned().collect(),
            ..Ours::default()
        }
    }

    #[test]
    fn what_agrees_is_not_named() {
        let mut ours = ours(&[order("a", 100, true)]);
        ours.refunds = vec![our_refund("r", "a", 40, false)];
        ours.not_billed = ours.refunds.clone();
        let rows = [payment("a", 100), refund("a", "r", 40, "SUCCESS")];
        assert_eq!(kinds(&rows, &ours), []);
        let under_way = [payment("a", 100), refund("a", "r", 40, "PROCESSING")];
        assert_eq!(kinds(&under_way, &ours), []);
    }

    #[test]
    fn payments_differ_three_ways_and_more() {
        let mut other_payment = order("e", 100, true);
        other_payment.transaction_id = Some("t-other".into());
        let ours = ours(&[
            order("a", 100, true),
            order("b", 100, false),
            order("c", 100, true),
            other_payment,
        ]);
        let rows = [payment("b", 100), payment("c", 99), payment("d", 100), payment("e", 100)];
        let expected = [
            ("not_credited", "b"),
            ("amount", "c"),
            ("unknown_order", "d"),
            ("payment", "e"),
            ("not_paid", "a"),
        ];
        assert_eq!(kinds(&rows, &ours), expected.map(|(kind, id)| (kind, id.to_owned())));
    }

    #[test]
    fn refunds_differ_likewise() {
        let mut ours = ours(&[order("a", 100, true)]);
        ours.refunds = vec![
            our_refund("amount", "a", 40, false),
            our_refund("failed-here", "a", 10, true),
            our_refund("failed-there", "a", 10, false),
        ];
        ours.not_billed = vec![our_refund("missing", "a", 5, false)];
        let rows = [
            payment("a", 100),
            refund("a", "amount", 41, "SUCCESS"),
            refund("a", "failed-here", 10, "SUCCESS"),
            refund("a", "failed-there", 10, "FAIL"),
            refund("a", "foreign", 10, "SUCCESS"),
            refund("a", "foreign-failed", 10, "FAIL"),
        ];
        let expected = [
            ("refund_amount", "amount"),
            ("refund_state", "failed-here"),
            ("refund_state", "failed-there"),
            ("unknown_refund", "foreign"),
            ("refund_missing", "missing"),
        ];
        assert_eq!(kinds(&rows, &ours), expected.map(|(kind, id)| (kind, id.to_owned())));
        // Booked since, under WeChat's own number.
        ours.refunds.push(our_refund("w-failed-here", "a", 10, false));
        let again = kinds(&[payment("a", 100), refund("a", "failed-here", 10, "SUCCESS")], &ours);
        assert_eq!(again, [("refund_missing", "missing".to_owned())]);
    }
}
