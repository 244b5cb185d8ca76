//! `/templates`, `/param-templates` and `/categories`: what users choose from.
//!
//! What is done to a whole list has a path beside it (`/template-order`), not below: below, it would hide
//! a template of that name.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use serde_json::Value;

use super::AdminTag;
use super::auth::{Content, Viewer};
use crate::app::App;
use crate::features::gallery::CategoryRecord;
use crate::features::gallery::service::categories;
use crate::features::templates::{self, ImportMode, Param, Template, TemplateDraft};
use crate::http::{ApiError, ErrorCode, JsonBody, RawJson};

/// A prompt to start from.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminTemplate {
    template_id: String,
    title: String,
    description: String,
    prompt: String,
    category: String,
    /// Empty: the painted cover.
    thumbnail_url: String,
    preview_images: Vec<String>,
    is_hot: bool,
    usage_count: i64,
    /// Names the template as it is; to be sent with a change.
    version: String,
}

impl AdminTemplate {
    fn of(app: &App, template: Template) -> Self {
        let usage_count = templates::service::usage_count(app, &template);
        let draft = template.into_draft();
        let version = draft.version();
        let TemplateDraft {
            id,
            title,
            description,
            prompt,
            category,
            thumbnail_url,
            preview_images,
            is_hot,
        } = draft;
        Self {
            template_id: id,
            title,
            description,
            prompt,
            category,
            thumbnail_url,
            preview_images,
            is_hot,
            usage_count,
            version,
        }
    }
}

/// All templates, in their order.
#[derive(Debug, Object)]
struct AdminTemplates {
    items: Vec<AdminTemplate>,
}

/// A template as it shall be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PutTemplateRequest {
    /// 1–40 characters.
    title: String,
    /// Up to 200 characters.
    #[oai(default)]
    description: String,
    /// 1–4000 characters.
    prompt: String,
    /// 1–32 characters; templates of one word belong together.
    category: String,
    /// An http or https address; empty for the painted cover.
    #[oai(default)]
    thumbnail_url: String,
    /// Up to 9 http or https addresses.
    #[oai(default)]
    preview_images: Vec<String>,
    #[oai(default)]
    is_hot: bool,
    /// The version that the change was made from; none makes a new template.
    version: Option<String>,
}

/// A new order; what is not named follows in the order it had.
#[derive(Debug, Object)]
struct OrderRequest {
    /// Up to 1000.
    #[oai(validator(max_items = 1000))]
    ids: Vec<String>,
}

/// What becomes of the templates that an imported file does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum ImportHow {
    /// They stay, behind those of the file.
    Merge,
    /// They go.
    Replace,
}

/// A way to make a picture.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminParam {
    template_id: String,
    title: String,
    /// `draft` or `final`.
    mode: String,
    /// `1K`, `2K` or `4K`.
    resolution: String,
    aspect_ratio: String,
    sample_count: u32,
}

impl From<Param> for AdminParam {
    fn from(param: Param) -> Self {
        let Param { id, title, mode, resolution, aspect_ratio, sample_count } = param;
        Self { template_id: id, title, mode, resolution, aspect_ratio, sample_count }
    }
}

/// All ways to make a picture, in their order.
#[derive(Debug, Object)]
struct AdminParams {
    items: Vec<AdminParam>,
}

/// A way to make a picture as it shall be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PutParamRequest {
    /// 1–40 characters.
    title: String,
    /// `draft` or `final`.
    mode: String,
    /// `1K`, `2K` or `4K`.
    resolution: String,
    aspect_ratio: String,
    /// 1–10.
    sample_count: u32,
    /// Its place in the list, the smallest first.
    sort: i64,
}

/// A category of the gallery.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AdminCategory {
    category_id: String,
    name: String,
    icon: String,
    sort: i64,
    /// Public pictures in it.
    images: i64,
    /// Names the category as it is; to be sent with a change.
    version: String,
}

impl From<CategoryRecord> for AdminCategory {
    fn from(category: CategoryRecord) -> Self {
        let version = category.version();
        let CategoryRecord { id, name, icon, sort, images } = category;
        Self { category_id: id, name, icon, sort, images, version }
    }
}

