//! The money check: rules that hold between orders, grants, the ledger and refunds, each as the query
//! for what breaks it, over a part of one table; and the `money_checks` table.

use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::reconciliation::model::MoneyReport;

/// A table that is gone through by its ids.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::reconciliation) enum Table {
    Orders,
    Grants,
    Ledger,
    Refunds,
}

/// A rule: what it says when it is broken, and the query for whoever breaks it, with the ids above ?1 up
/// to ?2.
pub(in crate::features::reconciliation) struct Rule {
    pub(in crate::features::reconciliation) table: Table,
    pub(in crate::features::reconciliation) broken: &'static str,
    sql: &'static str,
}

/// All rules. The first two leave out what was paid for somebody who is gone: nothing was given for it,
/// and it goes back or has.
pub(in crate::features::reconciliation) const RULES: [Rule; 10] = [
    Rule {
        table: Table::Orders,
        broken: "the order is paid and has no membership of its own",
        sql: "SELECT o.order_id FROM orders o
               WHERE o.id > ?1 AND o.id <= ?2 AND o.kind = 'VIP' AND o.paid_at IS NOT NULL
                 AND o.status <> 'REFUNDED'
                 AND NOT EXISTS (SELECT 1 FROM vip_grants g
                                  WHERE g.source = 'order' AND g.reference = o.order_id)
                 AND NOT EXISTS (SELECT 1 FROM order_payments p
                                  WHERE p.order_id = o.order_id AND p.refund_due IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM refunds r
                                  WHERE r.order_id = o.order_id AND r.origin = 'due'
                                    AND r.status <> 'FAILED')",
    },
    Rule {
        table: Table::Orders,
        broken: "the order is paid and its points are not in the ledger",
        sql: "SELECT o.order_id FROM orders o
               WHERE o.id > ?1 AND o.id <= ?2 AND o.points > 0 AND o.paid_at IS NOT NULL
                 AND o.status <> 'REFUNDED'
                 AND NOT EXISTS (SELECT 1 FROM points_transactions t
                                  WHERE t.reason = 'order' AND t.reference = o.order_id
                                    AND t.type = 'EARN' AND t.amount = o.points
                                    AND t.user_id = o.user_id)
                 AND NOT EXISTS (SELECT 1 FROM order_payments p
                                  WHERE p.order_id = o.order_id AND p.refund_due IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM refunds r
                                  WHERE r.order_id = o.order_id AND r.origin = 'due'
                                    AND r.status <> 'FAILED')",
    },
    Rule {
        table: Table::Orders,
        broken: "what has gone back is not the sum of the order's refunds",
        sql: "SELECT o.order_id FROM orders o
               WHERE o.id > ?1 AND o.id <= ?2
                 AND o.refunded_amount <> (SELECT COALESCE(SUM(r.amount), 0) FROM refunds r
                                            WHERE r.order_id = o.order_id
                                              AND r.status = 'REFUNDED')",
    },
    Rule {
        table: Table::Orders,
        broken: "the order and its refunds disagree whether one is under way",
        sql: "SELECT o.order_id FROM orders o
               WHERE o.id > ?1 AND o.id <= ?2
                 AND (o.status = 'REFUNDING')
                     <> EXISTS (SELECT 1 FROM refunds r
                                 WHERE r.order_id = o.order_id AND r.status = 'REFUNDING')",
    },
    Rule {
        table: Table::Orders,
        broken: "all of it has gone back and some of its membership is left",
        sql: "SELECT o.order_id FROM orders o
                JOIN vip_grants g ON g.source = 'order' AND g.reference = o.order_id
               WHERE o.id > ?1 AND o.id <= ?2 AND o.status = 'REFUNDED'
                 AND g.revoked_ms < g.duration_ms",
    },
    Rule {
        table: Table::Grants,
        broken: "the membership has no paid order of its user, price and time",
        sql: "SELECT g.reference FROM vip_grants g
               WHERE g.id > ?1 AND g.id <= ?2 AND g.source = 'order'
                 AND NOT EXISTS (SELECT 1 FROM orders o
                                  WHERE o.order_id = g.reference AND o.paid_at IS NOT NULL
                                    AND o.user_id = g.user_id AND o.amount = g.price
                                    AND o.plan_level = g.level
                                    AND o.plan_days * 86400000 = g.duration_ms)",
    },
    Rule {
        table: Table::Ledger,
        broken: "the points have no paid order of their user and number",
        sql: "SELECT t.reference FROM points_transactions t
               WHERE t.id > ?1 AND t.id <= ?2 AND t.reason = 'order'
                 AND NOT EXISTS (SELECT 1 FROM orders o
                                  WHERE o.order_id = t.reference AND o.paid_at IS NOT NULL
                                    AND o.user_id = t.user_id AND o.points = t.amount)",
    },
    Rule {
        table: Table::Ledger,
        broken: "points were taken back, or given again, without a refund",
        sql: "SELECT t.reference FROM points_transactions t
               WHERE t.id > ?1 AND t.id <= ?2
                 AND t.reason IN ('order_refund', 'order_refund_failed')
                 AND NOT EXISTS (SELECT 1 FROM refunds r JOIN orders o ON o.order_id = r.order_id
                                  WHERE r.refund_id = t.reference AND o.user_id = t.user_id)",
    },
    Rule {
        table: Table::Refunds,
        broken: "the ledger does not have the points that the refund took",
        sql: "SELECT r.refund_id FROM refunds r
               WHERE r.id > ?1 AND r.id <= ?2
                 AND r.points_taken <> COALESCE(
                       (SELECT t.amount FROM points_transactions t
                         WHERE t.reason = 'order_refund' AND t.reference = r.refund_id), 0)",
    },
    Rule {
        table: Table::Refunds,
        broken: "the ledger does not have the points that were given again",
        sql: "SELECT r.refund_id FROM refunds r
               WHERE r.id > ?1 AND r.id <= ?2
                 AND CASE r.status WHEN 'FAILED' THEN r.points_taken ELSE 0 END <> COALESCE(
                       (SELECT t.amount FROM points_transactions t
                         WHERE t.reason = 'order_refund_failed' AND t.reference = r.refund_id), 0)",
    },
];

