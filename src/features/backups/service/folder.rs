//! The folder of the backups: who works in it, what lies there, what may go.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::backup::BackupPlace;
use crate::base::low_priority;
use crate::base::time::UnixMillis;
use crate::db::lock_file;
use crate::features::backups::model::{
    Backup, BackupError, BackupKind, BackupName, Manifest, expired, growing_pre_migration_time,
    is_ours, pre_migration_time,
};

/// Where runs work; nothing in it is of any worth to the next.
const WORK: &str = ".work";

/// Held by whoever works here.
const LOCK: &str = ".lock";

/// A run that has just ended may still hold it for a moment, through a process that is being started.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A copy from before a migration that is still not complete after so long never will be.
const GROWING_SECONDS: i64 = 24 * 3600;

/// Longest manifest that is read, in bytes.
const MANIFEST_MAX: u64 = 1024 * 1024;

/// The folder, for one run at a time: of whatever process. What an earlier run left is gone.
pub(super) struct Folder {
    dir: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder (mode 0700) if it is missing.
    pub(super) fn enter(dir: &Path) -> Result<Self, BackupError> {
        make_dir(dir)?;
        let path = dir.join(LOCK);
        let mut tries_left = LOCK_TRIES;
        let lock = loop {
            match lock_file(&path).map_err(BackupError::file(&path))? {
                Ok(lock) => break lock,
                Err(holder) if tries_left == 0 => return Err(BackupError::Running(holder)),
                Err(_) => tries_left -= 1,
            }
            low_priority::rest(LOCK_PAUSE);
        };
        let folder = Self { dir: dir.to_path_buf(), _lock: lock };
        folder.clear()?;
        make_dir(&folder.dir.join(WORK))?;
        Ok(folder)
    }

    /// The folder itself.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file that is gone when the run ends.
    pub(super) fn work(&self, file: &str) -> PathBuf {
        self.dir.join(WORK).join(file)
    }

    /// A file of a backup.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// Where a file of a backup grows until it is complete.
    pub(super) fn growing(&self, file: &str) -> PathBuf {
        self.dir.join(format!("{file}.partial"))
    }

    /// Gives a file that is complete and on disk its name.
    pub(super) fn name(&self, file: &str) -> Result<(), BackupError> {
        let path = self.path(file);
        fs::rename(self.growing(file), &path).map_err(BackupError::file(&path))?;
        sync_dir(&self.dir)
    }

    /// Removes the files of a backup, its manifest first: it does not count any more from then on.
    pub(super) fn remove(&self, name: &BackupName) -> Result<(), BackupError> {
        for file in [name.manifest(), name.media_list(), name.database()] {
            let path = self.path(&file);
            remove_if_there(&path).map_err(BackupError::file(&path))?;
        }
        Ok(())
    }

    /// Removes what is behind the bounds of `place`; says what.
    pub(super) fn prune(
        &self,
        place: &BackupPlace,
        now: UnixMillis,
    ) -> Result<Vec<String>, BackupError> {
        let stem = stem(&place.database);
        let all = list(&self.dir, &stem)?;
        let full: Vec<&Backup> =
            all.iter().filter(|backup| backup.kind == BackupKind::Full).collect();
        let known: Vec<_> = full.iter().map(|one| (one.taken_at, one.is_good())).collect();
        let mut gone = Vec::new();
        for index in expired(&known, place.keep.count, place.keep.days, now) {
            let Some(name) = full.get(index).and_then(|one| BackupName::parse(&one.name)) else {
                continue;
            };
            self.remove(&name)?;
            gone.push(name.to_string());
        }
        let migrations = all.iter().filter(|backup| backup.kind == BackupKind::PreMigration);
        for old in migrations.skip(usize::try_from(place.keep_migrations).unwrap_or(usize::MAX)) {
            let path = self.path(&old.name);
            remove_if_there(&path).map_err(BackupError::file(&path))?;
            gone.push(old.name.clone());
        }
        self.prune_orphans(&stem)?;
        Ok(gone)
    }

    /// Files of backups whose manifest never came about or went first: of a run that was cut off.
    fn prune_orphans(&self, stem: &str) -> Result<(), BackupError> {
        let names: BTreeSet<String> = names(&self.dir)?.into_iter().collect();
        for file in names.iter().filter(|file| is_ours(file)) {
            let bare = [".db.zst", ".media.zst"].iter().find_map(|end| file.strip_suffix(end));
            let Some(name) = bare.and_then(BackupName::parse) else { continue };
            if name.stem() == stem && !names.contains(&name.manifest()) {
                let path = self.path(file);
                remove_if_there(&path).map_err(BackupError::file(&path))?;
            }
        }
        Ok(())
    }

