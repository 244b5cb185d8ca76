//! Looking every minute, and telling.

mod rules;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use self::rules::Samples;
use self::send::{Hooks, Message};
use super::model::{AlertError, AlertState, ChannelStatus, Event, Rule, Tried};
use super::store;
use crate::app::App;
use crate::base::bilingual::{Bilingual, Language};
use crate::base::error_chain::error_chain;
use crate::base::time::UnixMillis;
use crate::db::DbError;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::settings::{self, Alerts};

const HOUR_MS: i64 = 3_600_000;

/// Longest wait for the state of a rule to be on disk. It must not hold up what can still be told.
const KEEP_PATIENCE: Duration = Duration::from_secs(5);

/// What is known of all rules.
struct Watch {
    states: Mutex<Vec<AlertState>>,
    /// The same as it is stored.
    stored: Mutex<Vec<AlertState>>,
    /// When messages were sent, of the last hour.
    sent: Mutex<VecDeque<UnixMillis>>,
    samples: Mutex<Samples>,
    hooks: Hooks,
}

impl Default for Watch {
    fn default() -> Self {
        let quiet = Rule::ALL.map(AlertState::quiet).to_vec();
        Self {
            states: Mutex::new(quiet.clone()),
            stored: Mutex::new(quiet),
            sent: Mutex::default(),
            samples: Mutex::default(),
            hooks: Hooks::default(),
        }
    }
}

impl Watch {
    /// Does something with the state of a rule; `None` where there is none.
    fn change<T>(&self, rule: Rule, work: impl FnOnce(&mut AlertState) -> T) -> Option<T> {
        self.states.lock().iter_mut().find(|state| state.rule == rule).map(work)
    }

    /// How a rule stands, where that is not what is stored.
    fn unstored(&self, rule: Rule) -> Option<AlertState> {
        let state = self.change(rule, |state| state.clone())?;
        (!self.stored.lock().contains(&state)).then_some(state)
    }

    /// This is stored now.
    fn is_stored(&self, kept: AlertState) {
        let mut stored = self.stored.lock();
        stored.retain(|state| state.rule != kept.rule);
        stored.push(kept);
    }

    /// Whether one more message may go now; counts it if so.
    fn may_send(&self, now: UnixMillis, most: u32) -> bool {
        let mut sent = self.sent.lock();
        while sent.front().is_some_and(|at| now.0.abs_diff(at.0) >= HOUR_MS.unsigned_abs()) {
            sent.pop_front();
        }
        let is_room = sent.len() < most as usize;
        if is_room {
            sent.push_back(now);
        }
        is_room
    }
}

/// Takes over how every rule stood when the process ended. To be called before serving.
///
/// # Errors
/// What the database fails with.
pub fn load(app: &App) -> Result<(), DbError> {
    let stored = app.db.read_inline("alerts.load", store::all)?;
    let watch = app.states.get::<Watch>();
    for kept in stored {
        watch.change(kept.rule, |state| *state = kept.clone());
        watch.is_stored(kept);
    }
    Ok(())
}

/// How every rule stands.
pub fn states(app: &App) -> Vec<AlertState> {
    app.states.get::<Watch>().states.lock().clone()
}

/// Where messages may go.
pub fn channels(app: &App) -> Vec<ChannelStatus> {
    send::channels(&settings::service::current(app).alerts)
}

/// Looks at every rule and tells what has changed. Only the telling and the keeping can fail, which is
/// logged.
pub async fn check(app: &Arc<App>) {
    let watch = app.states.get::<Watch>();
    let settings = settings::service::current(app);
    let wanted = &settings.alerts;
    let now = app.clock.now();
    let seen = rules::look(app, wanted, &watch.samples).await;
    let mut is_kept = true;
    for (rule, seen) in seen {
        let patience_ms = rules::patience_ms(rule, wanted);
        let repeat_ms = i64::from(wanted.repeat_hours).saturating_mul(HOUR_MS);
        let Some((before, stepped)) = watch.change(rule, |state| {
            let before = state.clone();
            let event = state.step(seen, now, patience_ms, repeat_ms);
            (before, event)
        }) else {
            continue;
        };
        if let Some(event) = stepped {
            tell(app, &watch, wanted, (rule, event), &before).await;
        }
        // After it was told: what is cut off in between is told twice rather than not at all. Where the
        // disk does not take it, one wait a round is enough.
        if is_kept && let Some(state) = watch.unstored(rule) {
            is_kept = keep(app, &watch, state).await;
        }
    }
}

