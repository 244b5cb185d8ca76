//! The SQL of the demo data.
//!
//! The one exception to "one table, one writer": it fills the tables of several features, because
//! a hundred thousand rows cannot go through their services one by one. What those guarantee holds
//! here too, above all that a balance is what the ledger says.

use super::content::{DemoImage, DemoUser, Kept};
use super::pictures::PictureRow;
use super::templates::{DemoTemplate, Original};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::features::gallery::{SearchTerms, hot_score};

/// Who holds the pictures of the demo, in the words of `media_holds`.
const HOLDER: &str = "seed";

/// A favorite with the ids of the rows it joins.
pub(super) struct FavoriteRow {
    pub(super) user: UserId,
    pub(super) kind: &'static str,
    pub(super) resource_id: String,
    pub(super) created_at: UnixMillis,
}

impl FavoriteRow {
    /// The favorite of `user`; `None` when what it points at was not made.
    pub(super) fn new(
        user: UserId,
        (kept, created_at): (Kept, UnixMillis),
        images: &[i64],
        templates: &[String],
    ) -> Option<Self> {
        let (kind, resource_id) = match kept {
            Kept::Image(index) => ("image", images.get(index)?.to_string()),
            Kept::Template(index) => ("prompt", templates.get(index)?.clone()),
        };
        Some(Self { user, kind, resource_id, created_at })
    }
}

/// Users that a run has left: `seed-` and digits. Uses the index on `openid`.
pub(super) fn count_seeded_users(tx: &Tx<'_>) -> Result<i64, DbError> {
    // '.' follows '-' in ASCII.
    tx.query_one(
        "SELECT COUNT(*) FROM users WHERE openid >= 'seed-' AND openid < 'seed.'",
        [],
        |row| row.get(0),
    )
}

/// The ids of all templates, whoever made them.
pub(super) fn template_ids(tx: &Tx<'_>) -> Result<Vec<String>, DbError> {
    tx.query_all("SELECT template_id FROM prompt_templates ORDER BY sort, template_id", [], |row| {
        row.get(0)
    })
}

/// The first templates of the list, and the last place in it.
pub(super) fn originals(tx: &Tx<'_>, most: u32) -> Result<(Vec<Original>, u32), DbError> {
    let originals = tx.query_all(
        "SELECT template_id, title, description, prompt, category FROM prompt_templates
          ORDER BY sort, created_at DESC, template_id LIMIT ?1",
        params![most],
        |row| {
            Ok(Original {
                id: row.get(0)?,
                title: row.get(1)?,
                description: row.get(2)?,
                prompt: row.get(3)?,
                category: row.get(4)?,
            })
        },
    )?;
    let last =
        tx.query_one("SELECT COALESCE(MAX(sort), 0) FROM prompt_templates", [], |row| row.get(0))?;
    Ok((originals, last))
}

/// A picture that is about to be stored, held for good. What is there already stays.
pub(super) fn insert_picture(tx: &Tx<'_>, picture: &PictureRow) -> Result<usize, DbError> {
    let PictureRow { key, bytes, width, height, created_at } = picture;
    tx.execute(
        "INSERT INTO media_objects (key, kind, bytes, width, height, created_at, unused_since)
         VALUES (?1, 'result', ?2, ?3, ?4, ?5, NULL)
         ON CONFLICT (key) DO UPDATE SET unused_since = NULL, removing = 0",
        params![key, bytes, width, height, created_at],
    )?;
    tx.execute(
        "INSERT INTO media_holds (holder, key, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (holder, key) DO NOTHING",
        params![HOLDER, key, created_at],
    )
}

/// A user, and the ledger row that its balance comes from.
pub(super) fn insert_user(tx: &Tx<'_>, user: &DemoUser) -> Result<UserId, DbError> {
    let id = UserId(tx.insert(
        "INSERT INTO users (openid, nick_name, avatar_url, points_balance, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![user.openid, user.nick_name, user.avatar_url, user.balance, user.created_at],
    )?);
    // No booking without an amount.
    if user.balance > 0 {
        tx.insert(
            "INSERT INTO points_transactions
               (user_id, type, amount, description, reason, reference, balance_after, created_at)
             VALUES (?1, 'EARN', ?2, '体验积分', 'seed', ?3, ?2, ?4)",
            params![id, user.balance, user.openid, user.created_at],
        )?;
    }
    Ok(id)
}

/// Takes so many places in the order of publication, the last at this time; gives the first.
pub(super) fn take_places(tx: &Tx<'_>, count: u32, until: UnixMillis) -> Result<i64, DbError> {
    tx.query_one(
        "UPDATE gallery_sequence SET seq = seq + ?1, published_at = MAX(published_at, ?2)
          WHERE id = 1 RETURNING seq - ?1 + 1",
        params![count, until],
        |row| row.get(0),
    )
}

