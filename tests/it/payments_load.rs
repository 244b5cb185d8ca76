//! Very many notifications of both channels, duplicated, late, lost, forged, out of order and all at once,
//! while users ask, pay again, cancel and let orders expire: each paid order is granted exactly once, and
//! points and money balance with what WeChat says was paid.
//!
//! `PAYMENT_LOAD_ORDERS=1000 cargo test --test it payments_load -- --nocapture` runs the full size.

mod books;
mod crowd;

use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::base::rng::Rng;
use dream_bff::features::settings::{Section, service::change};
use serde_json::json;

use self::crowd::Crowd;
use crate::support::TestApp;

/// Orders in every run of the tests.
const ORDERS: usize = 60;

/// Notifications and pushes for each of them.
const NOTICES_PER_ORDER: usize = 10;

/// Rounds after which it must have come to that many: more would be a test that hangs.
const ROUNDS_MAX: usize = 300;

/// Periodic tasks and jumps of time until everything has ended.
const ENDINGS: usize = 8;

const SETTINGS: [(&str, &str); 3] =
    [("RATE_LIMIT_PER_USER", "0"), ("RATE_LIMIT_PER_IP", "0"), ("RATE_LIMIT_LOGIN_PER_IP", "0")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_payments_are_told_each_order_is_granted_exactly_once() {
    let orders = std::env::var("PAYMENT_LOAD_ORDERS")
        .map_or(ORDERS, |text| text.parse().expect("PAYMENT_LOAD_ORDERS is a number"));
    let t = TestApp::with(&SETTINGS).await;
    // What is forged is kept as well, so that all of it can be counted.
    let keep_all = json!({ "refusedKeptPerHour": 100_000 });
    change(&t.app(), Section::Payment, keep_all, "test").await.unwrap();
    let listening = t.listen();
    t.sandbox.deliver_to(Some(listening.address));

    let running = Stopwatch::start();
    let mut crowd = Crowd::of(&t, orders, Rng::seeded(7)).await;
    let mut rounds = 0;
    while crowd.is_still_buying() || told(&t) < orders * NOTICES_PER_ORDER {
        // WeChat, the users and our own tasks at the same time.
        tokio::join!(t.sandbox.deliver_due(), crowd.act(), t.run_periodic_tasks());
        t.clock.advance(Duration::from_secs(crowd.rng.below(90)));
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "{} notifications in {rounds} rounds", told(&t));
    }
    let asked = crowd.settle();
    for _ in 0..ENDINGS {
        t.sandbox.deliver_due().await;
        t.run_periodic_tasks().await;
        t.clock.advance(Duration::from_secs(6 * 3600));
    }
    let figures = books::check(&t).await;
    println!(
        "{orders} orders, {} notifications, {rounds} rounds, {asked} requests, {} ms: {figures}",
        told(&t),
        running.elapsed().as_millis()
    );
}

/// Notifications and pushes that arrived, whatever was made of them.
fn told(t: &TestApp) -> usize {
    let query = "SELECT COUNT(*) FROM payment_events WHERE source IN ('notify', 'push')";
    t.count(query).try_into().unwrap()
}
