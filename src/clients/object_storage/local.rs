//! Objects as files of one folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::{ObjectKey, ObjectStorage, Opened, Pending, StorageError};
use crate::base::clock::Clock;
use crate::clients::call_stats::CallState;

/// Folders: a web server of the same group may read, nobody else.
pub const FOLDER_MODE: u32 = 0o750;
/// Files likewise.
pub const FILE_MODE: u32 = 0o640;

/// Half-written files of a process that died are removed at the next start when they are this old.
const STALE: Duration = Duration::from_secs(3600);

/// A folder with two levels: `ab/cdef….png`.
pub struct LocalStorage {
    root: PathBuf,
    /// Where files grow before they get their name: the same file system.
    growing: PathBuf,
    count: AtomicU64,
}

impl LocalStorage {
    /// Uses `root`, making it if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: PathBuf, clock: &Clock) -> io::Result<Self> {
        let growing = root.join(".growing");
        make_folder(&growing)?;
        remove_stale(&growing, clock)?;
        Ok(Self { root, growing, count: AtomicU64::new(0) })
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// The name of a file that grows: no two writers, of whatever process, share one.
    fn growing(&self) -> PathBuf {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.growing.join(format!("{}-{count}", process::id()))
    }
}

impl ObjectStorage for LocalStorage {
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Vec<u8>) -> Pending<'a, ()> {
        let (path, growing) = (self.path(key), self.growing());
        Box::pin(on_files(move || write(&path, &growing, &bytes)))
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Vec<u8>>> {
        let path = self.path(key);
        Box::pin(on_files(move || found(fs::read(path))))
    }

    fn open<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Opened>> {
        let path = self.path(key);
        Box::pin(on_files(move || {
            let Some(file) = found(File::open(path))? else { return Ok(None) };
            let len = file.metadata()?.len();
            Ok(Some(Opened::File(file, len)))
        }))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, ()> {
        let path = self.path(key);
        Box::pin(on_files(move || found(fs::remove_file(path)).map(drop)))
    }

    fn calls(&self) -> Option<CallState> {
        None
    }
}

/// Runs `work` where waiting for a disk holds nobody up.
async fn on_files<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.unwrap_or_else(|_| Err(io::Error::other("the work ended without a result")))?)
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

/// Writes `bytes` to `path`: whole and on disk, or not at all. The name says the bytes, so a file of
/// the same name and size is the same file.
fn write(path: &Path, growing: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| there.len() == bytes.len() as u64) {
        return Ok(());
    }
    let folder = path.parent().ok_or_else(|| io::Error::other("an object needs a folder"))?;
    make_folder(folder)?;
    let written = write_new(growing, bytes).and_then(|()| fs::rename(growing, path));
    if let Err(err) = written {
        // A full disk: at least do not leave the half.
        let _ = fs::remove_file(growing);
        return Err(err);
    }
    // The name is on disk only when its folder is.
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    // So that the new folder itself survives a power cut.
    folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn remove_stale(growing: &Path, clock: &Clock) -> io::Result<()> {
    let before = u64::try_from(clock.now().0).unwrap_or(0);
    let before = UNIX_EPOCH + Duration::from_millis(before).saturating_sub(STALE);
    for entry in fs::read_dir(growing)? {
        let entry = entry?;
        if entry.metadata()?.modified()? < before {
            found(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::ObjectKind;
    use super::*;
    use crate::base::clock::TestClock;
    use crate::base::time::UnixMillis;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_was_put_is_there_until_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data/media");
        let storage = LocalStorage::open(root.clone(), &Clock::system()).unwrap();
        let key = ObjectKey::of(b"picture", ObjectKind::Png);
        assert!(storage.get(&key).await.unwrap().is_none());
        assert!(storage.open(&key).await.unwrap().is_none());
        for _ in 0..2 {
            storage.put(&key, b"picture".to_vec()).await.unwrap();
        }
        assert_eq!(storage.get(&key).await.unwrap().unwrap(), b"picture");
        let Some(Opened::File(mut file, 7)) = storage.open(&key).await.unwrap() else { panic!() };
        let path = root.join(key.as_str());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o640, 0o750));
        for _ in 0..2 {
            storage.delete(&key).await.unwrap();
        }
        assert!(storage.get(&key).await.unwrap().is_none());
        // Who reads already reads on.
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "picture");
    }

    #[tokio::test]
    async fn a_file_of_another_size_is_replaced_and_halves_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let storage = LocalStorage::open(root.clone(), &Clock::system()).unwrap();
        let key = ObjectKey::of(b"picture", ObjectKind::Png);
        let path = root.join(key.as_str());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"pic").unwrap();
        storage.put(&key, b"picture".to_vec()).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"picture");
        assert_eq!(fs::read_dir(root.join(".growing")).unwrap().count(), 0);

        let half = root.join(".growing/4711-0");
        fs::write(&half, b"pi").unwrap();
        LocalStorage::open(root.clone(), &Clock::system()).unwrap();
        assert!(half.exists(), "another process may be writing it");
        let later = Clock::system().now().plus_seconds(3700);
        let later = Clock::test(TestClock::at(UnixMillis(later.0)));
        LocalStorage::open(root, &later).unwrap();
        assert!(!half.exists());
    }
}
