//! The way back: find a backup, decompress it, check it, put it in the place of the database.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{self, Folder};
use super::pace::{self, Pace};
use super::{check, media, pack, remote};
use crate::app::backup::BackupPlace;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::time::UnixMillis;
use crate::db::{CopyReport, DatabaseLock, put_in_place};
use crate::features::backups::model::{
    Backup, BackupError, BackupKind, BackupName, Books, Manifest, compact,
};

/// Where a restored database grows, beside the one that it is to replace: the same file system.
const RESTORING: &str = ".restoring";

/// Which backup is wanted.
#[derive(Clone, Debug)]
pub enum Source {
    /// The newest good one.
    Latest,
    /// The newest good one of then or before.
    At(UnixMillis),
    /// A file, or a name as listed.
    Named(String),
}

/// What a backup came to, restored for good or for a try.
#[derive(Clone, Debug)]
pub struct Restored {
    pub name: String,
    /// When it was taken, as far as it says.
    pub taken_at: Option<UnixMillis>,
    pub report: CopyReport,
    pub books: Books,
    /// Size of the database, in bytes.
    pub bytes: u64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// What was there before, if there was something.
    pub kept: Option<PathBuf>,
    /// The pictures that it names; `None` where nothing is known of them or they lie elsewhere.
    pub pictures: Option<Pictures>,
}

/// What became of the pictures of a restored database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pictures {
    /// Named by the database.
    pub named: u64,
    /// Brought back.
    pub brought: u64,
    /// Not there, before or after.
    pub missing: u64,
}

/// A backup that was found, its files at hand.
struct Chosen {
    name: String,
    database: PathBuf,
    list: Option<PathBuf>,
    manifest: Option<Manifest>,
}

/// Restores a backup for a try, in a folder that is gone afterwards. The database is not touched.
///
/// # Errors
/// [`BackupError`]: it could not be restored.
pub async fn verify(
    place: &BackupPlace,
    clock: &Clock,
    source: &Source,
) -> Result<Restored, BackupError> {
    let since = Stopwatch::start();
    let folder = Folder::enter(&place.dir)?;
    let chosen = choose(place, &folder, source).await?;
    let scratch = folder.work("scratch");
    let (restored, _) = rebuild(place, clock, &chosen, &scratch).await?;
    Ok(Restored { took_ms: since.elapsed_ms(), ..restored })
}

/// Puts a backup in the place of the database, which stays beside it. With `bring_media` the pictures
/// that are missing are brought back too, where the backups have them.
///
/// # Errors
/// `InUse` while a server runs on the database; [`BackupError`]: the database is what it was.
pub async fn restore(
    place: &BackupPlace,
    clock: &Clock,
    source: &Source,
    bring_media: bool,
) -> Result<Restored, BackupError> {
    let since = Stopwatch::start();
    let database = &place.database;
    let _lock = DatabaseLock::take(database)?;
    let folder = Folder::enter(&place.dir)?;
    let chosen = choose(place, &folder, source).await?;
    let beside = database.with_file_name(RESTORING);
    clear(&beside)?;
    let rebuilt = rebuild(place, clock, &chosen, &beside).await;
    let (mut restored, list) = match rebuilt {
        Ok(rebuilt) => rebuilt,
        Err(err) => {
            // The first error says more than one about cleaning up could.
            let _ = clear(&beside);
            return Err(err);
        }
    };
    let mut kept = database.as_os_str().to_owned();
    kept.push(format!(".before-restore-{}", compact(clock.now())));
    let kept = PathBuf::from(kept);
    let placed = put_in_place(&beside.join(COPY), database, &kept);
    let had_one = placed.map_err(BackupError::file(database))?;
    clear(&beside)?;
    restored.kept = had_one.then_some(kept);
    if let (true, Some(media_dir)) = (bring_media, &place.media_dir) {
        let is_missing = |key: &crate::clients::object_storage::ObjectKey, bytes| {
            !media::has_size(&media_dir.join(key.as_str()), bytes)
        };
        if let Some(bucket) = &place.bucket {
            remote::fetch_media(bucket, &folder, &list, is_missing).await?;
        }
        let kept = media::kept_dir(folder.dir());
        let (brought, missing) = media::bring_back(&kept, media_dir, &list)?;
        restored.pictures = Some(Pictures { named: list.len() as u64, brought, missing });
    }
    Ok(Restored { took_ms: since.elapsed_ms(), ..restored })
}

/// The decompressed database in the folder where it is checked.
const COPY: &str = "restored.db";

type List = Vec<(crate::clients::object_storage::ObjectKey, u64)>;

