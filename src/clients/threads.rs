//! Threads for blocking calls: few while calls are quick, many while they are slow.
//!
//! A pool that wakes a thread for each call spends more on switching between threads than on the
//! calls, when the other side answers at once (measured with 64 callers: half of the CPU time). Here
//! a thread that has done a call takes the next one from the queue without sleeping, and another
//! one joins in only when a call has waited for [`PATIENCE`] without being taken.
//!
//! Guarantees: never more than `max` threads; a call that was queued is run, unless the pool is
//! dropped first; idle threads end after [`IDLE`].

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::base::clock::Stopwatch;

/// A call is one ureq exchange, whose buffers are on the heap. Enough for a TLS handshake with room
/// to spare; the kernel only backs what is touched.
const STACK_BYTES: usize = 256 * 1024;

/// How long an idle thread stays. Short: threads are cheap to make and each holds a touched stack.
const IDLE: Duration = Duration::from_secs(10);

/// Threads that work without a call having to wait first.
const EAGER: usize = 4;

/// How long a call waits before another thread joins in. Little beside what slow calls take; well
/// above the wait of quick ones on busy processors, where more threads would only be in the way.
const PATIENCE: Duration = Duration::from_millis(10);

type Work = Box<dyn FnOnce() + Send>;

/// A pool of threads; they end when it is dropped.
pub(super) struct Threads {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    threads: usize,
    /// The one that fell asleep last is woken first, so that surplus ones reach [`IDLE`].
    idle: Vec<Thread>,
    is_over: bool,
}

impl Threads {
    /// At most `max` threads, none yet.
    pub(super) fn new(name: &'static str, max: usize) -> Self {
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { name, max: max.max(1), state }) }
    }

    /// Runs `f` on a thread of the pool. It runs to its end even when this future is dropped. `None`
    /// when it panicked, or no thread could be had.
    ///
    /// The caller bounds how many wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, mut answer) = oneshot::channel();
        self.submit(Box::new(move || {
            // A caller that went away does not need it.
            let _ = done.send(f());
        }));
        loop {
            match timeout(PATIENCE, &mut answer).await {
                Ok(answer) => return answer.ok(),
                Err(_) if self.is_served() => return answer.await.ok(),
                Err(_) => {}
            }
        }
    }

    fn submit(&self, work: Work) {
        let mut state = self.shared.state.lock();
        state.queue.push_back(work);
        if state.threads - state.idle.len() < EAGER {
            Shared::join_in(&self.shared, &mut state);
        }
    }

    /// Lets another thread join in when work is waiting. Says whether nothing more can be done for
    /// what waits.
    fn is_served(&self) -> bool {
        let mut state = self.shared.state.lock();
        let is_served =
            state.queue.is_empty() || (state.threads >= self.shared.max && state.idle.is_empty());
        if !is_served {
            Shared::join_in(&self.shared, &mut state);
        }
        is_served
    }
}

impl Shared {
    /// Wakes a thread, or makes one where the bound allows.
    fn join_in(this: &Arc<Self>, state: &mut State) {
        if let Some(thread) = state.idle.pop() {
            thread.unpark();
            return;
        }
        if state.threads >= this.max {
            return;
        }
        let shared = Arc::clone(this);
        let thread = thread::Builder::new().name(this.name.to_owned()).stack_size(STACK_BYTES);
        match thread.spawn(move || shared.serve()) {
            Ok(_) => state.threads += 1,
            Err(error) => {
                tracing::error!(%error, pool = this.name, "no thread for an outside call")
            }
        }
    }

    /// The life of one thread.
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // The panic is the caller's to report: its answer never comes.
                let _ = panic::catch_unwind(AssertUnwindSafe(work));
                state = self.state.lock();
                continue;
            }
            if state.is_over {
                break;
            }
            let me = thread::current();
            state.idle.push(me.clone());
            let since = Stopwatch::start();
            // Being off the list is what counts: a park may end without a reason.
            while state.idle.iter().any(|idle| idle.id() == me.id()) && since.elapsed() < IDLE {
                drop(state);
                thread::park_timeout(IDLE);
                state = self.state.lock();
            }
            let was_woken = !state.idle.iter().any(|idle| idle.id() == me.id());
            state.idle.retain(|idle| idle.id() != me.id());
            if !was_woken && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.is_over = true;
        // Their callers are gone with the pool.
        state.queue.clear();
        for thread in state.idle.drain(..) {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn slow_calls_get_a_thread_each_up_to_the_bound() {
        let pool = Arc::new(Threads::new("test", 20));
        // Twenty calls that only end together.
        let barrier = Arc::new(Barrier::new(20));
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let (pool, barrier) = (Arc::clone(&pool), Arc::clone(&barrier));
                tokio::spawn(async move { pool.run(move || barrier.wait().is_leader()).await })
            })
            .collect();
        let mut leaders = 0;
        for call in calls {
            leaders += usize::from(call.await.unwrap().unwrap());
        }
        assert_eq!(leaders, 1);
        assert!(pool.shared.state.lock().threads <= 20);
    }

    #[tokio::test]
    async fn more_calls_than_threads_wait_and_are_all_run() {
        let pool = Arc::new(Threads::new("test", 2));
        let calls: Vec<_> = (0..500)
            .map(|n| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.run(move || n).await })
            })
            .collect();
        let mut sum = 0;
        for call in calls {
            sum += call.await.unwrap().unwrap();
        }
        assert_eq!(sum, 499 * 500 / 2);
        assert!(pool.shared.state.lock().threads <= 2);
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let pool = Threads::new("test", 1);
        assert_eq!(pool.run(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(pool.run(|| 7).await, Some(7));
        assert_eq!(pool.shared.state.lock().threads, 1);
    }

    #[tokio::test]
    async fn a_call_runs_to_its_end_although_its_caller_went_away() {
        let pool = Threads::new("test", 1);
        let (go, wait) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        let call = pool.run(move || {
            let _ = wait.recv();
            ended.send(()).unwrap();
        });
        assert!(timeout(Duration::from_millis(20), call).await.is_err());
        go.send(()).unwrap();
        assert!(end.recv_timeout(Duration::from_secs(10)).is_ok());
    }
}
