//! What the simulators send by themselves: payment notifications and message pushes.
//!
//! A letter is due at a time of the sandbox's clock, is written anew for every attempt, and is
//! repeated after the pauses of its sender until it is accepted. A background task sends what is
//! due; where it does not run, [`Outbox::deliver_due`] is the postman, so that a test decides when.
//! Bounded: letters waiting, letters under way, answers read, attempts remembered.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::tasks::Tasks;
use crate::base::clock::Clock;
use crate::base::time::UnixMillis;

/// Letters waiting; further ones are lost, as a notification may be.
const MAX_WAITING: usize = 10_000;
/// Letters under way at once.
const MAX_UNDER_WAY: usize = 16;
/// Attempts remembered.
const MAX_REMEMBERED: usize = 1000;
/// WeChat waits this long for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;
/// How often the background task looks.
const LOOK: Duration = Duration::from_millis(100);

/// One request, ready to be sent.
pub(super) struct Written {
    /// Added to the address with a `?`, unless empty.
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Writes the request of an attempt, which are counted from 1.
type Write = Box<dyn Fn(u32, UnixMillis) -> Written + Send + Sync>;

/// Something to be delivered.
pub(super) struct Letter {
    /// What it is about: an order number, a trace id.
    pub(super) subject: String,
    /// The event.
    pub(super) event: String,
    /// Where it goes.
    pub(super) url: String,
    pub(super) write: Write,
    /// Whether status and body of an answer accept it.
    pub(super) is_accepted: fn(u16, &[u8]) -> bool,
    /// What happens then.
    pub(super) on_accepted: Box<dyn Fn() + Send + Sync>,
    /// Seconds between attempts.
    pub(super) pauses: &'static [i64],
}

/// One attempt to deliver something.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// When, by the sandbox's clock.
    pub at: UnixMillis,
    /// What it is about: an order number, a refund number, a trace id.
    pub subject: String,
    /// The event: `TRANSACTION.SUCCESS`, `xpay_goods_deliver_notify`, …
    pub event: String,
    /// From 1.
    pub attempt: u32,
    /// What was answered; `None` when nothing was.
    pub status: Option<u16>,
    /// Whether that ended it.
    pub is_accepted: bool,
}

struct Waiting {
    due: UnixMillis,
    attempt: u32,
    letter: Letter,
}

/// The letters of one sandbox.
pub(super) struct Outbox {
    clock: Clock,
    agent: ureq::Agent,
    waiting: Mutex<Vec<Waiting>>,
    remembered: Mutex<VecDeque<Delivered>>,
    redirect: Mutex<Option<SocketAddr>>,
    /// The pauses are divided by this.
    speed: AtomicU32,
    free: Semaphore,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} waiting)", self.waiting.lock().len())
    }
}

impl Outbox {
    pub(super) fn new(clock: Clock) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_idle_connections(0)
            .proxy(None)
            .build();
        Self {
            clock,
            agent: config.new_agent(),
            waiting: Mutex::default(),
            remembered: Mutex::default(),
            redirect: Mutex::default(),
            speed: AtomicU32::new(1),
            free: Semaphore::new(MAX_UNDER_WAY),
        }
    }

    /// Sends what is due until the sandbox stops.
    pub(super) fn run(self: &Arc<Self>, tasks: &Tasks) {
        let (outbox, letters) = (Arc::clone(self), tasks.clone());
        tasks.spawn(async move {
            loop {
                for waiting in outbox.take_due() {
                    let outbox = Arc::clone(&outbox);
                    letters.spawn(async move { outbox.send(waiting).await });
                }
                tokio::time::sleep(LOOK).await;
            }
        });
    }

    /// Puts `letter` in, to be sent after `delay_ms`.
    pub(super) fn post(&self, letter: Letter, delay_ms: i64) {
        let due = self.clock.now().plus_millis(delay_ms);
        let mut waiting = self.waiting.lock();
        if waiting.len() < MAX_WAITING {
            waiting.push(Waiting { due, attempt: 1, letter });
        } else {
            tracing::warn!(letter.subject, "too many notifications wait; one is lost");
        }
    }

    /// Sends what is due now, all at once, and waits for the answers.
    pub(super) async fn deliver_due(&self) {
        loop {
            let due = self.take_due();
            if due.is_empty() {
                return;
            }
            join_all(due.into_iter().map(|waiting| self.send(waiting))).await;
        }
    }

    /// Letters that are not accepted yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Forgets every letter.
    pub(super) fn clear(&self) {
        self.waiting.lock().clear();
    }

    /// The last attempts, oldest first.
    pub(super) fn delivered(&self) -> Vec<Delivered> {
        self.remembered.lock().iter().cloned().collect()
    }

    /// Sends everything to this address, whatever host it is for.
    pub(super) fn redirect(&self, to: Option<SocketAddr>) {
        *self.redirect.lock() = to;
    }

    /// Divides the pauses between attempts; at least 1.
    pub(super) fn set_speed(&self, speed: u32) {
        self.speed.store(speed.max(1), Ordering::Relaxed);
    }

    pub(super) fn speed(&self) -> u32 {
        self.speed.load(Ordering::Relaxed)
    }

    /// One request, answered with status and body.
    pub(super) async fn call(&self, url: &str, written: Option<Written>) -> Option<(u16, Vec<u8>)> {
        let _place = self.free.acquire().await.ok()?;
        let (agent, url) = (self.agent.clone(), self.route(url));
        let call = move || {
            let answer = match written {
                Some(written) => {
                    let mut request = agent.post(with_query(&url, &written.query));
                    for (name, value) in written.headers {
                        request = request.header(name, value);
                    }
                    request.send(written.body)
                }
                None => agent.get(url).call(),
            };
            answer.and_then(|mut answer| {
                let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
                Ok((answer.status().as_u16(), body))
            })
        };
        match tokio::task::spawn_blocking(call).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(err)) => {
                tracing::debug!(error = %err, "a notification did not arrive");
                None
            }
            Err(_) => None,
        }
    }

    fn take_due(&self) -> Vec<Waiting> {
        let now = self.clock.now();
        self.waiting.lock().extract_if(.., |waiting| waiting.due <= now).collect()
    }

    async fn send(&self, Waiting { attempt, letter, .. }: Waiting) {
        let now = self.clock.now();
        let answer = self.call(&letter.url, Some((letter.write)(attempt, now))).await;
        let is_accepted =
            answer.as_ref().is_some_and(|(status, body)| (letter.is_accepted)(*status, body));
        let status = answer.map(|(status, _)| status);
        self.remember(Delivered {
            at: now,
            subject: letter.subject.clone(),
            event: letter.event.clone(),
            attempt,
            status,
            is_accepted,
        });
        if is_accepted {
            (letter.on_accepted)();
            return;
        }
        let index = usize::try_from(attempt).unwrap_or(usize::MAX) - 1;
        let Some(pause) = letter.pauses.get(index) else { return };
        let due = now.plus_millis(pause * 1000 / i64::from(self.speed()));
        self.waiting.lock().push(Waiting { due, attempt: attempt + 1, letter });
    }

    fn remember(&self, attempt: Delivered) {
        let mut remembered = self.remembered.lock();
        if remembered.len() == MAX_REMEMBERED {
            remembered.pop_front();
        }
        remembered.push_back(attempt);
    }

    /// `url`, at the address everything is sent to if there is one.
    fn route(&self, url: &str) -> String {
        let Some(to) = *self.redirect.lock() else { return url.to_owned() };
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        format!("http://{to}{path}")
    }
}

fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() { url.to_owned() } else { format!("{url}?{query}") }
}
