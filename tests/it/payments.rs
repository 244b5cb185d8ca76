//! Payments as WeChat tells them, or does not: each order is credited once, and only for what fits.

use std::time::Duration;

use dream_bff::base::rng::Rng;
use dream_bff::clients::wechat_pay::PrepayRequest;
use dream_bff::features::points::service::books::check_books;
use dream_bff::features::settings::{self, Section};
use dream_bff::sandbox::{Delivery, Fault, PayCall, Platform, WechatCall};
use serde_json::{Value, json};

use crate::support::{TestApp, User};

const NOTIFY: &str = "/v1/payments/wechat/notify";

async fn place(user: &User, body: Value) -> Value {
    let mut body = body;
    body["paymentMethod"] = json!("wechat");
    user.post("/v1/orders").json(&body).await.ok()
}

async fn month(user: &User) -> Value {
    place(user, json!({ "planId": "vip_month" })).await
}

fn id(placed: &Value) -> &str {
    placed["orderId"].as_str().unwrap()
}

async fn status(user: &User, placed: &Value) -> String {
    let order = user.get(&format!("/v1/orders/{}", id(placed))).await.ok();
    order["status"].as_str().unwrap().to_owned()
}

fn events(t: &TestApp, state: &str) -> i64 {
    t.count(&format!("SELECT COUNT(*) FROM payment_events WHERE state = '{state}'"))
}

/// Money and what it bought: every paid order has given once, every other nothing.
async fn assert_books_balance(t: &TestApp) {
    let app = t.app();
    let report = check_books(&app.db, &app.clock).await.unwrap();
    assert!(report.is_balanced(), "{report:?}");
    for (what, query) in [
        (
            "paid plans without their grant",
            "SELECT COUNT(*) FROM orders o WHERE kind = 'VIP' AND paid_at IS NOT NULL AND NOT EXISTS
               (SELECT 1 FROM vip_grants g WHERE g.source = 'order' AND g.reference = o.order_id)
               AND NOT EXISTS (SELECT 1 FROM order_payments p
                                WHERE p.order_id = o.order_id AND refund_due IS NOT NULL)",
        ),
        (
            "grants without a paid order",
            "SELECT COUNT(*) FROM vip_grants g WHERE g.source = 'order' AND NOT EXISTS
               (SELECT 1 FROM orders o WHERE o.order_id = g.reference AND o.paid_at IS NOT NULL)",
        ),
        (
            "paid packs without their points",
            "SELECT COUNT(*) FROM orders o WHERE kind = 'POINTS' AND paid_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM points_transactions t WHERE t.reason = 'order'
                 AND t.reference = o.order_id AND t.amount = o.points AND t.user_id = o.user_id)",
        ),
        (
            "points without a paid order",
            "SELECT COUNT(*) FROM points_transactions t WHERE reason = 'order' AND NOT EXISTS
               (SELECT 1 FROM orders o WHERE o.order_id = t.reference AND o.paid_at IS NOT NULL)",
        ),
        (
            "payments without an audit entry of their own",
            "SELECT (SELECT COUNT(*) FROM orders WHERE paid_at IS NOT NULL)
                  - (SELECT COUNT(DISTINCT object) FROM audit_log WHERE action = 'order.paid')",
        ),
        (
            "audit entries that tell of a payment twice",
            "SELECT COUNT(*) - COUNT(DISTINCT object) FROM audit_log WHERE action = 'order.paid'",
        ),
    ] {
        assert_eq!(t.count(query), 0, "{what}");
    }
}