/// All categories, in their order.
#[derive(Debug, Object)]
struct AdminCategories {
    items: Vec<AdminCategory>,
}

/// A category as it shall be.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PutCategoryRequest {
    /// 1–20 characters.
    name: String,
    /// Most often one sign.
    #[oai(default)]
    icon: String,
    /// The version that the change was made from; none makes a new category.
    version: Option<String>,
}

/// What users choose from.
pub(super) struct AdminTemplatesApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Content")]
impl AdminTemplatesApi {
    /// List the templates
    ///
    /// All, in their order.
    #[oai(path = "/templates", method = "get", operation_id = "listAdminTemplates")]
    async fn list(&self, _admin: Viewer) -> Result<Json<AdminTemplates>, ApiError> {
        self.templates().await
    }

    /// Make or change a template
    ///
    /// Errors: `INVALID_REQUEST` naming the field; `TEMPLATE_NOT_FOUND`; `INVALID_STATE` when it exists
    /// already, or somebody else changed it meanwhile.
    #[oai(path = "/templates/:id", method = "put", operation_id = "putTemplate")]
    async fn put(
        &self,
        admin: Content,
        id: Path<String>,
        body: JsonBody<PutTemplateRequest>,
    ) -> Result<Json<AdminTemplates>, ApiError> {
        let body = body.0;
        let draft = TemplateDraft {
            id: id.0,
            title: body.title,
            description: body.description,
            prompt: body.prompt,
            category: body.category,
            thumbnail_url: body.thumbnail_url,
            preview_images: body.preview_images,
            is_hot: body.is_hot,
        };
        let by = admin.actor();
        match body.version {
            None => templates::service::create(&self.app, &by, draft).await?,
            seen => templates::service::update(&self.app, &by, draft, seen).await?,
        }
        self.templates().await
    }

    /// Remove a template
    ///
    /// Favorites of it show nothing from then on. Errors: `TEMPLATE_NOT_FOUND`.
    #[oai(path = "/templates/:id", method = "delete", operation_id = "deleteTemplate")]
    async fn delete(
        &self,
        admin: Content,
        id: Path<String>,
    ) -> Result<Json<AdminTemplates>, ApiError> {
        templates::service::delete(&self.app, &admin.actor(), &id.0).await?;
        self.templates().await
    }

    /// Put the templates into an order
    ///
    /// Errors: `TEMPLATE_NOT_FOUND`; `INVALID_REQUEST`.
    #[oai(path = "/template-order", method = "post", operation_id = "orderTemplates")]
    async fn order(
        &self,
        admin: Content,
        body: JsonBody<OrderRequest>,
    ) -> Result<Json<AdminTemplates>, ApiError> {
        templates::service::reorder(&self.app, &admin.actor(), body.0.ids).await?;
        self.templates().await
    }

    /// Export the templates
    ///
    /// Prompts and ways to make a picture, as importing takes them.
    #[oai(path = "/template-file", method = "get", operation_id = "exportTemplates")]
    async fn export(&self, _admin: Viewer) -> Result<Json<Value>, ApiError> {
        let text = templates::service::export(&self.app).await?;
        serde_json::from_str(&text)
            .map(Json)
            .map_err(|err| ApiError::new(ErrorCode::InternalError).caused_by(err))
    }

    /// Import templates
    ///
    /// In the order of the file; all or nothing. Errors: `INVALID_REQUEST` naming place and field.
    #[oai(path = "/template-file", method = "post", operation_id = "importTemplates")]
    async fn import(
        &self,
        admin: Content,
        mode: Query<ImportHow>,
        body: RawJson,
    ) -> Result<Json<AdminTemplates>, ApiError> {
        let mode = match mode.0 {
            ImportHow::Merge => ImportMode::Merge,
            ImportHow::Replace => ImportMode::Replace,
        };
        templates::service::import(&self.app, &admin.actor(), &body.0, mode).await?;
        self.templates().await
    }

    /// List the ways to make a picture
    #[oai(path = "/param-templates", method = "get", operation_id = "listAdminParams")]
    async fn params(&self, _admin: Viewer) -> Result<Json<AdminParams>, ApiError> {
        self.all_params()
    }

