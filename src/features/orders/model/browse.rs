//! Orders as an administrator looks for them.

use super::{Kind, Method, Order, Status};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// Which orders a list of all shows; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// An order's id, or the number of its payment at WeChat.
    pub search: Option<String>,
    pub user: Option<UserId>,
    pub status: Option<Status>,
    pub method: Option<Method>,
    pub kind: Option<Kind>,
    /// Placed at this time or later, …
    pub from: Option<UnixMillis>,
    /// … and before this time.
    pub to: Option<UnixMillis>,
    /// The least and the most it costs, in fen.
    pub min_amount: Option<i64>,
    pub max_amount: Option<i64>,
}

impl OrderFilter {
    /// Whether it leaves out orders of the index that it looks through.
    pub(in crate::features::orders) const fn is_partial(&self) -> bool {
        self.method.is_some()
            || self.kind.is_some()
            || self.min_amount.is_some()
            || self.max_amount.is_some()
    }
}

impl Order {
    /// What a list of all goes on behind.
    pub fn keys(&self) -> [i64; 2] {
        [self.created_at.0, self.seq]
    }
}

/// How an order is being paid, as an administrator sees it.
#[derive(Clone, Debug)]
pub struct PaymentProgress {
    pub platform: String,
    pub has_prepay: bool,
    pub started_at: Option<UnixMillis>,
    pub next_ask_at: Option<UnixMillis>,
    pub asked_at: Option<UnixMillis>,
    pub failed_asks: i64,
    pub is_close_pending: bool,
    pub next_ship_at: Option<UnixMillis>,
    pub ship_attempts: i64,
    /// Why the whole amount goes back, if it does.
    pub refund_due: Option<String>,
}

/// What a user's paid orders come to, in fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub orders: i64,
    pub paid: i64,
    pub refunded: i64,
}
