//! `image_likes`, and the count and score that follow it.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Notes a like; `false` when it was there.
pub(in crate::features::gallery) fn insert(
    tx: &Tx<'_>,
    user: UserId,
    image: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "INSERT INTO image_likes (user_id, image_id, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (user_id, image_id) DO NOTHING",
        params![user, image, now],
    )?;
    Ok(changed == 1)
}

/// Takes a like back; `false` when there was none.
pub(in crate::features::gallery) fn delete(
    tx: &Tx<'_>,
    user: UserId,
    image: i64,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "DELETE FROM image_likes WHERE user_id = ?1 AND image_id = ?2",
        params![user, image],
    )?;
    Ok(changed == 1)
}

/// Counts one more or one less; gives how many there are now, and since when the picture is public.
pub(in crate::features::gallery) fn count(
    tx: &Tx<'_>,
    image: i64,
    change: i64,
) -> Result<Option<(i64, Option<UnixMillis>)>, DbError> {
    tx.query_opt(
        "UPDATE gallery_images SET likes = likes + ?2 WHERE id = ?1 RETURNING likes, published_at",
        params![image, change],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Sets the score that goes with the likes.
pub(in crate::features::gallery) fn set_hot(
    tx: &Tx<'_>,
    image: i64,
    hot: i64,
) -> Result<(), DbError> {
    tx.execute("UPDATE gallery_images SET hot = ?2 WHERE id = ?1", params![image, hot])?;
    Ok(())
}

/// What a user likes, some at a time.
pub(in crate::features::gallery) fn liked_by(
    tx: &Tx<'_>,
    user: UserId,
    most: i64,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT image_id FROM image_likes WHERE user_id = ?1 LIMIT ?2",
        params![user, most],
        |row| row.get(0),
    )
}