#[tokio::test]
async fn many_notifications_of_one_payment_credit_once() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = month(&alice).await;
    t.sandbox.wechat_pay().payment_notices().next(Delivery::Duplicated { times: 20 }, 1);
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(status(&alice, &placed).await, "PAID");
    assert_eq!((events(&t, "done"), events(&t, "repeated")), (1, 19));
    assert_eq!(t.sandbox.undelivered(), 0);
    let again = |delivery| t.sandbox.wechat_pay().notify_again(id(&placed), delivery).unwrap();
    again(Delivery::Normal);
    t.deliver_notifications().await;
    assert_eq!(events(&t, "repeated"), 20);
    assert_eq!(t.count("SELECT COUNT(*) FROM vip_grants"), 1);
    let stored = "SELECT COUNT(*) FROM payment_events WHERE length(body) > 100
                     AND content LIKE '%SUCCESS%' AND json_extract(headers, '$.wechatpay-serial') <> ''";
    assert_eq!(t.count(stored), 21, "each as it came");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn events_that_a_crash_has_cut_short_are_ended() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let paid = month(&alice).await;
    t.sandbox.wechat_pay().pay(&paid["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(status(&alice, &paid).await, "PAID");
    let unpaid = place(&alice, json!({ "packId": "points_100" })).await;
    // As the server leaves them when it dies between storing and settling.
    for (order, kind) in [
        (id(&paid), "TRANSACTION.SUCCESS"),
        (id(&paid), "xpay_refund_notify"),
        (id(&unpaid), "TRANSACTION.SUCCESS"),
    ] {
        t.sql(&format!(
            "INSERT INTO payment_events (source, received_at, headers, body, state, event_type, reference)
             VALUES ('notify', {}, '{{}}', x'', 'received', '{kind}', '{order}')",
            t.clock.now().0
        ));
    }
    dream_bff::features::payments::service::sweep(&t.app()).await.unwrap();
    assert_eq!(events(&t, "received"), 3, "they may still be worked on");
    t.clock.advance(Duration::from_secs(61));
    dream_bff::features::payments::service::sweep(&t.app()).await.unwrap();
    assert_eq!((events(&t, "received"), events(&t, "repeated")), (2, 1), "done by a repeat");
    t.clock.advance(Duration::from_secs(3540));
    dream_bff::features::payments::service::sweep(&t.app()).await.unwrap();
    assert_eq!((events(&t, "received"), events(&t, "repeated"), events(&t, "flagged")), (0, 1, 2));
}

#[tokio::test]
async fn what_is_not_from_wechat_changes_nothing_and_is_recorded() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let bad =
        [Delivery::Tampered, Delivery::WrongSerial, Delivery::OldTimestamp, Delivery::WrongKey];
    for delivery in bad {
        let placed = place(&alice, json!({ "packId": "points_100" })).await;
        t.sandbox.wechat_pay().payment_notices().next(delivery.clone(), 1);
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        let refused = events(&t, "refused");
        t.deliver_notifications().await;
        assert_eq!(status(&alice, &placed).await, "PENDING", "{delivery:?}");
        assert_eq!(events(&t, "refused"), refused + 1, "{delivery:?}");
        assert_eq!(t.sandbox.undelivered(), 1, "{delivery:?} is to be repeated");
        // WeChat repeats it, this time well.
        t.clock.advance(Duration::from_secs(60));
        t.deliver_notifications().await;
        assert_eq!(status(&alice, &placed).await, "PAID", "{delivery:?}");
    }
    let placed = month(&alice).await;
    t.sandbox.wechat_pay().payment_notices().next(Delivery::Probe, 1);
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(status(&alice, &placed).await, "PENDING", "a probe is not to be believed");
    t.clock.advance(Duration::from_secs(60));
    t.deliver_notifications().await;
    assert_eq!(status(&alice, &placed).await, "PAID", "the genuine one follows the probe");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn strangers_are_refused_and_cannot_fill_the_disk() {
    let t = TestApp::start().await;
    let change = json!({ "refusedKeptPerHour": 3 });
    settings::service::change(&t.app(), Section::Payment, change, "test").await.unwrap();
    let forged = json!({ "id": "1", "event_type": "TRANSACTION.SUCCESS", "resource": {} });
    for body in ["", "{}", "no json", &forged.to_string(), &"x".repeat(60_000)] {
        let answer = t.post(NOTIFY).body("text/plain", body).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(answer.json(), json!({ "code": "FAIL", "message": "失败" }));
    }
    assert_eq!(events(&t, "refused"), 3);
    let large = t.post(NOTIFY).body("application/json", vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!(large.status, 413);
    // An hour later there is room again, and after a month they are forgotten.
    t.clock.advance(Duration::from_secs(3601));
    t.post(NOTIFY).body("application/json", "{}").await;
    assert_eq!(events(&t, "refused"), 4);
    t.clock.advance(Duration::from_secs(31 * 86_400));
    t.run_periodic_tasks().await;
    assert_eq!(events(&t, "refused"), 0);
}

#[tokio::test]
async fn a_genuine_payment_that_does_not_fit_credits_nobody() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for (delivery, problem) in [
        (Delivery::OtherAmount { fen: 1 }, "costs 1999 fen, 1 were paid"),
        (Delivery::OtherApp, "another app"),
    ] {
        let placed = month(&alice).await;
        t.sandbox.wechat_pay().payment_notices().next(delivery, 1);
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        t.deliver_notifications().await;
        assert_eq!(t.sandbox.undelivered(), 0, "stored for a person, so not to be repeated");
        let flagged = format!(
            "SELECT COUNT(*) FROM payment_events
              WHERE state = 'flagged' AND problem LIKE '%{problem}%' AND reference = '{}'",
            id(&placed)
        );
        assert_eq!(t.count(&flagged), 1, "{problem}");
        assert_eq!(t.count("SELECT COUNT(*) FROM vip_grants"), 0);
        t.sql("UPDATE orders SET status = 'EXPIRED' WHERE status = 'PENDING'");
    }
    // Of an order that is not ours.
    let app = t.app();
    let pay = app.wechat_pay.as_ref().unwrap();
    let stranger = "0123456789abcdef0123456789abcdef";
    let request = PrepayRequest {
        description: "?".to_owned(),
        out_trade_no: stranger.to_owned(),
        time_expire: t.clock.now().plus_seconds(900),
        total_fen: 5,
        payer_openid: "alice".to_owned(),
        attach: None,
    };
    pay.prepay(&request).await.unwrap();
    t.sandbox.wechat_pay().pay_order(stranger).unwrap();
    t.deliver_notifications().await;
    assert_eq!(t.sandbox.undelivered(), 0);
    assert_eq!(events(&t, "flagged"), 3);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn another_payer_is_never_credited() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let placed = month(&alice).await;
    let openid = "bob".to_owned();
    t.sandbox.wechat_pay().payment_notices().next(Delivery::OtherPayer { openid }, 1);
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "VIP");
    assert_eq!(bob.get("/v1/users/me").await.ok()["vipLevel"], "NORMAL");
}

