//! The `prompt_templates` and `param_templates` tables.

use super::model::{MAX_TEMPLATES, Param, Template, TemplateDraft};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;

/// Whether there is such a template.
pub(super) fn exists(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    let found =
        tx.query_opt("SELECT 1 FROM prompt_templates WHERE template_id = ?1", params![id], |_| {
            Ok(())
        })?;
    Ok(found.is_some())
}

/// Those of these templates that there are, in no order.
pub(super) fn find_many(tx: &Tx<'_>, ids: &[String]) -> Result<Vec<Template>, DbError> {
    // A list of texts always serialises.
    let ids = serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned());
    tx.query_all(
        "SELECT t.template_id, t.title, t.description, t.prompt, t.category, t.thumbnail_url,
                t.preview_images, t.usage_count, t.is_hot
           FROM json_each(?1) AS wanted
           JOIN prompt_templates t ON t.template_id = wanted.value",
        params![ids],
        from_row,
    )
}

/// One of them.
pub(super) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Template>, DbError> {
    tx.query_opt(
        "SELECT template_id, title, description, prompt, category, thumbnail_url, preview_images,
                usage_count, is_hot
           FROM prompt_templates WHERE template_id = ?1",
        params![id],
        from_row,
    )
}

/// All of them, in the order of lists. Uses prompt_templates_list_idx.
pub(super) fn all(tx: &Tx<'_>) -> Result<Vec<Template>, DbError> {
    tx.query_all(
        "SELECT template_id, title, description, prompt, category, thumbnail_url, preview_images,
                usage_count, is_hot
           FROM prompt_templates ORDER BY sort, created_at DESC, template_id LIMIT ?1",
        params![i64::try_from(MAX_TEMPLATES).unwrap_or(i64::MAX)],
        from_row,
    )
}

/// How many there are, and the place behind the last.
pub(super) fn extent(tx: &Tx<'_>) -> Result<(usize, i64), DbError> {
    tx.query_one("SELECT COUNT(*), COALESCE(MAX(sort), 0) + 1 FROM prompt_templates", [], |row| {
        let count: i64 = row.get(0)?;
        Ok((usize::try_from(count).unwrap_or(usize::MAX), row.get(1)?))
    })
}

/// How often a template was used, so far as it is written.
pub(super) fn usage_count(tx: &Tx<'_>, id: &str) -> Result<Option<i64>, DbError> {
    tx.query_opt(
        "SELECT usage_count FROM prompt_templates WHERE template_id = ?1",
        params![id],
        |row| row.get(0),
    )
}

/// Counts so many uses more.
pub(super) fn add_usage(tx: &Tx<'_>, id: &str, uses: i64) -> Result<(), DbError> {
    tx.execute(
        "UPDATE prompt_templates SET usage_count = usage_count + ?2 WHERE template_id = ?1",
        params![id, uses],
    )?;
    Ok(())
}

/// Stores a new one; `false` when its id is taken.
pub(super) fn insert(
    tx: &Tx<'_>,
    draft: &TemplateDraft,
    sort: i64,
    now: UnixMillis,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        "INSERT INTO prompt_templates
           (template_id, title, description, prompt, category, thumbnail_url, preview_images, is_hot,
            sort, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (template_id) DO NOTHING",
        params![
            draft.id,
            draft.title,
            draft.description,
            draft.prompt,
            draft.category,
            draft.thumbnail_url,
            previews(draft),
            draft.is_hot,
            sort,
            now
        ],
    )?;
    Ok(inserted == 1)
}

/// Changes all but the id, the place and the uses; `false` when there is none.
pub(super) fn update(tx: &Tx<'_>, draft: &TemplateDraft) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE prompt_templates
            SET title = ?2, description = ?3, prompt = ?4, category = ?5, thumbnail_url = ?6,
                preview_images = ?7, is_hot = ?8
          WHERE template_id = ?1",
        params![
            draft.id,
            draft.title,
            draft.description,
            draft.prompt,
            draft.category,
            draft.thumbnail_url,
            previews(draft),
            draft.is_hot
        ],
    )?;
    Ok(changed == 1)
}

/// Gives a template its place in the lists; `false` when there is none.
pub(super) fn set_sort(tx: &Tx<'_>, id: &str, sort: i64) -> Result<bool, DbError> {
    let changed = tx.execute(
        "UPDATE prompt_templates SET sort = ?2 WHERE template_id = ?1",
        params![id, sort],
    )?;
    Ok(changed == 1)
}

/// Removes a template; `false` when there is none.
pub(super) fn delete(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    let deleted = tx.execute("DELETE FROM prompt_templates WHERE template_id = ?1", params![id])?;
    Ok(deleted == 1)
}

/// All ways to make a picture, in the order of their list. Uses param_templates_list_idx.
pub(super) fn params(tx: &Tx<'_>) -> Result<Vec<Param>, DbError> {
    tx.query_all(
        "SELECT template_id, title, mode, resolution, aspect_ratio, sample_count
           FROM param_templates ORDER BY sort, template_id LIMIT ?1",
        params![i64::try_from(MAX_TEMPLATES).unwrap_or(i64::MAX)],
        param_from_row,
    )
}

/// One of them.
pub(super) fn param(tx: &Tx<'_>, id: &str) -> Result<Option<Param>, DbError> {
    tx.query_opt(
        "SELECT template_id, title, mode, resolution, aspect_ratio, sample_count
           FROM param_templates WHERE template_id = ?1",
        params![id],
        param_from_row,
    )
}

/// Stores one, new or changed, at this place.
pub(super) fn put_param(tx: &Tx<'_>, param: &Param, sort: i64) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO param_templates
           (template_id, title, mode, resolution, aspect_ratio, sample_count, sort)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (template_id) DO UPDATE
           SET title = ?2, mode = ?3, resolution = ?4, aspect_ratio = ?5, sample_count = ?6,
               sort = ?7",
        params![
            param.id,
            param.title,
            param.mode,
            param.resolution,
            param.aspect_ratio,
            param.sample_count,
            sort
        ],
    )?;
    Ok(())
}

/// Removes one; `false` when there is none.
pub(super) fn delete_param(tx: &Tx<'_>, id: &str) -> Result<bool, DbError> {
    let deleted = tx.execute("DELETE FROM param_templates WHERE template_id = ?1", params![id])?;
    Ok(deleted == 1)
}

fn previews(draft: &TemplateDraft) -> String {
    // A list of texts always serialises.
    serde_json::to_string(&draft.preview_images).unwrap_or_else(|_| "[]".to_owned())
}

fn from_row(row: &Row<'_>) -> Result<Template, DbError> {
    let previews: String = row.get(6)?;
    Ok(Template {
        id: row.get(0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        prompt: row.get(3)?,
        category: row.get(4)?,
        thumbnail_url: row.get(5)?,
        // The table's CHECK admits arrays only.
        preview_images: serde_json::from_str(&previews).unwrap_or_default(),
        usage_count: row.get(7)?,
        is_hot: row.get(8)?,
    })
}

fn param_from_row(row: &Row<'_>) -> Result<Param, DbError> {
    Ok(Param {
        id: row.get(0)?,
        title: row.get(1)?,
        mode: row.get(2)?,
        resolution: row.get(3)?,
        aspect_ratio: row.get(4)?,
        sample_count: row.get(5)?,
    })
}
