//! Money that goes back through virtual payment, and through Apple without us.

use dream_bff::sandbox::{Platform, VirtualRefundOutcome};

use super::*;

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
