//! A consistent copy of the database while it is in use.
//!
//! The copy is one read transaction from its first page to its last: writers go on, and however much
//! they write, the copy never begins anew. What they write meanwhile stays in the write-ahead log
//! until the copy is done, so whoever paces a copy looks at [`CopyProgress::log_bytes`].

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection;
use crate::base::clock::Stopwatch;

/// Pages between two looks at a paced copy: 8 MiB.
const STEP_PAGES: i32 = 2_048;

/// How long a copy waits for a lock that another process holds for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no copy. What was written of it is removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// SQLite could not read the source or write the copy.
    #[error("cannot copy the database to {}", path.display())]
    Copy {
        /// Where the copy was to be.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file of the copy could not be created, flushed or named.
    #[error("cannot write {}", path.display())]
    File {
        /// Where the copy was to be.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub struct CopyProgress {
    /// Copied and on disk, in bytes.
    pub copied: u64,
    /// The whole copy, in bytes.
    pub total: u64,
    /// Since the copy began.
    pub elapsed: Duration,
    /// The write-ahead log of the source, in bytes: it grows until the copy is done.
    pub log_bytes: u64,
}

/// Is shown the progress of a copy between its steps. It may rest there, which slows the copy down, or
/// refuse, which ends it.
pub type Watch<'a> = &'a mut dyn FnMut(&CopyProgress) -> io::Result<()>;

/// Copies the database file `from`, with all that was committed, to the new file `to` (mode 0600).
///
/// Readers and the writer go on meanwhile. `to` appears only when it is complete and on disk. An
/// existing `to` is replaced. Returns the size in bytes.
pub fn snapshot(from: &Path, to: &Path) -> Result<u64, SnapshotError> {
    copy(from, to, None)
}

/// The same in steps, each of them on disk before `watch` sees it: what the copy writes never piles up in
/// front of the commits of the writer.
pub fn snapshot_watched(from: &Path, to: &Path, watch: Watch<'_>) -> Result<u64, SnapshotError> {
    copy(from, to, Some(watch))
}

fn copy(from: &Path, to: &Path, watch: Option<Watch<'_>>) -> Result<u64, SnapshotError> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write_copy(from, &partial, to, watch);
    if written.is_err() {
        // The first error says more than one about cleaning up could.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn write_copy(
    from: &Path,
    partial: &Path,
    to: &Path,
    watch: Option<Watch<'_>>,
) -> Result<u64, SnapshotError> {
    let copy_failed = |source| SnapshotError::Copy { path: to.to_path_buf(), source };
    let file_failed = |source| SnapshotError::File { path: to.to_path_buf(), source };
    create_empty(partial).map_err(file_failed)?;
    {
        let source = Connection::open_with_flags(from, connection::flags()).map_err(copy_failed)?;
        source.busy_timeout(BUSY_TIMEOUT).map_err(copy_failed)?;
        // One moment for all steps: without it each step would see what was written since the last
        // one, and begin from the first page again.
        source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(copy_failed)?;
        let mut target =
            Connection::open_with_flags(partial, connection::flags()).map_err(copy_failed)?;
        // Nobody else sees the copy until it is renamed, so it needs no journal of its own.
        target
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            .map_err(copy_failed)?;
        let backup = Backup::new(&source, &mut target).map_err(copy_failed)?;
        match watch {
            None => step(&backup, -1).map_err(copy_failed).map(drop)?,
            Some(watch) => {
                let file = File::open(partial).map_err(file_failed)?;
                let log = log_of(from);
                let since = Stopwatch::start();
                while !step(&backup, STEP_PAGES).map_err(copy_failed)? {
                    file.sync_data().map_err(file_failed)?;
                    watch(&progress(&backup, since.elapsed(), &log)).map_err(file_failed)?;
                }
            }
        }
    }
    let file = File::open(partial).map_err(file_failed)?;
    file.sync_all().map_err(file_failed)?;
    let size = file.metadata().map_err(file_failed)?.len();
    fs::rename(partial, to).map_err(file_failed)?;
    connection::sync_parent(to).map_err(file_failed)?;
    Ok(size)
}

/// Copies up to `pages`, all when negative; says whether the copy is complete.
fn step(backup: &Backup<'_, '_>, pages: i32) -> rusqlite::Result<bool> {
    match backup.step(pages)? {
        StepResult::Done => Ok(true),
        StepResult::More if pages > 0 => Ok(false),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            None,
        )),
    }
}

fn progress(backup: &Backup<'_, '_>, elapsed: Duration, log: &Path) -> CopyProgress {
    let pages = backup.progress();
    let bytes = |pages: i32| u64::try_from(pages).unwrap_or_default() * connection::PAGE_BYTES;
    CopyProgress {
        copied: bytes(pages.pagecount.saturating_sub(pages.remaining)),
        total: bytes(pages.pagecount),
        elapsed,
        log_bytes: fs::metadata(log).map_or(0, |meta| meta.len()),
    }
}

/// The write-ahead log of the database file `path`.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// Starts from nothing, also when an earlier attempt was cut off.
fn create_empty(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_copy_has_what_was_committed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from.db");
        let live = Connection::open(&from).unwrap();
        live.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);
             PRAGMA user_version = 7; BEGIN; INSERT INTO t VALUES (2);",
        )
        .unwrap();

        let to = dir.path().join("to.db");
        let size = snapshot(&from, &to).unwrap();

        let meta = fs::metadata(&to).unwrap();
        assert_eq!(meta.len(), size);
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        let copy = Connection::open(&to).unwrap();
        let found: (i64, i64) = copy
            .query_row(
                "SELECT sum(n), (SELECT user_version FROM pragma_user_version) FROM t",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(found, (1, 7));
        live.execute_batch("COMMIT").unwrap();
    }

    /// Writers that never rest: a copy that began anew with each of them would not end.
    #[test]
    fn a_watched_copy_is_of_one_moment_and_is_not_started_over() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from.db"), dir.path().join("to.db"));
        let live = Connection::open(&from).unwrap();
        live.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER, filler BLOB);
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000)
             INSERT INTO t SELECT n, randomblob(4000) FROM c;",
        )
        .unwrap();

        let mut steps = Vec::new();
        snapshot_watched(&from, &to, &mut |progress| {
            // Old pages and new ones.
            live.execute_batch(
                "UPDATE t SET n = n + 100000 WHERE n % 7 = 0;
                 INSERT INTO t VALUES (1000000, randomblob(4000));",
            )
            .unwrap();
            assert!(progress.log_bytes > 0);
            steps.push(progress.copied);
            Ok(())
        })
        .unwrap();

        assert!(steps.len() >= 3 && steps.is_sorted(), "{steps:?}");
        let copy = Connection::open(&to).unwrap();
        let found: (i64, i64) = copy
            .query_row("SELECT count(*), max(n) FROM t", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap();
        assert_eq!(found, (10_000, 10_000));
    }

    #[test]
    fn whoever_watches_may_end_it_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from.db"), dir.path().join("to.db"));
        let live = Connection::open(&from).unwrap();
        live.execute_batch("CREATE TABLE t AS SELECT randomblob(20000000) AS filler").unwrap();
        let refused = snapshot_watched(&from, &to, &mut |_| Err(io::ErrorKind::StorageFull.into()));
        let Err(SnapshotError::File { source, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_copy_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to.db");
        assert!(snapshot(&dir.path().join("missing.db"), &to).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
