//! Pictures: which a backup's database names, and keeping them beside it.
//!
//! A picture never changes, and its name is its sum. So one folder holds those of all backups: new ones
//! are added, by a second name for the same file where that is possible, and those go that no kept backup
//! names any more.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::folder::{self, Folder};
use super::pace::Pace;
use super::pack;
use crate::app::backup::BackupPlace;
use crate::clients::object_storage::{FILE_MODE, FOLDER_MODE, ObjectKey};
use crate::db::{Db, DbError};
use crate::features::backups::model::{BackupError, BackupName, FileSum, MediaList};
use crate::features::media;

/// The pictures of all backups, in their folder or bucket.
const KEPT: &str = "media";

/// Who may read a picture where it is put.
struct Modes {
    folder: u32,
    /// `None`: a copy is the owner's alone, and a second name has the mode of the first.
    file: Option<u32>,
}

/// As everything among the backups.
const AMONG_BACKUPS: Modes = Modes { folder: 0o700, file: None };
/// As the storage itself would have put it there.
const IN_STORAGE: Modes = Modes { folder: FOLDER_MODE, file: Some(FILE_MODE) };

/// Longest line of a list, in bytes; keys have 70.
const LINE_MAX: u64 = 4096;

/// Writes the list of the pictures that the copy at `plain` names to `to`, compressed.
pub(super) async fn write_list(
    place: &BackupPlace,
    plain: &Path,
    to: &Path,
) -> Result<MediaList, BackupError> {
    let db = Db::open_copy(plain)?;
    let listed = db
        .read("backups.media", |tx| {
            let (mut text, mut files, mut bytes) = (String::new(), 0_u64, 0_u64);
            media::service::every_object(tx, |key, size| {
                text.push_str(&format!("{key} {size}\n"));
                files = files.saturating_add(1);
                bytes = bytes.saturating_add(u64::try_from(size).unwrap_or_default());
                Ok(())
            })?;
            Ok::<_, DbError>((text, files, bytes))
        })
        .await;
    drop(db);
    let (text, files, bytes) = listed?;
    let dir = to.parent().unwrap_or(Path::new("."));
    let packed = pack::compress_from(Cursor::new(text), to, &mut Pace::of(place, dir));
    let (_, list) = packed.map_err(BackupError::file(to))?;
    let storage = if place.media_dir.is_some() { "local" } else { "s3" };
    Ok(MediaList { storage: storage.to_owned(), files, bytes, list, is_kept: false })
}

/// Reads a list. `sum` is what the manifest says of it.
pub(super) fn read_list(path: &Path, sum: &FileSum) -> Result<Vec<(ObjectKey, u64)>, BackupError> {
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if pack::sum_of(path)? != *sum {
        return Err(BackupError::Different { name: name(), what: "the sum of the list" });
    }
    let file = File::open(path).map_err(BackupError::file(path))?;
    let decoder = zstd::Decoder::new(file).map_err(BackupError::file(path))?;
    let mut reader = BufReader::new(decoder);
    let mut found = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.by_ref().take(LINE_MAX).read_line(&mut line);
        if read.map_err(|_| BackupError::Truncated(name()))? == 0 {
            return Ok(found);
        }
        // The key becomes a path: nothing but a key is taken for one.
        let entry = line.trim_end().split_once(' ').and_then(|(key, bytes)| {
            Some((key.parse::<ObjectKey>().ok()?, bytes.parse::<u64>().ok()?))
        });
        found.push(entry.ok_or_else(|| BackupError::Truncated(name()))?);
    }
}

/// Where the pictures of the backups in `dir` are kept.
pub(super) fn kept_dir(dir: &Path) -> PathBuf {
    dir.join(KEPT)
}

/// The name of a kept picture in the bucket.
pub(super) fn kept_name(key: &ObjectKey) -> String {
    format!("{KEPT}/{key}")
}

/// Keeps the pictures of a list that are not kept yet. Returns how many were missing where they should lie:
/// removed since the copy was made, as a rule.
pub(super) fn keep(
    folder: &Folder,
    media_dir: &Path,
    list: &[(ObjectKey, u64)],
    pace: &mut Pace,
) -> Result<u64, BackupError> {
    let kept = kept_dir(folder.dir());
    let mut missing = 0;
    for (key, bytes) in list {
        let (from, to) = (media_dir.join(key.as_str()), kept.join(key.as_str()));
        missing += u64::from(!bring(&from, &to, *bytes, &AMONG_BACKUPS, pace)?);
    }
    Ok(missing)
}

