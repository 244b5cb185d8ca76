//! Prompt templates: prompts to start from.

mod api;
mod model;
pub mod service;
mod store;

pub use api::PromptTemplate;
pub use model::Template;
