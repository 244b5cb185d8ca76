//! What can go wrong between a feature and its database, sorted by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::snapshot::SnapshotError;

/// Why a read or a write did not happen. Nothing of it is in the database.
///
/// Cloned to every caller of a batch that was lost, hence the shared sources.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The queue of writes is full, or every reader stayed taken.
    #[error("the database has more work waiting than it may hold")]
    Overloaded,
    /// Another process held the write lock for longer than the busy timeout.
    #[error("the database is locked by another process")]
    Busy(#[source] Arc<rusqlite::Error>),
    /// [`close`](super::Db::close) was called.
    #[error("the database is closed")]
    Stopped,
    /// No space is left for what had to be written.
    #[error("the disk of the database is full")]
    DiskFull(#[source] Arc<rusqlite::Error>),
    /// Reading or writing the file failed.
    #[error("the file of the database could not be read or written")]
    Io(#[source] Arc<rusqlite::Error>),
    /// The transaction around this closure was lost: neither it nor its neighbours are stored.
    #[error("the batch of writes could not be committed")]
    CommitFailed(#[source] Arc<rusqlite::Error>),
    /// The closure ended or lost its own transaction without an error to show for it.
    #[error("the transaction ended before its closure did")]
    TransactionLost,
    /// The closure of this name panicked; what it did is undone.
    #[error("the database closure `{0}` panicked")]
    Panicked(&'static str),
    /// The data breaks a rule of the schema.
    #[error("{detail}")]
    Constraint {
        /// Which sort of rule.
        kind: ConstraintKind,
        /// SQLite's words: they name columns, never values.
        detail: String,
    },
    /// A row that the caller relies on is not there.
    #[error("a row that must exist is missing")]
    NoRow,
    /// Anything else: wrong SQL, a column of another type, a damaged file.
    #[error("the statement failed")]
    Sql(#[source] Arc<rusqlite::Error>),
}

/// The sorts of rules a schema has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// A primary key or a UNIQUE column or index.
    Unique,
    /// A CHECK, also of the column type in a STRICT table.
    Check,
    /// A reference to a row that is not there, or from rows that still are.
    ForeignKey,
    /// A NULL where there must be a value.
    NotNull,
    /// A trigger's refusal, and whatever SQLite adds.
    Other,
}

impl DbError {
    /// Whether there is too much to do right now: `503` with `Retry-After`, nothing to repair.
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Busy(_) | Self::Stopped)
    }

    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        self.is_overload()
            || matches!(self, Self::DiskFull(_) | Self::Io(_) | Self::CommitFailed(_))
    }

    /// Whether a row with the same key is there already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Constraint { kind: ConstraintKind::Unique, .. })
    }

    /// What every closure of a batch is told when its transaction is lost because of `cause`.
    pub(super) fn batch_lost(cause: Self) -> Self {
        match cause {
            Self::Sql(source) => Self::CommitFailed(source),
            Self::Constraint { detail, .. } => {
                Self::CommitFailed(Arc::new(rusqlite::Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_CONSTRAINT),
                    Some(detail),
                )))
            }
            other => other,
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(err: rusqlite::Error) -> Self {
        let (code, extended) = match &err {
            rusqlite::Error::QueryReturnedNoRows => return Self::NoRow,
            rusqlite::Error::SqliteFailure(failure, _) => (failure.code, failure.extended_code),
            _ => return Self::Sql(Arc::new(err)),
        };
        match code {
            ErrorCode::ConstraintViolation => Self::Constraint {
                kind: match extended {
                    ffi::SQLITE_CONSTRAINT_UNIQUE
                    | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                    | ffi::SQLITE_CONSTRAINT_ROWID => ConstraintKind::Unique,
                    ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_DATATYPE => {
                        ConstraintKind::Check
                    }
                    ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
                    ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
                    _ => ConstraintKind::Other,
                },
                detail: err.to_string(),
            },
            ErrorCode::DiskFull => Self::DiskFull(Arc::new(err)),
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly => {
                Self::Io(Arc::new(err))
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy(Arc::new(err)),
            _ => Self::Sql(Arc::new(err)),
        }
    }
}

/// Why the database could not be opened or migrated. Written for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory or the file cannot be created.
    #[error("cannot create {}", path.display())]
    Create {
        /// What was to be created.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file system cannot share memory between connections (a network mount, for instance).
    #[error(
        "the database {} cannot use write-ahead logging (journal mode is {mode}): \
         put it on a local disk", path.display()
    )]
    NoWal {
        /// The database file.
        path: PathBuf,
        /// The journal mode SQLite fell back to.
        mode: String,
    },
    /// The file was written by a later release.
    #[error(
        "the database has schema version {found}, this program knows versions up to {known}: \
         install a newer release, or restore a backup made by this one"
    )]
    Newer {
        /// Version of the file.
        found: i64,
        /// Newest version of this binary.
        known: i64,
    },
    /// The file is a database, but not one of this program.
    #[error("the file holds another program's database ({0}): choose another path")]
    NotOurs(&'static str),
    /// A migration that was applied to this file reads differently in this binary.
    #[error(
        "migration {version:04}_{name} was applied to this database with another text: \
         released migrations never change; install the release that created it"
    )]
    ChecksumChanged {
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
    },
    /// A migration failed. The database is as it was before.
    #[error("migration {version:04}_{name} failed, nothing was changed")]
    Migration {
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The migrations leave rows that refer to nothing. The database is as it was before.
    #[error("the migrations leave rows of `{table}` that refer to nothing, nothing was changed")]
    BrokenReferences {
        /// The table of the first such row.
        table: String,
    },
    /// The copy that every schema change is preceded by could not be made; nothing was changed.
    #[error("cannot save a copy of the database before changing its schema")]
    Snapshot(#[from] SnapshotError),
    /// The system gave no thread.
    #[error("cannot start the writer thread")]
    Thread(#[source] io::Error),
    /// The pool of readers could not be set up.
    #[error("cannot set up the readers")]
    Readers(#[source] r2d2::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended: i32) -> DbError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None).into()
    }

    #[test]
    fn errors_are_sorted_by_what_the_caller_can_do() {
        assert!(failure(ffi::SQLITE_CONSTRAINT_UNIQUE).is_unique_violation());
        assert!(failure(ffi::SQLITE_CONSTRAINT_PRIMARYKEY).is_unique_violation());
        assert!(!failure(ffi::SQLITE_CONSTRAINT_CHECK).is_unique_violation());
        assert!(!failure(ffi::SQLITE_CONSTRAINT_CHECK).is_transient());
        assert!(failure(ffi::SQLITE_BUSY_SNAPSHOT).is_overload());
        assert!(matches!(failure(ffi::SQLITE_FULL), DbError::DiskFull(_)));
        assert!(matches!(failure(ffi::SQLITE_IOERR_FSYNC), DbError::Io(_)));
        assert!(failure(ffi::SQLITE_FULL).is_transient());
        assert!(!failure(ffi::SQLITE_FULL).is_overload());
        assert!(!failure(ffi::SQLITE_CORRUPT).is_transient());
    }
}
