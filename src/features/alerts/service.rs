//! Looking every minute, and telling.

mod rules;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use self::rules::Samples;
use self::send::{Hooks, Message};
use super::model::{AlertState, Event, Rule, Seen};
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::settings;

const HOUR_MS: i64 = 3_600_000;

/// What is known of all rules.
struct Watch {
    states: Mutex<Vec<AlertState>>,
    /// When messages were sent, of the last hour.
    sent: Mutex<VecDeque<UnixMillis>>,
    samples: Mutex<Samples>,
    hooks: Hooks,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            states: Mutex::new(Rule::ALL.map(AlertState::quiet).to_vec()),
            sent: Mutex::default(),
            samples: Mutex::default(),
            hooks: Hooks::default(),
        }
    }
}

impl Watch {
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

/// How every rule stands.
pub fn states(app: &App) -> Vec<AlertState> {
    app.states.get::<Watch>().states.lock().clone()
}

/// Looks at every rule and tells what has changed. Only the telling can fail, which is logged.
pub async fn check(app: &Arc<App>) {
    let watch = app.states.get::<Watch>();
    let settings = settings::service::current(app);
    let wanted = &settings.alerts;
    let now = app.clock.now();
    let seen = rules::look(app, wanted, &watch.samples).await;
    for (rule, seen) in seen {
        let patience_ms = rules::patience_ms(rule, wanted);
        let repeat_ms = i64::from(wanted.repeat_hours).saturating_mul(HOUR_MS);
        let told = {
            let mut states = watch.states.lock();
            let Some(state) = states.iter_mut().find(|state| state.rule == rule) else { continue };
            let problem = match &seen {
                Seen::Problem(problem) => Some(problem.clone()),
                Seen::Well | Seen::Unknown => state.problem.clone(),
            };
            state.step(seen, now, patience_ms, repeat_ms).map(|event| (event, problem))
        };
        let Some((event, problem)) = told else { continue };
        log(rule, event, problem.as_deref());
        if !send::is_any_enabled(wanted) {
            continue;
        }
        if !watch.may_send(now, wanted.max_per_hour) {
            app.events.alerts.add("capped");
            continue;
        }
        let message = Message::of(app, Some(rule), event, problem);
        let is_taken =
            watch.hooks.send_all(app, wanted, &message).await.iter().any(|(_, r)| r.is_ok());
        if is_taken
            && let Some(state) = watch.states.lock().iter_mut().find(|state| state.rule == rule)
        {
            state.told(now);
        }
    }
}

/// Sends a test message to every enabled hook; says of each what came of it.
pub async fn send_test(app: &Arc<App>) -> Vec<(&'static str, Result<(), String>)> {
    let watch = app.states.get::<Watch>();
    let settings = settings::service::current(app);
    if !watch.may_send(app.clock.now(), settings.alerts.max_per_hour) {
        app.events.alerts.add("capped");
        return vec![("all", Err("too many messages within an hour".to_owned()))];
    }
    let message = Message::of(app, None, Event::Test, None);
    watch.hooks.send_all(app, &settings.alerts, &message).await
}

fn log(rule: Rule, event: Event, problem: Option<&str>) {
    match event {
        Event::Resolved => tracing::info!(alert = rule.name(), "an alert is over"),
        Event::Firing | Event::StillFiring | Event::Test => {
            tracing::error!(alert = rule.name(), problem, "an alert fires");
        }
    }
}
