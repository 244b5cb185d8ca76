//! What a backup is, what is said of it, when one is due and which may go.

mod manifest;
mod name;
mod schedule;

use std::io;
use std::path::PathBuf;

use crate::base::time::UnixMillis;
use crate::clients::object_storage::StorageError;
use crate::db::{CopyError, DbError, LockError, OpenError, SnapshotError};

pub(super) use self::manifest::FORMAT;
pub use self::manifest::{Books, FileSum, Manifest, MediaList};
pub use self::name::BackupName;
pub(super) use self::name::{compact, is_ours, pre_migration_time};
pub(super) use self::schedule::{Times, expired, is_due, is_late, next_due};

/// What asked for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time had come.
    Schedule,
    /// An administrator.
    Admin,
    /// The command line.
    Command,
}

impl Cause {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Admin => "admin",
            Self::Command => "command",
        }
    }

    pub(super) fn from_stored(text: &str) -> Self {
        match text {
            "admin" => Self::Admin,
            "command" => Self::Command,
            _ => Self::Schedule,
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// Made a backup.
    Backup,
    /// Restored one for a try.
    Drill,
}

impl RunKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Drill => "drill",
        }
    }

    pub(super) fn from_stored(text: &str) -> Self {
        if text == "drill" { Self::Drill } else { Self::Backup }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub kind: RunKind,
    pub cause: Cause,
    /// The backup that it made or tried; `None` when it came to none.
    pub name: Option<String>,
    pub started_at: UnixMillis,
    pub ended_at: UnixMillis,
    /// How long it took, in milliseconds, by the stopwatch.
    pub took_ms: i64,
    /// Size of the database in the backup, in bytes; 0 when it came to none.
    pub plain_bytes: i64,
    /// Size of the backup, in bytes; 0 when it came to none.
    pub bytes: i64,
    /// Whether it was uploaded; `None` when it was not to be.
    pub is_uploaded: Option<bool>,
    /// What went wrong; a run without a problem is good.
    pub problem: Option<String>,
}

impl Run {
    /// Whether all went well.
    pub fn is_good(&self) -> bool {
        self.problem.is_none()
    }
}

/// A run that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    pub kind: RunKind,
    pub since: UnixMillis,
}

/// What sort of copy a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupKind {
    /// Made by this feature: compressed, with a manifest.
    Full,
    /// The copy from before a migration: the bare database.
    PreMigration,
}

/// A backup that can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its name, under which `restore` finds it.
    pub name: String,
    pub kind: BackupKind,
    pub taken_at: UnixMillis,
    /// Size as it lies there, in bytes.
    pub bytes: u64,
    /// What the manifest says; `None` for a copy from before a migration.
    pub manifest: Option<Manifest>,
    /// In the folder of this machine.
    pub is_local: bool,
    /// In the bucket.
    pub is_remote: bool,
}

impl Backup {
    /// Whether it was checked when it was made, and its books balanced.
    pub fn is_good(&self) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.books.is_balanced())
    }
}

/// How backups stand, for whoever watches.
#[derive(Clone, Debug)]
pub struct BackupStatus {
    /// Hours between two; 0: none is made by itself.
    pub every_hours: u32,
    /// When the next is due; `None` when none is made by itself.
    pub next_due: Option<UnixMillis>,
    /// What is under way in this process.
    pub under_way: Option<UnderWay>,
    /// The newest backup that was checked and whose books balance.
    pub last_good: Option<Backup>,
    /// Whether that is older than it should be.
    pub is_late: bool,
    /// The last run, whatever its end.
    pub last_run: Option<Run>,
    /// The last drill, whatever its end.
    pub last_drill: Option<Run>,
    /// Whether a drill should have been since.
    pub is_drill_late: bool,
    /// Whether copies go to a bucket too.
    pub has_bucket: bool,
    /// Backups on this machine, and what they take, in bytes.
    pub kept: usize,
    pub kept_bytes: u64,
    /// What is free where they lie, in bytes; `None` when it cannot be said.
    pub free_bytes: Option<u64>,
}

/// Why there is no backup, or none that can be restored. For the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("another backup or restore is under way (process {0})")]
    Running(String),
    #[error(
        "there is too little space in {}: {needed_mib} MiB are needed and {free_mib} MiB free", path.display()
    )]
    NoSpace { path: PathBuf, needed_mib: u64, free_mib: u64 },
    #[error("stop the server first, then restore")]
    InUse(#[from] LockError),
    #[error("there is no database {}", .0.display())]
    NoDatabase(PathBuf),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("{} cannot be used", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{name}: {source}")]
    Copy { name: String, source: CopyError },
    #[error("the copy cannot be opened")]
    Open(#[from] OpenError),
    #[error("the copy cannot be read")]
    Read(#[from] DbError),
    #[error("{name} is not what its manifest says: {what}")]
    Different { name: String, what: &'static str },
    #[error("{0} is neither a backup nor a database")]
    NotABackup(String),
    #[error("{0} ends too early or is damaged")]
    Truncated(String),
    #[error("there is no backup {0}")]
    NotFound(String),
    #[error("the bucket of the backups")]
    Bucket(#[from] StorageError),
    #[error("no bucket is configured: set BACKUP_S3_BUCKET")]
    NoBucket,
    #[error("the books in {name} do not balance: {users} users and {money} payments are wrong")]
    Unbalanced { name: String, users: i64, money: i64 },
    #[error("no thread for the work")]
    Thread(#[source] io::Error),
}

impl BackupError {
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        |source| Self::File { path, source }
    }
}
