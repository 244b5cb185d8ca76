//! The readers: a small pool of connections that can change nothing.
//!
//! Every read sees one snapshot. The connections are shared out so that long reads (on tokio's
//! blocking threads) never take the last ones from the short reads made on the runtime's workers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use r2d2::{HandleError, ManageConnection, Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use scheduled_thread_pool::ScheduledThreadPool;
use tokio::sync::Semaphore;

use super::connection;
use super::error::{DbError, OpenError};
use super::settings::DbSettings;
use super::stats::{ReadCounters, ReaderStats};
use super::tx::Tx;
use crate::base::clock::Stopwatch;

/// Longest wait of a short read for a taken connection: it holds up a worker of the runtime.
const INLINE_WAIT: Duration = Duration::from_millis(20);

/// Longest wait of a short read while a further connection is being opened (normally under 1 ms).
const OPENING_WAIT: Duration = Duration::from_secs(1);

/// The pool and its admission.
pub(super) struct Readers {
    pool: Pool<Manager>,
    /// Long reads that may exist, running or waiting.
    admission: Arc<Semaphore>,
    /// Long reads that may run.
    turns: Arc<Semaphore>,
    wait: Duration,
    slow: Duration,
    counters: Arc<ReadCounters>,
}

impl Readers {
    /// Connections are opened when they are needed, one ahead of the demand.
    pub(super) fn open(settings: &DbSettings) -> Result<Self, OpenError> {
        let pool = Self::pool(settings).build(Manager::new(settings));
        Ok(Self::over(pool.map_err(OpenError::Readers)?, settings))
    }

    /// The same without waiting for the first: of a file that may not be there.
    pub(super) fn open_unchecked(settings: &DbSettings) -> Self {
        let pool = Self::pool(settings).build_unchecked(Manager::new(settings));
        Self::over(pool, settings)
    }

    fn pool(settings: &DbSettings) -> r2d2::Builder<Manager> {
        let opener =
            ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("db-opener").build();
        Pool::builder()
            .max_size(size_of(settings))
            .min_idle(Some(1))
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(wait_of(settings))
            .thread_pool(Arc::new(opener))
            .error_handler(Box::new(LogOpenError))
    }

    fn over(pool: Pool<Manager>, settings: &DbSettings) -> Self {
        let long = usize::try_from(size_of(settings) / 2).unwrap_or(1);
        Self {
            pool,
            admission: Arc::new(Semaphore::new(long.saturating_add(settings.read_queue))),
            turns: Arc::new(Semaphore::new(long)),
            wait: wait_of(settings),
            slow: Duration::from_millis(settings.slow_query_ms),
            counters: Arc::default(),
        }
    }

    /// Runs `f` on a blocking thread as soon as it is its turn.
    pub(super) async fn read<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let overloaded = || {
            self.counters.overloaded();
            DbError::Overloaded
        };
        let Ok(admitted) = Arc::clone(&self.admission).try_acquire_owned() else {
            return Err(overloaded().into());
        };
        if self.turns.available_permits() == 0 {
            self.counters.waited();
        }
        let turn = tokio::time::timeout(self.wait, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(overloaded().into()) };
        let (pool, slow, counters) = (self.pool.clone(), self.slow, Arc::clone(&self.counters));
        let work = move || {
            // The read goes on when its caller leaves, so the permits belong to the read.
            let _permits = (admitted, turn);
            let conn = pool.get().map_err(|_| {
                counters.overloaded();
                DbError::Overloaded
            })?;
            let _reading = counters.enter();
            run(&conn, name, slow, f)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            // Panics are caught inside; what is left is a runtime that shuts down.
            Err(_) => Err(DbError::Stopped.into()),
        }
    }

    /// Runs `f` on this thread.
    pub(super) fn read_inline<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E>,
        E: From<DbError>,
    {
        let conn = self.short()?;
        let _reading = self.counters.enter();
        run(&conn, name, self.slow, f)
    }

    fn short(&self) -> Result<PooledConnection<Manager>, DbError> {
        if let Some(conn) = self.pool.try_get() {
            return Ok(conn);
        }
        self.counters.waited();
        let all_open = self.pool.state().connections >= self.pool.max_size();
        let wait = if all_open { INLINE_WAIT } else { OPENING_WAIT };
        self.pool.get_timeout(wait).map_err(|_| {
            self.counters.overloaded();
            DbError::Overloaded
        })
    }

    /// What the readers did since the start.
    pub(super) fn stats(&self) -> ReaderStats {
        self.counters.read(self.pool.max_size())
    }
}

/// Connections there may be.
fn size_of(settings: &DbSettings) -> u32 {
    settings.readers.max(2)
}

/// Longest wait of a long read.
fn wait_of(settings: &DbSettings) -> Duration {
    Duration::from_millis(settings.read_wait_ms.max(1))
}

/// Runs `f` in a transaction of its own, so that all its statements see the same state.
fn run<T, E, F>(conn: &Connection, name: &'static str, slow: Duration, f: F) -> Result<T, E>
where
    F: FnOnce(&Tx<'_>) -> Result<T, E>,
    E: From<DbError>,
{
    let watch = Stopwatch::start();
    control(conn, "BEGIN DEFERRED")?;
    let result = catch_unwind(AssertUnwindSafe(|| f(&Tx::new(conn))));
    if !conn.is_autocommit()
        && let Err(err) = control(conn, "ROLLBACK")
    {
        // The pool drops a connection that comes back inside a transaction.
        tracing::error!(error = ?err, db.closure = name, "a read could not be ended");
    }
    if watch.elapsed() >= slow {
        let duration_ms = watch.elapsed_ms();
        tracing::warn!(db.closure = name, duration_ms, "a database read was slow");
    }
    result.unwrap_or_else(|_| {
        tracing::error!(db.closure = name, "a database read panicked");
        Err(DbError::Panicked(name).into())
    })
}

fn control(conn: &Connection, sql: &'static str) -> Result<(), DbError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Opens readers for the pool, and lets none back in that is stuck in a transaction.
#[derive(Debug)]
struct Manager(SqliteConnectionManager);

impl Manager {
    fn new(settings: &DbSettings) -> Self {
        let path: &Path = &settings.path;
        let settings = settings.clone();
        Self(
            SqliteConnectionManager::file(path)
                .with_flags(connection::flags())
                .with_init(move |conn| connection::make_reader(conn, &settings)),
        )
    }
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Connection, rusqlite::Error> {
        self.0.connect()
    }

    fn is_valid(&self, conn: &mut Connection) -> Result<(), rusqlite::Error> {
        self.0.is_valid(conn)
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        !conn.is_autocommit()
    }
}

#[derive(Debug)]
struct LogOpenError;

impl HandleError<rusqlite::Error> for LogOpenError {
    fn handle_error(&self, error: rusqlite::Error) {
        tracing::error!(error = ?error, "a reader of the database could not be opened");
    }
}
