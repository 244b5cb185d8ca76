//! What we tell Apple about a refund that a user wants: whether the goods were used.

use crate::base::time::UnixMillis;
use crate::features::orders::{Order, Status};

/// A membership that ran for a day was used.
const USED_AFTER_S: i64 = 24 * 3600;

/// What we think of a refund at Apple; Apple decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::features::push) struct Evidence {
    /// Whether the goods were used, so that the refund is not right.
    pub(in crate::features::push) was_used: bool,
    /// Why we think so.
    pub(in crate::features::push) text: String,
}

impl Evidence {
    /// About an order that is not ours.
    pub(in crate::features::push) fn unknown() -> Self {
        let text = "We have no such order and delivered nothing for it.".to_owned();
        Self { was_used: false, text }
    }

    /// About `order`, whose user has `balance` points left (0 when he is gone).
    pub(in crate::features::push) fn about(order: &Order, balance: i64, now: UnixMillis) -> Self {
        let Some(paid_at) = order.paid_at.filter(|_| is_delivered(order.status)) else {
            let status = order.status.as_str();
            let text = format!("Order {} ({status}) holds nothing that was delivered.", order.id);
            return Self { was_used: false, text };
        };
        let spent = order.points.saturating_sub(balance).max(0);
        let ran_s = now.seconds().saturating_sub(paid_at.seconds()).max(0);
        let has_run = order.plan.is_some() && ran_s >= USED_AFTER_S;
        let mut text = format!(
            "Order {} ({}) was paid and delivered at {}.",
            order.id,
            order.name,
            paid_at.rfc3339()
        );
        if order.points > 0 {
            text += &format!(" Of its {} points at least {spent} are spent.", order.points);
        }
        if let Some(plan) = &order.plan {
            let days = ran_s / USED_AFTER_S;
            text += &format!(" Of its {} days of membership {days} have passed.", plan.days);
        }
        Self { was_used: spent > 0 || has_run, text }
    }
}

fn is_delivered(status: Status) -> bool {
    match status {
        Status::Paid | Status::Refunding | Status::PartiallyRefunded => true,
        Status::Pending | Status::Cancelled | Status::Expired | Status::Refunded => false,
    }
}
