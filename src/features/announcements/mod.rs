//! What everybody is told who opens the mini-program. What it says is a section of the settings.

mod api;

pub use api::AnnouncementsApi;
