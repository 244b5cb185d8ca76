//! Moderation: what users write and publish is looked at before anybody else sees it.
//!
//! By the setting `moderation.checker`: nothing, the word list, or the word list and WeChat
//! (`docs/moderation.md`). Features that take texts or pictures ask here; what becomes of theirs they
//! decide themselves.
//!
//! Invariants:
//! - No verdict is never a pass: what is to be published waits for a reviewer.
//! - A change of the word list holds for every text that comes after it was acknowledged.
//! - The verdict on a picture and the answer that names its check may come in either order; the same
//!   push again changes nothing.
//! - A picture has one verdict: the first.

mod model;
pub mod service;
mod store;

pub use model::{
    CheckedPicture, Found, ListedWord, ModerationError, Opinion, PictureOpinion, WordsChange,
};
