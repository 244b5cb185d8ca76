//! `seed`: demo data for a fresh database.
//!
//! Guarantees: the same options give the same rows, down to ids and times, on every machine and in
//! every release that keeps the word lists; all images are public and there are exactly as many as
//! asked for; each user's balance is what the ledger says. A database that was seeded before is
//! refused and stays as it is; what an interrupted run left counts as seeded. A gallery that was never
//! used gets its images in one write, which takes about two seconds for each 100 000 of them and holds
//! other writes up: seed before serving. All else comes in writes of a second or two at most.
//!
//! Images and avatars share some dozens of small pictures, which are drawn and stored like any other
//! (`seed/pictures.rs`); however many rows are asked for, there are no more of them.

mod content;
mod dice;
mod pictures;
mod store;
mod templates;
mod words;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::pictures::Album;
pub use self::pictures::MediaPlace;
use self::store::FavoriteRow;
use crate::base::clock::Stopwatch;
use crate::base::ids::UserId;
use crate::clients::object_storage::StorageError;
use crate::db::{Db, DbError, Tx};

/// Rows per transaction: few enough to hold up other writes for some hundredths of a second only,
/// enough that waiting for the disk does not count.
const ROWS_PER_WRITE: usize = 2_500;

/// Templates that variations are made of: as many as a database begins with.
const ORIGINALS: u32 = 30;

/// The same for search words: the index merges what each write left, so fewer are cheaper.
const SEARCH_ROWS_PER_WRITE: usize = 10_000;

/// How much demo data, and which.
#[derive(clap::Args, Clone, Debug)]
pub struct SeedOptions {
    /// Users (1–999999), with the openids seed-000001, seed-000002, …
    #[arg(long, default_value_t = Self::default().users, value_parser = clap::value_parser!(u32).range(1..=999_999))]
    pub users: u32,

    /// Gallery images (0–10000000), all of them public.
    #[arg(long, default_value_t = Self::default().images, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub images: u32,

    /// Prompt templates in the database afterwards (0–1000); what is there already stays.
    #[arg(long, default_value_t = Self::default().templates, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub templates: u32,

    /// Chooses the content; the same number gives the same data.
    #[arg(long, default_value_t = Self::default().seed)]
    pub seed: u64,

    /// Points each user has (0–1000000000000).
    #[arg(long, default_value_t = Self::default().balance, value_parser = clap::value_parser!(i64).range(0..=1_000_000_000_000))]
    pub balance: i64,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self { users: 100, images: 1_000, templates: 30, seed: 42, balance: 100 }
    }
}

/// What was written. `Display` is what the command prints.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// Users added.
    pub users: usize,
    /// Gallery images added.
    pub images: usize,
    /// Templates in the database now.
    pub templates: usize,
    /// Favorites added.
    pub favorites: usize,
    /// Points of each user.
    pub balance: i64,
    /// The seed that chose the content.
    pub seed: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl fmt::Display for SeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, images, templates, favorites, balance, seed, elapsed } = self;
        writeln!(f, "Demo data written in {:.2} s (seed {seed}):", elapsed.as_secs_f64())?;
        writeln!(
            f,
            "{users:>9} users, openids seed-000001 to seed-{users:06}, {balance} points each"
        )?;
        writeln!(f, "{images:>9} gallery images, all public")?;
        writeln!(f, "{templates:>9} prompt templates")?;
        writeln!(f, "{favorites:>9} favorites of the first users")?;
        write!(f, "Start `dream-bff serve` with the same settings to see it.")
    }
}

