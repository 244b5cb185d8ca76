//! Showing, hiding and removing one picture: its status, its place, its search entry and its media
//! change together, here and nowhere else.

use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::gallery::model::{AUTHOR_BANNED, GalleryError, ImageStatus, hot_score};
use crate::features::gallery::store;
use crate::features::media::{self, Holder};

/// Makes a picture public. The first time it gets its place in the order of publication; one that
/// comes back has its old place. One whose author is banned or deleted becomes hidden instead.
///
/// # Errors
/// `NotFound`; `Undecidable` when it is public already; what the database fails with.
pub(super) fn show(tx: &Tx<'_>, id: i64, now: UnixMillis) -> Result<ImageStatus, GalleryError> {
    let image = store::standing(tx, id)?.ok_or(GalleryError::NotFound)?;
    if image.status == ImageStatus::Approved {
        return Err(GalleryError::Undecidable(image.status));
    }
    if image.author_is_out {
        let (from, to) = (image.status, ImageStatus::Hidden);
        store::set_status(tx, id, from, to, Some(AUTHOR_BANNED), now)?;
        return Ok(to);
    }
    let (seq, published_at) = match (image.seq, image.published_at) {
        (Some(seq), Some(published_at)) => (seq, published_at),
        _ => store::next_place(tx, now)?,
    };
    let hot = hot_score(published_at, image.likes);
    if !store::show(tx, id, image.status, (seq, published_at, hot), now)? {
        return Err(GalleryError::Undecidable(image.status));
    }
    store::search::insert(tx, seq, &image.terms)?;
    Ok(ImageStatus::Approved)
}

/// Makes a picture something that is not public.
///
/// # Errors
/// `NotFound`; what the database fails with.
pub(super) fn conceal(
    tx: &Tx<'_>,
    id: i64,
    to: ImageStatus,
    reason: Option<&str>,
    now: UnixMillis,
) -> Result<(), GalleryError> {
    let image = store::standing(tx, id)?.ok_or(GalleryError::NotFound)?;
    if !store::set_status(tx, id, image.status, to, reason, now)? {
        return Err(GalleryError::Undecidable(image.status));
    }
    unlist(tx, &image)?;
    Ok(())
}

/// Removes a picture with its likes and reports, and lets go of its media.
///
/// # Errors
/// `NotFound`; what the database fails with.
pub(super) fn remove(tx: &Tx<'_>, id: i64, now: UnixMillis) -> Result<(), GalleryError> {
    let image = store::standing(tx, id)?.ok_or(GalleryError::NotFound)?;
    unlist(tx, &image)?;
    store::delete(tx, id)?;
    media::service::release(tx, &Holder::gallery(id), now)?;
    Ok(())
}

fn unlist(tx: &Tx<'_>, image: &store::Standing) -> Result<(), GalleryError> {
    if let (ImageStatus::Approved, Some(seq)) = (image.status, image.seq) {
        store::search::remove(tx, seq)?;
    }
    Ok(())
}
