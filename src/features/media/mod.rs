//! Pictures: results of generations and uploads, checked, labelled, stored, served.
//!
//! Invariants:
//! - What is stored was decoded before; what is served is exactly what was stored, for ever.
//! - Every stored result carries the implicit AI label, and so does its thumbnail; the visible one
//!   when the settings say so. An upload is made anew from its pixels and carries nothing else.
//! - An object lies in the storage as long as somebody holds it (a job, a user), and goes some time
//!   after nobody does. Its row stands before its bytes are stored and until they are removed.
//! - Nobody makes this server fetch from a network that is not public, except from the image API
//!   that the configuration names.

mod api;
mod files;
mod model;
mod picture;
pub mod service;
mod store;

pub use api::MediaApi;
pub use files::MediaFiles;
pub use model::{Holder, MediaError, Provenance, Source, StoredImage, StoredUpload};
pub use picture::{LabelError, LabelSettings, PictureError};
