//! Who paid, of the `order_payments` of users who are gone.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::orders::model::{FormerPayer, OrderId, PAYER_ASKED_S, REFUNDABLE_S};

/// Forgets who was to pay a user's orders, except as long as something is to be done by it: at once
/// where a delivery is to be reported or the money to go back, and with a term where the money can still
/// go back, or come, through virtual payment, which takes neither a question nor a refund without it.
pub(in crate::features::orders) fn forget(
    tx: &Tx<'_>,
    user: UserId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "WITH kept AS (
           SELECT o.order_id,
                  CASE
                    WHEN o.method <> 'virtual' THEN NULL
                    WHEN o.status = 'REFUNDING' THEN o.paid_at + ?3
                    WHEN o.status IN ('PAID', 'PARTIALLY_REFUNDED')
                         AND o.transaction_id IS NOT NULL AND o.paid_at + ?3 > ?2
                      THEN o.paid_at + ?3
                    WHEN o.status IN ('PENDING', 'CANCELLED', 'EXPIRED')
                         AND p.started_at IS NOT NULL AND p.next_ask_at IS NOT NULL
                      THEN MAX(o.expires_at, ?2) + ?4
                  END AS until
             FROM orders o JOIN order_payments p ON p.order_id = o.order_id
            WHERE o.user_id = ?1
              AND (p.prepay_request IS NOT NULL
                   OR p.payer_openid IS NOT NULL AND p.payer_until IS NULL))
         UPDATE order_payments SET
           prepay_request = NULL,
           payer_until = CASE WHEN payer_openid IS NOT NULL THEN kept.until END,
           payer_openid = CASE WHEN next_ship_at IS NULL AND refund_due IS NULL
                                    AND kept.until IS NULL THEN NULL
                               ELSE payer_openid END
           FROM kept
          WHERE order_payments.order_id = kept.order_id",
        params![user, now, REFUNDABLE_S * 1000, PAYER_ASKED_S * 1000],
    )?;
    Ok(())
}

/// Whether who paid is still known of one of them without a term: something is to be done by it soon.
pub(in crate::features::orders) fn is_waiting(tx: &Tx<'_>, user: UserId) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM orders JOIN order_payments USING (order_id)
          WHERE user_id = ?1 AND payer_openid IS NOT NULL AND payer_until IS NULL LIMIT 1",
        params![user],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// A user who is gone has paid: as long as that can go back it is kept by whom.
pub(in crate::features::orders) fn keep(
    tx: &Tx<'_>,
    order: &OrderId,
    openid: Option<&str>,
    paid_at: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET
           payer_openid = COALESCE(payer_openid, ?2), payer_until = ?3
          WHERE order_id = ?1",
        params![order.as_str(), openid, paid_at.plus_seconds(REFUNDABLE_S)],
    )?;
    Ok(())
}

/// All of an order has gone back: nothing more is to be done by who paid, if he is gone. He is known for
/// a while longer, so that what WeChat still tells of it is struck with him.
pub(in crate::features::orders) fn done(
    tx: &Tx<'_>,
    order: &OrderId,
    now: UnixMillis,
) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET payer_until = MIN(payer_until, ?2)
          WHERE order_id = ?1 AND payer_until IS NOT NULL
            AND (SELECT status FROM orders WHERE orders.order_id = ?1) = 'REFUNDED'",
        params![order.as_str(), now.plus_seconds(PAYER_ASKED_S)],
    )?;
    Ok(())
}

/// Those whose term is over, and of whose payments nothing is under way. Uses
/// order_payments_payer_idx.
pub(in crate::features::orders) fn overdue(
    tx: &Tx<'_>,
    now: UnixMillis,
    most: i64,
) -> Result<Vec<FormerPayer>, DbError> {
    tx.query_all(
        "SELECT p.order_id, o.user_id, p.payer_openid
           FROM order_payments p JOIN orders o ON o.order_id = p.order_id
          WHERE p.payer_until <= ?1 AND p.next_ship_at IS NULL AND p.refund_due IS NULL
            AND o.status <> 'REFUNDING'
          ORDER BY p.payer_until LIMIT ?2",
        params![now, most],
        |row| {
            Ok(FormerPayer {
                order: OrderId::from_stored(row.get(0)?),
                user: row.get(1)?,
                openid: row.get(2)?,
            })
        },
    )
}

/// Forgets who paid an order.
pub(in crate::features::orders) fn strike(tx: &Tx<'_>, order: &OrderId) -> Result<(), DbError> {
    tx.execute(
        "UPDATE order_payments SET payer_openid = NULL, payer_until = NULL WHERE order_id = ?1",
        params![order.as_str()],
    )?;
    Ok(())
}
