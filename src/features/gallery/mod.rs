//! The gallery: pictures that users publish from their jobs, look at, search, like and report.
//!
//! `PENDING → APPROVED | REJECTED`, `APPROVED ⇄ HIDDEN`; only `APPROVED` pictures are public.
//! `docs/gallery.md` tells of the orders, the search and the caches.
//!
//! Invariants:
//! - A picture of a job is published once: job and index are unique.
//! - Being public, being counted and being found by search change together, in one transaction.
//! - `likes` is the number of the picture's rows in `image_likes`, besides those it came with.
//! - A place in the order of publication is given once and never to another picture: a walk by cursor
//!   meets nothing twice and misses nothing that stays.
//! - The media of a picture are held for as long as its row is there.
//! - A picture of a banned or deleted author is never public.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{GalleryApi, GalleryImage};
pub use model::{
    CategoryRecord, Decision, GalleryError, Image, ImageStatus, MarkedImage, Marks, Report,
    SearchTerms, Verdict, hot_score,
};
