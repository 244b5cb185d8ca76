//! A consistent copy of the database while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connection;

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

/// Copies the database file `from`, with all that was committed, to the new file `to` (mode 0600).
///
/// Readers and the writer go on meanwhile. `to` appears only when it is complete and on disk. An
/// existing `to` is replaced. Returns the size in bytes.
pub fn snapshot(from: &Path, to: &Path) -> Result<u64, SnapshotError> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write_copy(from, &partial, to);
    if written.is_err() {
        // The first error says more than one about cleaning up could.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn write_copy(from: &Path, partial: &Path, to: &Path) -> Result<u64, SnapshotError> {
    let copy_failed = |source| SnapshotError::Copy { path: to.to_path_buf(), source };
    let file_failed = |source| SnapshotError::File { path: to.to_path_buf(), source };
    create_empty(partial).map_err(file_failed)?;
    {
        let source = Connection::open_with_flags(from, connection::flags()).map_err(copy_failed)?;
        let mut target =
            Connection::open_with_flags(partial, connection::flags()).map_err(copy_failed)?;
        // Nobody else sees the copy until it is renamed, so it needs no journal of its own.
        target
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            .map_err(copy_failed)?;
        let backup = Backup::new(&source, &mut target).map_err(copy_failed)?;
        // All pages in one step: one read transaction, which no writer can make start over.
        match backup.step(-1).map_err(copy_failed)? {
            StepResult::Done => {}
            _ => {
                return Err(copy_failed(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                )));
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

    #[test]
    fn a_failed_copy_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to.db");
        assert!(snapshot(&dir.path().join("missing.db"), &to).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
