//! `/gallery/…`.

mod lists;
mod wire;

use std::sync::Arc;

use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;

use self::lists::KeptCategories;
use self::wire::{
    Categories, LikeResponse, OwnImage, PublishRequest, PublishResponse, ReportRequest, SortOrder,
};
use super::model::{Filter, GalleryError, Published, Sort, single_tag};
use super::service;
use crate::app::App;
use crate::features::auth::{OptionalUserAuth, UserAuth};
use crate::features::idempotency::{self, Answer, Answered, IdempotencyKey};
use crate::features::moderation::ModerationError;
use crate::http::{
    ApiError, ErrorCode, JsonBody, JsonBytes, MessageResponse, Page, PageQuery, Tag,
};

pub use self::wire::GalleryImage;

/// Characters that a search may have.
const MAX_SEARCH_CHARS: usize = 100;

/// Published pictures.
pub struct GalleryApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/gallery", tag = "Tag::Gallery")]
impl GalleryApi {
    /// Published pictures
    ///
    /// Newest first, or hottest first: twice the likes weigh as much as a day of youth. With a token
    /// `isLiked` and `isFavorited` are the caller's. Pages by cursor stay in step while pictures come
    /// and go; in the order `hot` a picture can change its place meanwhile. Without a token likes may
    /// be two seconds old.
    #[oai(path = "/images", method = "get", operation_id = "listGalleryImages")]
    #[expect(clippy::too_many_arguments, reason = "they are the parameters of the query")]
    async fn list(
        &self,
        caller: OptionalUserAuth,
        /// A category's id; `all` or none for all.
        category: Query<Option<String>>,
        /// Only pictures with this tag.
        tag: Query<Option<String>>,
        /// The order; `new` when left out.
        sort: Query<Option<SortOrder>>,
        /// Only pictures of this user.
        #[oai(name = "authorId")]
        author: Query<Option<i64>>,
        /// Words of the prompt or the tags (up to 100 characters): Chinese anywhere in it, other words by
        /// their beginning; all of them must be there.
        q: Query<Option<String>>,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`, which with
        /// `q` or `tag` is counted up to 10000.
        page: Query<Option<i64>>,
    ) -> Result<JsonBytes<Page<GalleryImage>>, ApiError> {
        let query = PageQuery::new(limit.0, cursor.0.as_deref(), page.0)?;
        let filter = Filter {
            sort: sort.0.map_or(Sort::New, Sort::from),
            category: category.0.filter(|category| !category.is_empty() && category != "all"),
            author: author.0,
            tag: tag.0.map(|tag| single_tag(&tag)).transpose()?.flatten(),
            q: searched(q.0)?,
        };
        lists::public(&self.app, caller.id(), filter, query).await
    }

    /// A published picture
    ///
    /// Also one's own that is not public. `likes` is exact.
    /// Errors: `IMAGE_NOT_FOUND`.
    #[oai(path = "/images/:imageId", method = "get", operation_id = "getGalleryImage")]
    async fn get(
        &self,
        caller: OptionalUserAuth,
        #[oai(name = "imageId")] id: Path<String>,
    ) -> Result<Json<GalleryImage>, ApiError> {
        let found = service::get(&self.app, named(&id.0)?, caller.id())?;
        Ok(Json(GalleryImage::of(&self.app, &found)))
    }

    /// Take a picture out of the gallery
    ///
    /// By its author, for good. The job keeps its pictures.
    /// Errors: `IMAGE_NOT_FOUND`, `FORBIDDEN` (somebody else's).
    #[oai(path = "/images/:imageId", method = "delete", operation_id = "deleteGalleryImage")]
    async fn delete(
        &self,
        user: UserAuth,
        #[oai(name = "imageId")] id: Path<String>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        service::delete(&self.app, user.id(), named(&id.0)?).await?;
        Ok(Json(MessageResponse::new("作品已删除")))
    }

    /// Like a picture
    ///
    /// Once per user; again changes nothing.
    /// Errors: `IMAGE_NOT_FOUND`.
    #[oai(path = "/images/:imageId/like", method = "post", operation_id = "likeGalleryImage")]
    async fn like(
        &self,
        user: UserAuth,
        #[oai(name = "imageId")] id: Path<String>,
    ) -> Result<Json<LikeResponse>, ApiError> {
        Ok(Json(service::like(&self.app, user.id(), named(&id.0)?).await?.into()))
    }

    /// Take a like back
    ///
    /// Errors: `IMAGE_NOT_FOUND`.
    #[oai(path = "/images/:imageId/like", method = "delete", operation_id = "unlikeGalleryImage")]
    async fn unlike(
        &self,
        user: UserAuth,
        #[oai(name = "imageId")] id: Path<String>,
    ) -> Result<Json<LikeResponse>, ApiError> {
        Ok(Json(service::unlike(&self.app, user.id(), named(&id.0)?).await?.into()))
    }

    /// Report a picture
    ///
    /// Once per user; again changes nothing. With enough reports it is hidden until somebody decides.
    /// Errors: `IMAGE_NOT_FOUND`.
    #[oai(path = "/images/:imageId/report", method = "post", operation_id = "reportGalleryImage")]
    async fn report(
        &self,
        user: UserAuth,
        #[oai(name = "imageId")] id: Path<String>,
        body: JsonBody<ReportRequest>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        let id = named(&id.0)?;
        let (reason, detail) = body.0.checked()?;
        service::report(&self.app, user.id(), id, reason, detail).await?;
        Ok(Json(MessageResponse::new("举报已提交，我们会尽快处理")))
    }

    /// The categories of the gallery
    ///
    /// Public.
    #[oai(path = "/categories", method = "get", operation_id = "listGalleryCategories")]
    async fn categories(&self) -> Result<JsonBytes<Categories>, ApiError> {
        let kept = self.app.states.get::<KeptCategories>();
        kept.get(&self.app)
    }

    /// Publish a picture of a job
    ///
    /// Of one's own finished job; the same job and index again give the same image. `APPROVED` is public
    /// at once, `PENDING` waits for WeChat's check or a review; `GET /gallery/mine` tells what becomes of it.
    /// Errors: `JOB_NOT_FOUND`, `INVALID_STATE` (the job has no pictures), `CONTENT_REJECTED`,
    /// `IDEMPOTENCY_KEY_REUSED`.
    #[oai(path = "/publish", method = "post", operation_id = "publishImage")]
    async fn publish(
        &self,
        user: UserAuth,
        /// Repeating the call with the same key within a day gives the same answer.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        body: JsonBody<PublishRequest>,
    ) -> Result<Answered<PublishResponse>, ApiError> {
        let (id, wish) = (user.id(), body.0.into());
        let effect = |ticket| service::publish(&self.app, id, wish, ticket, published);
        Ok(idempotency::service::run(&self.app, key.of(id), effect).await?.into())
    }

    /// My published pictures
    ///
    /// Whatever their status, the last first.
    #[oai(path = "/mine", method = "get", operation_id = "listMyGalleryImages")]
    async fn mine(
        &self,
        user: UserAuth,
        /// Items a page, 1–100; 20 when left out.
        limit: Query<Option<i64>>,
        /// `nextCursor` of the answer before.
        cursor: Query<Option<String>>,
        /// A page by number, from 1, instead of a cursor; adds `page`, `limit` and `total`.
        page: Query<Option<i64>>,
    ) -> Result<Json<Page<OwnImage>>, ApiError> {
        let query = PageQuery::<1>::new(limit.0, cursor.0.as_deref(), page.0)?;
        let found = service::own(&self.app, user.id(), query).await?;
        let item = |image| OwnImage::of(&self.app, &image);
        Ok(Json(query.answer(found.images, found.total, |image| [image.id], item)))
    }
}

fn published(done: &Published) -> Answer {
    Answer::json(200, &PublishResponse::from(done))
}

/// An id of ours; anything else names nothing.
fn named(text: &str) -> Result<i64, ApiError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| GalleryError::NotFound.into())
}

/// What is typed into a search; nothing typed is no filter.
fn searched(q: Option<String>) -> Result<Option<String>, ApiError> {
    match q {
        Some(q) if q.chars().count() > MAX_SEARCH_CHARS => Err(ApiError::invalid_field("q")),
        Some(q) if q.trim().is_empty() => Ok(None),
        other => Ok(other),
    }
}

impl From<GalleryError> for ApiError {
    fn from(err: GalleryError) -> Self {
        let code = match err {
            GalleryError::Idempotency(err) => return err.into(),
            GalleryError::Db(err) | GalleryError::Check(ModerationError::Db(err)) => {
                return err.into();
            }
            GalleryError::Check(_) => ErrorCode::InternalError,
            GalleryError::Invalid(field) => return Self::invalid_field(field),
            GalleryError::NotFound => ErrorCode::ImageNotFound,
            GalleryError::JobNotFound => ErrorCode::JobNotFound,
            GalleryError::JobUnfinished => {
                return Self::new(ErrorCode::InvalidState)
                    .message("任务尚未成功，暂不能发布", "The job has no pictures to publish");
            }
            GalleryError::PictureGone => {
                return Self::new(ErrorCode::InvalidState)
                    .message("作品已过期，无法发布", "The picture is not kept any more");
            }
            GalleryError::CategoryNotFound => ErrorCode::NotFound,
            GalleryError::Outdated => return Self::outdated(),
            GalleryError::CategoryExists => {
                return Self::new(ErrorCode::InvalidState)
                    .message("该分类编号已存在", "There is a category of this id already");
            }
            GalleryError::CategoryInUse => {
                return Self::new(ErrorCode::InvalidState)
                    .message("分类中还有图片，不能删除", "There are pictures in the category");
            }
            GalleryError::TooManyCategories => {
                return Self::new(ErrorCode::InvalidState)
                    .message("分类数量已达上限", "There are as many categories as there may be");
            }
            GalleryError::Undecidable(_) => ErrorCode::InvalidState,
            GalleryError::Rejected => ErrorCode::ContentRejected,
            GalleryError::Forbidden => ErrorCode::Forbidden,
        };
        Self::new(code).caused_by(err)
    }
}
