//! The one thread that writes, with group commit.
//!
//! It takes all writes that wait (up to a cap) and runs them in one transaction, each inside its
//! own savepoint; one COMMIT, one fsync, and only then the answers. While that fsync runs the next
//! writes gather, so the batches grow with the load and nobody waits for a timer.
//!
//! Guarantees:
//! - A write answered with `Ok` is on disk.
//! - A closure that fails or panics undoes its own work and nothing else.
//! - When the transaction is lost (no COMMIT, disk full, I/O error) every closure in it is told so,
//!   also one that refused: it may have refused because of a neighbour's work that never happened.
//! - The thread survives all of this. A write that was accepted runs even when its caller has left.

use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use std::vec::Drain;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::DbError;
use super::stats::Counters;
use super::tx::Tx;
use crate::base::clock::Stopwatch;

/// How long the last checkpoint waits for readers of other processes.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// A write on its way through the queue.
pub(super) type QueuedWrite = Box<dyn Write>;

/// How a closure ended, before the COMMIT.
pub(super) enum Ran {
    /// Its work is to be kept.
    Done,
    /// It refused: its work is to be undone.
    Refused,
    /// It panicked: the same.
    Panicked,
}

/// A closure with the way back to its caller, its types hidden.
pub(super) trait Write: Send {
    /// For logs and metrics.
    fn name(&self) -> &'static str;
    /// Runs the closure and keeps its result for [`answer`](Self::answer).
    fn run(&mut self, tx: &Tx<'_>) -> Ran;
    /// Tells the caller: its result when the transaction was committed, else why not.
    fn answer(self: Box<Self>, batch: Result<(), DbError>);
}

struct Call<T, E, F> {
    name: &'static str,
    closure: Option<F>,
    result: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

/// Packs a closure for the queue, with the receiver of its answer.
pub(super) fn pack<T, E, F>(
    name: &'static str,
    closure: F,
) -> (QueuedWrite, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Call { name, closure: Some(closure), result: None, caller }), answer)
}

impl<T, E, F> Write for Call<T, E, F>
where
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, tx: &Tx<'_>) -> Ran {
        let Some(closure) = self.closure.take() else { return Ran::Refused };
        match catch_unwind(AssertUnwindSafe(|| closure(tx))) {
            Ok(result) => {
                let ran = if result.is_ok() { Ran::Done } else { Ran::Refused };
                self.result = Some(result);
                ran
            }
            Err(_) => Ran::Panicked,
        }
    }

    fn answer(self: Box<Self>, batch: Result<(), DbError>) {
        let answer = match (batch, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(DbError::Panicked(self.name).into()),
            (Err(lost), _) => Err(lost.into()),
        };
        // The caller may have left; its write stands all the same.
        let _ = self.caller.send(answer);
    }
}

/// What the thread owns.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) counters: Arc<Counters>,
    pub(super) batch_limit: usize,
    pub(super) slow: Duration,
}

impl Writer {
    /// Works until every sender is gone and the queue is empty, then empties the log into the file.
    pub(super) fn run(self, mut queue: mpsc::Receiver<QueuedWrite>) {
        let mut taken = Vec::new();
        while queue.blocking_recv_many(&mut taken, self.batch_limit) > 0 {
            let mut waiting = taken.drain(..).peekable();
            // A lost transaction ends its batch early; who has not run yet gets a new one.
            while waiting.peek().is_some() {
                self.batch(&mut waiting);
            }
        }
        self.checkpoint();
    }

    /// One transaction. Every write taken from `waiting` is answered.
    fn batch(&self, waiting: &mut Peekable<Drain<'_, QueuedWrite>>) {
        if let Err(err) = self.control("BEGIN IMMEDIATE") {
            self.lose(waiting.collect(), err);
            return;
        }
        let mut ran = Vec::with_capacity(waiting.len());
        for mut write in waiting.by_ref() {
            let kept = self.run_one(write.as_mut());
            ran.push(write);
            if let Err(err) = kept {
                self.lose(ran, err);
                return;
            }
        }
        let watch = Stopwatch::start();
        if let Err(err) = self.control("COMMIT") {
            self.lose(ran, err);
            return;
        }
        self.counters.committed(ran.len(), watch.elapsed());
        answer_all(ran, Ok(()));
    }

    /// Runs one closure in its savepoint. An error means that the transaction cannot go on.
    fn run_one(&self, write: &mut dyn Write) -> Result<(), DbError> {
        self.control("SAVEPOINT closure")?;
        let watch = Stopwatch::start();
        let tx = Tx::new(&self.conn);
        let ran = write.run(&tx);
        self.counters.closure_ran();
        let took = watch.elapsed();
        if took >= self.slow {
            tracing::warn!(
                db.closure = write.name(),
                duration_ms = watch.elapsed_ms(),
                "a database write was slow"
            );
        }
        if let Some(lost) = tx.lost() {
            return Err(lost);
        }
        if matches!(ran, Ran::Panicked) {
            self.counters.panicked();
            tracing::error!(db.closure = write.name(), "a database write panicked");
        }
        if !matches!(ran, Ran::Done) {
            self.control("ROLLBACK TO closure")?;
        }
        self.control("RELEASE closure")
    }

    /// Gives the transaction up and tells everybody in it.
    fn lose(&self, writes: Vec<QueuedWrite>, cause: DbError) {
        let cause = DbError::batch_lost(cause);
        if !self.conn.is_autocommit()
            && let Err(err) = self.control("ROLLBACK")
        {
            tracing::error!(error = ?err, "a lost batch of writes could not be rolled back");
        }
        self.counters.lost_batch();
        tracing::error!(error = ?cause, writes = writes.len(), "a batch of database writes was lost");
        answer_all(writes, Err(cause));
    }

    fn control(&self, sql: &'static str) -> Result<(), DbError> {
        self.conn.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Moves the log into the database file and cuts it to nothing, so that the file is complete
    /// by itself and the next start has nothing to recover.
    fn checkpoint(&self) {
        // Whoever reads for longer, such as a replication beside us, must not hold up the end. Without the
        // shorter wait it is only a longer one.
        let _ = self.conn.busy_timeout(LAST_WAIT);
        match self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        {
            Ok(0) => {}
            Ok(_) => tracing::warn!("a reader kept the write-ahead log from being emptied"),
            Err(err) => tracing::error!(error = ?err, "the write-ahead log could not be emptied"),
        }
    }
}

/// Answers each write; what a caller's own types do while being dropped cannot end the thread.
fn answer_all(writes: Vec<QueuedWrite>, batch: Result<(), DbError>) {
    for write in writes {
        let name = write.name();
        let batch = batch.clone();
        if catch_unwind(AssertUnwindSafe(|| write.answer(batch))).is_err() {
            tracing::error!(db.closure = name, "the answer of a database write panicked");
        }
    }
}
