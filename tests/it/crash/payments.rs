//! Users who buy through both channels, with a WeChat that tells late, twice, wrongly or never, and
//! somebody who gives money back.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::app::App;
use dream_bff::base::rng::Rng;
use dream_bff::features::audit;
use dream_bff::features::orders::OrderId;
use dream_bff::features::refunds::{self, IfSpent, RefundAmount, RefundWish};
use dream_bff::features::settings::{Section, service::change};
use dream_bff::sandbox::{
    Delivery, Fault, Faults, PayCall, PushDelivery, RefundOutcome, Sandbox, WechatCall,
};
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use serde_json::json;

use super::audit::{file_is_whole, ledger_adds_up};
use super::buyer::Buyer;
use super::driver::{Actor, CutOff, Figures, Plan, Workload, database};
use super::money;

/// Who buys at the same time.
const BUYERS: u64 = 6;

/// Every second of an order's minute, so that what nobody tells is found soon.
const ASK_AFTER_S: std::ops::Range<u32> = 1..50;

/// WeChat's pauses between two attempts are so much shorter.
const DELIVERY_SPEED: u32 = 2000;

/// Refunds asked for after one death.
const REFUNDS: i64 = 4;

pub(super) fn workload(plan: Plan, sandbox: &Arc<Sandbox>) -> Workload {
    sandbox.set_delivery_speed(DELIVERY_SPEED);
    let buyer = |number| -> Box<dyn Actor> {
        let rng = Rng::seeded(plan.seed.wrapping_add(number + 1));
        Box::new(Buyer::new(number, Arc::clone(sandbox), rng))
    };
    Workload {
        settings: vec![
            ("RATE_LIMIT_PER_USER", "0"),
            ("PUBLIC_URL", "http://127.0.0.1:3000"),
            ("WECHAT_PAY_TIMEOUT", "1"),
            ("WECHAT_TIMEOUT", "1"),
            ("MIN_FREE_DISK_MIB", "0"),
            ("RUST_LOG", "info,access=off"),
        ],
        prepare: Box::new(|app| Box::pin(prepare(app))),
        actors: (0..BUYERS).map(buyer).collect(),
        weather,
        between: Some(refund),
        announce,
        calm,
        cut_off,
        open,
        audits: vec![
            file_is_whole,
            ledger_adds_up,
            money::both_sides_agree,
            money::each_payment_gave_once,
            money::figures,
        ],
    }
}

async fn prepare(app: Arc<App>) {
    let steps: Vec<u32> = ASK_AFTER_S.collect();
    let rules = json!({ "orderMinutes": 1, "syncEveryS": 0, "askAfterS": steps });
    change(&app, Section::Payment, rules, "test").await.unwrap();
}

/// One knob is turned, at most one fault of a kind being due at a time.
fn weather(sandbox: &Sandbox, rng: &Rng) {
    let (wechat, pay) = (sandbox.wechat(), sandbox.wechat_pay());
    match rng.below(24) {
        0 | 1 => due(pay.faults_of(PayCall::Prepay), rng, 503),
        2..=5 => due(pay.faults_of(PayCall::Query), rng, 500),
        6 => due(pay.faults_of(PayCall::Close), rng, 500),
        7 | 8 => due(wechat.faults_of(WechatCall::VirtualQuery), rng, -1),
        9 => due(wechat.login_faults(), rng, -1),
        10 => due(pay.faults_of(PayCall::Refund), rng, 500),
        11 => due(wechat.faults_of(WechatCall::VirtualRefund), rng, -1),
        12 => {
            let outcome = match rng.below(3) {
                0 => RefundOutcome::Closed { after_ms: 500 },
                _ => RefundOutcome::Success { after_ms: 1500 },
            };
            if pay.refund_outcomes().view().next.is_empty() {
                pay.refund_outcomes().next(outcome, 1);
            }
        }
        13..=16 if pay.payment_notices().view().next.is_empty() => {
            pay.payment_notices().next(delivery(rng), 1);
        }
        17 | 18 if wechat.push().plan().view().next.is_empty() => {
            wechat.push().plan().next(push(rng), 1);
        }
        19..=21 => tell_again(sandbox, rng),
        _ => {}
    }
}

fn due(faults: &Faults, rng: &Rng, code: i64) {
    let fault = match rng.below(7) {
        0 => Fault::Error { code },
        1 => Fault::Drop,
        2 => Fault::Garbage,
        3 => Fault::Cut,
        4 => Fault::Silence,
        5 => Fault::BadSignature,
        // Beyond the time limit every other time.
        _ => Fault::Hang { ms: 600 + rng.below(1000) },
    };
    if faults.view().next.is_empty() {
        faults.next(fault, 1);
    }
}

fn delivery(rng: &Rng) -> Delivery {
    match rng.below(7) {
        0 | 1 => Delivery::Lost,
        2 => Delivery::Duplicated { times: 4 },
        3 => Delivery::Delayed { ms: 3000 },
        4 => Delivery::Tampered,
        5 => Delivery::OldTimestamp,
        _ => Delivery::Probe,
    }
}

