//! Money that goes back: once, with exactly what it had bought, whatever fails on the way.

use std::time::Duration;

use dream_bff::base::rng::Rng;
use dream_bff::clients::wechat_pay::RefundRequest;
use dream_bff::features::audit::Actor;
use dream_bff::features::orders::OrderId;
use dream_bff::features::points::{self, Entry, PointsError, Reason};
use dream_bff::features::refunds::{
    self, IfSpent, Refund, RefundAmount, RefundError, RefundStatus, RefundWish,
};
use dream_bff::sandbox::{Delivery, Fault, PayCall, Platform, RefundOutcome, VirtualRefundOutcome};
use serde_json::json;

use crate::support::{TestApp, User};

const MINUTE: Duration = Duration::from_secs(61);

fn wish(order: &str, amount: RefundAmount) -> RefundWish {
    RefundWish {
        order: OrderId::parse(order).unwrap(),
        amount,
        days: None,
        points: None,
        if_spent: IfSpent::Refuse,
        reason: "不想要了".to_owned(),
        actor: Actor::admin("root"),
    }
}

async fn all(t: &TestApp, order: &str) -> Result<Refund, RefundError> {
    refunds::service::request(&t.app(), wish(order, RefundAmount::All)).await
}

async fn part(t: &TestApp, order: &str, fen: i64) -> Result<Refund, RefundError> {
    refunds::service::request(&t.app(), wish(order, RefundAmount::Fen(fen))).await
}

async fn level(user: &User) -> String {
    user.get("/v1/users/me").await.ok()["vipLevel"].as_str().unwrap().to_owned()
}

async fn balance(user: &User) -> i64 {
    user.get("/v1/points/balance").await.ok()["balance"].as_i64().unwrap()
}

/// Days of the order's grant that are not taken back.
fn days(t: &TestApp, order: &str) -> i64 {
    let live = "SELECT (duration_ms - revoked_ms) / 86400000 FROM vip_grants WHERE reference = ";
    t.count(&format!("{live}'{order}'"))
}

fn status(t: &TestApp, refund: &Refund) -> String {
    let query = "SELECT status FROM refunds WHERE refund_id = ?1";
    t.database().query_row(query, [refund.id.as_str()], |row| row.get(0)).unwrap()
}

fn refunds_there(t: &TestApp) -> usize {
    t.sandbox.wechat_pay().refunds(1000).len()
}

/// Spends points as a job would.
async fn spend(t: &TestApp, user: &User, amount: i64, reference: &str) {
    let entry = Entry {
        user: dream_bff::base::ids::UserId(user.id),
        amount,
        reason: Reason::Job,
        reference: reference.to_owned(),
        description: "a picture".to_owned(),
    };
    let app = t.app();
    let now = app.clock.now();
    let spend = move |tx: &dream_bff::db::Tx<'_>| points::service::spend(tx, &entry, now);
    app.db.write::<_, PointsError, _>("test.spend", spend).await.unwrap();
}

/// Lets the work look until nothing is under way, for a day at most.
async fn settle(t: &TestApp) {
    for _ in 0..30 {
        t.clock.advance(Duration::from_secs(3000));
        refunds::service::work(&t.app()).await.unwrap();
        if t.count("SELECT COUNT(*) FROM refunds WHERE next_look_at IS NOT NULL") == 0 {
            return;
        }
    }
    panic!("a refund does not end");
}

