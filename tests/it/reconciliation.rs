//! What WeChat's bills say against what we know, and our books of money against themselves.

use std::time::Duration;

use dream_bff::clients::wechat_pay::RefundRequest;
use dream_bff::features::audit::Actor;
use dream_bff::features::orders::OrderId;
use dream_bff::features::reconciliation::service::money::check_money;
use dream_bff::features::reconciliation::{
    self, Channel, Difference, DifferenceState, ReconciliationError, Repair, Run,
};
use dream_bff::features::refunds::{self, IfSpent, RefundAmount, RefundWish};
use dream_bff::sandbox::{BillEdit, Delivery, Platform};
use serde_json::json;

use crate::support::{TestApp, User};

/// Tests begin at 20:00 in Shanghai; from then to 10:15 of the next day.
const TO_THE_BILL: Duration = Duration::from_secs(14 * 3600 + 15 * 60);
const DAY: &str = "2026-01-29";

async fn nightly(t: &TestApp) {
    reconciliation::service::nightly(&t.app()).await.unwrap();
}

async fn compare(t: &TestApp, channel: Channel) -> Run {
    let day = DAY.parse().unwrap();
    reconciliation::service::compare_day(&t.app(), channel, day).await.unwrap()
}

fn open(t: &TestApp) -> Vec<Difference> {
    let app = t.app();
    let mut open =
        reconciliation::service::differences(&app, DifferenceState::Open, None, 100).unwrap();
    open.reverse();
    open
}

fn kinds(t: &TestApp) -> Vec<(&'static str, String)> {
    open(t).into_iter().map(|one| (one.kind.as_str(), one.reference)).collect()
}

async fn repair(t: &TestApp, difference: &Difference) -> Repair {
    let actor = Actor::admin("root");
    reconciliation::service::repair(&t.app(), difference.id, actor).await.unwrap()
}

async fn refund(t: &TestApp, order: &str, fen: i64) -> String {
    let wish = RefundWish {
        order: OrderId::parse(order).unwrap(),
        amount: RefundAmount::Fen(fen),
        days: None,
        points: None,
        if_spent: IfSpent::TakeWhatIsLeft,
        reason: String::new(),
        actor: Actor::System,
    };
    refunds::service::request(&t.app(), wish).await.unwrap().id.to_string()
}

async fn month(t: &TestApp, user: &User) -> String {
    t.pay(user, json!({ "planId": "vip_month" })).await
}

