//! Reading orders.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::orders::model::{Filter, Kind, Method, Order, OrderId, PlanTerms, Status};
use crate::features::users::VipLevel;

/// The order of this number, whoever's.
pub(in crate::features::orders) fn by_id(
    tx: &Tx<'_>,
    order: &OrderId,
) -> Result<Option<Order>, DbError> {
    tx.query_opt(
        "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                product_name, status, method, amount, refunded_amount, points, transaction_id,
                paid_at, vip_expire_at, expires_at, created_at
           FROM orders WHERE order_id = ?1",
        params![order.as_str()],
        from_row,
    )
}

/// The orders of a user that wait for payment of a product: at most one for each method.
pub(in crate::features::orders) fn pending_of_product(
    tx: &Tx<'_>,
    user: UserId,
    product: &str,
) -> Result<Vec<Order>, DbError> {
    tx.query_all(
        "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                product_name, status, method, amount, refunded_amount, points, transaction_id,
                paid_at, vip_expire_at, expires_at, created_at
           FROM orders WHERE user_id = ?1 AND product = ?2 AND status = 'PENDING' LIMIT 10",
        params![user, product],
        from_row,
    )
}

/// All pending orders of a user.
pub(in crate::features::orders) fn pending_of_user(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Vec<OrderId>, DbError> {
    tx.query_all(
        "SELECT order_id FROM orders WHERE user_id = ?1 AND status = 'PENDING' LIMIT 1000",
        params![user],
        |row| Ok(OrderId::from_stored(row.get(0)?)),
    )
}

/// A part of a user's orders, newest first, behind `after`.
pub(in crate::features::orders) fn list(
    tx: &Tx<'_>,
    filter: Filter,
    after: [i64; 2],
    skip: i64,
    fetch: i64,
) -> Result<Vec<Order>, DbError> {
    let Filter { user, kind, status } = filter;
    // One statement for each set of filters, so that each has its index.
    let sql = match (kind, status) {
        (None, None) => {
            "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                    product_name, status, method, amount, refunded_amount, points, transaction_id,
                    paid_at, vip_expire_at, expires_at, created_at
               FROM orders
              WHERE user_id = ?1 AND (created_at, id) < (?4, ?5)
                AND ?2 IS NULL AND ?3 IS NULL
              ORDER BY created_at DESC, id DESC LIMIT ?7 OFFSET ?6"
        }
        (None, Some(_)) => {
            "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                    product_name, status, method, amount, refunded_amount, points, transaction_id,
                    paid_at, vip_expire_at, expires_at, created_at
               FROM orders
              WHERE user_id = ?1 AND status = ?3 AND (created_at, id) < (?4, ?5) AND ?2 IS NULL
              ORDER BY created_at DESC, id DESC LIMIT ?7 OFFSET ?6"
        }
        (Some(_), None) => {
            "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                    product_name, status, method, amount, refunded_amount, points, transaction_id,
                    paid_at, vip_expire_at, expires_at, created_at
               FROM orders
              WHERE user_id = ?1 AND kind = ?2 AND (created_at, id) < (?4, ?5) AND ?3 IS NULL
              ORDER BY created_at DESC, id DESC LIMIT ?7 OFFSET ?6"
        }
        (Some(_), Some(_)) => {
            "SELECT id, order_id, user_id, kind, plan_id, plan_level, plan_days, pack_id,
                    product_name, status, method, amount, refunded_amount, points, transaction_id,
                    paid_at, vip_expire_at, expires_at, created_at
               FROM orders
              WHERE user_id = ?1 AND kind = ?2 AND status = ?3 AND (created_at, id) < (?4, ?5)
              ORDER BY created_at DESC, id DESC LIMIT ?7 OFFSET ?6"
        }
    };
    let [time, id] = after;
    tx.query_all(
        sql,
        params![user, kind.map(Kind::as_str), status.map(Status::as_str), time, id, skip, fetch],
        from_row,
    )
}

/// How many orders a list shows in all. A user's orders are few.
pub(in crate::features::orders) fn count(tx: &Tx<'_>, filter: Filter) -> Result<i64, DbError> {
    let Filter { user, kind, status } = filter;
    tx.query_one(
        "SELECT COUNT(*) FROM orders
          WHERE user_id = ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR status = ?3)",
        params![user, kind.map(Kind::as_str), status.map(Status::as_str)],
        |row| row.get(0),
    )
}

pub(super) fn from_row(row: &Row<'_>) -> Result<Order, DbError> {
    let plan: (Option<String>, Option<String>, Option<i64>) =
        (row.get(4)?, row.get(5)?, row.get(6)?);
    let plan = match plan {
        (Some(id), Some(level), Some(days)) => {
            // The table's CHECK admits two levels.
            let level = if level == "SVIP" { VipLevel::Svip } else { VipLevel::Vip };
            Some(PlanTerms { id, level, days })
        }
        _ => None,
    };
    let (kind, status, method): (String, String, String) = (row.get(3)?, row.get(9)?, row.get(10)?);
    Ok(Order {
        seq: row.get(0)?,
        id: OrderId::from_stored(row.get(1)?),
        user: row.get(2)?,
        kind: Kind::from_stored(&kind),
        plan,
        pack_id: row.get(7)?,
        name: row.get(8)?,
        status: Status::from_stored(&status),
        method: Method::from_stored(&method),
        amount: row.get(11)?,
        refunded_amount: row.get(12)?,
        points: row.get(13)?,
        transaction_id: row.get(14)?,
        paid_at: row.get(15)?,
        vip_expire_at: row.get(16)?,
        expires_at: row.get(17)?,
        created_at: row.get(18)?,
    })
}