#[tokio::test]
async fn a_refund_in_full_leaves_nothing_of_the_membership() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    assert_eq!(level(&alice).await, "VIP");
    let notices = t.sandbox.wechat_pay().refund_notices();
    notices.next(Delivery::Duplicated { times: 3 }, 1);
    let refund = all(&t, &order).await.unwrap();
    assert_eq!((refund.status, refund.amount), (RefundStatus::Refunding, 1999));
    assert_eq!(level(&alice).await, "VIP", "until the money has gone");
    // Told three times.
    t.deliver_notifications().await;
    assert_eq!(t.sandbox.undelivered(), 0);
    assert_eq!(
        (status(&t, &refund).as_str(), t.order_status(&order).as_str()),
        ("REFUNDED", "REFUNDED")
    );
    assert_eq!((level(&alice).await.as_str(), days(&t, &order)), ("NORMAL", 0));
    let shown = alice.get(&format!("/v1/orders/{order}")).await.ok();
    assert_eq!((&shown["status"], &shown["refundedAmount"]), (&json!("REFUNDED"), &json!(1999)));
    let repeated = "SELECT COUNT(*) FROM payment_events
                     WHERE source = 'refund_notify' AND state = 'repeated'";
    assert_eq!(t.count(repeated), 2);
    t.clock.advance(MINUTE);
    assert!(matches!(all(&t, &order).await, Err(RefundError::NothingLeft)));
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action IN
                     ('refund.requested', 'refund.succeeded')";
    assert_eq!(t.count(audited), 2);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn parts_take_back_days_in_proportion_or_as_asked() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    // 999 of 1999 fen are worth 14.99 of 30 days.
    part(&t, &order, 999).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((t.order_status(&order).as_str(), days(&t, &order)), ("PARTIALLY_REFUNDED", 16));
    assert!(matches!(part(&t, &order, 1).await, Err(RefundError::TooSoon)));
    t.clock.advance(MINUTE);
    assert!(matches!(part(&t, &order, 1001).await, Err(RefundError::TooMuch { left: 1000 })));
    let asked = RefundWish { days: Some(1), ..wish(&order, RefundAmount::Fen(500)) };
    let too_many = RefundWish { days: Some(17), ..asked.clone() };
    let refused = refunds::service::request(&t.app(), too_many).await;
    assert!(matches!(refused, Err(RefundError::Invalid("days"))));
    refunds::service::request(&t.app(), asked).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((level(&alice).await.as_str(), days(&t, &order)), ("VIP", 15));
    t.clock.advance(MINUTE);
    t.assert_money_balances().await;
    let last = RefundWish { days: Some(0), ..wish(&order, RefundAmount::Fen(500)) };
    let refused = refunds::service::request(&t.app(), last).await;
    assert!(matches!(refused, Err(RefundError::Invalid("days"))), "all is all");
    part(&t, &order, 500).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((t.order_status(&order).as_str(), days(&t, &order)), ("REFUNDED", 0));
    assert_eq!(level(&alice).await, "NORMAL");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn spent_points_are_a_choice_and_no_balance_goes_below_zero() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "packId": "points_100" })).await;
    assert_eq!(balance(&alice).await, 110);
    let id = OrderId::parse(&order).unwrap();
    let unused = refunds::service::unused_value(&t.app(), &id).unwrap();
    assert_eq!((unused.left_fen, unused.unused_fen, unused.unused_points), (1000, 1000, 100));
    // Half of it, and the points that it bought.
    part(&t, &order, 500).await.unwrap();
    assert_eq!(balance(&alice).await, 60);
    t.deliver_notifications().await;
    spend(&t, &alice, 45, "job-1").await;
    t.clock.advance(MINUTE);
    let unused = refunds::service::unused_value(&t.app(), &id).unwrap();
    assert_eq!((unused.left_fen, unused.unused_fen, unused.unused_points), (500, 150, 15));
    let refused = all(&t, &order).await;
    let expected = RefundError::PointsSpent { points: 50, balance: 15 };
    assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
    assert_eq!(t.order_status(&order), "PARTIALLY_REFUNDED", "nothing has changed");
    assert_eq!((balance(&alice).await, refunds_there(&t)), (15, 1));
    let anyway =
        RefundWish { if_spent: IfSpent::TakeWhatIsLeft, ..wish(&order, RefundAmount::All) };
    let refund = refunds::service::request(&t.app(), anyway).await.unwrap();
    assert_eq!((refund.points, refund.points_taken), (50, 15));
    t.deliver_notifications().await;
    assert_eq!((balance(&alice).await, t.order_status(&order).as_str()), (0, "REFUNDED"));
    t.assert_money_balances().await;
}

