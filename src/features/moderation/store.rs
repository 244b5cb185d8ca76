//! SQL of moderation.

pub(super) mod pictures;
pub(super) mod words;