/// Never lost: after a cancellation nobody asks about virtual payment for ten minutes. Instead, buyers pay
/// silently what is sure to be asked about.
fn push(rng: &Rng) -> PushDelivery {
    match rng.below(4) {
        0 | 1 => PushDelivery::Duplicated { times: 4 },
        2 => PushDelivery::Delayed { ms: 3000 },
        _ => PushDelivery::WrongToken,
    }
}

/// Of a payment that may be long settled.
fn tell_again(sandbox: &Sandbox, rng: &Rng) {
    if let Some(order) = one_of(&sandbox.wechat_pay().orders(30), rng) {
        let _ = sandbox.wechat_pay().notify_again(&order.out_trade_no, Delivery::Normal);
    }
    let shop = sandbox.wechat().virtual_payment();
    if let Some(order) = one_of(&shop.orders(30), rng) {
        let _ = shop.deliver_again(&order.out_trade_no);
    }
}

pub(super) fn one_of<'a, T>(all: &'a [T], rng: &Rng) -> Option<&'a T> {
    let count = u64::try_from(all.len()).unwrap();
    all.get(usize::try_from(rng.below(count.max(1))).unwrap())
}

/// Asks for refunds by the program's own service, and dies in the middle of them.
fn refund<'a>(
    app: &'a Arc<App>,
    folder: &'a Path,
    rng: &'a Rng,
    figures: &'a Figures,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        for order in paid_orders(folder) {
            let amount = match rng.below(2) {
                0 => RefundAmount::All,
                _ => RefundAmount::Fen(i64::try_from(1 + rng.below(900)).unwrap()),
            };
            let wish = RefundWish {
                order: OrderId::parse(&order).unwrap(),
                amount,
                days: None,
                points: None,
                if_spent: IfSpent::TakeWhatIsLeft,
                reason: "crash".to_owned(),
                actor: audit::Actor::System,
            };
            let patience = Duration::from_millis(rng.below(40));
            match tokio::time::timeout(patience, refunds::service::request(app, wish)).await {
                Ok(Ok(_)) => figures.add("refunds acknowledged", 1),
                Ok(Err(_)) => figures.add("refunds refused", 1),
                Err(_) => figures.add("refunds cut off", 1),
            }
        }
    })
}

/// Some that can be refunded, at random.
fn paid_orders(folder: &Path) -> Vec<String> {
    let database = database(folder);
    let mut orders = database
        .prepare(
            "SELECT order_id FROM orders WHERE status IN ('PAID', 'PARTIALLY_REFUNDED')
              ORDER BY random() LIMIT ?1",
        )
        .unwrap();
    let orders = orders.query_map([REFUNDS], |row| row.get(0)).unwrap();
    orders.map(Result::unwrap).collect()
}

fn announce(sandbox: &Sandbox, address: SocketAddr) {
    sandbox.deliver_to(Some(address));
}

fn calm(sandbox: &Sandbox) {
    let (wechat, pay) = (sandbox.wechat(), sandbox.wechat_pay());
    for call in [PayCall::Prepay, PayCall::Query, PayCall::Close, PayCall::Refund] {
        pay.faults_of(call).clear();
    }
    for call in [WechatCall::VirtualQuery, WechatCall::VirtualRefund] {
        wechat.faults_of(call).clear();
    }
    wechat.login_faults().clear();
    pay.payment_notices().clear();
    pay.refund_outcomes().clear();
    wechat.push().plan().clear();
}

/// Payments that WeChat has and the dead server did not take in, of orders that wait for them: those of
/// cancelled ones are found a little later.
fn cut_off(database: &Connection, sandbox: &Sandbox) -> CutOff {
    let mut unknown = money::unknown_payments(database, sandbox);
    unknown.retain(|order| money::status(database, order) == "PENDING");
    let path = database.path().unwrap().to_owned();
    let count = unknown.len().try_into().unwrap();
    let is_forgotten = move |_: &Sandbox| {
        let database = Connection::open(&path).unwrap();
        unknown.iter().any(|order| !money::is_paid(&database, order))
    };
    CutOff { count, is_forgotten: Box::new(is_forgotten) }
}

/// What must come to an end by itself: payments not taken in, orders not closed at WeChat, refunds.
fn open(database: &Connection, sandbox: &Sandbox) -> Vec<String> {
    let query = "SELECT 'refund ' || refund_id || ' of ' || order_id || ': ' || status
                   FROM refunds WHERE ended_at IS NULL
                 UNION ALL SELECT 'not closed at WeChat: ' || order_id
                   FROM order_payments WHERE close_pending = 1";
    let mut open = database.prepare(query).unwrap();
    let open = open.query_map([], |row| row.get(0)).unwrap();
    let mut open: Vec<String> = open.map(Result::unwrap).collect();
    for order in money::unknown_payments(database, sandbox) {
        open.push(format!("not taken in: {}", money::course(database, &order)));
    }
    let undelivered = sandbox.undelivered();
    if undelivered > 0 {
        open.push(format!("{undelivered} notifications and pushes that nobody accepts"));
    }
    open
}
