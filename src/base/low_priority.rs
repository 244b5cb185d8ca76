//! Long work that gives way to everything else: a thread of its own at the lowest priority.
//!
//! The threads that it starts in turn, such as those of a runtime of its own, inherit the priority. So
//! a backup that compresses and checks for a minute takes only the processor time that is left over.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The lowest there is.
const NICE: i32 = 19;

/// Runs `f` on a thread named `name`. It runs to its end even when this future is dropped.
///
/// # Errors
/// When there is no thread to be had, or `f` panicked.
pub async fn run<T: Send + 'static>(
    name: &'static str,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        give_way();
        // A caller that went away does not need it.
        let _ = done.send(f());
    })?;
    answer.await.map_err(|_| io::Error::other("the work ended without a result"))
}

/// Lowers this thread's priority for good. Without it the work is done all the same.
pub fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the priority of a thread could not be lowered");
    }
}

/// Holds this thread up; only for threads that do nothing else.
#[expect(clippy::disallowed_methods, reason = "the thread is the work's own and serves nobody")]
pub fn rest(pause: Duration) {
    thread::sleep(pause);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[tokio::test]
    async fn only_the_work_gives_way_and_so_do_its_own_threads() {
        let before = nice();
        let inside = run("test", || (nice(), thread::spawn(nice).join().unwrap())).await.unwrap();
        assert_eq!(inside, (NICE, NICE));
        assert_eq!(nice(), before);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert!(run("test", || panic!("on purpose")).await.map(|(): ()| ()).is_err());
    }
}
