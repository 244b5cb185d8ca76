//! Lists of templates as bytes, ready to send.

use std::sync::{Arc, OnceLock};

use super::{ParamTemplates, PromptTemplate, PromptTemplates};
use crate::app::App;
use crate::app::lists::{ListCache, Weighed};
use crate::features::templates::model::Filter;
use crate::features::templates::service;
use crate::http::{ApiError, JsonBytes};

/// What keeping a list costs besides its text, in bytes.
const OVERHEAD: usize = 512;

/// The lists that were asked for lately.
#[derive(Default)]
struct KeptLists {
    prompts: OnceLock<ListCache<Filter, Kept<PromptTemplates>>>,
    params: OnceLock<ListCache<(), Kept<ParamTemplates>>>,
}

type Kept<T> = Arc<JsonBytes<T>>;

impl<T> Weighed for Arc<JsonBytes<T>> {
    fn weight(&self) -> u32 {
        u32::try_from(self.bytes().len() + OVERHEAD).unwrap_or(u32::MAX)
    }
}

/// The prompts that the filter shows.
pub(super) async fn prompts(
    app: &Arc<App>,
    filter: Filter,
) -> Result<JsonBytes<PromptTemplates>, ApiError> {
    let state = app.states.get::<KeptLists>();
    let lists = state.prompts.get_or_init(|| ListCache::new(&app.lists));
    let generation = service::generation(app);
    let load = || async {
        let found = service::list(app, generation, &filter).await?;
        let items = found.iter().map(|template| PromptTemplate::of(app, template)).collect();
        Ok::<_, ApiError>(Arc::new(JsonBytes::of(&PromptTemplates { items }).with_etag()))
    };
    let list = lists.get(generation, filter.clone(), load).await?;
    Ok((*list).clone())
}

/// The ways to make a picture.
pub(super) async fn params(app: &Arc<App>) -> Result<JsonBytes<ParamTemplates>, ApiError> {
    let state = app.states.get::<KeptLists>();
    let lists = state.params.get_or_init(|| ListCache::new(&app.lists));
    let load = || async {
        let items = service::params(app)?.into_iter().map(Into::into).collect();
        Ok::<_, ApiError>(Arc::new(JsonBytes::of(&ParamTemplates { items }).with_etag()))
    };
    let list = lists.get(service::generation(app), (), load).await?;
    Ok((*list).clone())
}
