//! The bucket: second copies of backups, and the way back from there.

use std::collections::BTreeSet;

use super::folder::{self, Folder};
use super::media;
use super::pack;
use crate::app::backup::BackupPlace;
use crate::base::time::UnixMillis;
use crate::clients::object_storage::{Archive, ObjectKey};
use crate::features::backups::model::{Backup, BackupError, BackupName, Manifest, expired};

/// Backups whose manifest is fetched for a list; older ones are there all the same.
const LISTED: usize = 200;

/// Uploads a backup of `folder`, its manifest last: without it, it does not count there either.
pub(super) async fn upload(
    bucket: &Archive,
    folder: &Folder,
    name: &BackupName,
) -> Result<(), BackupError> {
    for file in [name.database(), name.media_list(), name.manifest()] {
        bucket.upload(&file, &folder.path(&file)).await?;
    }
    Ok(())
}

/// Uploads the pictures of a list that the bucket does not have.
pub(super) async fn upload_media(
    bucket: &Archive,
    folder: &Folder,
    list: &[(ObjectKey, u64)],
) -> Result<u64, BackupError> {
    let there: BTreeSet<(String, u64)> =
        bucket.list("media/").await?.into_iter().map(|one| (one.name, one.bytes)).collect();
    let kept = media::kept_dir(folder.dir());
    let mut uploaded = 0;
    for (key, bytes) in list {
        let name = media::kept_name(key);
        let from = kept.join(key.as_str());
        if there.contains(&(name.clone(), *bytes)) || !media::has_size(&from, *bytes) {
            continue;
        }
        bucket.upload(&name, &from).await?;
        uploaded += 1;
    }
    Ok(uploaded)
}

/// The backups of the database called `stem` in the bucket, newest first.
pub(super) async fn list(bucket: &Archive, stem: &str) -> Result<Vec<Backup>, BackupError> {
    let mut names: Vec<BackupName> = bucket
        .list(stem)
        .await?
        .iter()
        .filter_map(|one| BackupName::parse(one.name.strip_suffix(".json")?))
        .filter(|name| name.stem() == stem)
        .collect();
    names.sort_by(|a, b| b.cmp(a));
    let mut found = Vec::new();
    for name in names.into_iter().take(LISTED) {
        let mut text = Vec::new();
        bucket.download(&name.manifest(), &mut text).await?;
        if let Some((name, manifest)) = Manifest::read(&name.manifest(), &text) {
            found.push(folder::backup(&name, manifest, false, true));
        }
    }
    Ok(found)
}

/// Fetches the files of a backup into the work of `folder`, called as they are there, and compares them with
/// the manifest.
pub(super) async fn fetch(
    bucket: &Archive,
    folder: &Folder,
    name: &BackupName,
) -> Result<Manifest, BackupError> {
    let not_found = || BackupError::NotFound(name.to_string());
    let mut text = Vec::new();
    bucket.download(&name.manifest(), &mut text).await?.ok_or_else(not_found)?;
    let (_, manifest) = Manifest::read(&name.manifest(), &text).ok_or_else(not_found)?;
    for (file, sum) in
        [(name.database(), &manifest.database), (name.media_list(), &manifest.media.list)]
    {
        let path = folder.work(&file);
        let mut target = pack::create(&path).map_err(BackupError::file(&path))?;
        bucket.download(&file, &mut target).await?.ok_or_else(not_found)?;
        drop(target);
        if pack::sum_of(&path)? != *sum {
            return Err(BackupError::Different { name: file, what: "the sum of the file" });
        }
    }
    Ok(manifest)
}

/// Fetches pictures of a list that `wanted` asks for into the kept ones of `folder`.
pub(super) async fn fetch_media(
    bucket: &Archive,
    folder: &Folder,
    list: &[(ObjectKey, u64)],
    is_wanted: impl Fn(&ObjectKey, u64) -> bool,
) -> Result<u64, BackupError> {
    let kept = media::kept_dir(folder.dir());
    let mut fetched = 0;
    for (key, bytes) in list.iter().filter(|(key, bytes)| is_wanted(key, *bytes)) {
        let to = kept.join(key.as_str());
        if media::has_size(&to, *bytes) {
            continue;
        }
        if let Some(dir) = to.parent() {
            folder::make_dir(dir)?;
        }
        let growing = folder.work("picture");
        let mut target = pack::create(&growing).map_err(BackupError::file(&growing))?;
        if bucket.download(&media::kept_name(key), &mut target).await? == Some(*bytes) {
            std::fs::rename(&growing, &to).map_err(BackupError::file(&to))?;
            fetched += 1;
        }
    }
    Ok(fetched)
}

/// Removes from the bucket what is behind the bounds of `place`; says what.
pub(super) async fn prune(
    bucket: &Archive,
    place: &BackupPlace,
    now: UnixMillis,
) -> Result<Vec<String>, BackupError> {
    let all = list(bucket, &folder::stem(&place.database)).await?;
    let known: Vec<_> = all.iter().map(|one| (one.taken_at, one.is_good())).collect();
    let mut gone = Vec::new();
    let keep = place.bucket_keep;
    for index in expired(&known, keep.count, keep.days, now) {
        let Some(name) = all.get(index).and_then(|one| BackupName::parse(&one.name)) else {
            continue;
        };
        for file in [name.manifest(), name.media_list(), name.database()] {
            bucket.delete(&file).await?;
        }
        gone.push(name.to_string());
    }
    Ok(gone)
}
