//! Finding templates; what changes and counts them stands in files of its own.

mod admin;
mod covers;
mod usage;

use std::sync::{Arc, OnceLock};

pub use admin::{create, delete, delete_param, export, import, put_param, reorder, update};
pub(super) use covers::{cover, cover_url};
pub(super) use usage::used;
pub use usage::{flush, keep_flushing};

use self::usage::Usage;
use super::model::{Filter, Param, Template, TemplateError};
use super::store;
use crate::app::App;
use crate::app::lists::{ListCache, ListGeneration, Weighed};
use crate::db::{DbError, Tx};

/// What the feature keeps in memory.
#[derive(Default)]
struct Templates {
    usage: Usage,
    /// The state of what the lists show.
    generation: ListGeneration,
    kept: OnceLock<ListCache<(), KeptTemplates>>,
}

/// All templates, as lists choose from them.
type KeptTemplates = Arc<Vec<Template>>;

impl Weighed for KeptTemplates {
    fn weight(&self) -> u32 {
        let of = |template: &Template| {
            let previews: usize = template.preview_images.iter().map(String::len).sum();
            300 + template.title.len()
                + template.description.len()
                + template.prompt.len()
                + template.thumbnail_url.len()
                + previews
        };
        u32::try_from(self.iter().map(of).sum::<usize>()).unwrap_or(u32::MAX)
    }
}

/// Whether there is such a template.
///
/// # Errors
/// What the database fails with.
pub fn exists(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    store::exists(tx, id)
}

/// Those of these templates that there are, in no order, in one query.
///
/// # Errors
/// What the database fails with.
pub fn find_many(tx: &Tx<'_>, ids: &[String]) -> Result<Vec<Template>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store::find_many(tx, ids)
}

/// How often a template was used, with what is not written yet.
pub fn usage_count(app: &App, template: &Template) -> i64 {
    let counted = app.states.get::<Templates>().usage.count(&template.id);
    counted.unwrap_or(template.usage_count)
}

/// A template; its uses are exact.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(super) fn get(app: &App, id: &str) -> Result<Template, TemplateError> {
    app.db.read_inline("templates.get", |tx| store::find(tx, id))?.ok_or(TemplateError::NotFound)
}

/// The state of what the lists show: whoever keeps a list made from [`list`] keeps it by this.
pub(super) fn generation(app: &App) -> u64 {
    app.states.get::<Templates>().generation.at(app.clock.now())
}

/// The templates that the filter shows, in their order, as of this generation or later.
///
/// # Errors
/// What the database fails with.
pub(super) async fn list(
    app: &App,
    generation: u64,
    filter: &Filter,
) -> Result<Vec<Template>, TemplateError> {
    let state = app.states.get::<Templates>();
    let kept = state.kept.get_or_init(|| ListCache::new(&app.lists));
    let all = kept
        .get(generation, (), || async {
            let all: Vec<Template> = app.db.read("templates.all", store::all).await?;
            Ok::<_, DbError>(Arc::new(all))
        })
        .await?;
    Ok(all.iter().filter(|template| filter.shows(template)).cloned().collect())
}

/// All templates in their order, as administrators keep them.
///
/// # Errors
/// What the database fails with.
pub async fn all(app: &App) -> Result<Vec<Template>, DbError> {
    app.db.read("templates.all", store::all).await
}

/// All ways to make a picture.
///
/// # Errors
/// What the database fails with.
pub fn params(app: &App) -> Result<Vec<Param>, TemplateError> {
    Ok(app.db.read_inline("templates.params", store::params)?)
}

/// One of them.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(super) fn param(app: &App, id: &str) -> Result<Param, TemplateError> {
    let found = app.db.read_inline("templates.param", |tx| store::param(tx, id))?;
    found.ok_or(TemplateError::NotFound)
}

/// To be called after the commit of whatever changes templates.
fn changed(app: &App) {
    app.states.get::<Templates>().generation.changed();
}
