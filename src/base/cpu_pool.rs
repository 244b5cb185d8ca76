//! Threads for work that only computes, such as pictures: bounded in number and in who may wait.
//!
//! The runtime's workers never do such work, and its own blocking pool stays free for files. A
//! caller that goes away frees its place in the queue at once; work that runs already keeps its
//! thread until it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// How long an idle thread stays.
const THREAD_IDLE: Duration = Duration::from_secs(10);

/// Bounded threads; clones share them.
#[derive(Clone)]
pub struct CpuPool(Arc<Shared>);

struct Shared {
    /// Only its blocking pool is used: threads that come and go with the load.
    threads: Option<Runtime>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
}

/// Why the work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// All threads are busy and the queue is full. Nothing was begun.
    #[error("too much work is waiting")]
    Overloaded,
    /// The work panicked, or the process is going down.
    #[error("the work ended without a result")]
    Broken,
}

impl CpuPool {
    /// At most `threads` pieces of work run and at most `queue` wait.
    ///
    /// # Errors
    /// When the operating system refuses the pool's resources.
    pub fn new(name: &'static str, threads: usize, queue: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .thread_name(name)
            .max_blocking_threads(threads)
            .thread_keep_alive(THREAD_IDLE)
            .build()?;
        Ok(Self(Arc::new(Shared {
            threads: Some(runtime),
            slots: Arc::new(Semaphore::new(threads)),
            waiting: AtomicUsize::new(0),
            queue,
        })))
    }

    /// Does `work` on one of the threads, when its turn comes.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let shared = &self.0;
        let slot = {
            let _waiting = Waiting::enter(shared)?;
            Arc::clone(&shared.slots).acquire_owned().await.map_err(|_| PoolError::Broken)?
        };
        let threads = shared.threads.as_ref().ok_or(PoolError::Broken)?;
        let done = threads.handle().spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        done.await.map_err(|_| PoolError::Broken)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A runtime must not be dropped within another one by waiting for its threads.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// One place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared) -> Result<Self, PoolError> {
        let ahead = shared.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(&shared.waiting);
        if ahead >= shared.queue && shared.slots.available_permits() == 0 {
            return Err(PoolError::Overloaded);
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_a_panic_frees_its_thread() {
        let pool = CpuPool::new("test", 1, 1).unwrap();
        let (go, gate) = mpsc::channel::<()>();
        let (began, begun) = tokio::sync::oneshot::channel();
        let running = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    let _ = began.send(());
                    let _ = gate.recv();
                })
                .await
            }
        });
        begun.await.unwrap();
        let waiting = pool.run(|| 7);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(pool.run(|| 8).await, Err(PoolError::Overloaded));
        go.send(()).unwrap();
        assert_eq!(waiting.await, Ok(7));
        running.await.unwrap().unwrap();
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(PoolError::Broken));
        assert_eq!(pool.run(|| 9).await, Ok(9));
    }
}
