//! SQLite under everything: one writer with group commit, a pool of readers, migrations.
//!
//! Guarantees: a write that was answered with `Ok` survives a power cut; a read sees one moment;
//! queues and pools are bounded, and beyond them the answer is [`DbError::Overloaded`], at once.
//! Only this folder names rusqlite; store files take what they need from [`prelude`].
//!
//! Closures given to [`Db::write`] are short and touch nothing but their [`Tx`]: they may be
//! undone with their batch, and they hold up every other write while they run.

mod connection;
mod copy;
mod error;
mod integrity;
mod lock;
mod migrate;
mod readers;
mod settings;
mod snapshot;
mod stats;
mod tx;
mod values;
mod writer;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use self::migrate::Migration;
use self::readers::Readers;
use self::stats::Counters;
use self::writer::{QueuedWrite, Writer};
use crate::base::clock::Clock;

pub use self::copy::{
    CopyError, CopyReport, check_copy, copy_schema, put_in_place, remove_copy, remove_side_files,
};
pub use self::error::{ConstraintKind, DbError, OpenError};
pub use self::integrity::Integrity;
pub use self::lock::{DatabaseLock, LockError, lock_file};
pub use self::migrate::{MigrationReport, MigrationStatus, migrate, migration_status};
pub use self::settings::DbSettings;
pub use self::snapshot::{CopyProgress, SnapshotError, Watch, snapshot, snapshot_watched};
pub use self::stats::{BATCH_BUCKETS, COMMIT_BUCKETS_MS, ReaderStats, WriterStats};
pub use self::tx::{Row, Tx};

/// What a store file imports.
pub mod prelude {
    pub use rusqlite::params;

    pub use super::{DbError, Row, Tx};
}

/// The database; clones share it. The file is complete by itself after [`Db::close`]; without it
/// nothing that was answered is lost either, only the next start has a log to read.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` once closed: the writer ends when the last sender is gone.
    queue: RwLock<Option<mpsc::Sender<QueuedWrite>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    counters: Arc<Counters>,
    schema_version: i64,
    path: PathBuf,
}

/// How large the files of the database are, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbFiles {
    pub database: u64,
    /// The write-ahead log.
    pub log: u64,
}

impl Db {
    /// Opens the database, creating it if missing (directory 0700, file 0600), brings its schema
    /// up to date (see [`migrate()`]) and starts the writer.
    pub fn open(settings: DbSettings, clock: &Clock) -> Result<Self, OpenError> {
        Self::open_with(&settings, clock, migrate::ALL)
    }

    /// Opens a copy for reading: nothing is migrated, and every write is [`DbError::Stopped`].
    ///
    /// The statements of the features fit a copy of this program's own schema; see
    /// [`copy_schema`].
    pub fn open_copy(path: &Path) -> Result<Self, OpenError> {
        let settings = DbSettings { readers: 2, ..DbSettings::new(path, path) };
        Ok(Self::without_writer(&settings, Readers::open(&settings)?))
    }

    /// Opens a database that is there, only to look at it: every write is [`DbError::Stopped`], and
    /// nothing is created, migrated or changed. Where there is none, so is every read.
    pub fn open_to_look(settings: &DbSettings) -> Self {
        Self::without_writer(settings, Readers::open_unchecked(settings))
    }

    fn without_writer(settings: &DbSettings, readers: Readers) -> Self {
        Self {
            inner: Arc::new(Inner {
                queue: RwLock::new(None),
                thread: Mutex::new(None),
                readers,
                counters: Arc::default(),
                schema_version: migrate::latest(migrate::ALL),
                path: settings.path.clone(),
            }),
        }
    }

