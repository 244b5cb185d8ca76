//! A circuit breaker: leaves an image API alone while it fails, and lets one real job find out
//! whether it works again.
//!
//! A pure state machine: whoever calls brings the time.
//!
//! ```text
//! Closed ──FAILURES_TO_OPEN in a row──▶ Open ──after its pause──▶ Trial ──success──▶ Closed
//!                                        ▲                          │
//!                                        └───failure, longer pause──┘
//! ```

use std::time::Duration;

use crate::base::time::UnixMillis;

/// So many failures in a row open the breaker: more than a stumble of one connection, and fewer than
/// the tries of one job (6 by default), so that a dead image API does not use them all up.
pub(super) const FAILURES_TO_OPEN: u32 = 5;

/// The first pause. Short, because five jobs in flight may lose one and the same connection, and the
/// first repeat is due within 2 s.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause; each failed trial doubles it up to here. One job in half a minute is no burden
/// for an image API that comes up, and jobs are found again soon.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the admin page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through for now.
    Open,
    /// One call may, or is going, through to find out.
    HalfOpen,
}

/// A permission to call, to be given back with what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Ordinary,
    /// The one that finds out.
    Trial,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { since: UnixMillis, pause: Duration },
    Trial { pause: Duration },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// What it would let through at `now`.
    pub(super) fn offers(&self, now: UnixMillis) -> Option<Pass> {
        match self.0 {
            State::Closed { .. } => Some(Pass::Ordinary),
            State::Open { .. } if self.due_in(now).is_none() => Some(Pass::Trial),
            State::Open { .. } | State::Trial { .. } => None,
        }
    }

    /// Lets a call through.
    pub(super) fn enter(&mut self, now: UnixMillis) -> Option<Pass> {
        let pass = self.offers(now)?;
        if let (Pass::Trial, State::Open { pause, .. }) = (pass, self.0) {
            self.0 = State::Trial { pause };
        }
        Some(pass)
    }

    /// The call has worked. Only the trial closes an open breaker: what began before the failures
    /// proves nothing.
    pub(super) fn succeeded(&mut self, pass: Pass) {
        match (self.0, pass) {
            (State::Closed { .. }, _) | (State::Trial { .. }, Pass::Trial) => {
                *self = Self::default();
            }
            (State::Open { .. } | State::Trial { .. }, _) => {}
        }
    }

    /// The call has failed in a way that speaks against the image API.
    pub(super) fn failed(&mut self, pass: Pass, now: UnixMillis) {
        self.0 = match (self.0, pass) {
            (State::Closed { failures }, _) if failures + 1 < FAILURES_TO_OPEN => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, _) => State::Open { since: now, pause: FIRST_PAUSE },
            (State::Trial { pause }, Pass::Trial) => {
                State::Open { since: now, pause: (pause * 2).min(LONGEST_PAUSE) }
            }
            (unchanged, _) => unchanged,
        };
    }

    /// The call ended without telling anything, for instance because its job was cancelled: the
    /// next one finds out.
    pub(super) fn abandoned(&mut self, pass: Pass, now: UnixMillis) {
        if let (State::Trial { pause }, Pass::Trial) = (self.0, pass) {
            let past = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            self.0 = State::Open { since: now.plus_millis(-past), pause };
        }
    }

    /// How long it stays open, when it is.
    pub(super) fn due_in(&self, now: UnixMillis) -> Option<Duration> {
        let State::Open { since, pause } = self.0 else { return None };
        remaining(since, pause, now)
    }

    /// What it is at `now`.
    pub(super) fn state(&self, now: UnixMillis) -> BreakerState {
        match self.0 {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } if self.due_in(now).is_some() => BreakerState::Open,
            State::Open { .. } | State::Trial { .. } => BreakerState::HalfOpen,
        }
    }
}

