//! The `categories` table as an administrator keeps it.

use crate::db::prelude::*;
use crate::features::gallery::model::CategoryRecord;

/// All categories, in their order. They are few. Uses categories_sort_idx.
pub(in crate::features::gallery) fn all(tx: &Tx<'_>) -> Result<Vec<CategoryRecord>, DbError> {
    tx.query_all(
        "SELECT c.category_id, c.name, c.icon, c.sort,
                COALESCE((SELECT images FROM gallery_counts
                           WHERE author_id = 0 AND category_id = c.category_id), 0)
           FROM categories c ORDER BY c.sort, c.category_id LIMIT 1000",
        [],
        |row| {
            Ok(CategoryRecord {
                id: row.get(0)?,
                name: row.get(1)?,
                icon: row.get(2)?,
                sort: row.get(3)?,
                images: row.get(4)?,
            })
        },
    )
}

/// Stores a category, new or changed.
pub(in crate::features::gallery) fn put(
    tx: &Tx<'_>,
    category: &CategoryRecord,
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO categories (category_id, name, icon, sort) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (category_id) DO UPDATE SET name = ?2, icon = ?3, sort = ?4",
        params![category.id, category.name, category.icon, category.sort],
    )?;
    Ok(())
}

/// Gives a category its place.
pub(in crate::features::gallery) fn set_sort(
    tx: &Tx<'_>,
    id: &str,
    sort: i64,
) -> Result<(), DbError> {
    tx.execute("UPDATE categories SET sort = ?2 WHERE category_id = ?1", params![id, sort])?;
    Ok(())
}

/// Whether a picture is in it, whatever its status. Uses gallery_images_any_category_idx.
pub(in crate::features::gallery) fn is_used(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    let found = tx.query_opt(
        "SELECT 1 FROM gallery_images WHERE category_id = ?1 LIMIT 1",
        params![id],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

pub(in crate::features::gallery) fn delete(tx: &Tx<'_>, id: &str) -> Result<(), DbError> {
    tx.execute("DELETE FROM categories WHERE category_id = ?1", params![id])?;
    Ok(())
}
