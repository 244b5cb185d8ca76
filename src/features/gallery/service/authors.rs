//! What becomes of a user's pictures and likes with his account. After the commit the caller calls
//! [`changed`](super::changed).

use super::{likes, visibility};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::gallery::model::{AUTHOR_BANNED, GalleryError, ImageStatus};
use crate::features::gallery::store;

/// Likes taken back in one go.
const LIKES_AT_ONCE: i64 = 1000;

/// Takes a banned user's pictures off the public lists; says how many.
///
/// # Errors
/// What the database fails with.
pub fn hide_all_of(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<usize, GalleryError> {
    let ids = store::lists::public_of(tx, user)?;
    for id in &ids {
        visibility::conceal(tx, *id, ImageStatus::Hidden, Some(AUTHOR_BANNED), now)?;
    }
    Ok(ids.len())
}

/// Puts back what a ban had taken off, in its old place; says how many. The ban must be lifted in the
/// same transaction, or before.
///
/// # Errors
/// What the database fails with.
pub fn restore_all_of(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<usize, GalleryError> {
    let ids = store::lists::hidden_of(tx, user, AUTHOR_BANNED)?;
    let mut shown = 0;
    for id in ids {
        if visibility::show(tx, id, now)? == ImageStatus::Approved {
            shown += 1;
        }
    }
    Ok(shown)
}

/// Removes all pictures of a user whose account is deleted; says how many.
///
/// # Errors
/// What the database fails with.
pub fn delete_all_of(tx: &Tx<'_>, user: UserId, now: UnixMillis) -> Result<usize, GalleryError> {
    let ids = store::lists::own(tx, user, i64::MAX, 0, -1)?;
    for id in &ids {
        visibility::remove(tx, *id, now)?;
    }
    Ok(ids.len())
}

/// Takes back what a user liked, some of it, and forgets what he wrote in reports; whether there are
/// likes left for the next call.
///
/// # Errors
/// What the database fails with.
pub fn forget_user(tx: &Tx<'_>, user: UserId) -> Result<bool, DbError> {
    let liked = store::likes::liked_by(tx, user, LIKES_AT_ONCE)?;
    for image in &liked {
        if store::likes::delete(tx, user, *image)? {
            likes::count(tx, *image, -1)?;
        }
    }
    store::reports::forget_details(tx, user)?;
    Ok(i64::try_from(liked.len()).unwrap_or(i64::MAX) == LIKES_AT_ONCE)
}
