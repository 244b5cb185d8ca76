//! Somebody who places orders, pays them at WeChat, asks, cancels, and remembers what he was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::base::rng::Rng;
use dream_bff::sandbox::{Platform, Sandbox};
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::driver::{Actor, Figures, Front, With};
use super::payments::one_of;
use crate::support::Answer;

/// What he buys.
const WISHES: [(&str, &str, &str); 6] = [
    ("planId", "vip_month", "wechat"),
    ("planId", "vip_year", "wechat"),
    ("packId", "points_100", "wechat"),
    ("packId", "points_500", "wechat"),
    ("planId", "vip_month", "virtual"),
    ("packId", "points_100", "virtual"),
];

/// Of his orders so many are looked at; the older ones are left alone until the end.
const RECENT: usize = 8;

/// A payment that nobody is told of is made only while it is sure to be asked about soon: within the
/// first part of an order's minute, and of none that may have ended.
const SILENT: Duration = Duration::from_secs(35);

/// After so many deeds he logs in as somebody else.
const VISIT: u32 = 60;

/// One person, and the next.
pub(super) struct Buyer {
    number: u64,
    sandbox: Arc<Sandbox>,
    rng: Rng,
    names: u32,
    left: u32,
    user: Option<User>,
    /// Keys of the orders that he was told of, in their order.
    ids: Vec<String>,
    orders: BTreeMap<String, Order>,
    keyed: Option<(String, Value, Option<Answer>)>,
}

struct User {
    id: i64,
    name: String,
    token: String,
}

/// An order as he knows it.
struct Order {
    user: i64,
    name: String,
    token: String,
    placed: Stopwatch,
    /// The whole answer to placing it, or to the wish to pay it again.
    answer: Value,
    status: String,
    /// What was asked for, as it was asked.
    wish: Value,
    /// He has tried to cancel it, or another order of the same product has taken its place.
    may_have_ended: bool,
}

impl Order {
    fn is_virtual(&self) -> bool {
        self.answer["paymentMethod"] == "virtual"
    }

    /// Whether an order of this wish would end it: the same product by another method.
    fn gives_way_to(&self, wish: &Value) -> bool {
        let is_same = |field: &str| self.wish[field] == wish[field];
        is_same("planId") && is_same("packId") && !is_same("paymentMethod")
    }
}

impl Buyer {
    pub(super) fn new(number: u64, sandbox: Arc<Sandbox>, rng: Rng) -> Self {
        let (ids, orders) = (Vec::new(), BTreeMap::new());
        Self { number, sandbox, rng, names: 0, left: 0, user: None, ids, orders, keyed: None }
    }

    /// As somebody new when `is_new`, else as himself: with another session key at WeChat.
    async fn log_in(&mut self, front: &Front, is_new: bool) {
        let name = match &self.user {
            Some(user) if !is_new => user.name.clone(),
            _ => format!("buyer-{}-{}", self.number, self.names),
        };
        let body = json!({ "code": format!("dev-{name}") });
        let answer = front.ask("POST", "/v1/auth/wechat-login", With::default(), &body).await;
        let Some(answer) = answer.filter(|answer| ![502, 503, 504].contains(&answer.status)) else {
            return;
        };
        let login = answer.ok();
        if is_new {
            self.names += 1;
            self.left = VISIT;
            self.keyed = None;
        }
        self.user = Some(User {
            id: login["user"]["id"].as_i64().unwrap(),
            token: login["token"].as_str().unwrap().to_owned(),
            name,
        });
    }

    async fn place(&mut self, front: &Front) {
        let (kind, id, method) = *one_of(&WISHES, &self.rng).unwrap();
        let body = json!({ kind: id, "paymentMethod": method, "platform": "android" });
        let key = format!("{}-{}", self.number, self.rng.below(u64::MAX));
        self.keyed = None;
        let is_keyed = self.rng.below(2) == 0;
        let answer = self.send(front, is_keyed.then_some(&*key), &body).await;
        if is_keyed {
            self.keyed = Some((key, body, answer));
        }
    }

    /// The same wish under the same key, answered or not.
    async fn repeat(&mut self, front: &Front) {
        let Some((key, body, before)) = self.keyed.take() else { return };
        let answer = self.send(front, Some(&key), &body).await;
        if let (Some(before), Some(now)) = (&before, &answer) {
            let known = before.status == 200 && now.status == 200;
            assert!(!known || before.body == now.body, "{} then {}", before.text(), now.text());
        }
        self.keyed = Some((key, body, before.or(answer)));
    }

    async fn send(&mut self, front: &Front, key: Option<&str>, body: &Value) -> Option<Answer> {
        let user = self.user.as_ref()?;
        // Whether or not an answer comes.
        let own = self.orders.values_mut().filter(|order| order.user == user.id);
        for order in own.filter(|order| order.gives_way_to(body)) {
            order.may_have_ended = true;
        }
        let with = With { token: Some(&user.token), key };
        let answer = front.ask("POST", "/v1/orders", with, body).await?;
        if !is_good(&answer) {
            return Some(answer);
        }
        let placed = answer.json();
        let id = placed["orderId"].as_str().unwrap().to_owned();
        assert_eq!(placed["status"], "PENDING", "{placed}");
        if !self.orders.contains_key(&id) {
            self.ids.push(id.clone());
            let order = Order {
                user: user.id,
                name: user.name.clone(),
                token: user.token.clone(),
                placed: Stopwatch::start(),
                answer: placed,
                status: "PENDING".to_owned(),
                wish: body.clone(),
                may_have_ended: false,
            };
            self.orders.insert(id, order);
        }
        Some(answer)
    }

    /// One of his last orders.
    fn recent(&self) -> Option<String> {
        let from = self.ids.len().saturating_sub(RECENT);
        one_of(&self.ids[from..], &self.rng).cloned()
    }