#[tokio::test]
async fn points_cannot_be_spent_while_their_money_goes_back_and_return_when_it_does_not() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "packId": "points_100" })).await;
    let fails = RefundOutcome::Closed { after_ms: 100_000 };
    t.sandbox.wechat_pay().refund_outcomes().next(fails, 1);
    let refund = all(&t, &order).await.unwrap();
    assert_eq!(refund.status, RefundStatus::Refunding);
    assert_eq!((t.order_status(&order).as_str(), balance(&alice).await), ("REFUNDING", 10));
    assert!(matches!(all(&t, &order).await, Err(RefundError::UnderWay)));
    t.assert_money_balances().await;
    t.clock.advance(Duration::from_secs(200));
    t.deliver_notifications().await;
    assert_eq!(status(&t, &refund), "FAILED");
    assert_eq!((t.order_status(&order).as_str(), balance(&alice).await), ("PAID", 110));
    t.assert_money_balances().await;
    // Another try is another refund.
    let again = all(&t, &order).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((status(&t, &again).as_str(), again.id == refund.id), ("REFUNDED", false));
    assert_eq!((balance(&alice).await, refunds_there(&t)), (10, 2));
    t.assert_money_balances().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_again_under_the_same_number() {
    for fault in [Fault::Silence, Fault::Drop, Fault::BadSignature, Fault::Html { status: 502 }] {
        let t = TestApp::start().await;
        let alice = t.log_in("alice").await;
        let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
        t.sandbox.wechat_pay().faults_of(PayCall::Refund).always(fault.clone());
        let refund = all(&t, &order).await.unwrap();
        assert_eq!(refund.status, RefundStatus::Refunding, "{fault:?}");
        assert_eq!(level(&alice).await, "VIP", "until the money has gone");
        t.sandbox.wechat_pay().faults_of(PayCall::Refund).clear();
        settle(&t).await;
        assert_eq!((status(&t, &refund).as_str(), refunds_there(&t)), ("REFUNDED", 1), "{fault:?}");
        assert_eq!(level(&alice).await, "NORMAL");
        t.assert_money_balances().await;
    }
}

#[tokio::test]
async fn too_low_a_balance_waits_and_what_is_abnormal_calls_for_somebody() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let (first, second) = (
        t.pay(&alice, json!({ "planId": "vip_month" })).await,
        t.pay(&alice, json!({ "packId": "points_100" })).await,
    );
    let flagged = |problem: &str| {
        t.count(&format!(
            "SELECT COUNT(*) FROM payment_events WHERE state = 'flagged' AND problem LIKE '{problem}%'"
        ))
    };
    let pay = t.sandbox.wechat_pay();
    pay.faults_of(PayCall::Refund).always(Fault::Error { code: 403 });
    let refund = all(&t, &first).await.unwrap();
    assert_eq!((refund.status, flagged("NOT_ENOUGH")), (RefundStatus::Refunding, 1));
    t.clock.advance(Duration::from_secs(7200));
    refunds::service::work(&t.app()).await.unwrap();
    assert_eq!((status(&t, &refund).as_str(), flagged("NOT_ENOUGH")), ("REFUNDING", 1));
    pay.faults_of(PayCall::Refund).clear();
    settle(&t).await;
    assert_eq!((status(&t, &refund).as_str(), refunds_there(&t)), ("REFUNDED", 1));

    pay.refund_outcomes().next(RefundOutcome::Abnormal { after_ms: 0 }, 1);
    let refund = all(&t, &second).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((status(&t, &refund).as_str(), flagged("ABNORMAL")), ("REFUNDING", 1));
    assert_eq!(t.order_status(&second), "REFUNDING");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_crash_at_any_step_ends_in_one_refund() {
    // Died before it was sent, while it was sent, after it was accepted, after it went back there, and
    // after that was told.
    for step in 0..5 {
        let t = TestApp::start().await;
        let alice = t.log_in("alice").await;
        let order = t.pay(&alice, json!({ "packId": "points_100" })).await;
        let pay = t.sandbox.wechat_pay();
        if step < 4 {
            pay.refund_notices().always(Delivery::Lost);
        }
        match step {
            0 => pay.faults_of(PayCall::Refund).always(Fault::Drop),
            1 => pay.faults_of(PayCall::Refund).always(Fault::Silence),
            2 => pay.refund_outcomes().always(RefundOutcome::Success { after_ms: 60_000 }),
            _ => {}
        }
        let refund = all(&t, &order).await.unwrap();
        t.deliver_notifications().await;
        t.restart();
        pay.faults_of(PayCall::Refund).clear();
        t.assert_money_balances().await;
        let under_way = t.count("SELECT COUNT(*) FROM refunds WHERE next_look_at IS NOT NULL");
        assert_eq!(under_way, i64::from(step < 4), "step {step}");
        t.clock.advance(Duration::from_secs(70));
        t.restart();
        if step < 4 {
            settle(&t).await;
        }
        assert_eq!((status(&t, &refund).as_str(), refunds_there(&t)), ("REFUNDED", 1), "{step}");
        assert_eq!(t.order_status(&order), "REFUNDED");
        let alice = t.log_in("alice").await;
        assert_eq!(balance(&alice).await, 10);
        t.assert_money_balances().await;
    }
}

