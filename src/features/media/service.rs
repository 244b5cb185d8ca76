//! Storing, finding and removing pictures.

use std::time::Duration;

use super::model::picture::{self, Aigc, Bounds, LabelError, Prepared};
use super::model::{
    Holder, MediaError, ObjectRole, ObjectRow, Provenance, Source, StoredImage, StoredUpload,
    day_start,
};
use super::store;
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::fetch::{self, GivenBy};
use crate::clients::object_storage::{ObjectKey, ObjectKind, Opened};
use crate::db::{DbError, Tx};
use crate::features::settings::{self, Section, Settings, SettingsError};

/// Objects removed in one go; the rest follows at once.
const REMOVAL_BATCH: u32 = 200;

/// Takes a result over: fetches it, checks it, labels it, makes its thumbnail and stores both.
/// Nobody holds them yet: whoever needs them calls [`hold`] in the transaction that makes them
/// needed, so that a job that ends otherwise, or a crash, leaves nothing that is kept for ever.
/// Idempotent: the same job, index and bytes are the same objects.
///
/// # Errors
/// [`MediaError`]; `is_retryable` says whether the same call may work later.
pub async fn store_result(
    app: &App,
    source: Source,
    provenance: Provenance,
) -> Result<StoredImage, MediaError> {
    let bytes = match source {
        Source::Url(url) => app.media.fetcher.fetch(&url, GivenBy::Upstream).await?,
        Source::Bytes(bytes) => bytes,
    };
    if bytes.len() > app.media.limits.max_bytes {
        return Err(MediaError::TooLarge(bytes.len()));
    }
    let bounds = bounds(app);
    let id = format!("{}-{}", provenance.job_id, provenance.index);
    let settings = settings::service::current(app);
    let mark = Aigc::generated(&settings.label.producer, &id);
    let label = settings.label.visible.then(|| label_text(&settings.label.text).to_owned());
    let work = move || picture::prepare_result(bytes, &mark, label.as_deref(), bounds);
    let done = app.media.pool.run(work).await??;
    let (width, height) = (done.full.width, done.full.height);
    let size = done.full.picture.len() as u64;
    let key = put(app, ObjectRole::Result, done.full).await?;
    let thumbnail_key = put(app, ObjectRole::Thumbnail, done.thumbnail).await?;
    Ok(StoredImage {
        key: key.to_string(),
        thumbnail_key: thumbnail_key.to_string(),
        width,
        height,
        bytes: size,
    })
}

/// Takes an upload over: checks it, makes it anew from its pixels, stores it and holds it for the
/// user.
///
/// # Errors
/// [`MediaError`].
pub async fn store_upload(
    app: &App,
    user: UserId,
    bytes: Vec<u8>,
) -> Result<StoredUpload, MediaError> {
    if bytes.len() > app.media.limits.max_upload_bytes {
        return Err(MediaError::TooLarge(bytes.len()));
    }
    // What is no picture need not wait for a thread to be told so.
    picture::sniff(&bytes).ok_or(picture::PictureError::Format)?;
    let holder = Holder::user(user);
    check_uploads(app, &holder)?;
    let bounds = bounds(app);
    let done = app.media.pool.run(move || picture::prepare_upload(&bytes, bounds)).await??;
    let (width, height) = (done.width, done.height);
    let key = put(app, ObjectRole::Upload, done).await?;
    hold_upload(app, holder, key.to_string()).await?;
    Ok(StoredUpload { key: key.to_string(), width, height })
}

/// Whether `text` can be the visible label: before it becomes a setting.
///
/// # Errors
/// What is wrong with it.
pub fn check_label(text: &str) -> Result<(), LabelError> {
    picture::check_text(text)
}

/// Refuses settings whose label cannot be drawn.
///
/// # Errors
/// `Invalid`, naming the field of the section.
pub fn check_settings(section: Section, settings: &Settings) -> Result<(), SettingsError> {
    if section != Section::Label {
        return Ok(());
    }
    check_label(&settings.label.text).map_err(|err| SettingsError::Invalid {
        field: "text".to_owned(),
        problem: err.to_string(),
    })
}

/// The absolute address of a stored picture.
pub fn url(app: &App, key: &str) -> String {
    format!("{}/{key}", app.media.base_url)
}

/// Whether a user may name `address` as an input: one of our own pictures, or https to what is not
/// plainly inside. What a foreign name resolves to is judged when it is fetched.
///
/// # Errors
/// `Fetch`.
pub fn check_input(app: &App, address: &str) -> Result<(), MediaError> {
    match own_key(app, address) {
        Some(_) => Ok(()),
        None => Ok(fetch::check_user_address(address)?),
    }
}

/// The picture that a user named as an input, for an image API that takes bytes: as it was given,
/// and what it is.
///
/// # Errors
/// [`MediaError`].
pub async fn load_input(app: &App, address: &str) -> Result<(Vec<u8>, ObjectKind), MediaError> {
    let bytes = match own_key(app, address) {
        Some(key) => app.media.storage.get(&key).await?.ok_or(MediaError::NotFound)?,
        None => app.media.fetcher.fetch(address, GivenBy::User).await?,
    };
    let kind = picture::sniff(&bytes).ok_or(picture::PictureError::Format)?;
    Ok((bytes, kind))
}

/// Hands every picture to `on_object`, by its key and its size in bytes: for a backup.
///
/// # Errors
/// What the database fails with.
pub fn every_object(
    tx: &Tx<'_>,
    on_object: impl FnMut(&str, i64) -> Result<(), DbError>,
) -> Result<(), DbError> {
    store::every(tx, on_object)
}

