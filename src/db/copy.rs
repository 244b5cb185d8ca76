//! Copies of a database: whether one is whole, reading it, and putting it in the database's place.
//!
//! Guarantees: checking and reading change nothing that is in the copy; [`put_in_place`] leaves, whenever
//! it is cut off, either the old database or the new one under the name, never a mixture, and the old
//! one beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::connection;
use super::lock::remove_if_there;
use super::migrate;
use super::snapshot::log_of;

/// Damages that are named.
const NAMED: usize = 5;

/// What a copy holds, once it is known to be whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Schema version.
    pub schema: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
}

/// Why a copy cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// It was made by a later release.
    #[error(
        "it has schema version {found}, this program knows versions up to {known}: \
         install the release that made it, or a newer one"
    )]
    Newer {
        /// Version of the copy.
        found: i64,
        /// Newest version of this program.
        known: i64,
    },
    /// It is a database of something else, or an empty one.
    #[error("it is no database of this program")]
    NotOurs,
    /// SQLite finds it damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// SQLite cannot read it.
    #[error("it cannot be read as a database")]
    Read(#[from] rusqlite::Error),
}

/// Opens the copy at `path` and looks at all of it: SQLite's `integrity_check`, the references between
/// tables, and how many rows there are. Takes about ten seconds for a gigabyte.
///
/// # Errors
/// [`CopyError`]: it must not be used.
pub fn check_copy(path: &Path) -> Result<CopyReport, CopyError> {
    let conn = open(path)?;
    let schema = schema_of(&conn)?;
    let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
        conn.prepare(sql)?.query_map([], |row| row.get(0))?.take(NAMED).collect()
    };
    let problems = texts("PRAGMA integrity_check")?;
    if problems != ["ok"] {
        return Err(CopyError::Damaged(problems.join("; ")));
    }
    if let Some(table) = texts("PRAGMA foreign_key_check")?.first() {
        return Err(CopyError::Damaged(format!("rows of {table} refer to nothing")));
    }
    let mut rows = BTreeMap::new();
    for table in tables(&conn)? {
        // The name comes from the schema itself; quoted it can be nothing else.
        let quoted = table.replace('"', "\"\"");
        let count =
            conn.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get(0))?;
        rows.insert(table, count);
    }
    Ok(CopyReport { schema, rows })
}

/// The schema version of the copy at `path`, after making sure that this program knows it.
///
/// # Errors
/// [`CopyError`].
pub fn copy_schema(path: &Path) -> Result<i64, CopyError> {
    schema_of(&open(path)?)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, connection::flags())?;
    connection::harden(&conn)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON;")?;
    Ok(conn)
}

fn schema_of(conn: &Connection) -> Result<i64, CopyError> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_ours: i64 = conn.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'",
        [],
        |row| row.get(0),
    )?;
    if found == 0 || is_ours == 0 {
        return Err(CopyError::NotOurs);
    }
    let known = migrate::latest(migrate::ALL);
    if found > known { Err(CopyError::Newer { found, known }) } else { Ok(found) }
}

/// Tables with rows of their own: the parts that a search index keeps to itself are left out.
fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT name FROM pragma_table_list
          WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'
          ORDER BY name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// Puts the complete database file `new` in the place of `database`, which nobody may have open.
///
/// What was there stays, under the name `kept`, with its log if it could not be folded in. Both lie on
/// the same file system. `false`: there was none.
///
/// # Errors
/// When a file cannot be moved; `database` is what it was then, or, after an error of the very last
/// flush, already the new one.
pub fn put_in_place(new: &Path, database: &Path, kept: &Path) -> io::Result<bool> {
    fs::set_permissions(new, fs::Permissions::from_mode(0o600))?;
    File::open(new)?.sync_all()?;
    let had_one = database.exists();
    if had_one {
        // Under a second name the log outlives what SQLite makes of a damaged file: it may remove the
        // first one. Beside the new database it must not stay: SQLite would play it into that.
        let (log, kept_log) = (log_of(database), log_of(kept));
        if log.exists() {
            fs::hard_link(&log, &kept_log)?;
        }
        if fold_log(database) {
            remove_if_there(&kept_log)?;
        }
        remove_if_there(&log)?;
        fs::hard_link(database, kept)?;
    } else {
        remove_if_there(&log_of(database))?;
    }
    remove_if_there(&shared_memory_of(database))?;
    fs::rename(new, database)?;
    connection::sync_parent(database)?;
    Ok(had_one)
}

