//! The orders of virtual payment. The client makes them, by paying.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Platform;
use crate::base::time::UnixMillis;

/// Orders remembered; beyond it there are no more.
pub(super) const MAX_ORDERS: usize = 100_000;

/// Paid, not delivered.
pub(super) const PAID: i64 = 2;
/// Delivered.
pub(super) const PROVIDED: i64 = 4;
const REFUNDED: i64 = 5;
const REFUND_FAILED: i64 = 7;
/// Given back by Apple.
pub(super) const USER_REFUNDED: i64 = 8;

/// How a refund ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VirtualRefundOutcome {
    /// The money is back after so many milliseconds.
    Success {
        /// Milliseconds.
        after_ms: i64,
    },
    /// It fails after so many milliseconds.
    Fail {
        /// Milliseconds.
        after_ms: i64,
    },
}

/// An order as virtual payment has it.
#[derive(Clone, Debug)]
pub struct VirtualOrder {
    /// Our number.
    pub out_trade_no: String,
    /// WeChat's number.
    pub wx_order_id: String,
    /// WeChat Pay's number; empty for Apple.
    pub transaction_id: String,
    /// Who paid.
    pub openid: String,
    /// 0 live, 1 sandbox.
    pub env: i64,
    /// What was bought.
    pub product_id: String,
    /// How many.
    pub quantity: i64,
    /// Fen, each.
    pub price_fen: i64,
    /// Fen, altogether.
    pub paid_fen: i64,
    /// Fen that were not given back.
    pub left_fen: i64,
    /// Comes back in the delivery.
    pub attach: String,
    /// Through whom it was paid.
    pub platform: Platform,
    /// As `query_order` has it: 2 paid, 4 delivered, 5 refunded, 7 refund failed, 8 refunded by Apple.
    pub status: i64,
    /// When it was paid.
    pub paid_at: UnixMillis,
    pub(super) refunds: Vec<Refund>,
}

/// A refund that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) fen: i64,
    pub(super) is_ok: bool,
    pub(super) ends_at: UnixMillis,
    pub(super) is_settled: bool,
}

impl VirtualOrder {
    /// Where it stands, as a word for the control page.
    pub(in crate::sandbox) fn state_name(&self) -> &'static str {
        match self.status {
            PAID => "PAID",
            PROVIDED => "DELIVERED",
            REFUNDED => "REFUNDED",
            REFUND_FAILED => "REFUND_FAILED",
            _ => "USER_REFUNDED",
        }
    }

    /// The goods were handed over.
    pub(super) fn provide(&mut self) {
        if self.status == PAID {
            self.status = PROVIDED;
        }
    }

    /// Books the refunds that have ended by `now`.
    fn settle(&mut self, now: UnixMillis) {
        for refund in &mut self.refunds {
            if refund.is_settled || refund.ends_at > now {
                continue;
            }
            refund.is_settled = true;
            if refund.is_ok {
                self.left_fen -= refund.fen;
                if self.left_fen == 0 {
                    self.status = REFUNDED;
                }
            } else {
                self.status = REFUND_FAILED;
            }
        }
    }

    /// Whether a refund has not ended.
    pub(super) fn is_refunding(&self) -> bool {
        self.refunds.iter().any(|refund| !refund.is_settled)
    }

    /// As `query_order` answers it.
    pub(super) fn view(&self) -> Value {
        json!({
            "order_id": self.out_trade_no,
            "wx_order_id": self.wx_order_id,
            "channel_order_id": self.wx_order_id,
            "wxpay_order_id": self.transaction_id,
            "create_time": self.paid_at.seconds(),
            "update_time": self.paid_at.seconds(),
            "paid_time": self.paid_at.seconds(),
            "status": self.status,
            "biz_type": 0,
            "order_type": 0,
            "order_fee": self.paid_fen,
            "coupon_fee": 0,
            "paid_fee": self.paid_fen,
            "refund_fee": self.paid_fen - self.left_fen,
            "left_fee": self.left_fen,
            // Not the numbers of `env`: 1 is live, 2 is sandbox.
            "env_type": self.env + 1,
            "sett_state": 0,
            "biz_meta": self.attach,
        })
    }
}

/// All orders.
#[derive(Debug, Default)]
pub(super) struct Orders {
    list: Vec<VirtualOrder>,
    by_number: HashMap<String, usize>,
    by_wx_id: HashMap<String, usize>,
}

impl Orders {
    pub(super) fn insert(&mut self, order: VirtualOrder) {
        self.by_number.insert(order.out_trade_no.clone(), self.list.len());
        self.by_wx_id.insert(order.wx_order_id.clone(), self.list.len());
        self.list.push(order);
    }

    /// The order with this number of ours, its refunds as of `now`.
    pub(super) fn find(
        &mut self,
        out_trade_no: &str,
        now: UnixMillis,
    ) -> Option<&mut VirtualOrder> {
        let order = self.list.get_mut(*self.by_number.get(out_trade_no)?)?;
        order.settle(now);
        Some(order)
    }

    /// The same by WeChat's number.
    pub(super) fn find_wx(&mut self, id: &str, now: UnixMillis) -> Option<&mut VirtualOrder> {
        let order = self.list.get_mut(*self.by_wx_id.get(id)?)?;
        order.settle(now);
        Some(order)
    }

    pub(super) fn settle_all(&mut self, now: UnixMillis) {
        for order in &mut self.list {
            order.settle(now);
        }
    }

    /// All orders, oldest first.
    pub(super) fn list(&self) -> &[VirtualOrder] {
        &self.list
    }
}