/// A public image with its place and its score; says its id. The counters follow by themselves.
pub(super) fn insert_image(tx: &Tx<'_>, (seq, image): &(i64, DemoImage)) -> Result<i64, DbError> {
    // The likes are the demo's own: nobody gave them, so none can be taken back.
    tx.insert(
        "INSERT INTO gallery_images
           (image_url, thumbnail_url, width, height, prompt, category_id, author_id, likes,
            base_likes, status, created_at, updated_at, seq, published_at, hot)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 'APPROVED', ?9, ?9, ?10, ?9, ?11)",
        params![
            image.image_url,
            image.thumbnail_url,
            image.width,
            image.height,
            image.prompt,
            image.category_id,
            image.author,
            image.likes,
            image.created_at,
            seq,
            hot_score(image.created_at, image.likes)
        ],
    )
}

/// The same of many images at once, in a third of the time: their indexes are made afterwards, and
/// they are counted together. Whoever reads meanwhile sees the table as it was; when this fails,
/// it is as it was. Says their ids.
pub(super) fn insert_images_at_once(
    tx: &Tx<'_>,
    first: i64,
    images: impl Iterator<Item = DemoImage>,
) -> Result<Vec<i64>, DbError> {
    let taken_off = indexes_and_count(tx)?;
    for (kind, name, _) in &taken_off {
        tx.execute(&format!("DROP {kind} \"{name}\""), [])?;
    }
    let ids: Vec<i64> =
        (first..).zip(images).map(|image| insert_image(tx, &image)).collect::<Result<_, _>>()?;
    count_images(tx, first, ids.len())?;
    for (_, _, sql) in &taken_off {
        tx.execute(sql, [])?;
    }
    Ok(ids)
}

/// What every insert of an image has to keep up: the indexes that are not keys, and the trigger that
/// counts; each by what it is, its name and the statement that made it. In the order in which they
/// were made, which SQLite goes by when two indexes would do.
fn indexes_and_count(tx: &Tx<'_>) -> Result<Vec<(String, String, String)>, DbError> {
    tx.query_all(
        "SELECT type, name, sql FROM sqlite_schema
          WHERE tbl_name = 'gallery_images' AND sql IS NOT NULL
            AND (type = 'index' OR name = 'gallery_images_count_insert')
          ORDER BY rowid",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Counts the public images at so many places, as the trigger would have one by one.
fn count_images(tx: &Tx<'_>, first: i64, places: usize) -> Result<(), DbError> {
    let end = first.saturating_add(i64::try_from(places).unwrap_or(i64::MAX));
    tx.execute(
        "INSERT INTO gallery_counts (author_id, category_id, images)
         SELECT author_id, category_id, COUNT(*) FROM gallery_images
          WHERE status = 'APPROVED' AND seq >= ?1 AND seq < ?2 AND author_id IS NOT NULL
          GROUP BY author_id, category_id
         ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + excluded.images",
        params![first, end],
    )?;
    tx.execute(
        "INSERT INTO gallery_counts (author_id, category_id, images)
         SELECT 0, category_id, COUNT(*) FROM gallery_images
          WHERE status = 'APPROVED' AND seq >= ?1 AND seq < ?2
          GROUP BY category_id
         ON CONFLICT (author_id, category_id) DO UPDATE SET images = images + excluded.images",
        params![first, end],
    )?;
    Ok(())
}

/// The search words of an image. Not beside the image: where statements with triggers stand between,
/// the index is written to disk at each, which takes seven times as long.
pub(super) fn insert_search(tx: &Tx<'_>, (seq, image): &(i64, DemoImage)) -> Result<(), DbError> {
    let terms = SearchTerms::of(&image.prompt, &[], image.category_id, image.author);
    tx.execute(
        "INSERT INTO gallery_search (rowid, terms) VALUES (?1, ?2)",
        params![seq, terms.as_str()],
    )?;
    Ok(())
}

/// A prompt template.
pub(super) fn insert_template(tx: &Tx<'_>, template: &DemoTemplate) -> Result<usize, DbError> {
    tx.execute(
        "INSERT INTO prompt_templates
           (template_id, title, description, prompt, category, usage_count, sort, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            template.id,
            template.title,
            template.description,
            template.prompt,
            template.category,
            template.usage_count,
            template.sort,
            template.created_at
        ],
    )
}

/// A favorite.
pub(super) fn insert_favorite(tx: &Tx<'_>, favorite: &FavoriteRow) -> Result<i64, DbError> {
    tx.insert(
        "INSERT INTO favorites (user_id, type, resource_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![favorite.user, favorite.kind, favorite.resource_id, favorite.created_at],
    )
}
