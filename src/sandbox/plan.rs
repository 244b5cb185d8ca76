//! What a knob is: what happens to the next calls, and otherwise to every call.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Steps kept for the next calls; more are ignored, so that a knob cannot grow for ever.
const MAX_STEPS: usize = 64;

/// A queue of steps for the next calls, and what applies when it is empty.
#[derive(Debug)]
pub struct Plan<T>(Mutex<Steps<T>>);

#[derive(Debug)]
struct Steps<T> {
    next: VecDeque<(T, u32)>,
    always: Option<T>,
}

/// A plan as the control page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct PlanView<T> {
    /// What happens to the next calls, with how many calls are left.
    pub next: Vec<(T, u32)>,
    /// What happens to every call after those.
    pub always: Option<T>,
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self(Mutex::new(Steps { next: VecDeque::new(), always: None }))
    }
}

impl<T: Clone> Plan<T> {
    /// Lets `step` happen to the next `times` calls, after those planned before.
    pub fn next(&self, step: T, times: u32) {
        let mut steps = self.0.lock();
        if times > 0 && steps.next.len() < MAX_STEPS {
            steps.next.push_back((step, times));
        }
    }

    /// Lets `step` happen to every call for which nothing else is planned.
    pub fn always(&self, step: T) {
        self.0.lock().always = Some(step);
    }

    /// Lets `step` happen to the next `times` calls, after those planned before; 0 is always.
    pub fn set(&self, step: T, times: u32) {
        match times {
            0 => self.always(step),
            times => self.next(step, times),
        }
    }

    /// Lets `step` happen to the very next call, before everything planned.
    pub fn first(&self, step: T) {
        let mut steps = self.0.lock();
        if steps.next.len() < MAX_STEPS {
            steps.next.push_front((step, 1));
        }
    }

    /// Forgets everything planned.
    pub fn clear(&self) {
        let mut steps = self.0.lock();
        steps.next.clear();
        steps.always = None;
    }

    /// What is planned.
    pub fn view(&self) -> PlanView<T> {
        let steps = self.0.lock();
        PlanView { next: steps.next.iter().cloned().collect(), always: steps.always.clone() }
    }

    /// What happens to the call at hand; counts it.
    pub(super) fn take(&self) -> Option<T> {
        let mut steps = self.0.lock();
        let Some((step, left)) = steps.next.front_mut() else {
            return steps.always.clone();
        };
        let step = step.clone();
        *left -= 1;
        if *left == 0 {
            steps.next.pop_front();
        }
        Some(step)
    }
}

/// A way in which a call goes wrong.
///
/// `Error`, `Html`, `Redirect` and `Drop` come instead of the call: nothing has happened. The others come after
/// it: the code is spent, the job exists, and only the answer does not arrive as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The service's own error: an `errcode` of WeChat, an HTTP status of the image API.
    Error {
        /// `errcode` or status.
        code: i64,
    },
    /// An HTML page, as a gateway in between answers it.
    Html {
        /// HTTP status.
        status: u16,
    },
    /// The connection is closed without an answer.
    Drop,
    /// The answer comes late.
    Hang {
        /// Milliseconds.
        ms: u64,
    },
    /// Status 200 and a body that is not what the type says.
    Garbage,
    /// A correct answer with very much filling, streamed without `Content-Length`.
    Huge {
        /// Megabytes.
        megabytes: u32,
    },
    /// The connection is closed in the middle of the answer.
    Cut,
    /// It is done, and the connection is closed without an answer.
    Silence,
    /// The answer's signature does not hold. Without effect where answers are not signed.
    BadSignature,
    /// The answer is a redirect instead, to wherever.
    Redirect {
        /// What `Location` says.
        location: String,
    },
}

/// The knobs of one kind of call: faults, and a delay before every answer.
#[derive(Debug, Default)]
pub struct Faults {
    plan: Plan<Fault>,
    latency: Mutex<Duration>,
}

impl Faults {
    /// Lets `fault` happen to the next `times` calls, after those planned before.
    pub fn next(&self, fault: Fault, times: u32) {
        self.plan.next(fault, times);
    }

    /// Lets `fault` happen to every call for which nothing else is planned.
    pub fn always(&self, fault: Fault) {
        self.plan.always(fault);
    }

    /// Delays every answer.
    pub fn set_latency(&self, latency: Duration) {
        *self.latency.lock() = latency;
    }

    /// The delay of every answer.
    pub fn latency(&self) -> Duration {
        *self.latency.lock()
    }

    /// Forgets faults and delay.
    pub fn clear(&self) {
        self.plan.clear();
        self.set_latency(Duration::ZERO);
    }

    /// What is planned.
    pub fn view(&self) -> PlanView<Fault> {
        self.plan.view()
    }

    pub(super) fn take(&self) -> Option<Fault> {
        self.plan.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_calls_go_first_and_always_fills_in() {
        let plan = Plan::default();
        assert_eq!(plan.take(), None);
        plan.always('z');
        plan.next('a', 2);
        plan.next('b', 1);
        plan.next('c', 0);
        let taken: String = (0..5).filter_map(|_| plan.take()).collect();
        assert_eq!(taken, "aabzz");
        plan.clear();
        assert_eq!(plan.take(), None);
    }

    #[test]
    fn a_plan_is_bounded() {
        let plan = Plan::default();
        for step in 0..1000 {
            plan.next(step, 1);
        }
        assert_eq!(plan.view().next.len(), MAX_STEPS);
    }
}