#[tokio::test]
async fn a_day_that_agrees_is_compared_once_its_bill_is_there() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = month(&t, &alice).await;
    t.pay(&alice, json!({ "packId": "points_100" })).await;
    refund(&t, &order, 500).await;
    let runs =
        "SELECT COUNT(*) FROM bill_runs WHERE compared_at IS NOT NULL AND channel = 'wechat'";
    nightly(&t).await;
    assert_eq!(t.count(runs), 0, "today has no bill");
    t.clock.advance(TO_THE_BILL - Duration::from_secs(600));
    nightly(&t).await;
    assert_eq!(t.count(runs), 0, "at five past ten it is too early");
    t.clock.advance(Duration::from_secs(600));
    nightly(&t).await;
    assert_eq!((t.count(runs), open(&t).len()), (1, 0));
    assert_eq!(t.count("SELECT listed FROM bill_runs WHERE channel = 'wechat'"), 3);
    assert_eq!(t.count("SELECT COUNT(*) FROM refunds WHERE billed_day = '2026-01-29'"), 1);
    let asked = t.sandbox.wechat_pay().journal().requests().len();
    nightly(&t).await;
    assert_eq!(t.sandbox.wechat_pay().journal().requests().len(), asked, "once");
    // Days that were missed are caught up, those without trade too.
    t.clock.advance(Duration::from_secs(3 * 86_400));
    t.restart();
    nightly(&t).await;
    assert_eq!((t.count(runs), open(&t).len()), (4, 0));
    assert_eq!(t.count("SELECT COUNT(*) FROM money_checks WHERE wrong = 0"), 3);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn every_way_to_differ_is_noted_once_and_repaired_by_asking() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let pay = t.sandbox.wechat_pay();
    let (dropped, changed) = (month(&t, &alice).await, month(&t, &alice).await);
    let refunded = month(&t, &alice).await;
    let lost_refund = refund(&t, &refunded, 100).await;
    // Paid, and neither told nor asked about.
    let placed = t.place(&alice, json!({ "packId": "points_100" })).await;
    let uncredited = placed["orderId"].as_str().unwrap().to_owned();
    pay.pay_silently(&uncredited).unwrap();
    t.sql(&format!("UPDATE order_payments SET next_ask_at = NULL WHERE order_id = '{uncredited}'"));
    // Given back in the console, and not told.
    let console = month(&t, &alice).await;
    pay.refund_notices().always(Delivery::Lost);
    let by_hand = RefundRequest {
        out_trade_no: console.clone(),
        out_refund_no: "console-1".to_owned(),
        reason: None,
        refund_fen: 1999,
        total_fen: 1999,
    };
    t.app().wechat_pay.as_ref().unwrap().refund(&by_hand).await.unwrap();
    let foreign = "f".repeat(32);
    pay.edit_bills(BillEdit::DropRow { out_trade_no: dropped.clone() });
    pay.edit_bills(BillEdit::ChangeAmount { out_trade_no: changed.clone(), fen: 1 });
    pay.edit_bills(BillEdit::ForeignRow { out_trade_no: foreign.clone(), fen: 7 });
    pay.edit_bills(BillEdit::DropRefund { out_refund_no: lost_refund.clone() });
    t.clock.advance(TO_THE_BILL);
    nightly(&t).await;
    let mut found = kinds(&t);
    found.sort();
    let mut expected = vec![
        ("amount", changed.clone()),
        ("not_credited", uncredited.clone()),
        ("not_paid", dropped.clone()),
        ("refund_missing", lost_refund.clone()),
        ("unknown_order", foreign.clone()),
        ("unknown_refund", "console-1".to_owned()),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(compare(&t, Channel::Wechat).await.differing, 6);
    assert_eq!(open(&t).len(), 6, "noted once");
    for difference in open(&t) {
        let repaired = repair(&t, &difference).await;
        let is_foreign = difference.reference == foreign;
        assert_eq!(matches!(repaired, Repair::Open(_)), is_foreign, "{difference:?} {repaired:?}");
    }
    assert_eq!(t.order_status(&uncredited), "PAID");
    assert_eq!(t.order_status(&console), "REFUNDED");
    assert_eq!(kinds(&t), [("unknown_order", foreign)]);
    let left = open(&t).remove(0);
    let (app, admin) = (t.app(), Actor::admin("root"));
    let resolve =
        |how: &str| reconciliation::service::resolve(&app, left.id, how.to_owned(), admin.clone());
    assert!(matches!(resolve(" ").await, Err(ReconciliationError::Note)));
    resolve("a test of the console").await.unwrap();
    assert!(matches!(resolve("again").await, Err(ReconciliationError::AlreadyResolved)));
    // The bill says the same as before; what is resolved stays so.
    compare(&t, Channel::Wechat).await;
    assert_eq!(open(&t).len(), 0);
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'difference.resolved'
                      AND actor = 'admin:root'";
    assert_eq!(t.count(audited), 6);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_bill_that_is_not_the_one_announced_changes_nothing() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    month(&t, &alice).await;
    t.sandbox.wechat_pay().edit_bills(BillEdit::WrongHash);
    t.clock.advance(TO_THE_BILL);
    nightly(&t).await;
    let put_off = "SELECT COUNT(*) FROM bill_runs WHERE channel = 'wechat'
                      AND compared_at IS NULL AND problem <> ''";
    assert_eq!((t.count(put_off), open(&t).len()), (1, 0));
    t.sandbox.wechat_pay().clear_bill_edits();
    nightly(&t).await;
    let compared = "SELECT COUNT(*) FROM bill_runs WHERE channel = 'wechat'
                       AND compared_at IS NOT NULL AND problem IS NULL";
    assert_eq!((t.count(compared), open(&t).len()), (1, 0));
}

#[tokio::test]
async fn what_is_no_longer_found_is_resolved() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = month(&t, &alice).await;
    t.sandbox.wechat_pay().edit_bills(BillEdit::DropRow { out_trade_no: order.clone() });
    t.clock.advance(TO_THE_BILL);
    nightly(&t).await;
    assert_eq!(kinds(&t), [("not_paid", order)]);
    t.sandbox.wechat_pay().clear_bill_edits();
    assert_eq!(compare(&t, Channel::Wechat).await.differing, 0);
    assert_eq!(open(&t).len(), 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM differences WHERE resolved_by = 'system'"), 1);
}

