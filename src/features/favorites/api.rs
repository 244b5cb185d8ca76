//! `/favorites`.

use std::sync::Arc;

use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::model::{Favorite, FavoriteError, Kind, Shown};
use super::service;
use crate::app::App;
use crate::features::auth::UserAuth;
use crate::features::gallery::GalleryImage;
use crate::features::idempotency::{self, Answer, Answered, IdempotencyKey};
use crate::features::templates::PromptTemplate;
use crate::http::{ApiError, ErrorCode, JsonBody, MessageResponse, Page, PageQuery, Tag};

/// What kind of thing is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum FavoriteType {
    /// A picture of the gallery.
    Image,
    /// A prompt template.
    Prompt,
}

impl From<FavoriteType> for Kind {
    fn from(kind: FavoriteType) -> Self {
        match kind {
            FavoriteType::Image => Self::Image,
            FavoriteType::Prompt => Self::Prompt,
        }
    }
}

impl From<Kind> for FavoriteType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Image => Self::Image,
            Kind::Prompt => Self::Prompt,
        }
    }
}

/// A thing to keep.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AddFavoriteRequest {
    #[oai(rename = "type")]
    kind: FavoriteType,
    /// The id of the picture or template, as a text.
    #[oai(validator(min_length = 1, max_length = 128))]
    resource_id: String,
}

/// A thing that is kept.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct AddFavoriteResponse {
    favorite_id: i64,
    created_at: String,
}

/// A favorite with what it is.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct FavoriteItem {
    favorite_id: i64,
    #[oai(rename = "type")]
    kind: FavoriteType,
    resource_id: String,
    /// Null for a prompt, and when the picture is gone.
    image: Option<GalleryImage>,
    /// Null for an image, and when the template is gone.
    prompt: Option<PromptTemplate>,
    favorited_at: String,
}

impl FavoriteItem {
    fn of(app: &App, shown: &Shown) -> Self {
        let favorite = &shown.favorite;
        Self {
            favorite_id: favorite.id,
            kind: favorite.resource.kind.into(),
            resource_id: favorite.resource.id.clone(),
            image: shown.image.as_ref().map(|image| GalleryImage::of(app, image)),
            prompt: shown.template.as_ref().map(|found| PromptTemplate::of(app, found)),
            favorited_at: favorite.created_at.rfc3339(),
        }
    }
}

/// Whether a thing is kept.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CheckFavoriteResponse {
    is_favorited: bool,
    /// For `DELETE /favorites/{favoriteId}`.
    favorite_id: Option<i64>,
}

/// What users keep.
pub struct FavoritesApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/favorites", tag = "Tag::Favorites")]
impl FavoritesApi {
    /// Keep a picture or a prompt
    ///
    /// 201 for a new favorite; 200 with the existing one when it is kept already.
    /// Errors: `IMAGE_NOT_FOUND`, `TEMPLATE_NOT_FOUND`, `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/", method = "post", operation_id = "addFavorite")]
    async fn add(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<AddFavoriteRequest>,
    ) -> Result<Answered<AddFavoriteResponse, 201>, ApiError> {
        let AddFavoriteRequest { kind, resource_id } = body.0;
        let (id, app) = (user.id(), &self.app);
        let effect = |ticket| service::add(app, id, kind.into(), resource_id, ticket, added);
        Ok(idempotency::service::run(app, key.of(id), effect).await?.into())
    }

    /// My favorites
    ///
    /// Newest first. A picture or template that is gone shows as null.
    #[oai(path = "/", method = "get", operation_id = "listFavorites")]
    async fn list(
        &self,
        user: UserAuth,
        /// Only those of one type.
        r#type: Query<Option<FavoriteType>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<FavoriteItem>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        let kind = r#type.0.map(Kind::from);
        let (rows, total) = service::list(&self.app, user.id(), kind, query).await?;
        let keys = |row: &Shown| [row.favorite.created_at.0, row.favorite.id];
        Ok(Json(query.answer(rows, total, keys, |row| FavoriteItem::of(&self.app, &row))))
    }

    /// Whether I keep it
    #[oai(path = "/check", method = "get", operation_id = "checkFavorite")]
    async fn check(
        &self,
        user: UserAuth,
        /// What kind of thing.
        r#type: Query<FavoriteType>,
        /// The id of the picture or template.
        #[oai(name = "resourceId")]
        resource_id: Query<String>,
    ) -> Result<Json<CheckFavoriteResponse>, ApiError> {
        let kind = r#type.0.into();
        let favorite_id = service::check(&self.app, user.id(), kind, resource_id.0)?;
        Ok(Json(CheckFavoriteResponse { is_favorited: favorite_id.is_some(), favorite_id }))
    }

    /// Let it go
    ///
    /// Errors: `FAVORITE_NOT_FOUND`.
    #[oai(path = "/:favoriteId", method = "delete", operation_id = "removeFavorite")]
    async fn remove(
        &self,
        user: UserAuth,
        #[oai(name = "favoriteId")] id: Path<String>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        let id = id.0.parse().map_err(|_| FavoriteError::NotFound)?;
        service::remove(&self.app, user.id(), id).await?;
        Ok(Json(MessageResponse::new("已取消收藏")))
    }
}

fn added(favorite: &Favorite, is_new: bool) -> Answer {
    let created_at = favorite.created_at.rfc3339();
    let response = AddFavoriteResponse { favorite_id: favorite.id, created_at };
    Answer::json(if is_new { 201 } else { 200 }, &response)
}

impl From<FavoriteError> for ApiError {
    fn from(err: FavoriteError) -> Self {
        let code = match err {
            FavoriteError::Idempotency(err) => return err.into(),
            FavoriteError::Db(err) => return err.into(),
            FavoriteError::NotFound => ErrorCode::FavoriteNotFound,
            FavoriteError::ImageNotFound => ErrorCode::ImageNotFound,
            FavoriteError::TemplateNotFound => ErrorCode::TemplateNotFound,
        };
        Self::new(code).caused_by(err)
    }
}