#[tokio::test]
async fn refunds_at_once_never_exceed_the_payment() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    let slow = RefundOutcome::Success { after_ms: 5_000 };
    t.sandbox.wechat_pay().refund_outcomes().always(slow);
    let app = t.app();
    let ask = |fen| refunds::service::request(&app, wish(&order, RefundAmount::Fen(fen)));
    let (a, b, c) = tokio::join!(ask(1200), ask(1200), ask(1999));
    let made = [a.is_ok(), b.is_ok(), c.is_ok()].into_iter().filter(|made| *made).count();
    assert_eq!((made, refunds_there(&t)), (1, 1));
    settle(&t).await;
    let sum = "SELECT SUM(amount) FROM refunds WHERE status = 'REFUNDED'";
    assert_eq!(t.count(sum), t.count("SELECT refunded_amount FROM orders"));
    t.assert_money_balances().await;
}

#[tokio::test]
async fn notices_end_refunds_and_strangers_do_not() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    let pay = t.sandbox.wechat_pay();
    pay.refund_outcomes().always(RefundOutcome::Success { after_ms: 10_000 });
    pay.refund_notices().next(Delivery::Tampered, 1);
    let refund = all(&t, &order).await.unwrap();
    let notify = "/v1/payments/wechat/refund-notify";
    for body in ["", "{}", &json!({ "id": "1", "event_type": "REFUND.SUCCESS" }).to_string()] {
        let answer = t.post(notify).body("text/plain", body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("FAIL")));
    }
    t.clock.advance(Duration::from_secs(10));
    t.deliver_notifications().await;
    assert_eq!(status(&t, &refund), "REFUNDING", "a tampered notice changes nothing");
    let refused = "SELECT COUNT(*) FROM payment_events
                    WHERE source = 'refund_notify' AND state = 'refused'";
    assert_eq!(t.count(refused), 4);
    // WeChat repeats it, well.
    t.clock.advance(Duration::from_secs(60));
    t.deliver_notifications().await;
    assert_eq!(
        (status(&t, &refund).as_str(), level(&alice).await.as_str()),
        ("REFUNDED", "NORMAL")
    );
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_refund_that_overtakes_its_payment_ends_the_same() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = t.place(&alice, json!({ "planId": "vip_month" })).await;
    let order = placed["orderId"].as_str().unwrap();
    let pay = t.sandbox.wechat_pay();
    pay.payment_notices().next(Delivery::Delayed { ms: 600_000 }, 1);
    pay.pay_order(order).unwrap();
    // In the merchant's console, where nobody here knows of it.
    let refund = RefundRequest {
        out_trade_no: order.to_owned(),
        out_refund_no: "console*1".to_owned(),
        reason: None,
        refund_fen: 1999,
        total_fen: 1999,
    };
    t.app().wechat_pay.as_ref().unwrap().refund(&refund).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.order_status(order), "REFUNDED");
    assert_eq!((level(&alice).await.as_str(), days(&t, order)), ("NORMAL", 0));
    t.clock.advance(Duration::from_secs(700));
    t.deliver_notifications().await;
    t.run_periodic_tasks().await;
    assert_eq!(t.order_status(order), "REFUNDED", "the payment's own notice comes last");
    assert_eq!(level(&alice).await, "NORMAL");
    assert_eq!(t.count("SELECT COUNT(*) FROM refunds"), 1);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn virtual_payments_go_back_in_parts_and_in_full() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let wanted = json!({ "planId": "vip_month" });
    let order = t.pay_virtually(("alice", &alice), wanted, Platform::Android, false).await;
    assert_eq!(t.order_status(&order), "PAID");
    let shop = t.sandbox.wechat().virtual_payment();
    // Told by push.
    let first = part(&t, &order, 999).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!((status(&t, &first).as_str(), days(&t, &order)), ("REFUNDED", 16));
    // Found by asking: its failure, then its success.
    t.clock.advance(MINUTE);
    shop.refund_outcomes().next(VirtualRefundOutcome::Fail { after_ms: 1_000 }, 1);
    let second = part(&t, &order, 500).await.unwrap();
    t.clock.advance(MINUTE);
    refunds::service::work(&t.app()).await.unwrap();
    assert_eq!(status(&t, &second), "FAILED");
    assert_eq!(t.order_status(&order), "PARTIALLY_REFUNDED");
    // A failure of before is not taken for one of now.
    shop.refund_outcomes().next(VirtualRefundOutcome::Success { after_ms: 200_000 }, 1);
    let third = all(&t, &order).await.unwrap();
    t.clock.advance(MINUTE);
    refunds::service::work(&t.app()).await.unwrap();
    assert_eq!(status(&t, &third), "REFUNDING");
    settle(&t).await;
    assert_eq!((status(&t, &third).as_str(), level(&alice).await.as_str()), ("REFUNDED", "NORMAL"));
    assert_eq!(shop.order(&order).unwrap().left_fen, 0);
    t.deliver_notifications().await;
    t.assert_money_balances().await;
}