async fn tell(
    app: &Arc<App>,
    watch: &Watch,
    wanted: &Alerts,
    (rule, event): (Rule, Event),
    before: &AlertState,
) {
    let problem = watch.change(rule, |state| match event {
        Event::Resolved => state.end_owed.clone(),
        Event::Firing | Event::StillFiring | Event::Test => state.problem.clone(),
    });
    let problem = problem.flatten();
    // What is tried again because nobody took it is no news.
    let is_new = match event {
        Event::Firing => !before.firing,
        Event::Resolved => before.end_owed.is_none(),
        Event::StillFiring | Event::Test => true,
    };
    if is_new {
        log(rule, event, problem.as_ref());
    }
    if !send::is_any_on(wanted) {
        watch.change(rule, AlertState::forget_end);
        return;
    }
    if !watch.may_send(app.clock.now(), wanted.max_per_hour) {
        app.events.alerts.add("capped");
        return;
    }
    let message = Message::of(app, wanted, (rule, event), problem);
    if watch.hooks.send_all(app, wanted, &message).await.iter().any(|(_, taken)| taken.is_ok()) {
        let now = app.clock.now();
        watch.change(rule, |state| state.told(now));
    }
}

/// Stores how a rule stands; says whether that worked.
async fn keep(app: &App, watch: &Watch, state: AlertState) -> bool {
    let (rule, now, kept) = (state.rule.name(), app.clock.now(), state.clone());
    let writing = app.db.write("alerts.keep", move |tx| store::put(tx, &state, now));
    let problem = match tokio::time::timeout(KEEP_PATIENCE, writing).await {
        Ok(Ok(())) => {
            watch.is_stored(kept);
            return true;
        }
        Ok(Err(err)) => {
            let err: DbError = err;
            error_chain(&err)
        }
        Err(_) => "the write does not end".to_owned(),
    };
    tracing::warn!(alert = rule, problem, "how an alert stands could not be stored");
    false
}

/// Sends a test message through every channel that is on; says of each what came of it. The audit log
/// keeps who asked for it.
///
/// # Errors
/// `NoChannel`, `TooMany`; what the database fails with, when everything was sent.
pub async fn send_test(app: &Arc<App>, by: Actor) -> Result<Vec<Tried>, AlertError> {
    let watch = app.states.get::<Watch>();
    let settings = settings::service::current(app);
    if !send::is_any_on(&settings.alerts) {
        return Err(AlertError::NoChannel);
    }
    if !watch.may_send(app.clock.now(), settings.alerts.max_per_hour) {
        app.events.alerts.add("capped");
        return Err(AlertError::TooMany);
    }
    let message = Message::test(app, &settings.alerts);
    let tried = watch.hooks.send_all(app, &settings.alerts, &message).await;
    let taken: Map<String, Value> =
        tried.iter().map(|(name, taken)| ((*name).to_owned(), taken.is_ok().into())).collect();
    let entry = AuditEntry {
        actor: by,
        action: "alerts.tested",
        object: "alerts:all".to_owned(),
        before: json!({}),
        after: Value::Object(taken),
    };
    let now = app.clock.now();
    app.db.write("alerts.test", move |tx| audit::service::record(tx, &entry, now)).await?;
    Ok(tried)
}

/// The log speaks English.
fn log(rule: Rule, event: Event, problem: Option<&Bilingual>) {
    let problem = problem.map(|problem| problem.text(Language::En));
    match event {
        Event::Resolved => tracing::info!(alert = rule.name(), "an alert is over"),
        Event::Firing | Event::StillFiring | Event::Test => {
            tracing::error!(alert = rule.name(), problem, "an alert fires");
        }
    }
}
