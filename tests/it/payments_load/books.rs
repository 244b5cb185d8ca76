//! What WeChat says was paid against what was granted here, row by row and in sum.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Connection;

use crate::support::TestApp;

/// What there was in the end.
pub(super) struct Figures {
    paid: BTreeMap<&'static str, usize>,
    fen: i64,
    statuses: Vec<(String, i64)>,
    events: Vec<(String, i64)>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { paid, fen, statuses, events } = self;
        write!(f, "paid {paid:?}, {fen} fen; orders {statuses:?}; events {events:?}")
    }
}

/// Paid there is paid here, granted once each, and nothing else is.
pub(super) async fn check(t: &TestApp) -> Figures {
    let mut paid = BTreeMap::new();
    let mut told = BTreeMap::<String, i64>::new();
    for order in t.sandbox.wechat_pay().orders(usize::MAX).into_iter().filter(|o| o.is_paid()) {
        *paid.entry("wechat").or_default() += 1;
        told.insert(order.out_trade_no, order.total_fen);
    }
    for order in t.sandbox.wechat().virtual_payment().orders(usize::MAX) {
        *paid.entry("virtual").or_default() += 1;
        told.insert(order.out_trade_no, order.paid_fen);
    }
    assert_eq!(paid.len(), 2, "both channels were used: {paid:?}");

    let database = t.database();
    let mut orders = database
        .prepare("SELECT order_id, amount, status, kind, points FROM orders ORDER BY id")
        .unwrap();
    let mut rows = orders.query([]).unwrap();
    let mut fen = 0;
    while let Some(row) = rows.next().unwrap() {
        let (id, amount): (String, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (status, kind): (String, String) = (row.get(2).unwrap(), row.get(3).unwrap());
        let points: i64 = row.get(4).unwrap();
        let was_paid = told.remove(&id);
        assert_eq!(status == "PAID", was_paid.is_some(), "{id} is {status}");
        assert_ne!(status, "PENDING", "{id} has not ended");
        let (granted, booked, audited) = given(&database, &id);
        let is_vip = kind == "VIP";
        match was_paid {
            Some(paid) => {
                assert_eq!(paid, amount, "{id}");
                fen += paid;
                assert_eq!(granted, i64::from(is_vip), "memberships of {id}");
                assert_eq!(booked, (i64::from(points > 0), points), "points of {id}");
                assert_eq!(audited, 1, "audit entries of {id}");
            }
            None => assert_eq!((granted, booked, audited), (0, (0, 0), 0), "{id} is {status}"),
        }
    }
    assert!(told.is_empty(), "paid, and nowhere here: {told:?}");
    let of_orders = "SELECT COUNT(*) FROM vip_grants WHERE source <> 'order'";
    assert_eq!(t.count(of_orders), 0, "memberships of nothing");
    t.assert_money_balances().await;
    let events = groups(&database, "SELECT state, COUNT(*) FROM payment_events GROUP BY state");
    for state in ["received", "flagged"] {
        assert!(events.iter().all(|(found, _)| found != state), "{events:?}");
    }
    let statuses = groups(&database, "SELECT status, COUNT(*) FROM orders GROUP BY status");
    for ended in ["PAID", "CANCELLED", "EXPIRED"] {
        assert!(statuses.iter().any(|(found, _)| found == ended), "no {ended}: {statuses:?}");
    }
    Figures { paid, fen, statuses, events }
}

/// Memberships, bookings with their points, and audit entries of an order.
fn given(database: &Connection, id: &str) -> (i64, (i64, i64), i64) {
    let number = |query: &str| -> i64 {
        database.prepare_cached(query).unwrap().query_row([id], |row| row.get(0)).unwrap()
    };
    (
        number("SELECT COUNT(*) FROM vip_grants WHERE source = 'order' AND reference = ?1"),
        (
            number(
                "SELECT COUNT(*) FROM points_transactions
                  WHERE reason = 'order' AND reference = ?1",
            ),
            number(
                "SELECT COALESCE(SUM(amount), 0) FROM points_transactions
                  WHERE reason = 'order' AND reference = ?1",
            ),
        ),
        number(
            "SELECT COUNT(*) FROM audit_log WHERE action = 'order.paid' AND object LIKE '%' || ?1",
        ),
    )
}

fn groups(database: &Connection, query: &str) -> Vec<(String, i64)> {
    let mut groups = database.prepare(query).unwrap();
    let rows = groups.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}