/// What is left at `now` of a pause that began at `since`. A clock that was set back must not make a
/// pause longer than it was meant to be: then it is over.
pub(super) fn remaining(since: UnixMillis, pause: Duration, now: UnixMillis) -> Option<Duration> {
    let elapsed = u64::try_from(now.0.saturating_sub(since.0)).ok().map(Duration::from_millis)?;
    pause.checked_sub(elapsed).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis(i64::try_from(millis).unwrap())
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            breaker.failed(Pass::Ordinary, at(0));
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_TO_OPEN {
                breaker.failed(Pass::Ordinary, at(0));
            }
            breaker.succeeded(Pass::Ordinary);
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        assert_eq!(opened().state(at(0)), BreakerState::Open);
        assert_eq!(opened().enter(at(999)), None);
    }

    #[test]
    fn after_the_pause_exactly_one_call_finds_out() {
        let mut breaker = opened();
        assert_eq!(breaker.enter(at(1000)), Some(Pass::Trial));
        assert_eq!(breaker.state(at(1000)), BreakerState::HalfOpen);
        assert_eq!(breaker.enter(at(60_000)), None);
        breaker.succeeded(Pass::Trial);
        assert_eq!(breaker.enter(at(1001)), Some(Pass::Ordinary));
    }

    #[test]
    fn each_failed_trial_doubles_the_pause_up_to_the_longest() {
        let mut breaker = opened();
        let mut now = 0;
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(breaker.enter(at(now + seconds * 1000 - 1)), None);
            now += seconds * 1000;
            assert_eq!(breaker.enter(at(now)), Some(Pass::Trial), "after {seconds} s");
            breaker.failed(Pass::Trial, at(now));
        }
    }

    #[test]
    fn what_began_before_the_failures_does_not_close_it() {
        let mut breaker = opened();
        breaker.succeeded(Pass::Ordinary);
        assert_eq!(breaker.enter(at(0)), None);
        assert_eq!(breaker.enter(at(1000)), Some(Pass::Trial));
        breaker.succeeded(Pass::Ordinary);
        breaker.failed(Pass::Ordinary, at(1000));
        assert_eq!(breaker.state(at(1000)), BreakerState::HalfOpen);
    }

    #[test]
    fn an_abandoned_trial_lets_the_next_one_try_at_once() {
        let mut breaker = opened();
        assert_eq!(breaker.enter(at(1000)), Some(Pass::Trial));
        breaker.abandoned(Pass::Trial, at(1000));
        assert_eq!(breaker.enter(at(1000)), Some(Pass::Trial));
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_pause() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            breaker.failed(Pass::Ordinary, at(3_600_000));
        }
        assert_eq!(breaker.enter(at(0)), Some(Pass::Trial));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(u64),
        Enter,
        /// Ends the oldest call in flight.
        Succeed,
        Fail,
        Abandon,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_u64..5000).prop_map(Step::Wait),
            Just(Step::Enter),
            Just(Step::Succeed),
            Just(Step::Fail),
            Just(Step::Fail),
            Just(Step::Abandon),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        /// Whatever happens: never two trials at once, and once all calls have ended and the
        /// longest pause is over, a call goes through again.
        #[test]
        fn it_never_gets_stuck_and_never_tries_twice(steps in steps()) {
            let mut breaker = Breaker::default();
            let mut now = 0;
            let mut in_flight = std::collections::VecDeque::new();
            for step in steps {
                let mut end = || in_flight.pop_front();
                match step {
                    Step::Wait(millis) => now += millis,
                    Step::Enter => in_flight.extend(breaker.enter(at(now))),
                    Step::Succeed => if let Some(pass) = end() { breaker.succeeded(pass) },
                    Step::Fail => if let Some(pass) = end() { breaker.failed(pass, at(now)) },
                    Step::Abandon => if let Some(pass) = end() { breaker.abandoned(pass, at(now)) },
                }
                prop_assert!(in_flight.iter().filter(|pass| **pass == Pass::Trial).count() <= 1);
            }
            for pass in in_flight {
                breaker.abandoned(pass, at(now));
            }
            prop_assert!(breaker.enter(at(now + 30_000)).is_some());
        }
    }
}
