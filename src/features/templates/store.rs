//! The `prompt_templates` table.

use super::model::Template;
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
        |row| {
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
        },
    )
}
