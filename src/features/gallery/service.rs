//! Publishing, reading and removing pictures; what other features need of them.

mod authors;
pub mod categories;
mod check;
mod checks;
pub mod desk;
mod likes;
mod lists;
mod publish;
mod reports;
mod review;
mod visibility;

pub(super) use likes::{like, unlike};
pub(super) use lists::{list, own};
pub(super) use publish::{Wish, publish};
pub(super) use reports::report;

pub use authors::{delete_all_of, forget_user, hide_all_of, restore_all_of};
pub use checks::{check_due, checked};
pub use review::{Reviewed, decide, decide_as, held, open_reports, reported};

use super::model::{Category, GalleryError, Image, MarkedImage, Marks, Picture};
use super::store;
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::media;

/// To be called after the commit of whatever shows, hides or removes pictures.
pub fn changed(app: &App) {
    app.gallery.changed();
}

/// How many pictures are public.
///
/// # Errors
/// What the database fails with.
pub fn count_public(tx: &Tx<'_>) -> Result<i64, DbError> {
    store::lists::count(tx, None, None)
}

/// Whether everybody may see this picture.
///
/// # Errors
/// What the database fails with.
pub fn is_public(tx: &Tx<'_>, id: i64) -> Result<bool, DbError> {
    Ok(store::image(tx, id)?.is_some_and(|image| image.is_public()))
}

/// The public ones among these pictures, with what a user has to do with them; in two queries.
///
/// # Errors
/// What the database fails with.
pub fn find_many(tx: &Tx<'_>, user: UserId, ids: &[i64]) -> Result<Vec<MarkedImage>, DbError> {
    let images = store::images(tx, ids)?.into_iter().filter(Image::is_public);
    let all = store::marks(tx, user, ids)?;
    let marked = images.map(|image| {
        let found = all.iter().find(|marks| marks.id == image.id);
        MarkedImage { marks: found.copied().unwrap_or_default(), image }
    });
    Ok(marked.collect())
}

/// A picture as this caller may see it: a public one, or his own.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(super) fn get(app: &App, id: i64, caller: Option<UserId>) -> Result<MarkedImage, GalleryError> {
    app.db.read_inline("gallery.get", |tx| {
        let image = store::image(tx, id)?.ok_or(GalleryError::NotFound)?;
        if !image.is_public() && (caller.is_none() || image.author_id != caller) {
            return Err(GalleryError::NotFound);
        }
        let marks = match caller {
            Some(caller) => store::marks(tx, caller, &[id])?.pop(),
            None => None,
        };
        let marks = marks.unwrap_or(Marks { id, likes: image.likes, ..Marks::default() });
        Ok(MarkedImage { image, marks })
    })
}

/// What a user has to do with these pictures.
///
/// # Errors
/// What the database fails with.
pub(super) fn marks(app: &App, user: UserId, ids: &[i64]) -> Result<Vec<Marks>, GalleryError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(app.db.read_inline("gallery.marks", |tx| store::marks(tx, user, ids))?)
}

/// Takes a picture of one's own out of the gallery, for good.
///
/// # Errors
/// `NotFound`; `Forbidden` for a public one of somebody else; what the database fails with.
pub(super) async fn delete(app: &App, user: UserId, id: i64) -> Result<(), GalleryError> {
    let now = app.clock.now();
    app.db
        .write("gallery.delete", move |tx| {
            let image = store::image(tx, id)?.ok_or(GalleryError::NotFound)?;
            if image.author_id != Some(user) {
                let is_known = image.is_public();
                return Err(if is_known {
                    GalleryError::Forbidden
                } else {
                    GalleryError::NotFound
                });
            }
            visibility::remove(tx, id, now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// All categories.
///
/// # Errors
/// What the database fails with.
pub(super) fn categories(app: &App) -> Result<Vec<Category>, GalleryError> {
    Ok(app.db.read_inline("gallery.categories", store::categories)?)
}

/// Under which address clients find a picture.
pub(super) fn url(app: &App, picture: &Picture) -> String {
    match picture {
        Picture::Key(key) => media::service::url(app, key),
        Picture::Url(url) => url.clone(),
    }
}