/// The highest id of a table.
pub(in crate::features::reconciliation) fn last(tx: &Tx<'_>, table: Table) -> Result<i64, DbError> {
    let sql = match table {
        Table::Orders => "SELECT COALESCE(MAX(id), 0) FROM orders",
        Table::Grants => "SELECT COALESCE(MAX(id), 0) FROM vip_grants",
        Table::Ledger => "SELECT COALESCE(MAX(id), 0) FROM points_transactions",
        Table::Refunds => "SELECT COALESCE(MAX(id), 0) FROM refunds",
    };
    tx.query_one(sql, [], |row| row.get(0))
}

/// Who breaks a rule, among the ids above `from` up to `to`.
pub(in crate::features::reconciliation) fn broken(
    tx: &Tx<'_>,
    rule: &Rule,
    from: i64,
    to: i64,
) -> Result<Vec<String>, DbError> {
    tx.query_all(rule.sql, params![from, to], |row| row.get(0))
}

/// How many orders are or were paid, among the ids above `from` up to `to`.
pub(in crate::features::reconciliation) fn paid(
    tx: &Tx<'_>,
    from: i64,
    to: i64,
) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COUNT(*) FROM orders WHERE id > ?1 AND id <= ?2 AND paid_at IS NOT NULL",
        params![from, to],
        |row| row.get(0),
    )
}

/// Keeps a result, and of the old ones the newest `keep`.
pub(in crate::features::reconciliation) fn insert(
    tx: &Tx<'_>,
    report: &MoneyReport,
    findings: &str,
    keep: i64,
    now: UnixMillis,
) -> Result<(), DbError> {
    let id = tx.insert(
        "INSERT INTO money_checks (checked_at, orders, wrong, findings) VALUES (?1, ?2, ?3, ?4)",
        params![now, report.orders, report.wrong, findings],
    )?;
    tx.execute("DELETE FROM money_checks WHERE id <= ?1", params![id.saturating_sub(keep)])?;
    Ok(())
}

/// When money was last checked.
pub(in crate::features::reconciliation) fn last_checked(
    tx: &Tx<'_>,
) -> Result<Option<UnixMillis>, DbError> {
    tx.query_opt("SELECT checked_at FROM money_checks ORDER BY id DESC LIMIT 1", [], |row| {
        row.get(0)
    })
}