    /// Removes halves of copies from before migrations, left by a kill. One that was begun lately may be
    /// growing: migrations hold the lock of the database, not that of this folder.
    pub(super) fn remove_cut_off(&self, now: UnixMillis) -> Result<(), BackupError> {
        let before = now.plus_seconds(-GROWING_SECONDS);
        for file in names(&self.dir)? {
            if growing_pre_migration_time(&file).is_some_and(|begun| begun < before) {
                let path = self.path(&file);
                remove_if_there(&path).map_err(BackupError::file(&path))?;
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), BackupError> {
        let work = self.dir.join(WORK);
        match fs::remove_dir_all(&work) {
            Err(err) if err.kind() != ErrorKind::NotFound => {
                return Err(BackupError::File { path: work, source: err });
            }
            _ => {}
        }
        for file in names(&self.dir)? {
            if file.ends_with(".partial") && is_ours(&file) {
                let path = self.path(&file);
                remove_if_there(&path).map_err(BackupError::file(&path))?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            tracing::warn!(%error, "what a backup worked with is left until the next one");
        }
    }
}

/// The name of a database file without its ending.
pub(super) fn stem(database: &Path) -> String {
    let stem = database.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.".contains(c) { c } else { '_' };
    let stem: String = stem.trim_start_matches('.').chars().map(plain).collect();
    if stem.is_empty() { "database".to_owned() } else { stem }
}

/// The backups in `dir` of the database called `stem`, and the copies from before migrations, newest first.
/// A folder that is not there holds none.
pub(super) fn list(dir: &Path, stem: &str) -> Result<Vec<Backup>, BackupError> {
    let mut found: Vec<Backup> =
        names(dir)?.iter().filter_map(|file| look_at(dir, file, stem)).collect();
    found.sort_by(|a, b| (b.taken_at, &b.name).cmp(&(a.taken_at, &a.name)));
    Ok(found)
}

fn look_at(dir: &Path, file: &str, stem: &str) -> Option<Backup> {
    if let Some(taken_at) = pre_migration_time(file) {
        let bytes = fs::metadata(dir.join(file)).ok()?.len();
        return Some(Backup {
            name: file.to_owned(),
            kind: BackupKind::PreMigration,
            taken_at,
            bytes,
            manifest: None,
            is_local: true,
            is_remote: false,
        });
    }
    if !file.ends_with(".json") {
        return None;
    }
    let (name, manifest) = read_manifest(&dir.join(file))?;
    let database = fs::metadata(dir.join(name.database())).ok()?;
    (name.stem() == stem && database.len() == manifest.database.bytes)
        .then(|| backup(&name, manifest, true, false))
}

/// A backup as its manifest tells of it.
pub(super) fn backup(
    name: &BackupName,
    manifest: Manifest,
    is_local: bool,
    is_remote: bool,
) -> Backup {
    Backup {
        name: name.to_string(),
        kind: BackupKind::Full,
        taken_at: name.taken_at(),
        bytes: manifest.bytes(),
        manifest: Some(manifest),
        is_local,
        is_remote,
    }
}

/// The manifest at `path`; `None` for what is none of ours.
pub(super) fn read_manifest(path: &Path) -> Option<(BackupName, Manifest)> {
    let file = path.file_name()?.to_str()?;
    let is_short = fs::metadata(path).ok()?.len() <= MANIFEST_MAX;
    if is_short { Manifest::read(file, &fs::read(path).ok()?) } else { None }
}

fn names(dir: &Path) -> Result<Vec<String>, BackupError> {
    let entries = match fs::read_dir(dir) {
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(BackupError::file(dir))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// Makes `dir`, and what is missing above it, for the owner only.
pub(super) fn make_dir(dir: &Path) -> Result<(), BackupError> {
    make_dir_with(dir, 0o700)
}

/// The same with the mode `mode`.
pub(super) fn make_dir_with(dir: &Path, mode: u32) -> Result<(), BackupError> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(mode).create(dir);
    made.map_err(BackupError::file(dir))
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), BackupError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(BackupError::file(dir))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}