#[tokio::test]
async fn a_lost_notification_is_found_when_the_app_asks() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = month(&alice).await;
    t.sandbox.wechat_pay().pay_silently(id(&placed)).unwrap();
    assert_eq!(status(&alice, &placed).await, "PENDING");
    let sync = format!("/v1/orders/{}?sync=true", id(&placed));
    assert_eq!(alice.get(&sync).await.ok()["status"], "PAID");
    let queries = || {
        let all = t.sandbox.wechat_pay().journal().requests();
        all.iter().filter(|request| request.path().contains("/out-trade-no/")).count()
    };
    assert_eq!(queries(), 1);
    // Nobody asks more often than the settings say.
    let placed = place(&alice, json!({ "packId": "points_100" })).await;
    let sync = format!("/v1/orders/{}?sync=true", id(&placed));
    for _ in 0..5 {
        assert_eq!(alice.get(&sync).await.ok()["status"], "PENDING");
    }
    assert_eq!(queries(), 2);
    t.clock.advance(Duration::from_secs(2));
    alice.get(&sync).await.ok();
    assert_eq!(queries(), 3);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_lost_notification_is_found_without_being_asked() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = month(&alice).await;
    t.run_periodic_tasks().await;
    t.clock.advance(Duration::from_secs(5));
    t.run_periodic_tasks().await;
    assert_eq!(status(&alice, &placed).await, "PENDING");
    t.sandbox.wechat_pay().pay_silently(id(&placed)).unwrap();
    // Also when the server has died meanwhile, and WeChat is not to be had at first.
    t.restart();
    let alice = t.log_in("alice").await;
    t.sandbox.wechat_pay().faults_of(PayCall::Query).always(Fault::Error { code: 500 });
    t.clock.advance(Duration::from_secs(10));
    t.run_periodic_tasks().await;
    assert_eq!(status(&alice, &placed).await, "PENDING");
    t.sandbox.wechat_pay().faults_of(PayCall::Query).clear();
    t.clock.advance(Duration::from_secs(45));
    t.run_periodic_tasks().await;
    assert_eq!(status(&alice, &placed).await, "PAID");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_virtual_payment_before_an_unanswered_question_survives_the_cancellation() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let wanted = json!({ "planId": "vip_month", "paymentMethod": "virtual" });
    let placed = alice.post("/v1/orders").json(&wanted).await.ok();
    let params = &placed["virtualPayParams"];
    t.sandbox.wechat().pay_virtually_in_silence("alice", params, Platform::Android).unwrap();
    t.sandbox.wechat().faults_of(WechatCall::VirtualQuery).always(Fault::Drop);
    let cancel = format!("/v1/orders/{}/cancel", id(&placed));
    assert_eq!(alice.post(&cancel).await.ok()["status"], "CANCELLED");
    t.sandbox.wechat().faults_of(WechatCall::VirtualQuery).clear();
    // Its push is lost, and nobody waits for the end of the order to ask.
    t.clock.advance(Duration::from_secs(11));
    t.run_periodic_tasks().await;
    assert_eq!(status(&alice, &placed).await, "PAID");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn money_for_an_order_that_has_ended_is_honoured() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for (plan, ended) in [("vip_month", "CANCELLED"), ("vip_year", "EXPIRED")] {
        let placed = place(&alice, json!({ "planId": plan })).await;
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        t.sql(&format!("UPDATE orders SET status = '{ended}' WHERE order_id = '{}'", id(&placed)));
        t.deliver_notifications().await;
        assert_eq!(status(&alice, &placed).await, "PAID");
    }
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn a_banned_user_is_granted_and_a_deleted_one_refunded() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let (banned, deleted) = (month(&alice).await, month(&bob).await);
    t.sql("UPDATE users SET banned_at = 1 WHERE openid = 'alice'");
    t.sql("UPDATE users SET deleted_at = 1, openid = NULL WHERE openid = 'bob'");
    for placed in [&banned, &deleted] {
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    }
    t.deliver_notifications().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'PAID'"), 2);
    let granted = format!("SELECT COUNT(*) FROM vip_grants WHERE reference = '{}'", id(&banned));
    assert_eq!((t.count(&granted), t.count("SELECT COUNT(*) FROM vip_grants")), (1, 1));
    let due = format!(
        "SELECT COUNT(*) FROM order_payments
          WHERE refund_due = 'user_deleted' AND order_id = '{}'",
        id(&deleted)
    );
    assert_eq!(t.count(&due), 1);
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn the_first_payment_rewards_the_inviter() {
    let t = TestApp::start().await;
    let change = json!({ "invite": { "on": "first_payment", "reward": 20 } });
    settings::service::change(&t.app(), Section::Economy, change, "test").await.unwrap();
    let alice = t.log_in("alice").await;
    let code = alice.get("/v1/users/me/invites").await.ok()["inviteCode"].clone();
    let body = json!({ "code": "dev-bob", "inviteCode": code });
    t.post("/v1/auth/wechat-login").json(&body).await.ok();
    let bob = t.log_in("bob").await;
    assert_eq!(alice.get("/v1/users/me").await.ok()["pointsBalance"], 10);
    for plan in ["vip_month", "vip_year"] {
        let placed = place(&bob, json!({ "planId": plan })).await;
        t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        t.deliver_notifications().await;
    }
    assert_eq!(alice.get("/v1/users/me").await.ok()["pointsBalance"], 30, "once");
}

