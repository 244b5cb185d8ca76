//! Somebody who logs in, asks for pictures, earns points, cancels, waits, and looks at what he has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dream_bff::base::rng::Rng;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::driver::{Actor, Figures, Front, With};
use super::wishes::Wishes;
use crate::support::Answer;

/// Jobs that a user lets wait at once.
const PATIENCE: usize = 3;

/// What all guests know.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) codes: OnceLock<Vec<String>>,
    tries: AtomicUsize,
    invite_code: OnceLock<String>,
}

impl Shared {
    /// A redeem code that another guest is given too.
    fn code(&self) -> Option<&str> {
        let turn = self.tries.fetch_add(1, Ordering::Relaxed) / 2;
        Some(self.codes.get()?.get(turn)?)
    }
}

/// One user after another, or the same for ever.
pub(super) struct Guest {
    number: u64,
    /// What he does before he makes room for the next one.
    visit: Option<u32>,
    shared: Arc<Shared>,
    rng: Rng,
    names: u32,
    left: u32,
    user: Option<User>,
    gone: Vec<User>,
}

/// What one user was told.
struct User {
    id: i64,
    token: String,
    wishes: Wishes,
    /// Codes that gave him points.
    redeemed: Vec<String>,
    has_checked_in: bool,
}

impl Guest {
    pub(super) fn new(number: u64, visit: Option<u32>, shared: Arc<Shared>, rng: Rng) -> Self {
        let (user, gone) = (None, Vec::new());
        Self { number, visit, shared, rng, names: 0, left: 0, user, gone }
    }

    async fn log_in(&mut self, front: &Front) {
        // The same name until he is in: an unanswered log-in may have made the user.
        let name = format!("guest-{}-{}", self.number, self.names);
        let mut body = json!({ "code": format!("dev-{name}") });
        if let Some(code) = self.shared.invite_code.get() {
            body["inviteCode"] = json!(code);
        }
        let Some(answer) = front.ask("POST", "/v1/auth/wechat-login", With::default(), &body).await
        else {
            return;
        };
        if answer.status == 502 {
            return;
        }
        let login = answer.ok();
        let user = User {
            id: login["user"]["id"].as_i64().unwrap(),
            token: login["token"].as_str().unwrap().to_owned(),
            wishes: Wishes::of(&name),
            redeemed: Vec::new(),
            has_checked_in: false,
        };
        self.names += 1;
        self.left = self.visit.unwrap_or(u32::MAX);
        if let Some(gone) = self.user.replace(user) {
            self.gone.push(gone);
        }
    }

    fn users(&self) -> impl Iterator<Item = &User> {
        self.gone.iter().chain(&self.user)
    }

    fn users_mut(&mut self) -> impl Iterator<Item = &mut User> {
        self.gone.iter_mut().chain(&mut self.user)
    }
}

impl Actor for Guest {
    fn act<'a>(&'a mut self, front: &'a Front) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5 + self.rng.below(60))).await;
            if self.left == 0 {
                return self.log_in(front).await;
            }
            self.left -= 1;
            let Some(user) = &mut self.user else { return };
            user.act(front, &self.shared, &self.rng).await;
        })
    }

    fn settle<'a>(&'a mut self, front: &'a Front) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for user in self.users_mut() {
                user.wishes.settle(front, &user.token).await;
            }
        })
    }

    fn check<'a>(&'a mut self, front: &'a Front, figures: &'a Figures) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for user in self.users() {
                user.wishes.check(front, &user.token, figures).await;
                figures.add("log-ins acknowledged", 1);
                figures.add("codes redeemed", user.redeemed.len().try_into().unwrap());
                figures.add("check-ins acknowledged", u64::from(user.has_checked_in));
            }
        })
    }

    fn check_database(&self, database: &Connection) {
        let bookings = "SELECT COUNT(*) FROM points_transactions
                         WHERE user_id = ?1 AND reason = ?2 AND (?3 IS NULL OR reference = ?3)";
        for user in self.users() {
            let booked = |reason: &str, reference: Option<&str>| -> i64 {
                let of = rusqlite::params![user.id, reason, reference];
                database.query_row(bookings, of, |row| row.get(0)).unwrap()
            };
            assert_eq!(booked("sign_up", None), 1, "user {} is somebody", user.id);
            if user.has_checked_in {
                assert!(booked("check_in", None) >= 1, "user {} has checked in", user.id);
            }
            for code in &user.redeemed {
                let normal: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
                assert_eq!(booked("redeem", Some(&normal)), 1, "{code} of user {}", user.id);
            }
            user.wishes.check_database(database, user.id);
        }
    }
}

impl User {
    async fn act(&mut self, front: &Front, shared: &Shared, rng: &Rng) {
        let with = With { token: Some(&self.token), key: None };
        let dice = rng.below(100);
        let may_ask = self.wishes.open() < PATIENCE;
        match dice {
            0..30 if may_ask => self.wishes.submit(front, &self.token, rng, true).await,
            30..45 if may_ask => self.wishes.submit(front, &self.token, rng, false).await,
            45..57 => self.wishes.repeat(front, &self.token, rng).await,
            57..65 => self.redeem(front, shared, rng).await,
            65..69 => self.check_in(front).await,
            69..77 => self.wishes.cancel(front, &self.token, rng).await,
            77..85 => {
                for path in ["/v1/users/me", "/v1/jobs/quota", "/v1/points/transactions"] {
                    front.ask("GET", path, with, &Value::Null).await.map(|seen| seen.ok());
                }
                if let Some(mine) =
                    front.ask("GET", "/v1/users/me/invites", with, &Value::Null).await
                {
                    let code = mine.ok()["inviteCode"].as_str().unwrap().to_owned();
                    // The first one to look invites all who come later.
                    let _ = shared.invite_code.set(code);
                }
            }
            _ => self.wishes.wait(front, &self.token, rng).await,
        }
    }

    async fn redeem(&mut self, front: &Front, shared: &Shared, rng: &Rng) {
        let Some(code) = shared.code() else { return };
        let key = format!("redeem-{code}");
        let with = With { token: Some(&self.token), key: Some(&key).map(|key| key.as_str()) };
        // With a key he may ask again after a crash, without one he would be told that it is used.
        let tries = 1 + rng.below(3);
        let mut was_answered: Option<Answer> = None;
        for _ in 0..tries {
            let body = json!({ "code": code });
            let answer = front.ask("POST", "/v1/points/redeem", with, &body).await;
            let Some(answer) = answer else { continue };
            match answer.status {
                200 => {
                    if let Some(before) = &was_answered {
                        assert_eq!(before.body, answer.body, "the same key, the same answer");
                    } else {
                        self.redeemed.push(code.to_owned());
                    }
                    was_answered = Some(answer);
                }
                409 => assert!(was_answered.is_none(), "it was his: {}", answer.text()),
                _ => panic!("{}", answer.text()),
            }
        }
    }

    async fn check_in(&mut self, front: &Front) {
        let with = With { token: Some(&self.token), key: None };
        let answer = front.ask("POST", "/v1/points/check-in", with, &json!({})).await;
        match answer.map(|answer| answer.status) {
            // Once a day; the test may run over midnight, hence not once in all.
            Some(200) => self.has_checked_in = true,
            Some(409) | None => {}
            Some(other) => panic!("check-in: {other}"),
        }
    }
}