    fn open_with(
        settings: &DbSettings,
        clock: &Clock,
        migrations: &[Migration],
    ) -> Result<Self, OpenError> {
        let conn = connection::open_writer(settings)?;
        migrate::apply(&conn, settings, clock, migrations)?;
        let readers = Readers::open(settings)?;
        let counters = Arc::new(Counters::default());
        let (sender, receiver) = mpsc::channel(settings.write_queue.max(1));
        let writer = Writer {
            conn,
            counters: Arc::clone(&counters),
            batch_limit: settings.write_batch.max(1),
            slow: Duration::from_millis(settings.slow_query_ms),
        };
        let thread = thread::Builder::new()
            .name("db-writer".to_owned())
            .spawn(move || writer.run(receiver))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                queue: RwLock::new(Some(sender)),
                thread: Mutex::new(Some(thread)),
                readers,
                counters,
                schema_version: migrate::latest(migrations),
                path: settings.path.clone(),
            }),
        })
    }

    /// Runs `f` in a write transaction and answers when its result is on disk.
    ///
    /// `Err` from `f` undoes what it did. A full queue is [`DbError::Overloaded`] at once. Once
    /// accepted, the write runs even when this future is dropped.
    pub async fn write<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (write, answer) = writer::pack(name, f);
        self.enqueue(write)?;
        answer.await.unwrap_or_else(|_| Err(DbError::Stopped.into()))
    }

    /// The same for the command line, where there is no runtime: waits for a place in the queue.
    ///
    /// # Panics
    ///
    /// Inside an async runtime, whose worker it would block.
    pub fn write_blocking<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (write, answer) = writer::pack(name, f);
        let queue = self.inner.queue.read().clone().ok_or(DbError::Stopped)?;
        queue.blocking_send(write).map_err(|_| DbError::Stopped)?;
        // Held while waiting, the sender would keep `close` from ending the writer.
        drop(queue);
        answer.blocking_recv().unwrap_or_else(|_| Err(DbError::Stopped.into()))
    }

    /// Runs `f` over one snapshot on a blocking thread: for reads whose length is not known.
    ///
    /// Waits its turn among the long reads; too many waiting, or too long, is
    /// [`DbError::Overloaded`].
    pub async fn read<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.inner.readers.read(name, f).await
    }

    /// Runs `f` over one snapshot on the calling thread: for short reads by an index, where the
    /// way to another thread would cost more than the read.
    ///
    /// No free connection within milliseconds is [`DbError::Overloaded`].
    pub fn read_inline<T, E, F>(&self, name: &'static str, f: F) -> Result<T, E>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E>,
        E: From<DbError>,
    {
        self.inner.readers.read_inline(name, f)
    }

    /// Writes and commits a page, as a readiness check must: a full or read-only disk shows in
    /// nothing less.
    pub async fn check_writable(&self) -> Result<(), DbError> {
        let version = self.inner.schema_version;
        self.write("db.check_writable", move |tx| tx.touch(version)).await
    }

    /// Whether the writer took up a write and ended it, well or not: a full disk is an answer, a full
    /// queue is none. Waits for as long as the writer does not answer.
    pub async fn writer_answers(&self) -> bool {
        !matches!(self.check_writable().await, Err(DbError::Overloaded | DbError::Stopped))
    }

    /// What the writer did since the start.
    pub fn stats(&self) -> WriterStats {
        let depth = self
            .inner
            .queue
            .read()
            .as_ref()
            .map_or(0, |queue| queue.max_capacity().saturating_sub(queue.capacity()));
        self.inner.counters.read(depth)
    }

    /// What the readers did since the start.
    pub fn reader_stats(&self) -> ReaderStats {
        self.inner.readers.stats()
    }

    /// How large the files are now. What is not there, or cannot be looked at, has no size.
    pub fn files(&self) -> DbFiles {
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let mut log = self.inner.path.clone().into_os_string();
        log.push("-wal");
        DbFiles { database: size(&self.inner.path), log: size(Path::new(&log)) }
    }

    /// Looks the file over with SQLite's own check, for at most `limit`; with `full` also whether every
    /// index has what its table has. Writes go on meanwhile.
    pub async fn check_integrity(&self, full: bool, limit: Duration) -> Integrity {
        integrity::check(&self.inner.path, full, limit).await
    }

    /// Takes no more writes, finishes those accepted, empties the log into the file and ends the
    /// writer. Blocks meanwhile; calling it again does nothing. Reads still work.
    pub fn close(&self) {
        drop(self.inner.queue.write().take());
        let mut thread = self.inner.thread.lock();
        if let Some(thread) = thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database writer had panicked");
        }
    }

    fn enqueue(&self, write: QueuedWrite) -> Result<(), DbError> {
        let queue = self.inner.queue.read();
        let Some(queue) = queue.as_ref() else { return Err(DbError::Stopped) };
        queue.try_send(write).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                self.inner.counters.overloaded();
                DbError::Overloaded
            }
            TrySendError::Closed(_) => DbError::Stopped,
        })
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

/// The schema that this program has.
pub fn schema_version() -> i64 {
    migrate::latest(migrate::ALL)
}

/// The SQLite that is compiled in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
