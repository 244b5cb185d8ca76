//! The pictures of the demo: drawn, kept in the media storage, shared by all rows.
//!
//! Guarantees: there are [`PER_CATEGORY`] for each category and [`AVATARS`], two megabytes or so together,
//! however many rows are seeded; they are the same bytes, and so have the same addresses, on every
//! machine. A picture is no larger than a thumbnail would be, so it is its own. Nothing but `seed` holds
//! them: they stay when the users and images that show them go.

use std::io;

use super::words::THEMES;
use crate::base::time::UnixMillis;
use crate::clients::object_storage::{ObjectKey, ObjectKind, ObjectStorage, StorageError};
use crate::sandbox;

/// Different pictures per category; gallery images share them.
pub(super) const PER_CATEGORY: usize = 8;
/// Different avatars.
pub(super) const AVATARS: usize = 24;

/// Width and height in pixels, by the number of the picture: small, because a sandbox draws them at its
/// first start, which takes an unoptimised build a second for a million pixels. A thumbnail has at most
/// 512 a side.
const SIZES: [(u32, u32); 4] = [(288, 288), (240, 320), (320, 240), (216, 384)];
/// Both sides of an avatar, in pixels.
const AVATAR: u32 = 96;

/// Since when they are there: before anything that shows them (May 2025).
const DRAWN_AT: UnixMillis = UnixMillis(1_746_028_800_000);

/// Where pictures lie, and how they are linked.
#[derive(Clone, Copy)]
pub struct MediaPlace<'a> {
    /// What keeps them.
    pub storage: &'a dyn ObjectStorage,
    /// The address that they are linked below, such as `https://api.example.com/media`.
    pub base_url: &'a str,
}

/// A picture before it is stored.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    key: ObjectKey,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Album {
    /// By the number of the theme, then of the picture.
    pictures: Vec<Vec<Drawn>>,
    avatars: Vec<Drawn>,
}

/// What rows say of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) url: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// What rows link to.
#[derive(Clone, Debug)]
pub(super) struct Links {
    /// By the number of the theme, then of the picture.
    pub(super) pictures: Vec<Vec<Link>>,
    pub(super) avatars: Vec<String>,
}

/// A row of `media_objects`.
#[derive(Clone, Debug)]
pub(super) struct PictureRow {
    pub(super) key: String,
    pub(super) bytes: i64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) created_at: UnixMillis,
}

impl Album {
    /// Draws all of them: three million pixels.
    ///
    /// # Errors
    /// When one cannot be encoded.
    pub(super) fn draw() -> io::Result<Self> {
        let of_theme = |theme: &super::words::Theme| -> io::Result<Vec<Drawn>> {
            let scenes = theme.subjects.iter().zip(theme.scenes.iter()).take(PER_CATEGORY);
            scenes
                .zip(SIZES.iter().cycle())
                .map(|((subject, scene), (width, height))| {
                    Drawn::new(&format!("{subject}，{scene}"), *width, *height)
                })
                .collect()
        };
        Ok(Self {
            pictures: THEMES.iter().map(of_theme).collect::<io::Result<_>>()?,
            avatars: (1..=AVATARS)
                .map(|n| Drawn::new(&format!("抽象的头像，第 {n} 个"), AVATAR, AVATAR))
                .collect::<io::Result<_>>()?,
        })
    }

    /// What rows say of them when they lie below `base_url`.
    pub(super) fn links(&self, base_url: &str) -> Links {
        let base = base_url.trim_end_matches('/');
        let url = |drawn: &Drawn| format!("{base}/{}", drawn.key);
        let link =
            |drawn: &Drawn| Link { url: url(drawn), width: drawn.width, height: drawn.height };
        Links {
            pictures: self.pictures.iter().map(|some| some.iter().map(link).collect()).collect(),
            avatars: self.avatars.iter().map(url).collect(),
        }
    }

    /// Their rows, to be written before the bytes are stored.
    pub(super) fn rows(&self) -> Vec<PictureRow> {
        self.all().map(Drawn::row).collect()
    }

    /// Stores them. What is there already stays.
    ///
    /// # Errors
    /// What the storage fails with.
    ///
    /// # Panics
    /// Inside an async runtime, whose worker it would block.
    pub(super) fn store(&self, storage: &dyn ObjectStorage) -> Result<(), StorageError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            for drawn in self.all() {
                storage.put(&drawn.key, drawn.bytes.clone()).await?;
            }
            Ok(())
        })
    }

    fn all(&self) -> impl Iterator<Item = &Drawn> {
        self.pictures.iter().flatten().chain(&self.avatars)
    }
}

impl Drawn {
    fn new(prompt: &str, width: u32, height: u32) -> io::Result<Self> {
        let bytes = sandbox::draw(prompt, width, height)?;
        Ok(Self { key: ObjectKey::of(&bytes, ObjectKind::Png), bytes, width, height })
    }

    fn row(&self) -> PictureRow {
        PictureRow {
            key: self.key.to_string(),
            bytes: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            width: self.width,
            height: self.height,
            created_at: DRAWN_AT,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Enough to look at, too little to notice on a disk.
    const MOST_BYTES: usize = 4 * 1024 * 1024;

    #[test]
    fn pictures_are_few_small_different_and_always_the_same() {
        let album = Album::draw().unwrap();
        let keys: HashSet<&str> = album.all().map(|drawn| drawn.key.as_str()).collect();
        assert_eq!(keys.len(), THEMES.len() * PER_CATEGORY + AVATARS);
        let bytes: usize = album.all().map(|drawn| drawn.bytes.len()).sum();
        assert!(bytes < MOST_BYTES, "{bytes}");
        assert!(album.all().all(|drawn| drawn.width <= 512 && drawn.height <= 512));
        let picture = &album.pictures[0][1];
        let read = image::load_from_memory(&picture.bytes).unwrap();
        assert_eq!((read.width(), read.height()), SIZES[1]);
        let again = Drawn::new(
            &format!("{}，{}", THEMES[0].subjects[1], THEMES[0].scenes[1]),
            SIZES[1].0,
            SIZES[1].1,
        );
        assert_eq!(again.unwrap().key, picture.key);
    }
}