#[tokio::test]
async fn apple_gives_back_what_we_cannot() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let wanted = json!({ "packId": "points_100" });
    let order = t.pay_virtually(("alice", &alice), wanted, Platform::Ios, false).await;
    assert_eq!(balance(&alice).await, 110);
    assert!(matches!(all(&t, &order).await, Err(RefundError::AppleOnly)));
    spend(&t, &alice, 30, "job-1").await;
    t.sandbox.wechat().virtual_payment().refund_by_user(&order, 1000).unwrap();
    t.deliver_notifications().await;
    assert_eq!((t.order_status(&order).as_str(), balance(&alice).await), ("REFUNDED", 0));
    let taken = "SELECT points_taken FROM refunds WHERE origin = 'told' AND points = 100";
    assert_eq!(t.count(taken), 80, "as far as there are any");
    assert_eq!(t.sandbox.undelivered(), 0);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn what_apple_gave_back_before_it_was_credited_is_not_kept() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let wanted = json!({ "planId": "vip_month" });
    let order = t.pay_virtually(("alice", &alice), wanted, Platform::Ios, true).await;
    let shop = t.sandbox.wechat().virtual_payment();
    shop.refund_by_user(&order, 1999).unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM refunds WHERE status = 'TOLD'"), 1);
    t.assert_money_balances().await;
    // The delivery is told last: it counts, and goes back at once.
    shop.deliver_again(&order).unwrap();
    t.deliver_notifications().await;
    t.clock.advance(Duration::from_secs(3600));
    t.restart();
    refunds::service::work(&t.app()).await.unwrap();
    assert_eq!(t.order_status(&order), "REFUNDED");
    let alice = t.log_in("alice").await;
    assert_eq!(level(&alice).await, "NORMAL");
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_deleted_users_payment_goes_back_by_itself() {
    let t = TestApp::start().await;
    let bob = t.log_in("bob").await;
    let placed = t.place(&bob, json!({ "packId": "points_100" })).await;
    let order = placed["orderId"].as_str().unwrap();
    t.sql("UPDATE users SET deleted_at = 1, openid = NULL WHERE openid = 'bob'");
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.order_status(order), "PAID");
    t.assert_money_balances().await;
    t.run_periodic_tasks().await;
    t.deliver_notifications().await;
    assert_eq!((t.order_status(order).as_str(), refunds_there(&t)), ("REFUNDED", 1));
    let due = "SELECT COUNT(*) FROM refunds WHERE origin = 'due' AND points = 0 AND vip_days = 0";
    assert_eq!(t.count(due), 1);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn what_cannot_go_back_is_said_before_anything_changes() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = t.place(&alice, json!({ "planId": "vip_month" })).await;
    let order = placed["orderId"].as_str().unwrap();
    assert!(matches!(all(&t, order).await, Err(RefundError::NotPaid)));
    let nobodys = "0123456789abcdef0123456789abcdef";
    assert!(matches!(all(&t, nobodys).await, Err(RefundError::NoSuchOrder)));
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert!(matches!(part(&t, order, 0).await, Err(RefundError::Invalid("amount"))));
    assert!(matches!(part(&t, order, -5).await, Err(RefundError::Invalid("amount"))));
    let long = RefundWish { reason: "长".repeat(81), ..wish(order, RefundAmount::All) };
    let refused = refunds::service::request(&t.app(), long).await;
    assert!(matches!(refused, Err(RefundError::Invalid("reason"))));
    t.clock.advance(Duration::from_secs(366 * 86_400));
    assert!(matches!(all(&t, order).await, Err(RefundError::TooOld)));
    assert_eq!(
        (t.count("SELECT COUNT(*) FROM refunds"), t.order_status(order).as_str()),
        (0, "PAID")
    );
}

