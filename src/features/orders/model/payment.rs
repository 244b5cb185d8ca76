//! A payment as it is told, and what becomes of it.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::wechat::{VirtualOrderState, VirtualTransaction};
use crate::clients::wechat_pay::{TradeState, Transaction};
use crate::features::orders::model::{Method, OrderId};

/// The only currency there is.
const CURRENCY: &str = "CNY";

/// That an order was paid, by somebody who can know: a verified notification, an answer of WeChat, a
/// repair by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    pub order: OrderId,
    pub method: Method,
    /// WeChat's number of the payment; Apple's have none.
    pub transaction_id: Option<String>,
    /// What the order cost there, in fen: not what is left after coupons.
    pub amount_fen: i64,
    pub paid_at: UnixMillis,
    pub payer_openid: Option<String>,
    /// How we know, for the audit log: `notify`, `query`, `push`, `repair`.
    pub told_by: &'static str,
}

/// What becomes of a told payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The order is paid by this.
    Now(Settlement),
    /// It was paid by this before. Nothing changed.
    Already,
    /// It does not fit. Nothing changed, and somebody must look at it.
    Mismatch(Mismatch),
}

/// An order that has just been paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub order: OrderId,
    pub user: UserId,
    /// Whose balance changed because he had brought the user.
    pub inviter: Option<UserId>,
    /// Nothing was given, and the money goes back: its user is gone.
    pub is_refund_due: bool,
    /// Somebody else paid it than was to.
    pub is_wrong_payer: bool,
}

/// Why a told payment does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("it is for another app or merchant")]
    Foreign,
    #[error("there is no such order")]
    UnknownOrder,
    #[error("the order is paid through another channel")]
    Method,
    #[error("the order costs {expected} fen, {told} were paid")]
    Amount { expected: i64, told: i64 },
    #[error("it is not in CNY")]
    Currency,
    #[error("it does not say its {0}")]
    Incomplete(&'static str),
    /// The number of the payment that was first.
    #[error("the order was paid before, by the payment {first}")]
    PaidTwice { first: String },
    #[error("this payment has paid the order {0}")]
    TransactionTaken(OrderId),
    #[error("it was given back before it was credited")]
    GivenBack,
}

/// What WeChat confirms about an order: `None` is "not paid".
pub(in crate::features::orders) type Confirmed = Result<Option<Paid>, Mismatch>;

impl Paid {
    /// What a payment as WeChat Pay tells it comes to, if it is one for us. `appid` and `mchid` are
    /// ours.
    ///
    /// # Errors
    /// What does not fit by itself; whether there is such an order of this amount is for
    /// [`settle`](crate::features::orders::service::settle).
    pub fn of_transaction(
        told: &Transaction,
        appid: &str,
        mchid: &str,
        told_by: &'static str,
    ) -> Result<Option<Self>, Mismatch> {
        if told.mchid != mchid || told.appid != appid {
            return Err(Mismatch::Foreign);
        }
        match &told.state {
            // Refunded since: it was paid all the same.
            TradeState::Success | TradeState::Refund => {}
            TradeState::NotPay | TradeState::Closed | TradeState::Other(_) => return Ok(None),
        }
        let order = OrderId::parse(&told.out_trade_no).ok_or(Mismatch::UnknownOrder)?;
        if told.currency.as_deref() != Some(CURRENCY) {
            return Err(Mismatch::Currency);
        }
        let transaction_id =
            told.transaction_id.clone().ok_or(Mismatch::Incomplete("transaction_id"))?;
        Ok(Some(Self {
            order,
            method: Method::Wechat,
            transaction_id: Some(transaction_id),
            amount_fen: told.total_fen.ok_or(Mismatch::Incomplete("amount"))?,
            paid_at: told.success_time.ok_or(Mismatch::Incomplete("success_time"))?,
            payer_openid: told.payer_openid.clone(),
            told_by,
        }))
    }

