//! Who serves a database: one process, which holds a lock beside the file as long as it runs.
//!
//! The lock is the kernel's (`flock`), so it ends with the process however that ends. Replacing the file
//! under a running server would tear it apart; a second server would take up the jobs of the first.
//! Commands that only read, or write through SQLite's own locks, need none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::connection;
use super::error::OpenError;

/// The lock of a database, until this is dropped.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by process {holder}", path.display())]
    Taken {
        /// The database file.
        path: PathBuf,
        /// The id of that process, as it wrote it down.
        holder: String,
    },
    /// The folder cannot be made.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// The file of the lock cannot be used.
    #[error("cannot lock {}", path.display())]
    File {
        /// The file of the lock.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl DatabaseLock {
    /// Takes the lock of the database file `database`, which need not exist yet. Does not wait.
    ///
    /// # Errors
    /// [`LockError::Taken`] while another process, or another part of this one, has it.
    pub fn take(database: &Path) -> Result<Self, LockError> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            connection::create_dir(folder)?;
        }
        match lock_file(&path) {
            Ok(Ok(file)) => Ok(Self { _file: file }),
            Ok(Err(holder)) => Err(LockError::Taken { path: database.to_path_buf(), holder }),
            Err(source) => Err(LockError::File { path, source }),
        }
    }
}

/// Takes the lock of any file, which is made if it is missing and holds the id of who has the lock.
/// `Err` within is that id, of another.
///
/// # Errors
/// When the file cannot be opened or written.
pub fn lock_file(path: &Path) -> io::Result<Result<File, String>> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Whoever has it may not have written its id yet.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            return Ok(Err(if holder.is_empty() { "?" } else { holder }.to_owned()));
        }
        Err(err) => return Err(err.into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    // On a full disk the lock holds all the same; only its holder is not named.
    let _ = writeln!(file, "{}", process::id());
    Ok(Ok(file))
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_one_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("data/dream.db");
        let lock = DatabaseLock::take(&database).unwrap();
        let said = DatabaseLock::take(&database).unwrap_err().to_string();
        assert!(said.contains(&format!("process {}", process::id())), "{said}");
        DatabaseLock::take(&dir.path().join("data/sandbox.db")).unwrap();
        drop(lock);
        DatabaseLock::take(&database).unwrap();
    }
}