/// Lets `holder` hold a stored picture too. `false` when there is no such picture any more.
///
/// # Errors
/// What the database fails with.
pub fn hold(tx: &Tx<'_>, holder: &Holder, key: &str, now: UnixMillis) -> Result<bool, DbError> {
    store::hold(tx, holder, key, now)
}

/// Ends everything that `holder` holds. What nobody else holds is removed some time later
/// (`MEDIA_UNUSED_HOURS`). Says how many holds ended; idempotent.
///
/// # Errors
/// What the database fails with.
pub fn release(tx: &Tx<'_>, holder: &Holder, now: UnixMillis) -> Result<usize, DbError> {
    store::release(tx, holder, now)
}

/// Removes what nobody has held for `MEDIA_UNUSED_HOURS`. Says how many objects went. One that
/// cannot be removed now is tried again next time.
///
/// # Errors
/// What the database fails with.
pub async fn sweep(app: &App) -> Result<u64, MediaError> {
    remove_unused(app, app.media.limits.unused_for).await
}

/// Removes what nobody has held for so long.
///
/// # Errors
/// What the database fails with.
pub async fn remove_unused(app: &App, unused_for: Duration) -> Result<u64, MediaError> {
    let millis = i64::try_from(unused_for.as_millis()).unwrap_or(i64::MAX);
    let before = app.clock.now().plus_millis(millis.saturating_neg());
    let mut removed = 0;
    loop {
        let keys = app
            .db
            .write("media.begin_removal", move |tx| store::begin_removal(tx, before, REMOVAL_BATCH))
            .await?;
        let found = keys.len();
        let mut gone = Vec::with_capacity(found);
        for key in keys.iter().filter_map(|key| key.parse::<ObjectKey>().ok()) {
            match app.media.storage.delete(&key).await {
                Ok(()) => gone.push(key),
                Err(err) => {
                    tracing::warn!(media.key = %key, error = error_chain(&err), "not removed");
                }
            }
        }
        let went = gone.len();
        app.db
            .write("media.end_removal", move |tx| {
                gone.iter().try_for_each(|key| store::end_removal(tx, key))
            })
            .await?;
        removed += went as u64;
        // What could not be removed comes first again: going on would go round in circles.
        if went < found || found < REMOVAL_BATCH as usize {
            return Ok(removed);
        }
    }
}

/// A way to read a stored picture without holding it in memory.
pub(super) async fn open(app: &App, key: &ObjectKey) -> Result<Opened, MediaError> {
    app.media.storage.open(key).await?.ok_or(MediaError::NotFound)
}

/// Announces and stores: until somebody holds it, also after a crash, the row is there and unused,
/// so the bytes are removed in time.
async fn put(app: &App, role: ObjectRole, prepared: Prepared) -> Result<ObjectKey, MediaError> {
    let key = ObjectKey::of(&prepared.picture, prepared.kind);
    let object = ObjectRow {
        key: key.clone(),
        role,
        bytes: i64::try_from(prepared.picture.len()).unwrap_or(i64::MAX),
        width: prepared.width,
        height: prepared.height,
    };
    let now = app.clock.now();
    let announced = app
        .db
        .write("media.announce", move |tx| Ok::<_, MediaError>(store::announce(tx, &object, now)?))
        .await?;
    if !announced {
        return Err(MediaError::Removing);
    }
    app.media.storage.put(&key, prepared.picture).await?;
    Ok(key)
}

async fn hold_upload(app: &App, holder: Holder, key: String) -> Result<(), MediaError> {
    let (now, limit) = (app.clock.now(), app.media.limits.uploads_per_day);
    app.db
        .write("media.hold_upload", move |tx| {
            check_uploads_in(tx, &holder, Some(&key), limit, now)?;
            match store::hold(tx, &holder, &key, now)? {
                true => Ok(()),
                false => Err(MediaError::Removing),
            }
        })
        .await
}

/// The text to draw: a setting that cannot be drawn must not cost anybody his pictures.
fn label_text(wanted: &str) -> &str {
    match check_label(wanted) {
        Ok(()) => wanted,
        Err(err) => {
            let error = error_chain(&err);
            tracing::error!(error, "the label of the settings cannot be used, so the usual one is");
            picture::DEFAULT_TEXT
        }
    }
}

/// An early look, so that nothing is worked on in vain.
fn check_uploads(app: &App, holder: &Holder) -> Result<(), MediaError> {
    let (limit, now) = (app.media.limits.uploads_per_day, app.clock.now());
    app.db.read_inline("media.uploads", |tx| check_uploads_in(tx, holder, None, limit, now))
}

/// Whether one more upload is allowed today. What the user has uploaded before counts nothing.
fn check_uploads_in(
    tx: &Tx<'_>,
    holder: &Holder,
    key: Option<&str>,
    limit: u32,
    now: UnixMillis,
) -> Result<(), MediaError> {
    let count = store::held_since(tx, holder, day_start(now))?;
    if count < i64::from(limit) {
        return Ok(());
    }
    match key {
        Some(key) if store::is_held_by(tx, holder, key)? => Ok(()),
        _ => Err(MediaError::UploadsUsedUp),
    }
}

/// The key of one of our own addresses.
fn own_key(app: &App, address: &str) -> Option<ObjectKey> {
    let below = |base: &str| address.strip_prefix(base)?.strip_prefix('/')?.parse().ok();
    below(&app.media.base_url).or_else(|| below(&app.media.own_url))
}

fn bounds(app: &App) -> Bounds {
    Bounds { max_pixels: app.media.limits.max_pixels }
}
