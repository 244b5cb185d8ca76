//! What `/xpay/query_order` answers.

use serde::Deserialize;

use super::{VirtualEnv, VirtualPayError};
use crate::base::time::UnixMillis;

/// What became of an order, as far as we act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtualOrderState {
    /// 0, 1: known, not paid.
    Unpaid,
    /// 2, 3, 4: paid; whether WeChat counts it as delivered is the other value.
    Paid { delivered: bool },
    /// 5, 8: paid and given back.
    Refunded,
    /// 6: never paid, and never will be.
    Closed,
    /// 7: paid; giving it back failed.
    RefundFailed,
    /// 9, 10 and what may come: settlement among merchants. Nothing is granted or taken for it.
    Other(i64),
}

impl VirtualOrderState {
    fn from_number(status: i64) -> Self {
        match status {
            0 | 1 => Self::Unpaid,
            2 | 3 => Self::Paid { delivered: false },
            4 => Self::Paid { delivered: true },
            5 | 8 => Self::Refunded,
            6 => Self::Closed,
            7 => Self::RefundFailed,
            other => Self::Other(other),
        }
    }
}

/// An order as WeChat sees it. Amounts in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualTransaction {
    /// Ours.
    pub order_id: String,
    /// WeChat's number of the order.
    pub wx_order_id: Option<String>,
    /// The number of the payment, which the delivery push calls `TransactionId`. Absent for Apple's.
    pub transaction_id: Option<String>,
    pub state: VirtualOrderState,
    /// What it costs.
    pub order_fen: Option<i64>,
    /// What was paid.
    pub paid_fen: Option<i64>,
    /// What is not given back yet.
    pub left_fen: Option<i64>,
    pub paid_at: Option<UnixMillis>,
}

#[derive(Deserialize)]
pub(super) struct QueryAnswer {
    order: Option<Order>,
}

#[derive(Deserialize)]
struct Order {
    order_id: Option<String>,
    status: Option<i64>,
    wx_order_id: Option<String>,
    wxpay_order_id: Option<String>,
    order_fee: Option<i64>,
    paid_fee: Option<i64>,
    left_fee: Option<i64>,
    /// Seconds.
    paid_time: Option<i64>,
    env_type: Option<i64>,
}

impl QueryAnswer {
    /// What was answered about our order `asked` of `env`.
    ///
    /// # Errors
    /// `NotFound` when there is no order in it; `Garbled` when it is about another order or environment.
    pub(super) fn transaction(
        self,
        asked: &str,
        env: VirtualEnv,
    ) -> Result<VirtualTransaction, VirtualPayError> {
        let order = self.order.ok_or(VirtualPayError::NotFound)?;
        let is_ours = order.order_id.as_deref().is_none_or(|answered| answered == asked);
        // `env_type` counts from 1 where `env` counts from 0.
        let is_here = order.env_type.is_none_or(|answered| answered == env.number() + 1);
        let (true, true, Some(status)) = (is_ours, is_here, order.status) else {
            return Err(VirtualPayError::Garbled);
        };
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(VirtualTransaction {
            order_id: asked.to_owned(),
            wx_order_id: text(order.wx_order_id),
            transaction_id: text(order.wxpay_order_id),
            state: VirtualOrderState::from_number(status),
            order_fen: order.order_fee,
            paid_fen: order.paid_fee,
            left_fen: order.left_fee,
            paid_at: order
                .paid_time
                .filter(|seconds| *seconds > 0)
                .map(|seconds| UnixMillis(0).plus_seconds(seconds)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(order: &str, env: VirtualEnv) -> Result<VirtualTransaction, VirtualPayError> {
        let answer: QueryAnswer =
            serde_json::from_str(&format!(r#"{{"errcode":0,"order":{order}}}"#)).unwrap();
        answer.transaction("order123", env)
    }

    #[test]
    fn paid_is_two_three_and_four() {
        let state = |status: i64| {
            read(&format!(r#"{{"order_id":"order123","status":{status}}}"#), VirtualEnv::Live)
                .unwrap()
                .state
        };
        use VirtualOrderState::*;
        let states: Vec<_> = (0..=11).map(state).collect();
        assert_eq!(
            states,
            [
                Unpaid,
                Unpaid,
                Paid { delivered: false },
                Paid { delivered: false },
                Paid { delivered: true },
                Refunded,
                Closed,
                RefundFailed,
                Refunded,
                Other(9),
                Other(10),
                Other(11)
            ]
        );
    }

    #[test]
    fn fields_have_their_units() {
        let order = read(
            r#"{"order_id":"order123","status":4,"wx_order_id":"X","wxpay_order_id":"42","order_fee":1990,
                "paid_fee":1990,"left_fee":1000,"paid_time":1759999998,"env_type":1}"#,
            VirtualEnv::Live,
        )
        .unwrap();
        assert_eq!(order.paid_at, Some(UnixMillis(1_759_999_998_000)));
        assert_eq!((order.paid_fen, order.left_fen), (Some(1990), Some(1000)));
        assert_eq!(order.transaction_id.as_deref(), Some("42"));
    }

    #[test]
    fn another_order_or_environment_is_no_answer() {
        let other = r#"{"order_id":"order999","status":4}"#;
        assert!(matches!(read(other, VirtualEnv::Live), Err(VirtualPayError::Garbled)));
        // The sandbox's `env_type` is 2, although its `env` is 1.
        let sandbox = r#"{"order_id":"order123","status":4,"env_type":2}"#;
        assert!(matches!(read(sandbox, VirtualEnv::Live), Err(VirtualPayError::Garbled)));
        assert!(read(sandbox, VirtualEnv::Sandbox).is_ok());
        let nothing: QueryAnswer = serde_json::from_str("{}").unwrap();
        let nothing = nothing.transaction("order123", VirtualEnv::Live);
        assert!(matches!(nothing, Err(VirtualPayError::NotFound)));
    }
}
