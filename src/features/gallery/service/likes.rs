//! Liking a picture, once per user.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::gallery::model::{GalleryError, Liked, hot_score};
use crate::features::gallery::store;

/// Likes a picture; liking it again changes nothing.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(in crate::features::gallery) async fn like(
    app: &App,
    user: UserId,
    id: i64,
) -> Result<Liked, GalleryError> {
    set(app, user, id, true).await
}

/// Takes a like back; when there is none, nothing changes.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(in crate::features::gallery) async fn unlike(
    app: &App,
    user: UserId,
    id: i64,
) -> Result<Liked, GalleryError> {
    set(app, user, id, false).await
}

async fn set(app: &App, user: UserId, id: i64, is_liked: bool) -> Result<Liked, GalleryError> {
    let now = app.clock.now();
    let liked = app
        .db
        .write("gallery.like", move |tx| {
            let image = store::image(tx, id)?.filter(super::Image::is_public);
            let image = image.ok_or(GalleryError::NotFound)?;
            let total = match is_liked {
                true if store::likes::insert(tx, user, id, now)? => count(tx, id, 1)?,
                false if store::likes::delete(tx, user, id)? => count(tx, id, -1)?,
                _ => image.likes,
            };
            Ok::<_, GalleryError>(Liked { is_liked, total })
        })
        .await?;
    // A heart more or less need not throw away every list at once.
    app.gallery.changes_soon(now);
    Ok(liked)
}

/// Moves the count and the score after a row came or went; gives the count.
pub(super) fn count(tx: &Tx<'_>, id: i64, change: i64) -> Result<i64, DbError> {
    let Some((likes, published_at)) = store::likes::count(tx, id, change)? else { return Ok(0) };
    let since = published_at.unwrap_or(UnixMillis(0));
    store::likes::set_hot(tx, id, hot_score(since, likes))?;
    Ok(likes)
}
