//! SQL of the gallery: single pictures here; lists, search, likes and reports in files of their own.

pub(super) mod categories;
pub(super) mod likes;
pub(super) mod lists;
pub(super) mod reports;
pub(super) mod search;

use super::model::{
    Author, Category, Image, ImageStatus, Marks, NewImage, Picture, Published, SearchTerms,
};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// All categories, in their order. They are few.
pub(super) fn categories(tx: &Tx<'_>) -> Result<Vec<Category>, DbError> {
    tx.query_all(
        "SELECT category_id, name, icon FROM categories
          ORDER BY sort, category_id LIMIT 1000",
        [],
        |row| Ok(Category { id: row.get(0)?, name: row.get(1)?, icon: row.get(2)? }),
    )
}

/// Whether there is such a category.
pub(super) fn category_exists(tx: &Tx<'_>, category: &str) -> Result<bool, DbError> {
    let found =
        tx.query_opt("SELECT 1 FROM categories WHERE category_id = ?1", params![category], |_| {
            Ok(())
        })?;
    Ok(found.is_some())
}

/// What was made of a picture of a job, if it was published.
pub(super) fn published_from(
    tx: &Tx<'_>,
    job: &str,
    index: i64,
) -> Result<Option<Published>, DbError> {
    tx.query_opt(
        "SELECT id, status, published_at FROM gallery_images WHERE job_id = ?1 AND job_index = ?2",
        params![job, index],
        |row| {
            let status: String = row.get(1)?;
            Ok(Published {
                id: row.get(0)?,
                status: ImageStatus::from_stored(&status),
                published_at: row.get(2)?,
            })
        },
    )
}

