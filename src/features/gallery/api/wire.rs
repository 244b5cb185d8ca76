//! What the gallery sends and gets.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use crate::app::App;
use crate::features::gallery::model::{
    Category, Image, ImageStatus, Liked, MarkedImage, Published, Sort,
};
use crate::features::gallery::service::{self, Wish};
use crate::features::users::NAMELESS;
use crate::http::ApiError;

/// A picture of the gallery.
///
/// The fields that differ from caller to caller stand last: what is before them is serialised once for
/// all.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct GalleryImage {
    id: i64,
    image_url: String,
    thumbnail_url: String,
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
    prompt: String,
    category: ImageCategory,
    tags: Vec<String>,
    /// Null when the account is deleted.
    author: Option<ImageAuthor>,
    /// When it became public.
    created_at: String,
    pub(super) likes: i64,
    /// Whether the caller likes it.
    pub(super) is_liked: bool,
    /// Whether it is among the caller's favorites.
    pub(super) is_favorited: bool,
}

/// The category of a picture.
#[derive(Clone, Debug, Object, Serialize)]
struct ImageCategory {
    id: String,
    name: String,
}

/// Who made a picture.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
struct ImageAuthor {
    id: i64,
    nick_name: String,
    avatar_url: Option<String>,
}

impl GalleryImage {
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// A picture as one caller sees it.
    pub fn of(app: &App, marked: &MarkedImage) -> Self {
        let marks = marked.marks;
        Self {
            likes: marks.likes,
            is_liked: marks.is_liked,
            is_favorited: marks.is_favorited,
            ..Self::unmarked(app, &marked.image)
        }
    }

    /// The same as nobody in particular sees it.
    pub(super) fn unmarked(app: &App, image: &Image) -> Self {
        let author = image.author.as_ref().map(|author| ImageAuthor {
            id: author.id.0,
            nick_name: author.nick_name.clone().unwrap_or_else(|| NAMELESS.to_owned()),
            avatar_url: author.avatar_url.clone(),
        });
        Self {
            id: image.id,
            image_url: service::url(app, &image.image),
            thumbnail_url: service::url(app, &image.thumbnail),
            width: image.width,
            height: image.height,
            prompt: image.prompt.clone(),
            category: ImageCategory {
                id: image.category_id.clone(),
                name: image.category_name.clone(),
            },
            tags: image.tags.clone(),
            author,
            created_at: image.published_at.unwrap_or(image.created_at).rfc3339(),
            likes: image.likes,
            is_liked: false,
            is_favorited: false,
        }
    }
}

/// A picture as its author sees it among his own.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct OwnImage {
    id: i64,
    image_url: String,
    thumbnail_url: String,
    width: u32,
    height: u32,
    prompt: String,
    category: ImageCategory,
    tags: Vec<String>,
    likes: i64,
    status: PublicationStatus,
    /// Why it is rejected or hidden, when somebody said so.
    status_reason: Option<String>,
    /// When it was handed in.
    created_at: String,
    /// When it became public.
    published_at: Option<String>,
}

impl OwnImage {
    pub(super) fn of(app: &App, image: &Image) -> Self {
        let shown = GalleryImage::unmarked(app, image);
        Self {
            id: shown.id,
            image_url: shown.image_url,
            thumbnail_url: shown.thumbnail_url,
            width: shown.width,
            height: shown.height,
            prompt: shown.prompt,
            category: shown.category,
            tags: shown.tags,
            likes: shown.likes,
            status: image.status.into(),
            status_reason: image.status_reason.clone(),
            created_at: image.created_at.rfc3339(),
            published_at: image.published_at.map(|at| at.rfc3339()),
        }
    }
}

/// The order of the public lists.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum SortOrder {
    /// Newest first.
    New,
    /// By likes and age.
    Hot,
}

impl From<SortOrder> for Sort {
    fn from(order: SortOrder) -> Self {
        match order {
            SortOrder::New => Self::New,
            SortOrder::Hot => Self::Hot,
        }
    }
}

