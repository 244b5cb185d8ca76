//! Making a backup: copy, compress, decompress again and check, and only then give it its name.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::folder::{self, Folder};
use super::pace::{self, Pace};
use super::{check, media, pack, remote};
use crate::app::backup::BackupPlace;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::error_chain::error_chain;
use crate::db::snapshot_watched;
use crate::features::backups::model::{BackupError, BackupName, FORMAT, Manifest};

/// What a backup is to have besides the database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// The pictures, where they lie on this machine.
    pub media: bool,
    /// A second copy in the bucket.
    pub upload: bool,
}

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub manifest: Manifest,
    /// Old ones that were removed.
    pub removed: Vec<String>,
    /// How long the database was being copied, in milliseconds: so long its log could only grow.
    pub copy_ms: f64,
    /// How long all of it took, in milliseconds.
    pub took_ms: f64,
    /// Whether it was uploaded; `None` when it was not to be.
    pub is_uploaded: Option<bool>,
    /// What went wrong after the backup was there: its books, its pictures, the upload, the removal.
    pub problem: Option<String>,
}

/// Makes a backup of the database of `place` in its folder. Blocks the thread for as long as it takes; needs
/// a runtime of its own.
///
/// # Errors
/// [`BackupError`]: there is none, and nothing is left of it.
pub async fn make(place: &BackupPlace, clock: &Clock, wish: Wish) -> Result<Made, BackupError> {
    if wish.upload && place.bucket.is_none() {
        return Err(BackupError::NoBucket);
    }
    let since = Stopwatch::start();
    let size = fs::metadata(&place.database)
        .map_err(|_| BackupError::NoDatabase(place.database.clone()))?
        .len();
    let folder = Folder::enter(&place.dir)?;
    // Before the room is measured, which they take.
    folder.remove_cut_off(clock.now())?;
    // The copy and, beside it, its compressed form, or the form and what comes out of it again.
    pace::expect_room(&place.dir, size.saturating_add(size / 2), place.reserve_bytes)?;
    let name = free_name(place, &folder, clock);

    let plain = folder.work("copy.db");
    let mut copying = Pace::of(place, &place.dir);
    snapshot_watched(&place.database, &plain, &mut |progress| copying.copied(progress))?;
    let copy_ms = since.elapsed_ms();

    let mut manifest = pack_and_check(place, clock, &folder, &name, &plain).await?;
    let mut problems = Vec::new();
    let list = folder.growing(&name.media_list());
    let pictures = match wish.media.then_some(place.media_dir.as_deref()).flatten() {
        Some(media_dir) => {
            let list = media::read_list(&list, &manifest.media.list)?;
            let mut pace = Pace::of(place, &place.dir);
            match media::keep(&folder, media_dir, &list, &mut pace) {
                Ok(missing) => {
                    manifest.media.is_kept = true;
                    if missing > 0 {
                        tracing::info!(missing, "pictures went while they were being kept");
                    }
                }
                Err(err) => problems.push(error_chain(&err)),
            }
            list
        }
        None => Vec::new(),
    };
    publish(&folder, &name, &manifest)?;
    if !manifest.books.is_balanced() {
        problems.push(error_chain(&unbalanced(&name, &manifest)));
    }

    let mut is_uploaded = None;
    if let Some(bucket) = place.bucket.as_ref().filter(|_| wish.upload) {
        let uploaded = match remote::upload(bucket, &folder, &name).await {
            Ok(()) => remote::upload_media(bucket, &folder, &pictures).await.map(drop),
            Err(err) => Err(err),
        };
        is_uploaded = Some(uploaded.is_ok());
        let pruned = match uploaded {
            Ok(()) => remote::prune(bucket, place, clock.now()).await,
            Err(err) => Err(err),
        };
        if let Err(err) = pruned {
            problems.push(error_chain(&err));
        }
    }
    let removed = match prune(place, &folder, clock) {
        Ok(removed) => removed,
        Err(err) => {
            problems.push(error_chain(&err));
            Vec::new()
        }
    };
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    Ok(Made { manifest, removed, copy_ms, took_ms: since.elapsed_ms(), is_uploaded, problem })
}

pub(super) fn unbalanced(name: &BackupName, manifest: &Manifest) -> BackupError {
    BackupError::Unbalanced {
        name: name.to_string(),
        users: manifest.books.wrong_users,
        money: manifest.books.wrong_money,
    }
}

/// Two backups of one moment would have one name.
fn free_name(place: &BackupPlace, folder: &Folder, clock: &Clock) -> BackupName {
    let stem = folder::stem(&place.database);
    let mut at = clock.now();
    loop {
        let name = BackupName::new(&stem, at);
        if !folder.path(&name.manifest()).exists() {
            return name;
        }
        at = at.plus_millis(1);
    }
}

/// Compresses the copy and, from what that came to, restores and checks it.
async fn pack_and_check(
    place: &BackupPlace,
    clock: &Clock,
    folder: &Folder,
    name: &BackupName,
    plain: &Path,
) -> Result<Manifest, BackupError> {
    let media = media::write_list(place, plain, &folder.growing(&name.media_list())).await?;
    let packed = folder.growing(&name.database());
    let sums = pack::compress(plain, &packed, &mut Pace::of(place, &place.dir))?;
    crate::db::remove_copy(plain).map_err(BackupError::file(plain))?;

    let restored = folder.work("restored.db");
    let found = pack::unpack(&packed, &restored, &mut Pace::of(place, &place.dir))?;
    if found != sums {
        return Err(BackupError::Different {
            name: name.to_string(),
            what: "what comes out of it is not what went in",
        });
    }
    let scratch = folder.work("scratch");
    folder::make_dir(&scratch)?;
    let (report, books) = check::check(&restored, &name.to_string(), &scratch, clock).await?;
    crate::db::remove_copy(&restored).map_err(BackupError::file(&restored))?;
    let (plain, database) = sums;
    Ok(Manifest {
        dream_bff_backup: FORMAT,
        name: name.to_string(),
        taken_at: name.taken_at().rfc3339(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: report.schema,
        database,
        plain,
        rows: report.rows,
        books,
        media,
    })
}

/// Names the files, the manifest last: from then on it is a backup.
fn publish(folder: &Folder, name: &BackupName, manifest: &Manifest) -> Result<(), BackupError> {
    let growing = folder.growing(&name.manifest());
    let text = serde_json::to_vec_pretty(manifest).map_err(std::io::Error::other);
    let written = text.and_then(|mut text| {
        text.push(b'\n');
        let mut file: File = pack::create(&growing)?;
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(BackupError::file(&growing))?;
    folder.name(&name.database())?;
    folder.name(&name.media_list())?;
    folder.name(&name.manifest())
}

fn prune(place: &BackupPlace, folder: &Folder, clock: &Clock) -> Result<Vec<String>, BackupError> {
    let removed = folder.prune(place, clock.now())?;
    let kept = folder::list(&place.dir, &folder::stem(&place.database))?;
    let names: Vec<_> = kept.iter().filter_map(|one| BackupName::parse(&one.name)).collect();
    media::prune(folder, &names)?;
    Ok(removed)
}
