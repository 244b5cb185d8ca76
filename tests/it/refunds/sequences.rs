//! Refunds in any order, with whatever is done between them.

use dream_bff::base::rng::Rng;

use super::*;

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
