//! The image APIs that make the pictures of jobs, and who gets the next one.
//!
//! Guarantees: a lease is a place, given back when it is dropped; new jobs never exceed an upstream's
//! concurrency; among upstreams that can take a job the choice is random by weight; one whose breaker
//! is open, or that has asked for a pause (`Retry-After`), gets nothing new.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::breaker::{Breaker, BreakerState, Pass, remaining};
use super::client::ImageClient;
use super::error::UpstreamError;
use super::lease::Lease;
use super::request::Dialect;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::error_chain::error_chain;
use crate::base::measure::{Histogram, HistogramState};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::clients::call_stats::CallState;

/// Longest pause that an upstream may ask for, so that a wrong `Retry-After` does not stop it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest sleep of [`Upstreams::freed`]. Pauses go by the clock, which may be moved, and a freed
/// place wakes only one of those that wait: so whoever waits looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Shortest sleep, so that nobody spins.
const BREATH: Duration = Duration::from_millis(5);

/// The longest wait for the answer of a probe.
const PROBE_MAX: Duration = Duration::from_secs(10);

/// How often a refused key is complained about in the log.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

/// The weight of the newest job in the recent duration, as one part in so many.
const RECENT: u64 = 8;

/// One image API.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Unique, and stored with the jobs that it has.
    pub name: String,
    /// Without a slash at the end.
    pub base: String,
    /// Without one, no `Authorization` is sent.
    pub key: Option<Secret<String>>,
    pub dialect: Dialect,
    /// The model to ask for, whatever the request says.
    pub model: Option<String>,
    /// Its part of the jobs, relative to the others'; at least 1.
    pub weight: u32,
    /// Jobs that it has at once.
    pub concurrency: u32,
    /// Longest time of a call; calls that do not draw are cut earlier.
    pub timeout: Duration,
    /// Largest answer that may hold pictures.
    pub max_answer_bytes: u64,
}

/// All image APIs; clones share them.
#[derive(Clone)]
pub struct Upstreams {
    list: Arc<[Arc<Upstream>]>,
    freed: Arc<Notify>,
    clock: Clock,
    rng: Rng,
}

/// How an upstream does, for the admin page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamState {
    pub name: String,
    pub dialect: Dialect,
    pub weight: u32,
    pub concurrency: u32,
    /// Jobs that it has now.
    pub in_flight: u32,
    pub breaker: BreakerState,
    /// Whether it has asked to be left alone for now.
    pub is_paused: bool,
    /// What jobs took recently, in milliseconds: a moving average over about eight.
    pub recent_ms: Option<u64>,
    /// Jobs made and calls failed since the start.
    pub succeeded: u64,
    pub failed: u64,
    /// How long jobs took that were made, in microseconds.
    pub took: HistogramState,
    /// What became of the calls so far.
    pub calls: CallState,
}

/// What asking an upstream whether it is there came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub took: Duration,
    /// Why it is not, if so.
    pub problem: Option<String>,
}

pub(super) struct Upstream {
    pub(super) config: UpstreamConfig,
    pub(super) client: ImageClient,
    slot: Mutex<Slot>,
    took: Histogram,
    clock: Clock,
}

#[derive(Default)]
struct Slot {
    in_flight: u32,
    breaker: Breaker,
    pause: Option<(UnixMillis, Duration)>,
    recent_ms: Option<u64>,
    succeeded: u64,
    failed: u64,
    complained_at: Option<UnixMillis>,
}

impl Slot {
    fn paused_for(&self, now: UnixMillis) -> Option<Duration> {
        self.pause.and_then(|(since, pause)| remaining(since, pause, now))
    }
}

