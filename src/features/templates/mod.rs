//! Templates: prompts to start from, and ways to make a picture (`params`) that the mini-program offers
//! as buttons.
//!
//! Invariants:
//! - There are at most [`MAX_TEMPLATES`] prompts, so that the list is answered whole.
//! - Every use counts once and shows at once in the template's own answer; lists follow within two
//!   seconds. A use costs no write of its own: what came in during the last second is one write.
//!   A shutdown loses none, a crash those of the last second.
//! - Only `POST …/usage` is a use. A job that names its template is none: the client says that it
//!   used the template when the user takes it, and would be counted twice.
//! - A template without a picture of its own has a cover that is painted from its id.

mod api;
mod model;
pub mod service;
mod store;

pub use api::{PromptTemplate, TemplateCovers, TemplatesApi};
pub use model::{
    ImportMode, MAX_TEMPLATES, Param, Template, TemplateDraft, TemplateError, TemplateFile,
};