/// Puts pictures of a list that are missing in `media_dir` there again, from `kept`. Returns how many were
/// brought and how many are missing in both.
pub(super) fn bring_back(
    kept: &Path,
    media_dir: &Path,
    list: &[(ObjectKey, u64)],
) -> Result<(u64, u64), BackupError> {
    let (mut brought, mut missing) = (0, 0);
    let mut pace = Pace::hurry(media_dir);
    for (key, bytes) in list {
        let to = media_dir.join(key.as_str());
        if has_size(&to, *bytes) {
            continue;
        }
        if bring(&kept.join(key.as_str()), &to, *bytes, &IN_STORAGE, &mut pace)? {
            brought += 1;
        } else {
            missing += 1;
        }
    }
    Ok((brought, missing))
}

/// How many pictures of a list do not lie in `media_dir`.
pub(super) fn missing(media_dir: &Path, list: &[(ObjectKey, u64)]) -> u64 {
    let missing =
        list.iter().filter(|(key, bytes)| !has_size(&media_dir.join(key.as_str()), *bytes));
    missing.count() as u64
}

/// Whether a file is there with this size.
pub(super) fn has_size(path: &Path, bytes: u64) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == bytes)
}

/// Makes `to` the file `from`, unless it is there. `false`: there is no such file of this size.
fn bring(
    from: &Path,
    to: &Path,
    bytes: u64,
    modes: &Modes,
    pace: &mut Pace,
) -> Result<bool, BackupError> {
    if has_size(to, bytes) {
        return Ok(true);
    }
    if !has_size(from, bytes) {
        return Ok(false);
    }
    let dir = to.parent().unwrap_or(Path::new("."));
    folder::make_dir_with(dir, modes.folder)?;
    let growing = to.with_extension("partial");
    match fs::remove_file(&growing) {
        Err(err) if err.kind() != ErrorKind::NotFound => {
            return Err(BackupError::File { path: growing, source: err });
        }
        _ => {}
    }
    // On one file system a second name does, and costs nothing.
    if fs::hard_link(from, &growing).is_err() {
        copy(from, &growing, pace).map_err(|source| {
            let _ = fs::remove_file(&growing);
            BackupError::File { path: to.to_path_buf(), source }
        })?;
    }
    if let Some(mode) = modes.file {
        let set = fs::set_permissions(&growing, Permissions::from_mode(mode));
        set.map_err(BackupError::file(&growing))?;
    }
    fs::rename(&growing, to).map_err(BackupError::file(to))?;
    folder::sync_dir(dir)?;
    Ok(true)
}

fn copy(from: &Path, to: &Path, pace: &mut Pace) -> io::Result<()> {
    let mut source = File::open(from)?;
    let target = pack::create(to)?;
    let copied = io::copy(&mut source, &mut &target)?;
    target.sync_all()?;
    pace.step(copied, &target)
}

/// Removes kept pictures that none of the kept backups names.
pub(super) fn prune(folder: &Folder, names: &[BackupName]) -> Result<u64, BackupError> {
    let kept = kept_dir(folder.dir());
    if !kept.is_dir() {
        return Ok(0);
    }
    let mut wanted = BTreeSet::new();
    for name in names {
        let Some((_, manifest)) = folder::read_manifest(&folder.path(&name.manifest())) else {
            continue;
        };
        let list = read_list(&folder.path(&name.media_list()), &manifest.media.list)?;
        wanted.extend(list.into_iter().map(|(key, _)| key.to_string()));
    }
    let mut gone = 0;
    for path in files_below(&kept)? {
        let key = path.strip_prefix(&kept).ok().and_then(Path::to_str).unwrap_or_default();
        let is_picture = key.parse::<ObjectKey>().is_ok();
        let is_left = key.ends_with(".partial");
        if (is_picture && !wanted.contains(key)) || is_left {
            fs::remove_file(&path).map_err(BackupError::file(&path))?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Files two folders deep, as keys are.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(BackupError::file(dir))?.filter_map(Result::ok) {
        let below = entry.path();
        if !below.is_dir() {
            continue;
        }
        let files = fs::read_dir(&below).map_err(BackupError::file(&below))?;
        found.extend(files.filter_map(Result::ok).map(|file| file.path()));
    }
    Ok(found)
}
