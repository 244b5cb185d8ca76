//! Which pictures a list shows: narrow statements over indexes that hold all they need, whatever the
//! size of the table. The pictures themselves are read by their ids.

use crate::base::ids::UserId;
use crate::db::prelude::*;
use crate::features::gallery::model::ImageStatus;

/// A picture's place in both orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::gallery) struct Place {
    pub(in crate::features::gallery) id: i64,
    pub(in crate::features::gallery) seq: i64,
    pub(in crate::features::gallery) hot: i64,
}

/// Which part of a list: behind the picture with this score and place.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::gallery) struct Part {
    pub(in crate::features::gallery) hot: i64,
    pub(in crate::features::gallery) seq: i64,
    pub(in crate::features::gallery) skip: i64,
    pub(in crate::features::gallery) fetch: i64,
}

/// All public pictures, newest first. Uses gallery_images_new_idx.
pub(in crate::features::gallery) fn newest(tx: &Tx<'_>, part: Part) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq FROM gallery_images WHERE status = 'APPROVED' AND seq < ?1
          ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip],
        place_in_time,
    )
}

/// Those of a category. Uses gallery_images_category_new_idx.
pub(in crate::features::gallery) fn newest_of_category(
    tx: &Tx<'_>,
    category: &str,
    part: Part,
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq FROM gallery_images
          WHERE status = 'APPROVED' AND category_id = ?4 AND seq < ?1
          ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip, category],
        place_in_time,
    )
}

/// Those of an author. Uses gallery_images_author_new_idx.
pub(in crate::features::gallery) fn newest_of_author(
    tx: &Tx<'_>,
    author: i64,
    part: Part,
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq FROM gallery_images
          WHERE status = 'APPROVED' AND author_id = ?4 AND seq < ?1
          ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip, author],
        place_in_time,
    )
}

/// All public pictures, hottest first. Uses gallery_images_hot_idx.
pub(in crate::features::gallery) fn hottest(
    tx: &Tx<'_>,
    part: Part,
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq, hot FROM gallery_images
          WHERE status = 'APPROVED' AND (hot, seq) < (?4, ?1)
          ORDER BY hot DESC, seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip, part.hot],
        place,
    )
}

/// Those of a category. Uses gallery_images_category_hot_idx.
pub(in crate::features::gallery) fn hottest_of_category(
    tx: &Tx<'_>,
    category: &str,
    part: Part,
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq, hot FROM gallery_images
          WHERE status = 'APPROVED' AND category_id = ?5 AND (hot, seq) < (?4, ?1)
          ORDER BY hot DESC, seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip, part.hot, category],
        place,
    )
}

/// Those of an author. Uses gallery_images_author_hot_idx.
pub(in crate::features::gallery) fn hottest_of_author(
    tx: &Tx<'_>,
    author: i64,
    part: Part,
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT id, seq, hot FROM gallery_images
          WHERE status = 'APPROVED' AND author_id = ?5 AND (hot, seq) < (?4, ?1)
          ORDER BY hot DESC, seq DESC LIMIT ?2 OFFSET ?3",
        params![part.seq, part.fetch, part.skip, part.hot, author],
        place,
    )
}

/// The public pictures at these places, in no order.
pub(in crate::features::gallery) fn at_places(
    tx: &Tx<'_>,
    seqs: &[i64],
) -> Result<Vec<Place>, DbError> {
    tx.query_all(
        "SELECT g.id, g.seq, g.hot
           FROM json_each(?1) AS wanted
           JOIN gallery_images g ON g.seq = wanted.value AND g.status = 'APPROVED'",
        params![super::ids_to_json(seqs)],
        place,
    )
}

/// A user's own pictures whatever their status, the last first. Uses gallery_images_own_idx.
pub(in crate::features::gallery) fn own(
    tx: &Tx<'_>,
    user: UserId,
    before: i64,
    skip: i64,
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM gallery_images WHERE author_id = ?1 AND id < ?2
          ORDER BY id DESC LIMIT ?3 OFFSET ?4",
        params![user, before, fetch, skip],
        |row| row.get(0),
    )
}

/// How many those are. Uses gallery_images_own_idx.
pub(in crate::features::gallery) fn count_own(tx: &Tx<'_>, user: UserId) -> Result<i64, DbError> {
    tx.query_one("SELECT COUNT(*) FROM gallery_images WHERE author_id = ?1", params![user], |row| {
        row.get(0)
    })
}

/// Pictures that are not public, of one status, the oldest first. Uses gallery_images_review_idx.
pub(in crate::features::gallery) fn of_status(
    tx: &Tx<'_>,
    status: ImageStatus,
    after: i64,
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM gallery_images
          WHERE status <> 'APPROVED' AND status = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        params![status.as_str(), after, fetch],
        |row| row.get(0),
    )
}

/// Pictures with open reports, the oldest first. Uses gallery_images_reported_idx.
pub(in crate::features::gallery) fn reported(
    tx: &Tx<'_>,
    after: i64,
    fetch: i64,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM gallery_images WHERE open_reports > 0 AND id > ?1 ORDER BY id LIMIT ?2",
        params![after, fetch],
        |row| row.get(0),
    )
}

/// A user's public pictures.
pub(in crate::features::gallery) fn public_of(
    tx: &Tx<'_>,
    user: UserId,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM gallery_images WHERE status = 'APPROVED' AND author_id = ?1",
        params![user],
        |row| row.get(0),
    )
}

/// A user's pictures that are hidden for this reason.
pub(in crate::features::gallery) fn hidden_of(
    tx: &Tx<'_>,
    user: UserId,
    reason: &str,
) -> Result<Vec<i64>, DbError> {
    tx.query_all(
        "SELECT id FROM gallery_images
          WHERE author_id = ?1 AND status = 'HIDDEN' AND status_reason = ?2",
        params![user, reason],
        |row| row.get(0),
    )
}

/// How many public pictures there are of a category and an author; of all where one is not given.
/// Kept up by triggers.
pub(in crate::features::gallery) fn count(
    tx: &Tx<'_>,
    author: Option<i64>,
    category: Option<&str>,
) -> Result<i64, DbError> {
    tx.query_one(
        "SELECT COALESCE(SUM(images), 0) FROM gallery_counts
          WHERE author_id = ?1 AND (?2 IS NULL OR category_id = ?2)",
        params![author.unwrap_or(0), category],
        |row| row.get(0),
    )
}

fn place_in_time(row: &Row<'_>) -> Result<Place, DbError> {
    Ok(Place { id: row.get(0)?, seq: row.get(1)?, hot: 0 })
}

fn place(row: &Row<'_>) -> Result<Place, DbError> {
    Ok(Place { id: row.get(0)?, seq: row.get(1)?, hot: row.get(2)? })
}
