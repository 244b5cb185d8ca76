//! Users who buy, pay, ask and cancel, and what WeChat does with the news of it.

use dream_bff::base::rng::Rng;
use dream_bff::sandbox::{Delivery, Platform, PushDelivery};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use crate::support::{TestApp, User};

/// Requests under way at once.
const AT_ONCE: usize = 32;

/// One order in so many is forgotten.
const FORGOTTEN: u64 = 6;

/// Every user buys each of these; what is paid already may be bought again.
const WISHES: [(&str, &str, &str); 7] = [
    ("planId", "vip_month", "wechat"),
    ("planId", "vip_year", "wechat"),
    ("packId", "points_100", "wechat"),
    ("packId", "points_500", "wechat"),
    ("planId", "vip_month", "virtual"),
    ("packId", "points_1000", "virtual"),
    ("packId", "points_5000", "wechat"),
];

/// An order as its user knows it.
struct Bought {
    who: usize,
    id: String,
    /// What `wx.requestVirtualPayment` takes, of virtual payment.
    virtual_params: Option<Value>,
    /// Neither paid nor cancelled, until its time is over.
    is_forgotten: bool,
}

/// Everybody.
pub(super) struct Crowd<'a> {
    t: &'a TestApp,
    users: Vec<User>,
    bought: Vec<Bought>,
    wanted: usize,
    requests: usize,
    pub(super) rng: Rng,
}

/// A request of a user.
enum Step {
    Place(usize, Value),
    Ask(usize, String),
    PayAgain(usize, String),
    Cancel(usize, String),
}

impl<'a> Crowd<'a> {
    pub(super) async fn of(t: &'a TestApp, wanted: usize, rng: Rng) -> Self {
        let mut users = Vec::new();
        for number in 0..wanted.div_ceil(WISHES.len()) {
            users.push(t.log_in(&name(number)).await);
        }
        Self { t, users, bought: Vec::new(), wanted, requests: 0, rng }
    }

    pub(super) fn is_still_buying(&self) -> bool {
        self.bought.len() < self.wanted
    }

    /// Many things at once.
    pub(super) async fn act(&mut self) {
        let mut steps = Vec::new();
        // As many for each order, however many there are: they do not wait for ever.
        for _ in 0..self.wanted * 2 / 5 {
            let dice = self.rng.below(100);
            if self.bought.is_empty() || (dice < 40 && self.is_still_buying()) {
                steps.push(self.wish());
                continue;
            }
            let (who, id, is_forgotten) = {
                let one = self.any();
                (one.who, one.id.clone(), one.is_forgotten)
            };
            match dice {
                0..55 => self.pay(),
                _ if is_forgotten => steps.push(Step::Ask(who, id)),
                55..70 => self.tell_again(&id),
                70..85 => steps.push(Step::Ask(who, id)),
                85..92 => steps.push(Step::PayAgain(who, id)),
                _ => steps.push(Step::Cancel(who, id)),
            }
        }
        self.requests += steps.len();
        let users = &self.users;
        let steps = stream::iter(steps).map(|step| step.of(users)).buffer_unordered(AT_ONCE);
        let done: Vec<Option<Bought>> = steps.collect().await;
        for mut bought in done.into_iter().flatten() {
            // The same again, when it still waited for payment.
            if self.bought.iter().all(|known| known.id != bought.id) {
                bought.is_forgotten = self.rng.below(FORGOTTEN) == 0;
                self.bought.push(bought);
            }
        }
    }

    /// No more mischief; gives the requests there were.
    pub(super) fn settle(&self) -> usize {
        self.t.sandbox.wechat_pay().payment_notices().clear();
        self.t.sandbox.wechat().push().plan().clear();
        self.requests
    }

    fn wish(&self) -> Step {
        let (who, wish) = (self.below(self.users.len()), self.below(WISHES.len()));
        let (kind, id, method) = WISHES[wish];
        Step::Place(who, json!({ kind: id, "paymentMethod": method }))
    }

    fn below(&self, count: usize) -> usize {
        self.rng.below(count.try_into().unwrap()).try_into().unwrap()
    }

    fn any(&self) -> &Bought {
        &self.bought[self.below(self.bought.len())]
    }

    /// The user pays, unless WeChat says that it is closed, paid or too late; the news goes any way.
    fn pay(&self) {
        let one = self.any();
        if one.is_forgotten {
            return;
        }
        let Some(params) = &one.virtual_params else {
            let pay = self.t.sandbox.wechat_pay();
            pay.payment_notices().clear();
            pay.payment_notices().next(self.delivery(), 1);
            let _ = pay.pay_order(&one.id);
            return;
        };
        let wechat = self.t.sandbox.wechat();
        let delivery = match self.rng.below(6) {
            0 => PushDelivery::Lost,
            1 => PushDelivery::Duplicated { times: 5 },
            2 => PushDelivery::Delayed { ms: 400_000 },
            3 => PushDelivery::WrongToken,
            4 => PushDelivery::OldTimestamp,
            _ => PushDelivery::Normal,
        };
        wechat.push().plan().clear();
        wechat.push().plan().next(delivery, 1);
        let _ = wechat.pay_virtually(&name(one.who), params, Platform::Android);
    }

    fn delivery(&self) -> Delivery {
        match self.rng.below(9) {
            0 => Delivery::Lost,
            1 | 2 => Delivery::Duplicated { times: 10 },
            3 => Delivery::Delayed { ms: 700_000 },
            4 => Delivery::Tampered,
            5 => Delivery::WrongSerial,
            6 => Delivery::OldTimestamp,
            7 => Delivery::Probe,
            _ => Delivery::Normal,
        }
    }

    /// WeChat tells once more, out of order and with a new id, of what was paid some time.
    fn tell_again(&self, id: &str) {
        let times = u32::try_from(1 + self.rng.below(12)).unwrap();
        let again = Delivery::Duplicated { times };
        if self.t.sandbox.wechat_pay().notify_again(id, again).is_err() {
            let _ = self.t.sandbox.wechat().virtual_payment().deliver_again(id);
        }
    }
}

impl Step {
    async fn of(self, users: &[User]) -> Option<Bought> {
        match self {
            Self::Place(who, wish) => {
                let answer = users[who].post("/v1/orders").json(&wish).await;
                match answer.status {
                    200 => {
                        let placed = answer.json();
                        Some(Bought {
                            who,
                            id: placed["orderId"].as_str().unwrap().to_owned(),
                            virtual_params: placed
                                .get("virtualPayParams")
                                .filter(|params| params.is_object())
                                .cloned(),
                            is_forgotten: false,
                        })
                    }
                    // The order that was to be paid first turned out to be paid.
                    status => {
                        assert_eq!(status, 409, "{}", answer.text());
                        None
                    }
                }
            }
            Self::Ask(who, id) => {
                users[who].get(&format!("/v1/orders/{id}?sync=true")).await.ok();
                None
            }
            Self::PayAgain(who, id) => {
                let answer = users[who].post(&format!("/v1/orders/{id}/pay")).await;
                assert!([200, 409].contains(&answer.status), "{}", answer.text());
                None
            }
            Self::Cancel(who, id) => {
                let answer = users[who].post(&format!("/v1/orders/{id}/cancel")).await;
                assert!([200, 409].contains(&answer.status), "{}", answer.text());
                None
            }
        }
    }
}

/// The openid of a user.
fn name(number: usize) -> String {
    format!("buyer-{number}")
}
