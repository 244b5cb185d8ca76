//! Notifications: genuine ones, repeated ones, and each bad one.

use std::time::Duration;

use serde_json::Value;

use super::World;
use crate::sandbox::crypto::opening::gcm_open;
use crate::sandbox::{Delivery, Recorded, Trust, WechatPaySim};

const NUMBER: &str = "DREAM0000000001";

async fn ordered() -> World {
    let world = World::start().await;
    world.prepay(NUMBER, 100).await;
    world
}

fn holds(world: &World, got: &Recorded) -> bool {
    world.holds(&|name| got.header(name).unwrap_or_default().to_owned(), &got.body)
}

fn open(got: &Recorded) -> Option<Value> {
    let resource = &got.json()["resource"];
    let text = |name: &str| resource[name].as_str().unwrap().to_owned();
    let key = WechatPaySim::APIV3_KEY.as_bytes().try_into().unwrap();
    let opened = gcm_open(key, &text("nonce"), &text("associated_data"), &text("ciphertext"))?;
    serde_json::from_slice(&opened).ok()
}

/// The first notification of a payment for which `delivery` is planned.
async fn first(delivery: Delivery) -> (World, Recorded) {
    let world = ordered().await;
    world.pay().payment_notices().next(delivery, 1);
    world.inbox.answer_next(500, "");
    world.pay().pay_order(NUMBER).unwrap();
    world.sandbox.deliver_due().await;
    let got = world.inbox.got().remove(0);
    (world, got)
}

#[tokio::test]
async fn a_notification_seals_what_a_query_answers() {
    let world = ordered().await;
    world.pay().pay_order(NUMBER).unwrap();
    world.sandbox.deliver_due().await;
    let got = world.inbox.got().remove(0);
    assert!(holds(&world, &got));
    assert_eq!(got.json()["event_type"], "TRANSACTION.SUCCESS");
    assert_eq!(open(&got).unwrap(), world.query(NUMBER).await.json());
    assert_eq!(world.sandbox.undelivered(), 0);
    assert!(world.sandbox.delivered()[0].is_accepted);
}

#[tokio::test]
async fn it_is_repeated_on_schedule_until_it_is_accepted() {
    let world = ordered().await;
    for status in [500, 401, 302] {
        world.inbox.answer_next(status, "");
    }
    world.pay().pay_order(NUMBER).unwrap();
    world.sandbox.deliver_due().await;
    world.sandbox.deliver_due().await;
    for (pause, attempts) in [(14, 1), (1, 2), (15, 3), (29, 3), (1, 4), (100_000, 4)] {
        world.clock.advance(Duration::from_secs(pause));
        world.sandbox.deliver_due().await;
        assert_eq!(world.inbox.got().len(), attempts, "after {pause}");
    }
    let got = world.inbox.got();
    assert!(got.iter().all(|one| one.json()["id"] == got[0].json()["id"]));
    assert_ne!(got[0].header("wechatpay-timestamp"), got[1].header("wechatpay-timestamp"));
    assert!(got.iter().all(|one| holds(&world, one)));
}

#[tokio::test]
async fn it_gives_up_after_fifteen_repeats() {
    let world = ordered().await;
    for _ in 0..30 {
        world.inbox.answer_next(500, "");
    }
    world.pay().pay_order(NUMBER).unwrap();
    for _ in 0..40 {
        world.sandbox.deliver_due().await;
        world.clock.advance(Duration::from_secs(6 * 3600));
    }
    assert_eq!(world.inbox.got().len(), 16);
    assert_eq!(world.sandbox.undelivered(), 0);
}

#[tokio::test]
async fn lost_late_and_several() {
    let world = ordered().await;
    let plan = world.pay().payment_notices();
    plan.next(Delivery::Lost, 1);
    plan.next(Delivery::Delayed { ms: 3000 }, 1);
    plan.next(Delivery::Duplicated { times: 3 }, 1);
    for (number, at_once, later) in
        [(NUMBER, 0, 0), ("DREAM0000000002", 0, 1), ("DREAM0000000003", 3, 3)]
    {
        if number != NUMBER {
            world.prepay(number, 100).await;
        }
        world.pay().pay_order(number).unwrap();
        let of = |world: &World| {
            world.sandbox.delivered().iter().filter(|one| one.subject == number).count()
        };
        world.sandbox.deliver_due().await;
        assert_eq!(of(&world), at_once);
        world.clock.advance(Duration::from_secs(3));
        world.sandbox.deliver_due().await;
        assert_eq!(of(&world), later);
    }
    world.pay().notify_again(NUMBER, Delivery::Normal).unwrap();
    world.sandbox.deliver_due().await;
    assert_eq!(world.inbox.got().len(), 5);
}

#[tokio::test]
async fn what_is_bad_is_bad_and_the_next_is_genuine() {
    for delivery in [
        Delivery::Tampered,
        Delivery::WrongSerial,
        Delivery::Probe,
        Delivery::OldTimestamp,
        Delivery::WrongKey,
    ] {
        let (world, got) = first(delivery.clone()).await;
        let age = world.clock.now().seconds()
            - got.header("wechatpay-timestamp").unwrap().parse::<i64>().unwrap();
        match delivery {
            Delivery::OldTimestamp => assert!(holds(&world, &got) && age == 600),
            Delivery::WrongKey => assert!(holds(&world, &got) && open(&got).is_none()),
            Delivery::Probe => {
                let signature = got.header("wechatpay-signature").unwrap();
                assert!(signature.starts_with("WECHATPAY/SIGNTEST/"), "{signature}");
            }
            _ => assert!(!holds(&world, &got), "{delivery:?}"),
        }
        world.clock.advance(Duration::from_secs(15));
        world.sandbox.deliver_due().await;
        let second = world.inbox.got().remove(1);
        assert!(holds(&world, &second) && open(&second).is_some(), "{delivery:?}");
    }
}

#[tokio::test]
async fn genuine_news_can_be_about_something_else() {
    let (world, got) = first(Delivery::OtherAmount { fen: 1 }).await;
    assert!(holds(&world, &got));
    assert_eq!(open(&got).unwrap()["amount"]["total"], 1);
    let (_world, got) = first(Delivery::OtherPayer { openid: "mallory".into() }).await;
    assert_eq!(open(&got).unwrap()["payer"]["openid"], "mallory");
    let (_world, got) = first(Delivery::OtherApp).await;
    assert_eq!(open(&got).unwrap()["appid"], "wx0000000000000000");
}

#[tokio::test]
async fn notifications_are_signed_by_what_the_merchant_trusts() {
    let world = World::start().await;
    let is_public = async |trust: Trust, number: &str| {
        world.pay().set_trust(trust);
        let order = world.order(number, 1);
        if trust == Trust::PublicKey {
            world.pay().set_trust(Trust::Mixed);
        }
        assert_eq!(world.post("/v3/pay/transactions/jsapi", &order).await.status, 200);
        world.pay().set_trust(trust);
        world.pay().pay_order(number).unwrap();
        world.sandbox.deliver_due().await;
        let got = world.inbox.got().pop().unwrap();
        assert!(holds(&world, &got));
        got.header("wechatpay-serial").unwrap().starts_with("PUB_KEY_ID_")
    };
    assert!(!is_public(Trust::Certificates, "DREAM-C").await);
    assert!(is_public(Trust::PublicKey, "DREAM-P").await);
    let mut seen = [false; 2];
    for at in 0..40 {
        seen[usize::from(is_public(Trust::Mixed, &format!("DREAM-{at}")).await)] = true;
    }
    assert_eq!(seen, [true, true]);
}