impl Upstreams {
    /// Prepares the clients; nothing is called yet.
    ///
    /// # Errors
    /// When threads cannot be prepared, or a key cannot stand in a header.
    pub fn new(configs: Vec<UpstreamConfig>, clock: Clock, rng: Rng) -> io::Result<Self> {
        let prepare = |config: UpstreamConfig| {
            let client = ImageClient::new(&config)?;
            let (slot, took) = (Mutex::default(), Histogram::of_seconds());
            Ok(Arc::new(Upstream { config, client, slot, took, clock: clock.clone() }))
        };
        let list: io::Result<Arc<[_]>> = configs.into_iter().map(prepare).collect();
        Ok(Self { list: list?, freed: Arc::default(), clock, rng })
    }

    /// A free place, chosen by weight among the upstreams that can take a job; one other than
    /// `avoid` if there is any. `None`: all are full, paused or broken; see [`Upstreams::freed`].
    pub fn lease(&self, avoid: Option<&str>) -> Option<Lease> {
        let can_take: Vec<_> = self.list.iter().filter(|upstream| upstream.can_take()).collect();
        let (mut avoided, mut others): (Vec<_>, Vec<_>) =
            can_take.into_iter().partition(|upstream| avoid == Some(upstream.config.name.as_str()));
        for candidates in [&mut others, &mut avoided] {
            // Another may have been faster, so taking may fail.
            while let Some(index) = self.draw(candidates) {
                let upstream = candidates.swap_remove(index);
                if let Some(pass) = upstream.take() {
                    return Some(Lease::new(Arc::clone(upstream), pass, Arc::clone(&self.freed)));
                }
            }
        }
        None
    }

    /// A place at the upstream of this name, to follow a job that it already has: also beyond its
    /// concurrency and while its breaker is open. `None` when there is none of this name any more.
    pub fn lease_named(&self, name: &str) -> Option<Lease> {
        let upstream = self.list.iter().find(|upstream| upstream.config.name == name)?;
        upstream.take_beyond();
        Some(Lease::new(Arc::clone(upstream), Pass::Ordinary, Arc::clone(&self.freed)))
    }

    /// Returns when [`Upstreams::lease`] may have something again: a place was given back, a pause
    /// is over, or a moment (200 ms) has passed. It may have nothing all the same: ask in a loop.
    pub async fn freed(&self) {
        let now = self.clock.now();
        let due = self.list.iter().filter_map(|upstream| upstream.due_in(now)).min();
        let sleep = due.unwrap_or(LOOK_AGAIN).clamp(BREATH, LOOK_AGAIN);
        let _ = tokio::time::timeout(sleep, self.freed.notified()).await;
    }

    /// Asks the image API of this name whether it answers, and how long that takes. Its breaker hears
    /// nothing of it. `None` when there is none of this name.
    pub async fn probe(&self, name: &str) -> Option<Probe> {
        let upstream = self.list.iter().find(|upstream| upstream.config.name == name)?;
        let since = Stopwatch::start();
        let problem = match tokio::time::timeout(PROBE_MAX, upstream.client.probe()).await {
            Ok(answer) => answer.err().map(|err| error_chain(&err)),
            Err(_) => Some("no answer in time".to_owned()),
        };
        Some(Probe { took: since.elapsed(), problem })
    }

    /// Whether each is there and takes our key. Its breaker does not hear of it.
    pub async fn probe_all(&self) -> Vec<(String, Result<(), UpstreamError>)> {
        let asked = self.list.iter().map(|upstream| async {
            (upstream.config.name.clone(), upstream.client.probe().await)
        });
        futures_util::future::join_all(asked).await
    }

    /// How they do, in the order of the settings.
    pub fn states(&self) -> Vec<UpstreamState> {
        self.list.iter().map(|upstream| upstream.state()).collect()
    }

    /// A random index by weight; `None` when there is nothing to choose from.
    fn draw(&self, candidates: &[&Arc<Upstream>]) -> Option<usize> {
        let weight = |upstream: &Arc<Upstream>| u64::from(upstream.config.weight.max(1));
        let total = candidates.iter().map(|upstream| weight(upstream)).sum();
        let mut left = self.rng.below(total);
        candidates.iter().position(|upstream| {
            let is_it = left < weight(upstream);
            left = left.saturating_sub(weight(upstream));
            is_it
        })
    }
}