/// Stores a picture that nobody sees yet; gives its id.
pub(super) fn insert(tx: &Tx<'_>, image: &NewImage, now: UnixMillis) -> Result<i64, DbError> {
    tx.insert(
        "INSERT INTO gallery_images
           (image_url, thumbnail_url, image_key, thumbnail_key, width, height, prompt, tags,
            category_id, author_id, job_id, job_index, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
        params![
            image.image_url,
            image.thumbnail_url,
            image.image_key,
            image.thumbnail_key,
            image.width,
            image.height,
            image.prompt,
            tags_to_json(&image.tags),
            image.category,
            image.author,
            image.job_id,
            image.job_index,
            now
        ],
    )
}

/// What showing and hiding a picture must know of it.
pub(super) struct Standing {
    pub(super) status: ImageStatus,
    pub(super) seq: Option<i64>,
    pub(super) published_at: Option<UnixMillis>,
    pub(super) likes: i64,
    /// The author's account is banned or deleted.
    pub(super) author_is_out: bool,
    pub(super) terms: SearchTerms,
}

/// How a picture stands.
pub(super) fn standing(tx: &Tx<'_>, id: i64) -> Result<Option<Standing>, DbError> {
    tx.query_opt(
        "SELECT g.status, g.seq, g.published_at, g.likes, g.author_id, g.prompt, g.tags,
                g.category_id, u.banned_at IS NOT NULL OR u.deleted_at IS NOT NULL
           FROM gallery_images g LEFT JOIN users u ON u.id = g.author_id
          WHERE g.id = ?1",
        params![id],
        |row| {
            let status: String = row.get(0)?;
            let author: Option<UserId> = row.get(4)?;
            let (prompt, tags, category): (String, String, String) =
                (row.get(5)?, row.get(6)?, row.get(7)?);
            Ok(Standing {
                status: ImageStatus::from_stored(&status),
                seq: row.get(1)?,
                published_at: row.get(2)?,
                likes: row.get(3)?,
                author_is_out: row.get(8)?,
                terms: SearchTerms::of(&prompt, &tags_from_json(&tags), &category, author),
            })
        },
    )
}

/// The next place in the order of publication and its time, which never goes back even when the clock
/// does: the list by place is the list by time.
pub(super) fn next_place(tx: &Tx<'_>, now: UnixMillis) -> Result<(i64, UnixMillis), DbError> {
    tx.query_one(
        "UPDATE gallery_sequence SET seq = seq + 1, published_at = MAX(published_at, ?1)
          WHERE id = 1 RETURNING seq, published_at",
        params![now],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Makes a picture public that was something else; `false` when it is not that any more.
pub(super) fn show(
    tx: &Tx<'_>,
    id: i64,
    from: ImageStatus,
    (seq, published_at, hot): (i64, UnixMillis, i64),
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE gallery_images
            SET status = 'APPROVED', status_reason = NULL, seq = ?3, published_at = ?4, hot = ?5,
                updated_at = ?6
          WHERE id = ?1 AND status = ?2",
        params![id, from.as_str(), seq, published_at, hot, now],
    )?;
    Ok(changed == 1)
}

/// Makes a picture something that is not public; `false` when it is not what it was any more.
pub(super) fn set_status(
    tx: &Tx<'_>,
    id: i64,
    from: ImageStatus,
    to: ImageStatus,
    reason: Option<&str>,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE gallery_images SET status = ?3, status_reason = ?4, updated_at = ?5
          WHERE id = ?1 AND status = ?2",
        params![id, from.as_str(), to.as_str(), reason, now],
    )?;
    Ok(changed == 1)
}

/// Deletes a picture with its likes and reports.
pub(super) fn delete(tx: &Tx<'_>, id: i64) -> Result<bool, DbError> {
    Ok(tx.execute("DELETE FROM gallery_images WHERE id = ?1", params![id])? == 1)
}

/// The pictures with these ids that there are, in the order of the ids.
pub(super) fn images(tx: &Tx<'_>, ids: &[i64]) -> Result<Vec<Image>, DbError> {
    let mut found = tx.query_all(
        "SELECT g.id, g.seq, g.hot, g.image_key, g.image_url, g.thumbnail_key, g.thumbnail_url,
                g.width, g.height, g.prompt, g.category_id, c.name, g.tags, g.likes, g.status,
                g.status_reason, g.author_id, u.id, u.nick_name, u.avatar_url, g.created_at,
                g.published_at
           FROM json_each(?1) AS wanted
           JOIN gallery_images g ON g.id = wanted.value
           JOIN categories c ON c.category_id = g.category_id
           LEFT JOIN users u ON u.id = g.author_id AND u.deleted_at IS NULL",
        params![ids_to_json(ids)],
        image_from_row,
    )?;
    if !found.iter().map(|image| &image.id).eq(ids) {
        let place = |image: &Image| ids.iter().position(|id| *id == image.id);
        found.sort_by_key(place);
    }
    Ok(found)
}

/// One picture.
pub(super) fn image(tx: &Tx<'_>, id: i64) -> Result<Option<Image>, DbError> {
    Ok(images(tx, &[id])?.pop())
}

/// What a user has to do with these pictures, and how many likes they have now. Those that are gone
/// are left out.
pub(super) fn marks(tx: &Tx<'_>, user: UserId, ids: &[i64]) -> Result<Vec<Marks>, DbError> {
    tx.query_all(
        "SELECT g.id, g.likes,
                EXISTS (SELECT 1 FROM image_likes l WHERE l.user_id = ?1 AND l.image_id = g.id),
                EXISTS (SELECT 1 FROM favorites f
                         WHERE f.user_id = ?1 AND f.type = 'image'
                           AND f.resource_id = CAST(g.id AS TEXT))
           FROM json_each(?2) AS wanted JOIN gallery_images g ON g.id = wanted.value",
        params![user, ids_to_json(ids)],
        |row| {
            Ok(Marks {
                id: row.get(0)?,
                likes: row.get(1)?,
                is_liked: row.get(2)?,
                is_favorited: row.get(3)?,
            })
        },
    )
}

pub(super) fn ids_to_json(ids: &[i64]) -> String {
    let numbers: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn tags_to_json(tags: &[String]) -> String {
    // A list of texts always serialises.
    serde_json::to_string(tags).unwrap_or_else(|_| "[]".to_owned())
}

/// The table's CHECK admits arrays only, and we write texts into them.
fn tags_from_json(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}

fn image_from_row(row: &Row<'_>) -> Result<Image, DbError> {
    let picture = |key: usize| -> Result<Picture, DbError> {
        Ok(match row.get(key)? {
            Some(found) => Picture::Key(found),
            None => Picture::Url(row.get(key + 1)?),
        })
    };
    let tags: String = row.get(12)?;
    let status: String = row.get(14)?;
    let author = |id| -> Result<Author, DbError> {
        Ok(Author { id, nick_name: row.get(18)?, avatar_url: row.get(19)? })
    };
    Ok(Image {
        id: row.get(0)?,
        seq: row.get(1)?,
        hot: row.get(2)?,
        image: picture(3)?,
        thumbnail: picture(5)?,
        width: row.get(7)?,
        height: row.get(8)?,
        prompt: row.get(9)?,
        category_id: row.get(10)?,
        category_name: row.get(11)?,
        tags: tags_from_json(&tags),
        likes: row.get(13)?,
        status: ImageStatus::from_stored(&status),
        status_reason: row.get(15)?,
        author_id: row.get(16)?,
        author: row.get::<Option<UserId>>(17)?.map(author).transpose()?,
        created_at: row.get(20)?,
        published_at: row.get(21)?,
    })
}
