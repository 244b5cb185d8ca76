//! `/templates/…`.

mod covers;
mod lists;

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::model::{Filter, Param, Template, TemplateError};
use super::service;
use crate::app::App;
use crate::base::cpu_pool::PoolError;
use crate::features::auth::UserAuth;
use crate::http::{ApiError, ErrorCode, JsonBytes, MessageResponse, Tag};

pub use covers::TemplateCovers;

/// Characters that a search may have.
const MAX_SEARCH_CHARS: usize = 100;

/// A prompt to start from.
#[derive(Clone, Debug, Object)]
#[oai(rename_all = "camelCase")]
pub struct PromptTemplate {
    id: String,
    title: String,
    description: String,
    prompt: String,
    /// Templates of one word belong together.
    category: String,
    thumbnail_url: String,
    preview_images: Vec<String>,
    /// How often it was used.
    usage_count: i64,
    is_hot: bool,
}

impl PromptTemplate {
    /// With its picture, and the uses that are not written yet.
    pub fn of(app: &App, template: &Template) -> Self {
        let usage_count = service::usage_count(app, template);
        let cover = || service::cover_url(app, template);
        let Template { id, title, description, prompt, category, .. } = template.clone();
        let thumbnail_url = match template.thumbnail_url.as_str() {
            "" => cover(),
            url => url.to_owned(),
        };
        let preview_images = template.preview_images.clone();
        let is_hot = template.is_hot;
        Self {
            id,
            title,
            description,
            prompt,
            category,
            thumbnail_url,
            preview_images,
            usage_count,
            is_hot,
        }
    }
}

/// The prompts to start from.
#[derive(Debug, Object)]
struct PromptTemplates {
    items: Vec<PromptTemplate>,
}

/// A way to make a picture.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ParamTemplate {
    id: String,
    title: String,
    /// `draft` or `final`, as jobs take it.
    mode: String,
    /// `1K`, `2K` or `4K`.
    resolution: String,
    aspect_ratio: String,
    sample_count: u32,
}

impl From<Param> for ParamTemplate {
    fn from(param: Param) -> Self {
        let Param { id, title, mode, resolution, aspect_ratio, sample_count } = param;
        Self { id, title, mode, resolution, aspect_ratio, sample_count }
    }
}

/// The ways to make a picture.
#[derive(Debug, Object)]
struct ParamTemplates {
    items: Vec<ParamTemplate>,
}

/// Templates.
pub struct TemplatesApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/templates", tag = "Tag::Templates")]
impl TemplatesApi {
    /// Prompt templates
    ///
    /// All of them, not paged. A use shows here within two seconds.
    #[oai(path = "/prompts", method = "get", operation_id = "listPromptTemplates")]
    async fn prompts(
        &self,
        /// Only templates of this category; `all` or none for all.
        category: Query<Option<String>>,
        /// Only hot ones.
        trending: Query<Option<bool>>,
        /// Words of title, description or prompt (up to 100 characters); all of them must be there.
        q: Query<Option<String>>,
    ) -> Result<JsonBytes<PromptTemplates>, ApiError> {
        let filter = Filter {
            category: category.0.filter(|category| !category.is_empty() && category != "all"),
            hot_only: trending.0.unwrap_or(false),
            words: words(q.0.as_deref().unwrap_or_default())?,
        };
        lists::prompts(&self.app, filter).await
    }

    /// A prompt template
    ///
    /// `usageCount` is exact. Errors: `TEMPLATE_NOT_FOUND`.
    #[oai(path = "/prompts/:id", method = "get", operation_id = "getPromptTemplate")]
    async fn prompt(&self, id: Path<String>) -> Result<Json<PromptTemplate>, ApiError> {
        let template = service::get(&self.app, &id.0)?;
        Ok(Json(PromptTemplate::of(&self.app, &template)))
    }

    /// Use a prompt template
    ///
    /// Counts a use; to be called when the user takes the template. Submitting a job with it does not
    /// count. Errors: `TEMPLATE_NOT_FOUND`.
    #[oai(path = "/prompts/:id/usage", method = "post", operation_id = "usePromptTemplate")]
    async fn used(
        &self,
        _user: UserAuth,
        id: Path<String>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        service::used(&self.app, &id.0)?;
        Ok(Json(MessageResponse::new("已记录")))
    }

    /// Parameter templates
    #[oai(path = "/params", method = "get", operation_id = "listParamTemplates")]
    async fn params(&self) -> Result<JsonBytes<ParamTemplates>, ApiError> {
        lists::params(&self.app).await
    }

    /// A parameter template
    ///
    /// Errors: `TEMPLATE_NOT_FOUND`.
    #[oai(path = "/params/:id", method = "get", operation_id = "getParamTemplate")]
    async fn param(&self, id: Path<String>) -> Result<Json<ParamTemplate>, ApiError> {
        Ok(Json(service::param(&self.app, &id.0)?.into()))
    }
}

fn words(q: &str) -> Result<Vec<String>, ApiError> {
    if q.chars().count() > MAX_SEARCH_CHARS {
        return Err(ApiError::invalid_field("q"));
    }
    Ok(q.to_lowercase().split_whitespace().map(str::to_owned).collect())
}

impl From<TemplateError> for ApiError {
    fn from(err: TemplateError) -> Self {
        let code = match err {
            TemplateError::Db(err) => return err.into(),
            TemplateError::Invalid(field) => return Self::invalid_field(&field),
            TemplateError::NotFound => ErrorCode::TemplateNotFound,
            TemplateError::Outdated => return Self::outdated(),
            TemplateError::Exists => {
                return Self::new(ErrorCode::InvalidState)
                    .message("该模板编号已存在", "There is a template of this id already");
            }
            TemplateError::TooMany | TemplateError::Json(_) => ErrorCode::InvalidRequest,
            TemplateError::Busy(PoolError::Overloaded) => ErrorCode::ServiceOverload,
            TemplateError::Busy(PoolError::Broken) | TemplateError::Painting => {
                ErrorCode::InternalError
            }
        };
        Self::new(code).caused_by(err)
    }
}
