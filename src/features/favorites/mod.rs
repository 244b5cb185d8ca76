//! Favorites: pictures of the gallery and prompt templates that a user keeps.
//!
//! Invariants:
//! - A user keeps a thing once, whatever happens at once: the unique index decides.
//! - A thing can be kept only while everybody can see it; a favorite outlives it and then shows nothing.
//! - A list costs the same few queries however many favorites it shows.

mod api;
mod model;
pub mod service;
mod store;

pub use api::FavoritesApi;
pub use model::FavoriteError;
