//! Opens SQLite connections: the writable one and the readers, each with its settings.
//!
//! Guarantees: write-ahead logging with `synchronous=FULL`, so that a COMMIT that returned is on
//! disk; foreign keys enforced; files readable by their owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::settings::DbSettings;

/// A checkpoint starts at this many pages in the log (16 MiB): rare enough not to disturb, small
/// enough that recovery after a crash takes milliseconds.
const CHECKPOINT_PAGES: u32 = 4_096;

/// The log is cut back to this size when a burst has made it longer, in bytes.
const LOG_LIMIT: u32 = 64 * 1024 * 1024;

/// The size of a page: SQLite's own, which nothing changes here.
pub(super) const PAGE_BYTES: u64 = 4_096;

/// Compiled statements kept per connection; more than a reader's share of the statements we have.
const READER_STATEMENTS: usize = 64;

/// The same for the writer, which sees every statement that writes.
const WRITER_STATEMENTS: usize = 128;

/// Every connection is used by one thread at a time, and no URI tricks are wanted in paths.
pub(super) fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE
}

/// Opens the one writable connection; creates the directory (0700) and the file (0600) if missing.
pub(super) fn open_writer(settings: &DbSettings) -> Result<Connection, OpenError> {
    let path = &settings.path;
    create_file(path)?;
    let failed = |source| OpenError::Open { path: path.clone(), source };
    let conn = Connection::open_with_flags(path, flags()).map_err(failed)?;
    conn.busy_timeout(Duration::from_millis(settings.busy_timeout_ms)).map_err(failed)?;
    let mode: String =
        conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::NoWal { path: path.clone(), mode });
    }
    harden(&conn).map_err(failed)?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{};
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = {LOG_LIMIT};",
        settings.writer_cache_kib,
    ))
    .map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(WRITER_STATEMENTS);
    Ok(conn)
}

/// Makes a fresh connection a reader, which can change nothing.
pub(super) fn make_reader(conn: &Connection, settings: &DbSettings) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_millis(settings.busy_timeout_ms))?;
    harden(conn)?;
    conn.execute_batch(&format!(
        "PRAGMA query_only = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{};",
        settings.reader_cache_kib,
    ))?;
    conn.set_prepared_statement_cache_capacity(READER_STATEMENTS);
    Ok(())
}

/// Switches off what a damaged or crafted file could use against us, and SQLite's habit of
/// reading a misspelt `"column"` as a text.
pub(super) fn harden(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    Ok(())
}

/// SQLite would create the file with the umask's mode; its `-wal` and `-shm` take the file's.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Create { path: path.to_path_buf(), source };
    if let Some(dir) = parent(path) {
        create_dir(dir)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all().map_err(failed)?;
            sync_parent(path).map_err(failed)
        }
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(err) => Err(failed(err)),
    }
}

/// Creates `dir` and what is missing above it, for the owner only. An existing one stays as it is.
pub(super) fn create_dir(dir: &Path) -> Result<(), OpenError> {
    if fs::metadata(dir).is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| OpenError::Create { path: dir.to_path_buf(), source })
}

/// Makes the name of a new file survive a power cut.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match parent(path) {
        Some(dir) => File::open(dir)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// The directory of `path`, unless that is the current one.
fn parent(path: &Path) -> Option<&Path> {
    path.parent().filter(|dir| !dir.as_os_str().is_empty())
}
