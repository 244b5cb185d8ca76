//! How fast a backup may go, and when it must end: the server comes first.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::backup::BackupPlace;
use crate::base::clock::Stopwatch;
use crate::base::low_priority;
use crate::base::machine::free_bytes;
use crate::db::CopyProgress;
use crate::features::backups::model::BackupError;

/// Between two looks at time and space, in bytes.
const STEP: u64 = 8 * 1024 * 1024;

/// A log that has grown so much while the database is copied ends the resting, in bytes: it shrinks only
/// when the copy is done.
const LOG_HURRY: u64 = 64 * 1024 * 1024;

/// Longest rest between two steps.
const REST_MAX: Duration = Duration::from_secs(5);

const MIB: u64 = 1024 * 1024;

/// Counts what is read or written, rests so that it is not more than allowed in a second, and ends the work
/// when others need the space.
pub(super) struct Pace {
    dir: PathBuf,
    reserve: u64,
    /// `None`: as fast as it goes.
    per_second: Option<u64>,
    since: Stopwatch,
    done: u64,
    looked: u64,
}

impl Pace {
    /// For a backup in `dir`.
    pub(super) fn of(place: &BackupPlace, dir: &Path) -> Self {
        Self::new(dir, place.reserve_bytes, Some(place.bytes_per_second))
    }

    /// For a restore, which somebody waits for.
    pub(super) fn hurry(dir: &Path) -> Self {
        Self::new(dir, 0, None)
    }

    fn new(dir: &Path, reserve: u64, per_second: Option<u64>) -> Self {
        let dir = dir.to_path_buf();
        Self { dir, reserve, per_second, since: Stopwatch::start(), done: 0, looked: 0 }
    }

    /// To be called with what was read and written; now and then it flushes `written`, so that it does not
    /// pile up in front of the commits of the server.
    pub(super) fn step(&mut self, bytes: u64, written: &File) -> io::Result<()> {
        self.done = self.done.saturating_add(bytes);
        if self.done - self.looked < STEP {
            return Ok(());
        }
        self.looked = self.done;
        written.sync_data()?;
        self.look()?;
        self.rest(self.done, self.since.elapsed());
        Ok(())
    }

    /// To be called between the steps of a copy.
    pub(super) fn copied(&mut self, progress: &CopyProgress) -> io::Result<()> {
        self.look()?;
        if progress.log_bytes < LOG_HURRY {
            self.rest(progress.copied, progress.elapsed);
        }
        Ok(())
    }

    fn look(&self) -> io::Result<()> {
        match free_bytes(&self.dir) {
            Some(free) if free < self.reserve => Err(io::Error::new(
                ErrorKind::StorageFull,
                format!("only {} MiB are left, which others need (MIN_FREE_DISK_MIB)", free / MIB),
            )),
            _ => Ok(()),
        }
    }

    fn rest(&self, done: u64, elapsed: Duration) {
        let Some(per_second) = self.per_second else { return };
        let millis = u128::from(done) * 1000 / u128::from(per_second.max(1));
        let due = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let ahead = due.saturating_sub(elapsed);
        if !ahead.is_zero() {
            low_priority::rest(ahead.min(REST_MAX));
        }
    }
}

/// Makes sure that `needed` bytes fit into `dir` beside what is left to others.
pub(super) fn expect_room(dir: &Path, needed: u64, reserve: u64) -> Result<(), BackupError> {
    let needed = needed.saturating_add(reserve);
    match free_bytes(dir) {
        Some(free) if free < needed => Err(BackupError::NoSpace {
            path: dir.to_path_buf(),
            needed_mib: needed.div_ceil(MIB),
            free_mib: free / MIB,
        }),
        _ => Ok(()),
    }
}
