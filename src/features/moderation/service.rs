//! Texts are looked at once, pictures are asked about, the word list is edited.

pub mod pictures;
pub mod texts;
pub mod words;
