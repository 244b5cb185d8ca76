//! What WeChat says was paid and went back against what the file says, order by order.

use std::collections::BTreeMap;

use dream_bff::base::clock::Clock;
use dream_bff::sandbox::{RefundStatus, Sandbox};
use rusqlite::{Connection, OptionalExtension as _};

use super::audit::none;
use super::driver::Rest;

/// An order at WeChat: what was paid for it, and how much of that went back.
struct Told {
    is_virtual: bool,
    fen: i64,
    gone_back: i64,
}

/// Every payment that WeChat has.
fn told(sandbox: &Sandbox) -> BTreeMap<String, Told> {
    let pay = sandbox.wechat_pay();
    let paid = pay.orders(usize::MAX).into_iter().filter(|order| order.is_paid());
    let mut told: BTreeMap<String, Told> = paid
        .map(|order| {
            let told = Told { is_virtual: false, fen: order.total_fen, gone_back: 0 };
            (order.out_trade_no, told)
        })
        .collect();
    let now = Clock::system().now();
    for refund in pay.refunds(usize::MAX) {
        if refund.status(now) == RefundStatus::Success {
            told.get_mut(&refund.out_trade_no).unwrap().gone_back += refund.refund_fen;
        }
    }
    for order in sandbox.wechat().virtual_payment().orders(usize::MAX) {
        let gone_back = order.paid_fen - order.left_fen;
        let of_order = Told { is_virtual: true, fen: order.paid_fen, gone_back };
        told.insert(order.out_trade_no, of_order);
    }
    told
}

/// Payments that WeChat has and the file has not.
pub(super) fn unknown_payments(database: &Connection, sandbox: &Sandbox) -> Vec<String> {
    told(sandbox).into_keys().filter(|order| !is_paid(database, order)).collect()
}

pub(super) fn is_paid(database: &Connection, order: &str) -> bool {
    let query = "SELECT paid_at IS NOT NULL FROM orders WHERE order_id = ?1";
    let mut query = database.prepare_cached(query).unwrap();
    query.query_row([order], |row| row.get(0)).optional().unwrap() == Some(true)
}

pub(super) fn status(database: &Connection, order: &str) -> String {
    let mut query =
        database.prepare_cached("SELECT status FROM orders WHERE order_id = ?1").unwrap();
    query.query_row([order], |row| row.get(0)).unwrap()
}

/// What became of an order, and when it is looked at next.
pub(super) fn course(database: &Connection, order: &str) -> String {
    let query = "SELECT o.method || ' order ' || o.order_id || ' of ' || o.created_at || ', ' || o.status
                     || ' since ' || o.updated_at || ', ' || p.failed_asks || ' questions failed, the next at '
                     || COALESCE(p.next_ask_at, 'never')
                   FROM orders o JOIN order_payments p USING (order_id) WHERE o.order_id = ?1";
    database.query_row(query, [order], |row| row.get(0)).unwrap()
}

/// Paid there is paid here, with the same amount; what went back there went back here; nothing more.
pub(super) fn both_sides_agree(rest: &Rest<'_>) {
    let mut told = told(rest.sandbox);
    let mut orders = rest
        .database
        .prepare("SELECT order_id, method, status, amount, refunded_amount, paid_at FROM orders")
        .unwrap();
    let mut rows = orders.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (id, method): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let status: String = row.get(2).unwrap();
        let (amount, gone_back): (i64, i64) = (row.get(3).unwrap(), row.get(4).unwrap());
        let is_paid = row.get::<_, Option<i64>>(5).unwrap().is_some();
        let Some(there) = told.remove(&id) else {
            assert!(!is_paid, "{id} is {status}, and nobody paid");
            continue;
        };
        assert!(is_paid, "{id} was paid, and is {status}");
        assert_eq!((there.is_virtual, there.fen), (method == "virtual", amount), "{id}");
        assert_eq!(there.gone_back, gone_back, "went back of {id}, which is {status}");
        let expected = match gone_back {
            0 => "PAID",
            _ if gone_back == amount => "REFUNDED",
            _ => "PARTIALLY_REFUNDED",
        };
        assert_eq!(status, expected, "{id}");
        let channel = if there.is_virtual { "virtual payment" } else { "WeChat Pay" };
        rest.figures.add("orders paid at WeChat", 1);
        rest.figures.add(&format!("orders paid by {channel}"), 1);
        rest.figures.add("fen paid", there.fen.try_into().unwrap());
        rest.figures.add("fen gone back", there.gone_back.try_into().unwrap());
    }
    let lost: Vec<String> = told.into_keys().collect();
    assert_eq!(lost, [""; 0], "paid orders that are not there");
}

/// Each paid order gave its membership or its points, once; no other gave anything.
pub(super) fn each_payment_gave_once(rest: &Rest<'_>) {
    let none = |what: &str, query: &str| none(rest.database, what, query);
    none(
        "plans that granted other than once when paid",
        "SELECT order_id FROM orders o WHERE (kind = 'VIP' AND paid_at IS NOT NULL)
           <> (SELECT COUNT(*) FROM vip_grants WHERE source = 'order' AND reference = o.order_id
                AND user_id = o.user_id AND duration_ms = o.plan_days * 86400000)",
    );
    none(
        "orders that gave their points other than once when paid",
        "SELECT order_id FROM orders o WHERE (points > 0 AND paid_at IS NOT NULL)
           <> (SELECT COUNT(*) FROM points_transactions WHERE reason = 'order'
                AND reference = o.order_id AND user_id = o.user_id AND amount = o.points)",
    );
    none(
        "memberships or points of no order",
        "SELECT reference FROM vip_grants WHERE NOT EXISTS
           (SELECT 1 FROM orders WHERE order_id = reference)
         UNION ALL SELECT reference FROM points_transactions WHERE reason = 'order'
           AND NOT EXISTS (SELECT 1 FROM orders WHERE order_id = reference)",
    );
    none(
        "payments with other than one audit entry",
        "SELECT order_id FROM orders o WHERE (paid_at IS NOT NULL) <> (SELECT COUNT(*)
           FROM audit_log WHERE action = 'order.paid' AND object = 'order:' || o.order_id)",
    );
    none(
        "orders all of which went back and that left a membership",
        "SELECT order_id FROM orders o JOIN vip_grants g ON g.source = 'order'
            AND g.reference = o.order_id
          WHERE o.status = 'REFUNDED' AND g.revoked_ms < g.duration_ms",
    );
    none(
        "genuine news that did not fit",
        "SELECT reference || ': ' || problem FROM payment_events
          WHERE state = 'flagged' AND source IN ('notify', 'push')",
    );
}

/// How it ended, for the record.
pub(super) fn figures(rest: &Rest<'_>) {
    for query in [
        "SELECT 'orders ' || status, COUNT(*) FROM orders GROUP BY 1",
        "SELECT 'refunds ' || origin || ' ' || status, COUNT(*) FROM refunds GROUP BY 1",
        "SELECT 'news ' || source || ' ' || state, COUNT(*) FROM payment_events GROUP BY 1",
        "SELECT 'audit ' || action, COUNT(*) FROM audit_log GROUP BY 1",
    ] {
        let mut groups = rest.database.prepare(query).unwrap();
        let mut rows = groups.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (what, count): (String, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
            rest.figures.add(&what, count.try_into().unwrap());
        }
    }
}
