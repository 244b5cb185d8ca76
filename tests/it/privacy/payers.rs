//! Who paid through virtual payment: known as long as the money can go back, for nothing but that, and
//! then no more.

use dream_bff::features::account::service::finish_closures;
use dream_bff::features::orders::OrderId;
use dream_bff::features::refunds::{self, IfSpent, Refund, RefundAmount, RefundError, RefundWish};
use dream_bff::sandbox::{Platform, VirtualRefundOutcome};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The one place where the openid of somebody who left may stand.
const PAYER: &str = "order_payments.payer_openid: oX9zhangwei-openid-7";

async fn refund(t: &TestApp, order: &str, amount: RefundAmount) -> Result<Refund, RefundError> {
    let wish = RefundWish {
        order: OrderId::parse(order).unwrap(),
        amount,
        days: None,
        points: None,
        if_spent: IfSpent::TakeWhatIsLeft,
        reason: "不想要了".to_owned(),
        actor: admin(),
    };
    refunds::service::request(&t.app(), wish).await
}

/// Bought and paid through virtual payment.
async fn bought(t: &TestApp, user: &User, platform: Platform) -> String {
    t.pay_virtually((OPENID, user), json!({ "planId": "vip_month" }), platform, false).await
}

/// Placed, with what the client pays with.
async fn placed(user: &User) -> (String, Value) {
    let wanted = json!({ "planId": "vip_month", "paymentMethod": "virtual" });
    let order = user.post("/v1/orders").json(&wanted).await.ok();
    (order["orderId"].as_str().unwrap().to_owned(), order["virtualPayParams"].clone())
}

async fn leave(t: &TestApp, user: &User) {
    user.delete("/v1/users/me").await.ok();
    settle(t).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM account_closures"), 0, "nothing is waited for");
}

/// A day after all has gone back nothing says who it was, in what WeChat told since neither.
async fn is_forgotten(t: &TestApp) {
    t.deliver_notifications().await;
    assert!(!places(t, &[OPENID]).is_empty());
    t.clock.advance(2 * DAY);
    finish_closures(&t.app()).await.unwrap();
    assert_eq!(places(t, &[OPENID]), [""; 0]);
}

/// Lets everything go its way until the order has gone back.
async fn goes_back(t: &TestApp, order: &str) {
    for _ in 0..30 {
        t.clock.advance(Duration::from_secs(70));
        t.run_periodic_tasks().await;
        if t.order_status(order) == "REFUNDED" {
            return;
        }
    }
    panic!("the order is {}", t.order_status(order));
}

#[tokio::test]
async fn a_payment_goes_back_after_its_user_has_left_and_then_nothing_names_him() {
    let t = start().await;
    let user = zhang(&t).await;
    let order = bought(&t, &user, Platform::Android).await;
    // WeChat names no order of ours in what it tells of complaints.
    t.sandbox.wechat().virtual_payment().complain(&order, "贵").unwrap();
    t.deliver_notifications().await;
    leave(&t, &user).await;
    assert_eq!(places(&t, &[OPENID]), [PAYER]);

    refund(&t, &order, RefundAmount::Fen(999)).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.order_status(&order), "PARTIALLY_REFUNDED");
    t.clock.advance(Duration::from_secs(61));
    t.run_periodic_tasks().await;
    assert!(places(&t, &[OPENID]).contains(&PAYER.to_owned()), "the rest can go back too");
    refund(&t, &order, RefundAmount::All).await.unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.order_status(&order), "REFUNDED");
    is_forgotten(&t).await;
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_refund_that_is_under_way_ends_after_its_user_has_left() {
    let t = start().await;
    let user = zhang(&t).await;
    let order = bought(&t, &user, Platform::Android).await;
    let slow = VirtualRefundOutcome::Success { after_ms: 500_000 };
    t.sandbox.wechat().virtual_payment().refund_outcomes().next(slow, 1);
    refund(&t, &order, RefundAmount::All).await.unwrap();
    leave(&t, &user).await;
    assert_eq!(t.order_status(&order), "REFUNDING");
    goes_back(&t, &order).await;
    is_forgotten(&t).await;
    t.assert_money_balances().await;
}

#[tokio::test]
async fn who_paid_is_forgotten_when_the_money_cannot_go_back_any_more() {
    let t = start().await;
    let user = zhang(&t).await;
    // Only Apple gives that back.
    bought(&t, &user, Platform::Ios).await;
    leave(&t, &user).await;
    assert_eq!(places(&t, &[OPENID]), [""; 0]);

    let user = zhang(&t).await;
    let order = bought(&t, &user, Platform::Android).await;
    leave(&t, &user).await;
    t.clock.advance(363 * DAY);
    finish_closures(&t.app()).await.unwrap();
    assert_eq!(places(&t, &[OPENID]), [PAYER]);
    t.clock.advance(2 * DAY);
    assert!(matches!(refund(&t, &order, RefundAmount::All).await, Err(RefundError::TooOld)));
    finish_closures(&t.app()).await.unwrap();
    assert_eq!(places(&t, &[OPENID]), [""; 0]);
}

#[tokio::test]
async fn what_somebody_pays_who_has_left_goes_back_whether_it_is_found_or_told() {
    let t = start().await;
    let wechat = t.sandbox.wechat();
    let user = zhang(&t).await;
    let (found, params) = placed(&user).await;
    leave(&t, &user).await;
    wechat.pay_virtually_in_silence(OPENID, &params, Platform::Android).unwrap();
    goes_back(&t, &found).await;
    is_forgotten(&t).await;

    // So late that it was forgotten who he was: the push says it.
    let user = zhang(&t).await;
    let (told, params) = placed(&user).await;
    leave(&t, &user).await;
    t.clock.advance(2 * DAY);
    finish_closures(&t.app()).await.unwrap();
    assert_eq!(places(&t, &[OPENID]), [""; 0]);
    wechat.pay_virtually(OPENID, &params, Platform::Android).unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.order_status(&told), "PAID");
    goes_back(&t, &told).await;
    is_forgotten(&t).await;
    t.assert_money_balances().await;
}

#[tokio::test]
async fn the_openid_is_struck_from_what_was_told_of_refunds_too() {
    let t = start().await;
    let user = zhang(&t).await;
    let order = t.pay(&user, json!({ "packId": "points_100" })).await;
    refund(&t, &order, RefundAmount::Fen(500)).await.unwrap();
    t.deliver_notifications().await;
    // As it would be if WeChat named the payer here as it does with payments.
    t.sql(&format!(
        "UPDATE payment_events SET content = json_set(content, '$.payer', '{OPENID}')
          WHERE source = 'refund_notify' AND reference IN (SELECT refund_id FROM refunds)"
    ));
    leave(&t, &user).await;
    until("the report of the delivery is done with", || places(&t, &[OPENID]).is_empty()).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM payment_events WHERE source = 'refund_notify'"), 1);
}
