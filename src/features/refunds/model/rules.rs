//! What may go back, and what is taken back for it.

use crate::base::time::UnixMillis;
use crate::features::orders::{Method, Order, REFUNDABLE_S, Status};
use crate::features::refunds::model::{RefundAmount, RefundError, RefundStatus, UnusedValue};

/// WeChat Pay takes so many partial refunds of an order, …
const REFUNDS_MAX: usize = 50;

/// … so many milliseconds apart, within [`REFUNDABLE_S`].
const APART_MS: i64 = 60_000;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// The first pause between two looks at a refund, and the longest, in seconds.
const FIRST_PAUSE_S: i64 = 5;
const LAST_PAUSE_S: i64 = 3600;

/// What waits for a person is looked at this often, in seconds: he may have acted.
const STUCK_PAUSE_S: i64 = 1800;

/// After so many looks without an end (about five hours) somebody should know.
pub(in crate::features::refunds) const NEAR_FULL_LOOKS: i64 = 14;

/// A refund of the same order that was before.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::refunds) struct Earlier {
    pub(in crate::features::refunds) status: RefundStatus,
    /// That it was to take back.
    pub(in crate::features::refunds) points: i64,
    pub(in crate::features::refunds) created_at: UnixMillis,
}

/// How many fen go back, if they may.
pub(in crate::features::refunds) fn check(
    order: &Order,
    earlier: &[Earlier],
    amount: RefundAmount,
    now: UnixMillis,
) -> Result<i64, RefundError> {
    match order.status {
        Status::Pending | Status::Cancelled | Status::Expired => return Err(RefundError::NotPaid),
        Status::Refunding => return Err(RefundError::UnderWay),
        Status::Refunded => return Err(RefundError::NothingLeft),
        Status::Paid | Status::PartiallyRefunded => {}
    }
    if earlier.iter().any(|refund| refund.status == RefundStatus::Told) {
        return Err(RefundError::UnderWay);
    }
    // Only Apple's payments have no number.
    if order.method == Method::Virtual && order.transaction_id.is_none() {
        return Err(RefundError::AppleOnly);
    }
    let left = order.amount.saturating_sub(order.refunded_amount);
    let fen = match amount {
        RefundAmount::All => left,
        RefundAmount::Fen(fen) if fen < 1 => return Err(RefundError::Invalid("amount")),
        RefundAmount::Fen(fen) if fen > left => return Err(RefundError::TooMuch { left }),
        RefundAmount::Fen(fen) => fen,
    };
    if earlier.len() >= REFUNDS_MAX {
        return Err(RefundError::TooMany(REFUNDS_MAX));
    }
    if earlier.iter().any(|refund| now < refund.created_at.plus_millis(APART_MS)) {
        return Err(RefundError::TooSoon);
    }
    if order.paid_at.is_none_or(|paid| now > paid.plus_seconds(REFUNDABLE_S)) {
        return Err(RefundError::TooOld);
    }
    Ok(fen)
}

/// The part of `whole` that `refunded` of `total` fen are worth, rounded down.
pub(in crate::features::refunds) fn share(whole: i64, refunded: i64, total: i64) -> i64 {
    let product = i128::from(whole).saturating_mul(i128::from(refunded));
    let part = product.checked_div(i128::from(total)).unwrap_or(0);
    i64::try_from(part).unwrap_or(whole).clamp(0, whole)
}

/// What of an order is not used up. `live_ms` is what is left of its grant, not counting what time has
/// used; `points_due` are those of its points that no refund has taken back, `balance` what the user has.
pub(in crate::features::refunds) fn unused(
    order: &Order,
    live_ms: i64,
    points_due: i64,
    balance: i64,
    now: UnixMillis,
) -> UnusedValue {
    let left_fen = match order.status {
        Status::Pending | Status::Cancelled | Status::Expired => 0,
        _ => order.amount.saturating_sub(order.refunded_amount),
    };
    // The order's own time is the last before the end as it left it.
    let ahead = order.vip_expire_at.map_or(0, |end| end.0.saturating_sub(now.0)).max(0);
    let unused_days = live_ms.min(ahead).checked_div(DAY_MS).unwrap_or(0);
    let unused_points = points_due.min(balance).max(0);
    let worth = match &order.plan {
        Some(plan) => share(order.amount, unused_days.min(plan.days), plan.days),
        None => share(order.amount, unused_points, order.points.max(1)),
    };
    UnusedValue { left_fen, unused_fen: worth.min(left_fen), unused_days, unused_points }
}

/// When a refund is looked at next, after so many looks.
pub(in crate::features::refunds) fn next_look(looks: i64, now: UnixMillis) -> UnixMillis {
    let doublings = u32::try_from(looks.clamp(0, 30)).unwrap_or(30);
    now.plus_seconds(FIRST_PAUSE_S.saturating_mul(1_i64 << doublings).min(LAST_PAUSE_S))
}

/// The same for one that waits for a person.
pub(in crate::features::refunds) fn stuck_look(now: UnixMillis) -> UnixMillis {
    now.plus_seconds(STUCK_PAUSE_S)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_rounded_down_and_never_more_than_the_whole() {
        assert_eq!(share(30, 999, 1999), 14);
        assert_eq!(share(30, 1999, 1999), 30);
        assert_eq!(share(100, 0, 1000), 0);
        assert_eq!(share(i64::MAX, i64::MAX, i64::MAX), i64::MAX);
        assert_eq!(share(100, 5, 0), 0);
        assert_eq!(share(100, 50, 10), 100);
    }

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pause = |looks| next_look(looks, UnixMillis(0)).seconds();
        assert_eq!([0, 1, 2, 3].map(pause), [5, 10, 20, 40]);
        assert_eq!([10, 11, i64::MAX].map(pause), [3600, 3600, 3600]);
        assert_eq!(pause(-1), 5);
    }

    proptest! {
        /// Refunds in pieces take together what one of the whole takes.
        #[test]
        fn pieces_add_up(whole in 0_i64..100_000, pieces in prop::collection::vec(1_i64..5_000, 1..20)) {
            let total: i64 = pieces.iter().sum();
            let (mut refunded, mut taken) = (0, 0);
            for piece in pieces {
                refunded += piece;
                let due = share(whole, refunded, total) - taken;
                prop_assert!(due >= 0);
                taken += due;
            }
            prop_assert_eq!(taken, whole);
        }
    }
}