/// Decompresses and checks `chosen` in the new folder `scratch`, where the database is afterwards.
async fn rebuild(
    place: &BackupPlace,
    clock: &Clock,
    chosen: &Chosen,
    scratch: &Path,
) -> Result<(Restored, List), BackupError> {
    folder::make_dir(scratch)?;
    let packed = fs::metadata(&chosen.database).map_err(BackupError::file(&chosen.database))?.len();
    let size = chosen.manifest.as_ref().map_or(packed, |manifest| manifest.plain.bytes);
    pace::expect_room(scratch, size, 0)?;
    let copy = scratch.join(COPY);
    let sums = pack::unpack(&chosen.database, &copy, &mut Pace::hurry(scratch))?;
    if let Some(manifest) = &chosen.manifest {
        let different = |what| BackupError::Different { name: chosen.name.clone(), what };
        if sums.1 != manifest.database {
            return Err(different("the sum of the file"));
        }
        if sums.0 != manifest.plain {
            return Err(different("the sum of the database in it"));
        }
    }
    let trial = scratch.join("trial");
    folder::make_dir(&trial)?;
    let (report, books) = check::check(&copy, &chosen.name, &trial, clock).await?;
    if chosen.manifest.as_ref().is_some_and(|manifest| manifest.rows != report.rows) {
        let what = "the number of rows";
        return Err(BackupError::Different { name: chosen.name.clone(), what });
    }
    let list = match (&chosen.list, &chosen.manifest) {
        (Some(path), Some(manifest)) => media::read_list(path, &manifest.media.list)?,
        _ => Vec::new(),
    };
    let pictures = place.media_dir.as_ref().filter(|_| chosen.list.is_some()).map(|media_dir| {
        let missing = media::missing(media_dir, &list);
        Pictures { named: list.len() as u64, brought: 0, missing }
    });
    let taken_at = BackupName::parse(&chosen.name).map(|name| name.taken_at());
    let restored = Restored {
        name: chosen.name.clone(),
        taken_at,
        report,
        books,
        bytes: sums.0.bytes,
        took_ms: 0.0,
        kept: None,
        pictures,
    };
    Ok((restored, list))
}

async fn choose(
    place: &BackupPlace,
    folder: &Folder,
    source: &Source,
) -> Result<Chosen, BackupError> {
    let stem = folder::stem(&place.database);
    match source {
        Source::Latest => newest(place, folder, &stem, None).await,
        Source::At(time) => newest(place, folder, &stem, Some(*time)).await,
        Source::Named(text) => named(place, folder, text).await,
    }
}

async fn newest(
    place: &BackupPlace,
    folder: &Folder,
    stem: &str,
    until: Option<UnixMillis>,
) -> Result<Chosen, BackupError> {
    let all = everywhere(place, stem).await?;
    let fits = |one: &&Backup| {
        one.kind == BackupKind::Full && until.is_none_or(|until| one.taken_at <= until)
    };
    let found = all.iter().filter(fits).find(|one| one.is_good());
    let found = found.or_else(|| all.iter().find(fits)).ok_or_else(|| {
        BackupError::NotFound(match until {
            Some(until) => format!("of {} or before", until.rfc3339_shanghai()),
            None => format!("in {}", folder.dir().display()),
        })
    })?;
    match BackupName::parse(&found.name) {
        Some(name) if found.is_local => local(folder.dir(), &name),
        Some(name) => from_bucket(place, folder, &name).await,
        None => Err(BackupError::NotFound(found.name.clone())),
    }
}

/// The backups of this machine and of the bucket, newest first, each once.
pub(super) async fn everywhere(
    place: &BackupPlace,
    stem: &str,
) -> Result<Vec<Backup>, BackupError> {
    let mut all = folder::list(&place.dir, stem)?;
    if let Some(bucket) = &place.bucket {
        for remote in remote::list(bucket, stem).await? {
            match all.iter_mut().find(|local| local.name == remote.name) {
                Some(local) => local.is_remote = true,
                None => all.push(remote),
            }
        }
        all.sort_by(|a, b| (b.taken_at, &b.name).cmp(&(a.taken_at, &a.name)));
    }
    Ok(all)
}

/// A path, or the name of a backup here or in the bucket, with or without the ending of one of its files.
async fn named(place: &BackupPlace, folder: &Folder, text: &str) -> Result<Chosen, BackupError> {
    let bare = [".db.zst", ".media.zst", ".json"].iter().find_map(|end| text.strip_suffix(end));
    let bare = Path::new(bare.unwrap_or(text));
    let file_name = bare.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = BackupName::parse(file_name);
    let dirs = [bare.parent().map(Path::to_path_buf), Some(folder.dir().to_path_buf())];
    for dir in dirs.into_iter().flatten() {
        if let Some(name) = &name
            && dir.join(name.manifest()).is_file()
        {
            return local(&dir, name);
        }
    }
    for path in [PathBuf::from(text), folder.path(text)] {
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Chosen { name, database: path, list: None, manifest: None });
        }
    }
    match name {
        Some(name) if place.bucket.is_some() => from_bucket(place, folder, &name).await,
        _ => Err(BackupError::NotFound(text.to_owned())),
    }
}

fn local(dir: &Path, name: &BackupName) -> Result<Chosen, BackupError> {
    let (_, manifest) = folder::read_manifest(&dir.join(name.manifest()))
        .ok_or_else(|| BackupError::NotABackup(name.manifest()))?;
    Ok(Chosen {
        name: name.to_string(),
        database: dir.join(name.database()),
        list: Some(dir.join(name.media_list())),
        manifest: Some(manifest),
    })
}

async fn from_bucket(
    place: &BackupPlace,
    folder: &Folder,
    name: &BackupName,
) -> Result<Chosen, BackupError> {
    let bucket = place.bucket.as_ref().ok_or(BackupError::NoBucket)?;
    let manifest = remote::fetch(bucket, folder, name).await?;
    Ok(Chosen {
        name: name.to_string(),
        database: folder.work(&name.database()),
        list: Some(folder.work(&name.media_list())),
        manifest: Some(manifest),
    })
}

fn clear(dir: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(BackupError::File { path: dir.to_path_buf(), source: err })
        }
        _ => Ok(()),
    }
}