#[tokio::test]
async fn a_delivery_is_reported_until_wechat_takes_it() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let placed = month(&alice).await;
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
    let open = "SELECT COUNT(*) FROM order_payments WHERE next_ship_at IS NOT NULL";
    assert_eq!(t.count(open), 1);
    for _ in 0..6 {
        t.clock.advance(Duration::from_secs(20));
        t.run_periodic_tasks().await;
    }
    assert_eq!(t.count(open), 0);
    let shipped = t.sandbox.wechat().shipped();
    assert_eq!(shipped.len(), 1);
    assert_eq!(shipped[0].out_trade_no, id(&placed));
}

/// What may happen between a user, WeChat and us, in any order.
#[tokio::test]
async fn whatever_happens_each_order_is_credited_exactly_when_it_is_paid() {
    for seed in 0..4 {
        let t = TestApp::with(&[("RATE_LIMIT_PER_USER", "0"), ("RATE_LIMIT_PER_IP", "0")]).await;
        let rng = Rng::seeded(seed);
        let users = [t.log_in("alice").await, t.log_in("bob").await, t.log_in("carol").await];
        let mut placed: Vec<(usize, Value)> = Vec::new();
        for _ in 0..120 {
            let pay = t.sandbox.wechat_pay();
            let who = usize::try_from(rng.below(3)).unwrap();
            let one = (!placed.is_empty())
                .then(|| &placed[usize::try_from(rng.below(placed.len() as u64)).unwrap()]);
            match (rng.below(12), one) {
                (0..=2, _) | (_, None) => {
                    let wishes = [
                        json!({ "planId": "vip_month", "paymentMethod": "wechat" }),
                        json!({ "planId": "vip_month", "paymentMethod": "virtual" }),
                        json!({ "planId": "vip_year", "paymentMethod": "wechat" }),
                        json!({ "packId": "points_100", "paymentMethod": "wechat" }),
                    ];
                    let wish = &wishes[usize::try_from(rng.below(4)).unwrap()];
                    let answer = users[who].post("/v1/orders").json(wish).await;
                    match answer.status {
                        200 => placed.push((who, answer.json())),
                        // The order that was to give way had been paid.
                        status => assert_eq!(status, 409, "{}", answer.text()),
                    }
                }
                (3..=4, Some((_, order))) => {
                    let delivery = match rng.below(5) {
                        0 => Delivery::Lost,
                        1 => Delivery::Duplicated { times: 3 },
                        2 => Delivery::Delayed { ms: 600_000 },
                        3 => Delivery::Tampered,
                        _ => Delivery::Normal,
                    };
                    pay.payment_notices().clear();
                    pay.payment_notices().next(delivery, 1);
                    // Refused by WeChat when it is closed, paid or not of this channel.
                    let _ = pay.pay_order(id(order));
                }
                (5, Some((who, order))) => {
                    let path = format!("/v1/orders/{}/cancel", id(order));
                    let status = users[*who].post(&path).await.status;
                    assert!([200, 409].contains(&status), "{status}");
                }
                (6, Some((who, order))) => {
                    users[*who].get(&format!("/v1/orders/{}?sync=true", id(order))).await.ok();
                }
                (7, Some((_, order))) => {
                    let _ = pay.notify_again(id(order), Delivery::Duplicated { times: 2 });
                }
                (8, Some((who, order))) => {
                    let path = format!("/v1/orders/{}/pay", id(order));
                    let status = users[*who].post(&path).await.status;
                    assert!([200, 409].contains(&status), "{status}");
                }
                (9, _) => t.deliver_notifications().await,
                (10, _) => t.run_periodic_tasks().await,
                _ => t.clock.advance(Duration::from_secs(rng.below(400))),
            }
        }
        t.deliver_notifications().await;
        for _ in 0..4 {
            t.clock.advance(Duration::from_secs(1000));
            t.run_periodic_tasks().await;
        }
        let paid_there = t.sandbox.wechat_pay().orders(10_000);
        let mut paid = 0;
        for order in &paid_there {
            let query = format!(
                "SELECT COUNT(*) FROM orders WHERE order_id = '{}' AND status = 'PAID'",
                order.out_trade_no
            );
            let is_paid = order.paid_at.is_some();
            assert_eq!(t.count(&query), i64::from(is_paid), "seed {seed}: {order:?}");
            paid += i64::from(is_paid);
        }
        assert!(paid > 3, "seed {seed}: something was paid");
        assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'PAID'"), paid);
        assert_eq!(t.count("SELECT COUNT(*) FROM orders WHERE status = 'PENDING'"), 0);
        assert_eq!(events(&t, "flagged"), 0);
        assert_books_balance(&t).await;
    }
}