/// Why there is no, or not all, demo data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// An earlier run left its users. Nothing was changed.
    #[error(
        "this database already holds demo data ({users} users with openids seed-…), nothing was \
         changed: to start afresh, stop the server, delete the database file with the -wal and \
         -shm beside it, and run seed again"
    )]
    AlreadySeeded {
        /// Users found.
        users: i64,
    },
    /// The database failed. Part of the data may be there.
    #[error(
        "the demo data could not be written completely; delete the database file before the next try"
    )]
    Db(#[from] DbError),
    /// A picture could not be drawn. Nothing was changed.
    #[error("the pictures of the demo cannot be drawn")]
    Draw(#[source] io::Error),
    /// A picture could not be stored. Nothing but rows of pictures is there; run it again.
    #[error("the pictures of the demo cannot be stored")]
    Storage(#[from] StorageError),
}

/// Fills `db`, and `media` with the pictures that its rows link to.
///
/// # Panics
///
/// Inside an async runtime, whose worker it would block: call it before, or on a blocking thread.
pub fn run(db: &Db, options: &SeedOptions, media: MediaPlace<'_>) -> Result<SeedReport, SeedError> {
    run_with(db, options, media, Album::draw, u32::MAX)
}

/// [`run`], with these pictures and so many images at once.
fn run_with(
    db: &Db,
    options: &SeedOptions,
    media: MediaPlace<'_>,
    album: impl FnOnce() -> io::Result<Album>,
    images_at_once: u32,
) -> Result<SeedReport, SeedError> {
    let watch = Stopwatch::start();
    let &SeedOptions { users, images, templates, seed, balance } = options;
    let seeded = db.read_inline("seed.check", store::count_seeded_users)?;
    if seeded > 0 {
        return Err(SeedError::AlreadySeeded { users: seeded });
    }

    let album = album().map_err(SeedError::Draw)?;
    let links = Arc::new(album.links(media.base_url));
    // The rows stand before the bytes, so that nothing lies in the storage that no row knows of.
    let rows = album.rows().into_iter();
    write_all(db, "seed.pictures", ROWS_PER_WRITE, rows, store::insert_picture)?;
    album.store(media.storage)?;

    let rows = (0..users).map(|n| content::user(seed, n, users, balance, &links));
    let user_ids: Vec<UserId> =
        write_all(db, "seed.users", ROWS_PER_WRITE, rows, store::insert_user)?;

    let authors = Arc::new(user_ids.clone());
    let image = move |n| content::image(seed, n, images, &authors, &links);
    let until = image(images.saturating_sub(1)).created_at;
    let first =
        db.write_blocking("seed.places", move |tx| store::take_places(tx, images, until))?;
    let placed = |from| (first + i64::from(from)..).zip((from..images).map(image.clone()));
    // Making the indexes anew would take the longer, the more is in them.
    let at_once = if first == 1 { images.min(images_at_once) } else { 0 };
    let mut image_ids = Vec::new();
    if at_once > 0 {
        let rows = (0..at_once).map(image.clone());
        image_ids = db.write_blocking("seed.images", move |tx| {
            store::insert_images_at_once(tx, first, rows)
        })?;
    }
    let rest = placed(at_once);
    image_ids.extend(write_all(db, "seed.images", ROWS_PER_WRITE, rest, store::insert_image)?);
    write_all(db, "seed.search", SEARCH_ROWS_PER_WRITE, placed(0), store::insert_search)?;

    let template_ids = fill_templates(db, seed, templates)?;

    let rows = (0..users).zip(&user_ids).flat_map(|(n, user)| {
        content::favorites(seed, n, image_ids.len(), template_ids.len())
            .into_iter()
            .filter_map(|kept| FavoriteRow::new(*user, kept, &image_ids, &template_ids))
    });
    let favorites = write_all(db, "seed.favorites", ROWS_PER_WRITE, rows, store::insert_favorite)?;

    Ok(SeedReport {
        users: user_ids.len(),
        images: image_ids.len(),
        templates: template_ids.len(),
        favorites: favorites.len(),
        balance,
        seed,
        elapsed: watch.elapsed(),
    })
}

/// Adds variations of the first templates until there are `wanted`; says which there are then.
fn fill_templates(db: &Db, seed: u64, wanted: u32) -> Result<Vec<String>, DbError> {
    let (had, (originals, last)) = db.read_inline("seed.originals", |tx| {
        Ok::<_, DbError>((store::template_ids(tx)?, store::originals(tx, ORIGINALS)?))
    })?;
    let missing = wanted.saturating_sub(u32::try_from(had.len()).unwrap_or(u32::MAX));
    let taken = had.into_iter().collect();
    let rows = templates::variations(seed, &originals, &taken, last, missing).into_iter();
    write_all(db, "seed.templates", ROWS_PER_WRITE, rows, store::insert_template)?;
    db.read_inline("seed.templates", store::template_ids)
}

/// Writes `rows` in portions of `at_most`; says what `insert` made of each, in order.
fn write_all<T, R>(
    db: &Db,
    name: &'static str,
    at_most: usize,
    mut rows: impl Iterator<Item = T>,
    insert: fn(&Tx<'_>, &T) -> Result<R, DbError>,
) -> Result<Vec<R>, DbError>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let mut made = Vec::new();
    loop {
        let portion: Vec<T> = rows.by_ref().take(at_most).collect();
        if portion.is_empty() {
            return Ok(made);
        }
        made.extend(db.write_blocking(name, move |tx| {
            portion.iter().map(|row| insert(tx, row)).collect::<Result<Vec<R>, DbError>>()
        })?);
    }
}

#[cfg(test)]
mod tests;