#[tokio::test]
async fn virtual_orders_are_asked_about_one_by_one() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let user = ("alice", &alice);
    let wanted = || json!({ "packId": "points_100" });
    let good = t.pay_virtually(user, wanted(), Platform::Android, false).await;
    let by_apple = t.pay_virtually(user, wanted(), Platform::Ios, false).await;
    let uncredited = t.pay_virtually(user, wanted(), Platform::Android, true).await;
    t.sql(&format!("UPDATE order_payments SET next_ask_at = NULL WHERE order_id = '{uncredited}'"));
    assert_eq!(t.order_status(&good), "PAID");
    // Apple gives back, and the push is lost.
    t.sandbox.wechat().virtual_payment().refund_by_user(&by_apple, 1000).unwrap();
    t.clock.advance(TO_THE_BILL);
    nightly(&t).await;
    let mut found = kinds(&t);
    found.sort();
    assert_eq!(found, [("not_credited", uncredited.clone()), ("unknown_refund", by_apple.clone())]);
    for difference in open(&t) {
        let repaired = repair(&t, &difference).await;
        assert!(matches!(repaired, Repair::Resolved(_)), "{difference:?} {repaired:?}");
    }
    assert_eq!(t.order_status(&uncredited), "PAID");
    assert_eq!(t.order_status(&by_apple), "REFUNDED");
    assert_eq!(compare(&t, Channel::Virtual).await.differing, 0);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn the_money_check_finds_what_is_wrong() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let (order, pack) =
        (month(&t, &alice).await, t.pay(&alice, json!({ "packId": "points_100" })).await);
    let refund = refund(&t, &pack, 500).await;
    t.deliver_notifications().await;
    t.assert_money_balances().await;
    let app = t.app();
    let check = async || check_money(&app.db, &app.clock).await.unwrap();
    let breaks = [
        (
            format!("UPDATE orders SET refunded_amount = 400 WHERE order_id = '{pack}'"),
            format!("UPDATE orders SET refunded_amount = 500 WHERE order_id = '{pack}'"),
            &pack,
        ),
        (
            format!("UPDATE orders SET status = 'REFUNDING' WHERE order_id = '{order}'"),
            format!("UPDATE orders SET status = 'PAID' WHERE order_id = '{order}'"),
            &order,
        ),
        (
            format!("UPDATE refunds SET points_taken = 49 WHERE refund_id = '{refund}'"),
            format!("UPDATE refunds SET points_taken = 50 WHERE refund_id = '{refund}'"),
            &refund,
        ),
        (
            format!("UPDATE orders SET plan_days = 31 WHERE order_id = '{order}'"),
            format!("UPDATE orders SET plan_days = 30 WHERE order_id = '{order}'"),
            &order,
        ),
        (
            format!("UPDATE orders SET points = 101 WHERE order_id = '{pack}'"),
            format!("UPDATE orders SET points = 100 WHERE order_id = '{pack}'"),
            &pack,
        ),
    ];
    for (wrong, right, reference) in breaks {
        t.sql(&wrong);
        let report = check().await;
        assert!(report.wrong >= 1, "{wrong}");
        assert!(report.findings.iter().all(|one| one.reference == *reference), "{report:?}");
        t.sql(&right);
        assert!(check().await.is_balanced(), "{right}");
    }
    // An order that was marked paid by hand, and one whose membership outlives its money.
    let placed = t.place(&alice, json!({ "planId": "vip_year" })).await;
    let by_hand = placed["orderId"].as_str().unwrap();
    t.sql(&format!("UPDATE orders SET status = 'PAID', paid_at = 1 WHERE order_id = '{by_hand}'"));
    t.sql(&format!(
        "UPDATE orders SET status = 'REFUNDED', refunded_amount = amount WHERE order_id = '{order}'"
    ));
    let report = check().await;
    let found: Vec<&str> = report.findings.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(
        found,
        [
            "the order is paid and has no membership of its own",
            "what has gone back is not the sum of the order's refunds",
            "all of it has gone back and some of its membership is left",
        ]
    );
    assert_eq!(t.count("SELECT wrong FROM money_checks ORDER BY id DESC LIMIT 1"), 3);
}
