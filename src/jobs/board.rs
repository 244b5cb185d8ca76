//! How the periodic tasks are doing.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::clock::Stopwatch;
use crate::base::time::UnixMillis;

/// The last result of each task.
pub struct JobBoard {
    tasks: Mutex<Vec<Entry>>,
}

struct Entry {
    state: JobState,
    /// Has it run before its turn.
    wanted: Arc<Notify>,
    /// Since the last run ended, or since the start.
    since: Stopwatch,
}

/// One task on the board.
#[derive(Clone, Debug)]
pub struct JobState {
    pub name: &'static str,
    pub every: Duration,
    pub runs: u64,
    /// How long the last run took.
    pub took: Option<Duration>,
    /// What went wrong in the last run.
    pub problem: Option<String>,
    /// Runs that went wrong.
    pub failures: u64,
    /// When the last run ended that went well.
    pub succeeded_at: Option<UnixMillis>,
}

impl JobBoard {
    pub(super) fn new(tasks: impl Iterator<Item = (&'static str, Duration)>) -> Self {
        let entry = |(name, every)| Entry {
            state: JobState {
                name,
                every,
                runs: 0,
                took: None,
                problem: None,
                failures: 0,
                succeeded_at: None,
            },
            wanted: Arc::default(),
            since: Stopwatch::start(),
        };
        Self { tasks: Mutex::new(tasks.map(entry).collect()) }
    }

    /// Has a task run at once: one that rests begins, one that runs does so once more after that. Says
    /// whether there is such a task.
    pub fn run_now(&self, name: &str) -> bool {
        let wanted = self.wanted(name);
        wanted.inspect(|wanted| wanted.notify_one()).is_some()
    }

    /// What tells a task to run before its turn.
    pub(super) fn wanted(&self, name: &str) -> Option<Arc<Notify>> {
        let tasks = self.tasks.lock();
        let entry = tasks.iter().find(|entry| entry.state.name == name)?;
        Some(Arc::clone(&entry.wanted))
    }

    pub(super) fn ran(&self, name: &str, took: Duration, problem: Option<String>, now: UnixMillis) {
        if let Some(entry) = self.tasks.lock().iter_mut().find(|entry| entry.state.name == name) {
            entry.state.runs += 1;
            entry.state.took = Some(took);
            match problem {
                Some(_) => entry.state.failures += 1,
                None => entry.state.succeeded_at = Some(now),
            }
            entry.state.problem = problem;
            entry.since = Stopwatch::start();
        }
    }

    /// All tasks.
    pub fn all(&self) -> Vec<JobState> {
        self.tasks.lock().iter().map(|entry| entry.state.clone()).collect()
    }

    /// A task that has not come round for three intervals, if there is one: it hangs, or its
    /// supervisor is gone.
    pub fn stuck(&self) -> Option<&'static str> {
        let tasks = self.tasks.lock();
        tasks
            .iter()
            .find(|entry| entry.since.elapsed() > entry.state.every * 3)
            .map(|entry| entry.state.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_does_not_come_round_is_named() {
        let board = JobBoard::new(
            [("quick", Duration::ZERO), ("slow", Duration::from_secs(3600))].into_iter(),
        );
        assert_eq!(board.stuck(), Some("quick"));
        board.ran("slow", Duration::from_millis(3), None, UnixMillis(7));
        board.ran("slow", Duration::from_millis(3), Some("down".to_owned()), UnixMillis(8));
        let slow = board.all().remove(1);
        assert_eq!((slow.runs, slow.failures, slow.problem.as_deref()), (2, 1, Some("down")));
        assert_eq!(slow.succeeded_at, Some(UnixMillis(7)));
    }
}
