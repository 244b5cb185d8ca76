//! The reviewers' desk: which pictures wait, with everything that helps to decide.

use super::review;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::gallery::model::{GalleryError, Image, ImageStatus, Picture, Report};
use crate::features::gallery::store;
use crate::features::media;

/// Reports shown of one picture.
const REPORTS_SHOWN: i64 = 20;

/// Which pictures lie on the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pile {
    /// Not public, of this status; the oldest first.
    Held(ImageStatus),
    /// With open reports, public or not; the oldest first.
    Reported,
    /// A user's, whatever their status; the newest first.
    Of(UserId),
}

/// A picture on the desk.
#[derive(Clone, Debug)]
pub struct DeskImage {
    pub id: i64,
    pub status: ImageStatus,
    pub status_reason: Option<String>,
    pub image_url: String,
    pub thumbnail_url: String,
    pub width: u32,
    pub height: u32,
    pub prompt: String,
    pub tags: Vec<String>,
    pub category_id: String,
    pub category_name: String,
    pub author: Option<UserId>,
    pub author_name: Option<String>,
    pub likes: i64,
    /// Those that nobody has decided on, the first ones.
    pub reports: Vec<Report>,
    pub created_at: UnixMillis,
    pub published_at: Option<UnixMillis>,
}

/// A part of a pile, behind the picture with this id.
///
/// # Errors
/// What the database fails with.
pub async fn pile(
    app: &App,
    pile: Pile,
    after: Option<i64>,
    fetch: i64,
) -> Result<Vec<DeskImage>, DbError> {
    let found = app
        .db
        .read("gallery.desk", move |tx| {
            let images = match pile {
                Pile::Held(status) => review::held(tx, status, after.unwrap_or(0), fetch)?,
                Pile::Reported => review::reported(tx, after.unwrap_or(0), fetch)?,
                Pile::Of(user) => {
                    let before = after.unwrap_or(i64::MAX);
                    let ids = store::lists::own(tx, user, before, 0, fetch)?;
                    store::images(tx, &ids)?
                }
            };
            images.into_iter().map(|image| with_reports(tx, image)).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(found.into_iter().map(|(image, reports)| shown(app, image, reports)).collect())
}

/// One picture, whatever its status.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub fn one(app: &App, id: i64) -> Result<DeskImage, GalleryError> {
    let (image, reports) = app.db.read_inline("gallery.desk_one", |tx| {
        let image = store::image(tx, id)?.ok_or(GalleryError::NotFound)?;
        Ok::<_, GalleryError>(with_reports(tx, image)?)
    })?;
    Ok(shown(app, image, reports))
}

fn with_reports(tx: &Tx<'_>, image: Image) -> Result<(Image, Vec<Report>), DbError> {
    let reports = review::open_reports(tx, image.id, REPORTS_SHOWN)?;
    Ok((image, reports))
}

fn shown(app: &App, image: Image, reports: Vec<Report>) -> DeskImage {
    let url = |picture: &Picture| match picture {
        Picture::Key(key) => media::service::url(app, key),
        Picture::Url(url) => url.clone(),
    };
    DeskImage {
        id: image.id,
        status: image.status,
        status_reason: image.status_reason,
        image_url: url(&image.image),
        thumbnail_url: url(&image.thumbnail),
        width: image.width,
        height: image.height,
        prompt: image.prompt,
        tags: image.tags,
        category_id: image.category_id,
        category_name: image.category_name,
        author: image.author_id,
        author_name: image.author.and_then(|author| author.nick_name),
        likes: image.likes,
        reports,
        created_at: image.created_at,
        published_at: image.published_at,
    }
}
