//! Backups: copies of the database while it is in use, checked before they count; the way back; and
//! drills that walk it.
//!
//! Owns `backup_runs`. The backups themselves are files: `<database>-<time>.db.zst` with the list of
//! pictures `.media.zst` and the manifest `.json` beside it, which is written last.
//!
//! Invariants:
//! - A backup counts when its manifest is there, and that is written after the compressed file was
//!   decompressed again, recognised by its SHA-256, found whole by SQLite, and its books were added up.
//! - A run that is cut off, by a full disk or a kill, leaves nothing under the name of a backup. What it
//!   leaves otherwise, the next run removes.
//! - One run at a time, over all processes.
//! - Nothing is removed that was not made here, and never the newest good backup.
//! - A backup gives way: to the free space that others need (it ends), to the disk and to the processors
//!   (it rests, at the lowest priority).
//! - A restore puts a copy in place only after the same checks, and keeps what was there.

mod model;
pub mod service;
mod store;

pub use model::{
    Backup, BackupError, BackupKind, BackupName, BackupStatus, Books, Cause, FileSum, Manifest,
    MediaList, Run, RunKind, UnderWay,
};