/// How far a picture is.
#[derive(Clone, Copy, Debug, Enum)]
#[oai(rename_all = "UPPERCASE")]
pub(super) enum PublicationStatus {
    /// Waits for a review.
    Pending,
    /// Public.
    Approved,
    Rejected,
    /// Taken off the lists.
    Hidden,
}

impl From<ImageStatus> for PublicationStatus {
    fn from(status: ImageStatus) -> Self {
        match status {
            ImageStatus::Pending => Self::Pending,
            ImageStatus::Approved => Self::Approved,
            ImageStatus::Rejected => Self::Rejected,
            ImageStatus::Hidden => Self::Hidden,
        }
    }
}

/// How the gallery is divided.
#[derive(Debug, Object)]
pub(super) struct Categories {
    pub(super) categories: Vec<GalleryCategory>,
}

/// A part of the gallery.
#[derive(Debug, Object)]
pub(super) struct GalleryCategory {
    id: String,
    name: String,
    /// An emoji or an address.
    icon: String,
}

impl From<Category> for GalleryCategory {
    fn from(category: Category) -> Self {
        Self { id: category.id, name: category.name, icon: category.icon }
    }
}

/// The caller and a picture's likes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct LikeResponse {
    liked: bool,
    total_likes: i64,
}

impl From<Liked> for LikeResponse {
    fn from(liked: Liked) -> Self {
        Self { liked: liked.is_liked, total_likes: liked.total }
    }
}

/// A picture to publish.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PublishRequest {
    job_id: String,
    /// Which of the job's pictures, from 0; 0 when left out.
    #[oai(validator(minimum(value = "0")))]
    index: Option<i64>,
    category_id: String,
    /// Up to 10 of up to 20 characters.
    tags: Option<Vec<String>>,
}

impl From<PublishRequest> for Wish {
    fn from(request: PublishRequest) -> Self {
        Self {
            job: request.job_id,
            index: request.index.unwrap_or(0),
            category: request.category_id,
            tags: request.tags.unwrap_or_default(),
        }
    }
}

/// What was published.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PublishResponse {
    image_id: i64,
    status: PublicationStatus,
    /// Null until it is public.
    published_at: Option<String>,
}

impl From<&Published> for PublishResponse {
    fn from(published: &Published) -> Self {
        Self {
            image_id: published.id,
            status: published.status.into(),
            published_at: published.published_at.map(|at| at.rfc3339()),
        }
    }
}

/// What is wrong with a picture.
#[derive(Debug, Object)]
pub(super) struct ReportRequest {
    /// In a word.
    #[oai(validator(min_length = 1, max_length = 64))]
    reason: String,
    /// In more words.
    #[oai(validator(max_length = 500))]
    detail: Option<String>,
}

impl ReportRequest {
    /// Without outer space.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when nothing is left of the reason.
    pub(super) fn checked(self) -> Result<(String, Option<String>), ApiError> {
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() {
            return Err(ApiError::invalid_field("reason"));
        }
        let detail = self.detail.map(|detail| detail.trim().to_owned());
        Ok((reason, detail.filter(|detail| !detail.is_empty())))
    }
}

#[cfg(test)]
impl GalleryImage {
    /// One whose texts need escaping.
    pub(super) fn example(id: i64, likes: i64) -> Self {
        Self {
            id,
            image_url: "https://example.com/a".to_owned(),
            thumbnail_url: "https://example.com/b".to_owned(),
            width: 3,
            height: 4,
            prompt: "山水 \"},{\"likes\":1,\"isLiked\":true \\ \u{1}".to_owned(),
            category: ImageCategory { id: "c".to_owned(), name: "名".to_owned() },
            tags: vec!["墨".to_owned()],
            author: None,
            created_at: "2026-01-29T12:00:00.000Z".to_owned(),
            likes,
            is_liked: false,
            is_favorited: false,
        }
    }
}
