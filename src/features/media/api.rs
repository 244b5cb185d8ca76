//! `/upload/image`.

use std::sync::Arc;

use poem_openapi::types::Binary;
use poem_openapi::{Multipart, Object, OpenApi, payload::Json};

use super::model::MediaError;
use super::picture::PictureError;
use super::service;
use crate::app::App;
use crate::features::auth::UserAuth;
use crate::http::{ApiError, ErrorCode, Tag};

/// A picture from the phone.
#[derive(Debug, Multipart)]
struct UploadImageRequest {
    /// JPEG, PNG or WebP; the bytes decide, not name or type.
    file: Option<Binary<Vec<u8>>>,
}

/// A stored picture.
#[derive(Debug, Object)]
struct UploadedImage {
    /// Absolute address.
    url: String,
    key: String,
    width: u32,
    height: u32,
}

/// Pictures.
pub struct MediaApi {
    pub app: Arc<App>,
}

#[OpenApi(prefix_path = "/upload", tag = "Tag::Media")]
impl MediaApi {
    /// Upload an image
    ///
    /// For avatars and reference images. The picture is made anew from its pixels: place, camera and
    /// all other metadata are gone, and it stands upright. Lossy WebP comes back as JPEG.
    /// Errors: `INVALID_REQUEST` (no `file`, too many pixels, damaged), `UNSUPPORTED_MEDIA_TYPE`,
    /// `PAYLOAD_TOO_LARGE`, `QUOTA_EXCEEDED` (too many uploads today), `SERVICE_OVERLOAD`.
    #[oai(path = "/image", method = "post", operation_id = "uploadImage")]
    async fn upload(
        &self,
        user: UserAuth,
        body: UploadImageRequest,
    ) -> Result<Json<UploadedImage>, ApiError> {
        let Some(Binary(bytes)) = body.file else { return Err(ApiError::invalid_field("file")) };
        let stored = service::store_upload(&self.app, user.id(), bytes).await?;
        Ok(Json(UploadedImage {
            url: service::url(&self.app, &stored.key),
            key: stored.key,
            width: stored.width,
            height: stored.height,
        }))
    }
}

impl From<MediaError> for ApiError {
    fn from(err: MediaError) -> Self {
        match err {
            MediaError::Picture(err) => err.into(),
            MediaError::TooLarge(_) => Self::new(ErrorCode::PayloadTooLarge).caused_by(err),
            MediaError::UploadsUsedUp => Self::new(ErrorCode::QuotaExceeded)
                .message("今日上传次数已用完，请明天再试", "Too many uploads today"),
            MediaError::NotFound => Self::new(ErrorCode::ImageNotFound),
            MediaError::Fetch(_) => Self::new(ErrorCode::InvalidRequest)
                .message("图片地址无法读取", "The image cannot be read from its address")
                .caused_by(err),
            MediaError::Removing | MediaError::Pool(_) => {
                Self::new(ErrorCode::ServiceOverload).caused_by(err)
            }
            MediaError::Label(_) | MediaError::Storage(_) => {
                Self::new(ErrorCode::InternalError).caused_by(err)
            }
            MediaError::Db(err) => err.into(),
        }
    }
}

impl From<PictureError> for ApiError {
    fn from(err: PictureError) -> Self {
        match err {
            PictureError::Format => Self::new(ErrorCode::UnsupportedMediaType)
                .message("仅支持 JPEG、PNG、WebP 图片", "The file is no JPEG, PNG or WebP"),
            PictureError::TooManyPixels { width, height } => Self::new(ErrorCode::InvalidRequest)
                .message("图片尺寸过大", "The image has too many pixels")
                .field("file")
                .detail("width", width)
                .detail("height", height),
            PictureError::Damaged(_) => Self::new(ErrorCode::InvalidRequest)
                .message("图片已损坏，无法读取", "The image is damaged")
                .field("file")
                .caused_by(err),
            PictureError::Encode(_) => Self::new(ErrorCode::InternalError).caused_by(err),
        }
    }
}