    /// The same for virtual payment, of an order that was asked about. `now` stands in for a time of
    /// payment that is not told.
    pub(in crate::features::orders) fn of_virtual(
        told: &VirtualTransaction,
        payer_openid: Option<&str>,
        now: UnixMillis,
    ) -> Confirmed {
        match told.state {
            VirtualOrderState::Paid { .. } | VirtualOrderState::RefundFailed => {}
            VirtualOrderState::Refunded => return Err(Mismatch::GivenBack),
            VirtualOrderState::Unpaid | VirtualOrderState::Closed | VirtualOrderState::Other(_) => {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            order: OrderId::parse(&told.order_id).ok_or(Mismatch::UnknownOrder)?,
            method: Method::Virtual,
            transaction_id: told.transaction_id.clone(),
            amount_fen: told.order_fen.ok_or(Mismatch::Incomplete("order_fee"))?,
            paid_at: told.paid_at.unwrap_or(now),
            payer_openid: payer_openid.map(str::to_owned),
            told_by: "query",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123";

    fn told() -> Transaction {
        Transaction {
            appid: "wx1".into(),
            mchid: "190".into(),
            out_trade_no: ID.into(),
            transaction_id: Some("42".into()),
            state: TradeState::Success,
            success_time: Some(UnixMillis(1000)),
            payer_openid: Some("o-1".into()),
            total_fen: Some(1999),
            currency: Some("CNY".into()),
            attach: None,
        }
    }

    fn read(told: &Transaction) -> Result<Option<Paid>, Mismatch> {
        Paid::of_transaction(told, "wx1", "190", "notify")
    }

    #[test]
    fn a_payment_for_us_is_one() {
        let paid = read(&told()).unwrap().unwrap();
        assert_eq!((paid.order.as_str(), paid.amount_fen), (ID, 1999));
        assert_eq!(paid.transaction_id.as_deref(), Some("42"));
        // Given back since: the money came.
        let refunded = Transaction { state: TradeState::Refund, ..told() };
        assert!(read(&refunded).unwrap().is_some());
    }

    #[test]
    fn anything_that_does_not_fit_is_named() {
        let cases = [
            (Transaction { appid: "wx2".into(), ..told() }, Mismatch::Foreign),
            (Transaction { mchid: "191".into(), ..told() }, Mismatch::Foreign),
            (Transaction { out_trade_no: "x".into(), ..told() }, Mismatch::UnknownOrder),
            (Transaction { currency: Some("USD".into()), ..told() }, Mismatch::Currency),
            (Transaction { currency: None, ..told() }, Mismatch::Currency),
            (Transaction { total_fen: None, ..told() }, Mismatch::Incomplete("amount")),
            (
                Transaction { transaction_id: None, ..told() },
                Mismatch::Incomplete("transaction_id"),
            ),
            (Transaction { success_time: None, ..told() }, Mismatch::Incomplete("success_time")),
        ];
        for (told, expected) in cases {
            assert_eq!(read(&told), Err(expected));
        }
    }

    #[test]
    fn what_is_not_paid_is_no_payment() {
        for state in [TradeState::NotPay, TradeState::Closed, TradeState::Other("PAYERROR".into())]
        {
            let bare = Transaction {
                transaction_id: None,
                success_time: None,
                total_fen: None,
                currency: None,
                state,
                ..told()
            };
            assert_eq!(read(&bare), Ok(None));
        }
    }

    #[test]
    fn virtual_payments_are_read_by_their_state() {
        let told = |state| VirtualTransaction {
            order_id: ID.into(),
            wx_order_id: None,
            transaction_id: None,
            state,
            order_fen: Some(1999),
            paid_fen: Some(1999),
            left_fen: None,
            paid_at: None,
        };
        let read = |state| Paid::of_virtual(&told(state), Some("o-1"), UnixMillis(7));
        for delivered in [false, true] {
            let paid = read(VirtualOrderState::Paid { delivered }).unwrap().unwrap();
            assert_eq!((paid.amount_fen, paid.paid_at), (1999, UnixMillis(7)));
        }
        assert_eq!(read(VirtualOrderState::Unpaid), Ok(None));
        assert_eq!(read(VirtualOrderState::Other(9)), Ok(None));
        assert_eq!(read(VirtualOrderState::Refunded), Err(Mismatch::GivenBack));
    }
}