/// Any sequence of buying, spending, refunding and failing keeps the books, and who has all his money
/// back is no member.
#[tokio::test]
async fn whatever_is_refunded_the_books_balance() {
    for seed in 0..3 {
        let t = TestApp::with(&[("RATE_LIMIT_PER_USER", "0"), ("RATE_LIMIT_PER_IP", "0")]).await;
        let rng = Rng::seeded(seed);
        let alice = t.log_in("alice").await;
        let mut orders: Vec<String> = Vec::new();
        for step in 0..60 {
            let one = (!orders.is_empty())
                .then(|| orders[usize::try_from(rng.below(orders.len() as u64)).unwrap()].clone());
            let pay = t.sandbox.wechat_pay();
            match (rng.below(10), one) {
                (0..=2, _) | (_, None) => {
                    let wanted = [
                        json!({ "planId": "vip_month" }),
                        json!({ "planId": "vip_year" }),
                        json!({ "packId": "points_100" }),
                    ];
                    orders.push(
                        t.pay(&alice, wanted[usize::try_from(rng.below(3)).unwrap()].clone()).await,
                    );
                }
                (3..=6, Some(order)) => {
                    let after_ms = i64::try_from(rng.below(200_000)).unwrap();
                    pay.refund_outcomes().clear();
                    pay.refund_outcomes().next(
                        match rng.below(4) {
                            0 => RefundOutcome::Closed { after_ms },
                            _ => RefundOutcome::Success { after_ms },
                        },
                        1,
                    );
                    let amount = match rng.below(3) {
                        0 => RefundAmount::All,
                        _ => RefundAmount::Fen(i64::try_from(1 + rng.below(1500)).unwrap()),
                    };
                    let if_spent = match rng.below(2) {
                        0 => IfSpent::Refuse,
                        _ => IfSpent::TakeWhatIsLeft,
                    };
                    let wish = RefundWish { if_spent, ..wish(&order, amount) };
                    match refunds::service::request(&t.app(), wish).await {
                        Ok(_)
                        | Err(
                            RefundError::UnderWay
                            | RefundError::NothingLeft
                            | RefundError::TooMuch { .. }
                            | RefundError::TooSoon
                            | RefundError::PointsSpent { .. },
                        ) => {}
                        Err(err) => panic!("seed {seed}, step {step}: {err}"),
                    }
                }
                (7, _) => {
                    let amount = balance(&alice).await.min(40);
                    if amount > 0 {
                        spend(&t, &alice, amount, &format!("job-{step}")).await;
                    }
                }
                (8, _) => t.deliver_notifications().await,
                _ => {
                    t.clock.advance(Duration::from_secs(rng.below(400)));
                    refunds::service::work(&t.app()).await.unwrap();
                }
            }
            t.assert_money_balances().await;
        }
        t.sandbox.wechat_pay().refund_outcomes().clear();
        for _ in 0..4 {
            t.clock.advance(Duration::from_secs(4000));
            refunds::service::work(&t.app()).await.unwrap();
            for order in &orders {
                let wish = RefundWish {
                    if_spent: IfSpent::TakeWhatIsLeft,
                    ..wish(order, RefundAmount::All)
                };
                let _ = refunds::service::request(&t.app(), wish).await;
            }
        }
        let not_back = "SELECT COUNT(*) FROM orders WHERE status <> 'REFUNDED'";
        assert_eq!(t.count(not_back), 0, "seed {seed}");
        assert_eq!(level(&alice).await, "NORMAL", "seed {seed}");
        let there: i64 = t
            .sandbox
            .wechat_pay()
            .refunds(1000)
            .iter()
            .filter(|refund| {
                refund.status(t.clock.now()) == dream_bff::sandbox::RefundStatus::Success
            })
            .map(|refund| refund.refund_fen)
            .sum();
        assert_eq!(there, t.count("SELECT SUM(amount) FROM orders"), "seed {seed}: to the fen");
        t.assert_money_balances().await;
    }
}