    /// What he does at WeChat; it may refuse.
    async fn pay(&mut self, front: &Front) {
        let Some(id) = self.recent() else { return };
        let order = &self.orders[&id];
        let may_be_silent = !order.may_have_ended && order.placed.elapsed() < SILENT;
        let is_silent = may_be_silent && self.rng.below(3) > 0;
        let pay = self.sandbox.wechat_pay();
        if !order.is_virtual() {
            let params = &order.answer["wxPayParams"];
            // Checked as the phone does; a stale one is refused like any.
            let _ = match is_silent {
                true => pay.pay_silently(&id),
                false => pay.pay(params),
            };
            return;
        }
        let (wechat, params) = (self.sandbox.wechat(), &order.answer["virtualPayParams"]);
        let platform = match self.rng.below(3) {
            0 => Platform::Ios,
            _ => Platform::Android,
        };
        let paid = match is_silent {
            true => wechat.pay_virtually_in_silence(&order.name, params, platform),
            false => wechat.pay_virtually(&order.name, params, platform),
        };
        // The session key is not the newest any more.
        if paid.is_err_and(|refusal| refusal.code == -15005) {
            self.log_in(front, false).await;
            self.pay_again(front, &id).await;
        }
    }

    /// Fresh parameters.
    async fn pay_again(&mut self, front: &Front, id: &str) {
        let order = &self.orders[id];
        let with = With { token: Some(&order.token), key: None };
        let path = format!("/v1/orders/{id}/pay");
        let answer = front.ask("POST", &path, with, &json!({})).await;
        if let Some(answer) = answer.filter(is_good) {
            self.orders.get_mut(id).unwrap().answer = answer.json();
        }
    }

    async fn cancel(&mut self, front: &Front) {
        let Some(id) = self.recent() else { return };
        let order = self.orders.get_mut(&id).unwrap();
        order.may_have_ended = true;
        let with = With { token: Some(&order.token), key: None };
        let path = format!("/v1/orders/{id}/cancel");
        let answer = front.ask("POST", &path, with, &json!({})).await;
        if let Some(answer) = answer.filter(is_good) {
            order.see(&answer.json());
        }
    }

    async fn look(&mut self, front: &Front) {
        let Some(id) = self.recent() else { return };
        let sync = if self.rng.below(3) == 0 { "?sync=true" } else { "" };
        let order = self.orders.get_mut(&id).unwrap();
        let with = With { token: Some(&order.token), key: None };
        let path = format!("/v1/orders/{id}{sync}");
        if let Some(answer) = front.ask("GET", &path, with, &Value::Null).await {
            order.see(&answer.ok());
        }
    }
}

impl Order {
    /// Whatever was paid stays paid; what has ended unpaid may only be paid yet.
    #[track_caller]
    fn see(&mut self, order: &Value) {
        let now = order["status"].as_str().unwrap();
        let is_paid = |status: &str| !["PENDING", "CANCELLED", "EXPIRED"].contains(&status);
        let may_follow = match &*self.status {
            "PENDING" => true,
            "REFUNDED" => now == "REFUNDED",
            before if is_paid(before) => is_paid(now),
            before => now == before || is_paid(now),
        };
        assert!(may_follow, "{} and then {order}", self.status);
        now.clone_into(&mut self.status);
    }
}

/// `false` for what may be said of a wish that comes to nothing, or not now.
#[track_caller]
fn is_good(answer: &Answer) -> bool {
    let may_be = [200, 409, 410, 429, 503];
    assert!(may_be.contains(&answer.status), "{} {}", answer.status, answer.text());
    answer.status == 200
}

impl Actor for Buyer {
    fn act<'a>(&'a mut self, front: &'a Front) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20 + self.rng.below(100))).await;
            if self.left == 0 || self.user.is_none() {
                return self.log_in(front, true).await;
            }
            self.left -= 1;
            match self.rng.below(100) {
                0..28 => self.place(front).await,
                28..60 => self.pay(front).await,
                60..78 => self.look(front).await,
                78..84 => self.cancel(front).await,
                84..90 => {
                    if let Some(id) = self.recent() {
                        self.pay_again(front, &id).await;
                    }
                }
                90..92 => self.log_in(front, false).await,
                _ => self.repeat(front).await,
            }
        })
    }

    /// Nothing: it is the server that has to find out what was paid.
    fn settle<'a>(&'a mut self, _: &'a Front) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn check<'a>(&'a mut self, front: &'a Front, figures: &'a Figures) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for (id, order) in &mut self.orders {
                let token = order.token.clone();
                let with = With { token: Some(&token), key: None };
                let path = format!("/v1/orders/{id}");
                order.see(&front.surely("GET", &path, with, &Value::Null).await.ok());
                if order.status == "PENDING" {
                    // Nobody paid: it can still be ended.
                    let path = format!("/v1/orders/{id}/cancel");
                    let answer = front.surely("POST", &path, with, &json!({})).await;
                    assert!([200, 409, 410].contains(&answer.status), "{}", answer.text());
                }
            }
            figures.add("orders acknowledged", self.orders.len().try_into().unwrap());
        })
    }

    fn check_database(&self, database: &Connection) {
        let query =
            "SELECT COUNT(*) FROM orders WHERE order_id = ?1 AND user_id = ?2 AND amount = ?3
                        AND status <> 'PENDING'";
        let mut query = database.prepare(query).unwrap();
        for (id, order) in &self.orders {
            let amount = order.answer["amount"].as_i64().unwrap();
            let found: i64 = query.query_row((id, order.user, amount), |row| row.get(0)).unwrap();
            assert_eq!(found, 1, "{id} of user {}", order.user);
        }
    }
}
