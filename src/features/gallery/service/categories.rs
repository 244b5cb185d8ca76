//! Categories, as an administrator keeps them.

use serde_json::{Value, json};

use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::gallery::model::{CategoryRecord, GalleryError};
use crate::features::gallery::store;

/// The most categories: lists show them all.
const CATEGORIES_MAX: usize = 100;

/// All categories in their order, with how many public pictures each has.
///
/// # Errors
/// What the database fails with.
pub fn all(app: &App) -> Result<Vec<CategoryRecord>, DbError> {
    app.db.read_inline("gallery.all_categories", store::categories::all)
}

/// Makes a category, or changes its name and picture; a new one stands behind the others. With `version`
/// it must be the one that the caller saw.
///
/// # Errors
/// `Invalid` naming the field; `CategoryExists`, `CategoryNotFound`, `Outdated`, `TooManyCategories`;
/// what the database fails with.
pub async fn put(
    app: &App,
    record: CategoryRecord,
    version: Option<String>,
    actor: Actor,
) -> Result<CategoryRecord, GalleryError> {
    let (record, now) = (record.checked()?, app.clock.now());
    let id = record.id.clone();
    app.db
        .write("gallery.put_category", move |tx| {
            let all = store::categories::all(tx)?;
            let before = all.iter().find(|known| known.id == record.id);
            match (before, version) {
                (Some(_), None) => return Err(GalleryError::CategoryExists),
                (None, Some(_)) => return Err(GalleryError::CategoryNotFound),
                (None, None) if all.len() >= CATEGORIES_MAX => {
                    return Err(GalleryError::TooManyCategories);
                }
                (Some(before), Some(version)) if before.version() != version => {
                    return Err(GalleryError::Outdated);
                }
                _ => {}
            }
            let last = all.iter().map(|known| known.sort).max().unwrap_or(0);
            let sort = before.map_or(last.saturating_add(1), |before| before.sort);
            store::categories::put(tx, &CategoryRecord { sort, ..record.clone() })?;
            let before = before.map_or(Value::Null, CategoryRecord::to_json);
            note(tx, actor, "category.changed", &record.id, (before, record.to_json()), now)
        })
        .await?;
    super::changed(app);
    all(app)?.into_iter().find(|known| known.id == id).ok_or(GalleryError::CategoryNotFound)
}

/// Removes a category that no picture is in, whatever its status.
///
/// # Errors
/// `CategoryNotFound`, `CategoryInUse`; what the database fails with.
pub async fn delete(app: &App, id: String, actor: Actor) -> Result<(), GalleryError> {
    let now = app.clock.now();
    app.db
        .write("gallery.delete_category", move |tx| {
            let all = store::categories::all(tx)?;
            let before = all.iter().find(|known| known.id == id);
            let before = before.ok_or(GalleryError::CategoryNotFound)?;
            if store::categories::is_used(tx, &id)? {
                return Err(GalleryError::CategoryInUse);
            }
            store::categories::delete(tx, &id)?;
            note(tx, actor, "category.deleted", &id, (before.to_json(), Value::Null), now)
        })
        .await?;
    super::changed(app);
    Ok(())
}

/// Puts the categories into this order; those that are not named follow in the order they had.
///
/// # Errors
/// `Invalid("ids")` for one that stands twice, `CategoryNotFound`; what the database fails with.
pub async fn reorder(app: &App, ids: Vec<String>, actor: Actor) -> Result<(), GalleryError> {
    let now = app.clock.now();
    app.db
        .write("gallery.reorder_categories", move |tx| {
            let known: Vec<String> =
                store::categories::all(tx)?.into_iter().map(|category| category.id).collect();
            if !ids.iter().all(|id| known.contains(id)) {
                return Err(GalleryError::CategoryNotFound);
            }
            let mut order = ids.clone();
            order.sort_unstable();
            order.dedup();
            if order.len() != ids.len() {
                return Err(GalleryError::Invalid("ids"));
            }
            let others = known.iter().filter(|id| !ids.contains(id));
            let order: Vec<&String> = ids.iter().chain(others).collect();
            for (sort, id) in (1..).zip(&order) {
                store::categories::set_sort(tx, id, sort)?;
            }
            note(tx, actor, "categories.reordered", "*", (json!(known), json!(order)), now)
        })
        .await?;
    super::changed(app);
    Ok(())
}

fn note(
    tx: &Tx<'_>,
    actor: Actor,
    action: &'static str,
    id: &str,
    (before, after): (Value, Value),
    now: UnixMillis,
) -> Result<(), GalleryError> {
    let entry = AuditEntry { actor, action, object: format!("category:{id}"), before, after };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}