/// Moves what is in the log into the file, so that the file is complete by itself. `false`: it could not,
/// and what the log held is needed still.
fn fold_log(database: &Path) -> bool {
    let folded = Connection::open_with_flags(database, connection::flags()).and_then(|conn| {
        // Tells a damaged file before anything is written to it.
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
    });
    match folded {
        Ok(busy) => busy == 0,
        Err(err) => {
            tracing::warn!(error = ?err, "the log of the old database stays beside it");
            false
        }
    }
}

/// Removes a copy that was opened, and what SQLite laid beside it.
///
/// # Errors
/// When a file is there and cannot be removed.
pub fn remove_copy(path: &Path) -> io::Result<()> {
    remove_side_files(path)?;
    remove_if_there(path)
}

/// Removes what SQLite lays beside a copy that was only read: an empty log and shared memory.
///
/// # Errors
/// When a file is there and cannot be removed.
pub fn remove_side_files(path: &Path) -> io::Result<()> {
    remove_if_there(&log_of(path))?;
    remove_if_there(&shared_memory_of(path))
}

fn shared_memory_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-shm");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::db::{DbSettings, migrate};

    fn database(dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        migrate(&DbSettings::new(path.clone(), dir.join("backups")), &Clock::system()).unwrap();
        path
    }

    #[test]
    fn a_whole_copy_is_counted_and_anything_else_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path(), "copy.db");
        let report = check_copy(&path).unwrap();
        assert_eq!(report.schema, crate::db::schema_version());
        assert_eq!(report.rows["schema_migrations"], report.schema);
        assert!(report.rows.contains_key("users"));

        let text = dir.path().join("text.db");
        fs::write(&text, "no database at all, but long enough to look at").unwrap();
        assert!(matches!(check_copy(&text), Err(CopyError::Read(_))));
        let other = dir.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(matches!(check_copy(&other), Err(CopyError::NotOurs)));
        let newer = database(dir.path(), "newer.db");
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 9999).unwrap();
        assert!(matches!(check_copy(&newer), Err(CopyError::Newer { found: 9999, .. })));
    }

    #[test]
    fn a_damaged_page_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = database(dir.path(), "copy.db");
        let mut bytes = fs::read(&path).unwrap();
        // Everything behind the schema's own pages.
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xA5);
        fs::write(&path, bytes).unwrap();
        let found = check_copy(&path).unwrap_err();
        assert!(matches!(found, CopyError::Damaged(_) | CopyError::Read(_)), "{found:?}");
    }

    #[test]
    fn the_old_database_is_kept_with_what_only_its_log_had() {
        let dir = tempfile::tempdir().unwrap();
        let (path, new) = (database(dir.path(), "dream.db"), database(dir.path(), "new.db"));
        Connection::open(&new).unwrap().execute_batch("CREATE TABLE is_new (a)").unwrap();
        // As after a crash: what was committed last stands in the log alone.
        let crashed = dir.path().join("crashed.db");
        {
            let conn = Connection::open(&path).unwrap();
            conn.execute_batch("PRAGMA wal_autocheckpoint = 0; CREATE TABLE in_log (a);").unwrap();
            fs::copy(&path, &crashed).unwrap();
            fs::copy(log_of(&path), log_of(&crashed)).unwrap();
        }
        let kept = dir.path().join("kept.db");
        assert!(put_in_place(&new, &crashed, &kept).unwrap());
        let has = |path: &Path, table: &str| {
            let conn = Connection::open(path).unwrap();
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
            conn.query_row(sql, [table], |row| row.get::<_, i64>(0)).unwrap() == 1
        };
        assert!(has(&kept, "in_log") && !has(&kept, "is_new"));
        assert!(has(&crashed, "is_new") && !has(&crashed, "in_log"));
        assert!(!new.exists());
    }

    #[test]
    fn a_damaged_old_database_is_kept_as_it_was_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let new = database(dir.path(), "new.db");
        let path = dir.path().join("dream.db");
        fs::write(&path, "this was a database once").unwrap();
        fs::write(log_of(&path), "and this its log").unwrap();
        let kept = dir.path().join("kept.db");
        assert!(put_in_place(&new, &path, &kept).unwrap());
        assert_eq!(fs::read(&kept).unwrap(), b"this was a database once");
        assert_eq!(fs::read(log_of(&kept)).unwrap(), b"and this its log");
        check_copy(&path).unwrap();
    }
}