    /// Make or change a way to make a picture
    ///
    /// Errors: `INVALID_REQUEST` naming the field.
    #[oai(path = "/param-templates/:id", method = "put", operation_id = "putParam")]
    async fn put_param(
        &self,
        admin: Content,
        id: Path<String>,
        body: JsonBody<PutParamRequest>,
    ) -> Result<Json<AdminParams>, ApiError> {
        let PutParamRequest { title, mode, resolution, aspect_ratio, sample_count, sort } = body.0;
        let param = Param { id: id.0, title, mode, resolution, aspect_ratio, sample_count };
        templates::service::put_param(&self.app, &admin.actor(), param, sort).await?;
        self.all_params()
    }

    /// Remove a way to make a picture
    ///
    /// Errors: `TEMPLATE_NOT_FOUND`.
    #[oai(path = "/param-templates/:id", method = "delete", operation_id = "deleteParam")]
    async fn delete_param(
        &self,
        admin: Content,
        id: Path<String>,
    ) -> Result<Json<AdminParams>, ApiError> {
        templates::service::delete_param(&self.app, &admin.actor(), &id.0).await?;
        self.all_params()
    }

    /// List the categories
    ///
    /// With how many public pictures each has.
    #[oai(path = "/categories", method = "get", operation_id = "listAdminCategories")]
    async fn categories(&self, _admin: Viewer) -> Result<Json<AdminCategories>, ApiError> {
        self.all_categories()
    }

    /// Make or change a category
    ///
    /// A new one stands behind the others. Errors: `INVALID_REQUEST` naming the field; `NOT_FOUND`;
    /// `INVALID_STATE` when it exists already, or somebody else changed it meanwhile.
    #[oai(path = "/categories/:id", method = "put", operation_id = "putCategory")]
    async fn put_category(
        &self,
        admin: Content,
        id: Path<String>,
        body: JsonBody<PutCategoryRequest>,
    ) -> Result<Json<AdminCategories>, ApiError> {
        let PutCategoryRequest { name, icon, version } = body.0;
        let record = CategoryRecord { id: id.0, name, icon, sort: 0, images: 0 };
        categories::put(&self.app, record, version, admin.actor()).await?;
        self.all_categories()
    }

    /// Remove a category
    ///
    /// One that no picture is in. Errors: `NOT_FOUND`; `INVALID_STATE`.
    #[oai(path = "/categories/:id", method = "delete", operation_id = "deleteCategory")]
    async fn delete_category(
        &self,
        admin: Content,
        id: Path<String>,
    ) -> Result<Json<AdminCategories>, ApiError> {
        categories::delete(&self.app, id.0, admin.actor()).await?;
        self.all_categories()
    }

    /// Put the categories into an order
    ///
    /// Errors: `NOT_FOUND`; `INVALID_REQUEST`.
    #[oai(path = "/category-order", method = "post", operation_id = "orderCategories")]
    async fn order_categories(
        &self,
        admin: Content,
        body: JsonBody<OrderRequest>,
    ) -> Result<Json<AdminCategories>, ApiError> {
        categories::reorder(&self.app, body.0.ids, admin.actor()).await?;
        self.all_categories()
    }
}

impl AdminTemplatesApi {
    async fn templates(&self) -> Result<Json<AdminTemplates>, ApiError> {
        let all = templates::service::all(&self.app).await?;
        let items = all.into_iter().map(|template| AdminTemplate::of(&self.app, template));
        Ok(Json(AdminTemplates { items: items.collect() }))
    }

    fn all_params(&self) -> Result<Json<AdminParams>, ApiError> {
        let all = templates::service::params(&self.app)?;
        Ok(Json(AdminParams { items: all.into_iter().map(AdminParam::from).collect() }))
    }

    fn all_categories(&self) -> Result<Json<AdminCategories>, ApiError> {
        let all = categories::all(&self.app)?;
        Ok(Json(AdminCategories { items: all.into_iter().map(AdminCategory::from).collect() }))
    }
}