impl Upstream {
    fn can_take(&self) -> bool {
        let (now, slot) = (self.clock.now(), self.slot.lock());
        slot.in_flight < self.config.concurrency
            && slot.paused_for(now).is_none()
            && slot.breaker.offers(now).is_some()
    }

    fn take(&self) -> Option<Pass> {
        let now = self.clock.now();
        let mut slot = self.slot.lock();
        if slot.in_flight >= self.config.concurrency || slot.paused_for(now).is_some() {
            return None;
        }
        let pass = slot.breaker.enter(now)?;
        slot.in_flight += 1;
        Some(pass)
    }

    fn take_beyond(&self) {
        self.slot.lock().in_flight += 1;
    }

    pub(super) fn give_back(&self, pass: Pass) {
        let mut slot = self.slot.lock();
        slot.in_flight = slot.in_flight.saturating_sub(1);
        slot.breaker.abandoned(pass, self.clock.now());
    }

    pub(super) fn succeeded(&self, pass: Pass, took: Duration) {
        self.took.took(took);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut slot = self.slot.lock();
        let before = slot.breaker.state(self.clock.now());
        slot.breaker.succeeded(pass);
        slot.succeeded += 1;
        slot.recent_ms = Some(slot.recent_ms.map_or(took_ms, |recent| {
            (recent.saturating_mul(RECENT - 1).saturating_add(took_ms)) / RECENT
        }));
        let after = slot.breaker.state(self.clock.now());
        drop(slot);
        if before != after {
            tracing::info!(upstream = self.config.name, "an image API works again");
        }
    }

    pub(super) fn failed(&self, pass: Pass) {
        let now = self.clock.now();
        let mut slot = self.slot.lock();
        let before = slot.breaker.state(now);
        slot.breaker.failed(pass, now);
        slot.failed += 1;
        let after = slot.breaker.state(now);
        drop(slot);
        if before == BreakerState::Closed && after == BreakerState::Open {
            tracing::error!(upstream = self.config.name, "an image API fails and gets a pause");
        }
    }

    /// It asks to be left alone.
    pub(super) fn pause(&self, pause: Duration) {
        let now = self.clock.now();
        let pause = pause.min(LONGEST_PAUSE);
        let mut slot = self.slot.lock();
        if slot.paused_for(now).is_none_or(|left| left < pause) {
            slot.pause = Some((now, pause));
        }
    }

    /// Says in the log that the key is refused, once in a while.
    pub(super) fn complain_about_key(&self, err: &UpstreamError) {
        let now = self.clock.now();
        let mut slot = self.slot.lock();
        let is_quiet = slot
            .complained_at
            .is_some_and(|since| remaining(since, COMPLAINT_EVERY, now).is_some());
        if !is_quiet {
            slot.complained_at = Some(now);
            drop(slot);
            tracing::error!(upstream = self.config.name, error = %err,
                "an image API refuses our key: jobs fail until it is mended");
        }
    }

    /// When a place that is free may be taken, if a pause is all that is in the way.
    fn due_in(&self, now: UnixMillis) -> Option<Duration> {
        let slot = self.slot.lock();
        if slot.in_flight >= self.config.concurrency {
            return None;
        }
        slot.paused_for(now).max(slot.breaker.due_in(now))
    }

    fn state(&self) -> UpstreamState {
        let (now, slot) = (self.clock.now(), self.slot.lock());
        UpstreamState {
            name: self.config.name.clone(),
            dialect: self.config.dialect,
            weight: self.config.weight,
            concurrency: self.config.concurrency,
            in_flight: slot.in_flight,
            breaker: slot.breaker.state(now),
            is_paused: slot.paused_for(now).is_some(),
            recent_ms: slot.recent_ms,
            succeeded: slot.succeeded,
            failed: slot.failed,
            took: self.took.read(),
            calls: self.client.calls(),
        }
    }
}

#[cfg(test)]
mod tests;
