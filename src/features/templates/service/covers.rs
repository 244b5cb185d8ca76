//! Covers of templates without a picture of their own.

use hyper::body::Bytes;
use moka::sync::Cache;

use super::get;
use crate::app::App;
use crate::features::templates::model::{self, MAX_TEMPLATES, Template, TemplateError};

/// Painted covers, some kilobytes each.
struct Covers(Cache<String, Bytes>);

impl Default for Covers {
    fn default() -> Self {
        Self(Cache::new(MAX_TEMPLATES as u64))
    }
}

/// Where clients find the painted cover of a template.
pub(in crate::features::templates) fn cover_url(app: &App, template: &Template) -> String {
    format!("{}/covers/{}.jpg", app.media.own_url, template.id)
}

/// The painted cover as JPEG. One that changes its category keeps its cover until the next start.
///
/// # Errors
/// `NotFound`, `Painting`, and what the database fails with.
pub(in crate::features::templates) async fn cover(
    app: &App,
    id: &str,
) -> Result<Bytes, TemplateError> {
    let covers = app.states.get::<Covers>();
    if let Some(kept) = covers.0.get(id) {
        return Ok(kept);
    }
    let template = get(app, id)?;
    let paint = move || model::paint_cover(&template.id, &template.category);
    let painted = app.media.pool.run(paint).await?.map_err(|_| TemplateError::Painting)?;
    let cover = Bytes::from(painted);
    covers.0.insert(id.to_owned(), cover.clone());
    Ok(cover)
}
