//! Changing templates: for admins.

use serde_json::{Value, json};

use super::{Templates, changed};
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::audit::{self, Actor, AuditEntry};
use crate::features::templates::model::{
    ImportMode, MAX_TEMPLATES, Param, Template, TemplateDraft, TemplateError, TemplateFile,
};
use crate::features::templates::store;

/// Adds a template behind the others.
///
/// # Errors
/// `Invalid`, `Exists`, `TooMany`; what the database fails with.
pub async fn create(app: &App, by: &Actor, draft: TemplateDraft) -> Result<(), TemplateError> {
    let now = app.clock.now();
    let (draft, by) = (draft.checked()?, by.clone());
    app.db
        .write("templates.create", move |tx| {
            let (count, sort) = store::extent(tx)?;
            if count >= MAX_TEMPLATES {
                return Err(TemplateError::TooMany);
            }
            if !store::insert(tx, &draft, sort, now)? {
                return Err(TemplateError::Exists);
            }
            note(tx, by, "template.changed", &draft.id, (Value::Null, json!(draft)), now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// Changes the template of this id; place and uses stay. With `seen`, it must be of that
/// [`TemplateDraft::version`].
///
/// # Errors
/// `Invalid`, `NotFound`, `Outdated`; what the database fails with.
pub async fn update(
    app: &App,
    by: &Actor,
    draft: TemplateDraft,
    seen: Option<String>,
) -> Result<(), TemplateError> {
    let now = app.clock.now();
    let (draft, by) = (draft.checked()?, by.clone());
    app.db
        .write("templates.update", move |tx| {
            let before = store::find(tx, &draft.id)?.ok_or(TemplateError::NotFound)?.into_draft();
            if seen.is_some_and(|seen| seen != before.version()) {
                return Err(TemplateError::Outdated);
            }
            store::update(tx, &draft)?;
            note(tx, by, "template.changed", &draft.id, (json!(before), json!(draft)), now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// Removes a template. Favorites of it show nothing from then on.
///
/// # Errors
/// `NotFound`; what the database fails with.
pub async fn delete(app: &App, by: &Actor, id: &str) -> Result<(), TemplateError> {
    let (gone, by, now) = (id.to_owned(), by.clone(), app.clock.now());
    app.db
        .write("templates.delete", move |tx| {
            let before = store::find(tx, &gone)?.ok_or(TemplateError::NotFound)?.into_draft();
            store::delete(tx, &gone)?;
            note(tx, by, "template.deleted", &gone, (json!(before), Value::Null), now)
        })
        .await?;
    app.states.get::<Templates>().usage.forget(id);
    changed(app);
    Ok(())
}

/// Puts the templates into this order; those that are not named follow in the order they had.
///
/// # Errors
/// `Invalid("ids")` when one stands twice, `NotFound` when there is one that is not; nothing is changed
/// then. What the database fails with.
pub async fn reorder(app: &App, by: &Actor, ids: Vec<String>) -> Result<(), TemplateError> {
    let mut seen = std::collections::HashSet::new();
    if !ids.iter().all(|id| seen.insert(id.clone())) {
        return Err(TemplateError::Invalid("ids".to_owned()));
    }
    let (by, now) = (by.clone(), app.clock.now());
    app.db
        .write("templates.reorder", move |tx| {
            let before: Vec<String> = store::all(tx)?.into_iter().map(|known| known.id).collect();
            order(tx, &ids)?;
            let after: Vec<String> = store::all(tx)?.into_iter().map(|known| known.id).collect();
            note(tx, by, "templates.reordered", "*", (json!(before), json!(after)), now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// Stores a way to make a picture, new or changed, at this place of their list.
///
/// # Errors
/// `Invalid`, `TooMany`; what the database fails with.
pub async fn put_param(
    app: &App,
    by: &Actor,
    param: Param,
    sort: i64,
) -> Result<(), TemplateError> {
    let (param, by, now) = (param.checked()?, by.clone(), app.clock.now());
    app.db
        .write("templates.put_param", move |tx| {
            let before = store::param(tx, &param.id)?;
            if before.is_none() && store::params(tx)?.len() >= MAX_TEMPLATES {
                return Err(TemplateError::TooMany);
            }
            store::put_param(tx, &param, sort)?;
            note(tx, by, "param_template.changed", &param.id, (json!(before), json!(param)), now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// Removes a way to make a picture.
///
/// # Errors
/// `NotFound`; what the database fails with.
pub async fn delete_param(app: &App, by: &Actor, id: &str) -> Result<(), TemplateError> {
    let (id, by, now) = (id.to_owned(), by.clone(), app.clock.now());
    app.db
        .write("templates.delete_param", move |tx| {
            let before = store::param(tx, &id)?.ok_or(TemplateError::NotFound)?;
            store::delete_param(tx, &id)?;
            note(tx, by, "param_template.deleted", &id, (json!(before), Value::Null), now)
        })
        .await?;
    changed(app);
    Ok(())
}

/// All templates as JSON, as [`import`] takes it.
///
/// # Errors
/// What the database fails with.
pub async fn export(app: &App) -> Result<String, TemplateError> {
    let file = app
        .db
        .read("templates.export", |tx| {
            let prompts = store::all(tx)?.into_iter().map(Template::into_draft).collect();
            Ok::<_, TemplateError>(TemplateFile { prompts, params: store::params(tx)? })
        })
        .await?;
    Ok(serde_json::to_string_pretty(&file)?)
}

/// Takes the templates of a file, in its order: new ones are added, known ones changed, their uses
/// kept. A list that the file leaves out or empty stays as it is. All or nothing.
///
/// # Errors
/// `Json`, `Invalid` (naming place and field), `TooMany`; what the database fails with.
pub async fn import(
    app: &App,
    by: &Actor,
    json: &[u8],
    mode: ImportMode,
) -> Result<(), TemplateError> {
    let (now, by) = (app.clock.now(), by.clone());
    let file = serde_json::from_slice::<TemplateFile>(json)?.checked()?;
    let gone = app
        .db
        .write("templates.import", move |tx| {
            let mut gone = Vec::new();
            let ids: Vec<String> = file.prompts.iter().map(|draft| draft.id.clone()).collect();
            if mode == ImportMode::Replace && !ids.is_empty() {
                let all = store::all(tx)?.into_iter();
                gone = all.map(|known| known.id).filter(|id| !ids.contains(id)).collect();
                for id in &gone {
                    store::delete(tx, id)?;
                }
            }
            for draft in &file.prompts {
                if !store::update(tx, draft)? {
                    store::insert(tx, draft, 0, now)?;
                }
            }
            if store::extent(tx)?.0 > MAX_TEMPLATES {
                return Err(TemplateError::TooMany);
            }
            if !ids.is_empty() {
                order(tx, &ids)?;
            }
            import_params(tx, &file.params, mode)?;
            let params = file.params.iter().map(|param| &param.id).collect::<Vec<_>>();
            let after = json!({ "prompts": ids, "params": params, "removed": gone });
            note(tx, by, "templates.imported", "*", (Value::Null, after), now)?;
            Ok(gone)
        })
        .await?;
    for id in &gone {
        app.states.get::<Templates>().usage.forget(id);
    }
    changed(app);
    Ok(())
}

fn import_params(tx: &Tx<'_>, params: &[Param], mode: ImportMode) -> Result<(), TemplateError> {
    if params.is_empty() {
        return Ok(());
    }
    let is_named = |known: &Param| params.iter().any(|param| param.id == known.id);
    let (_, others): (Vec<_>, Vec<_>) = store::params(tx)?.into_iter().partition(is_named);
    if mode == ImportMode::Replace {
        for other in &others {
            store::delete_param(tx, &other.id)?;
        }
    }
    let kept = others.iter().filter(|_| mode == ImportMode::Merge);
    for (sort, param) in (1..).zip(params.iter().chain(kept)) {
        store::put_param(tx, param, sort)?;
    }
    Ok(())
}

fn order(tx: &Tx<'_>, ids: &[String]) -> Result<(), TemplateError> {
    let known: Vec<String> = store::all(tx)?.into_iter().map(|template| template.id).collect();
    let named: std::collections::HashSet<&String> = ids.iter().collect();
    let others = known.iter().filter(|id| !named.contains(id));
    for (sort, id) in (1..).zip(ids.iter().chain(others)) {
        found(store::set_sort(tx, id, sort)?)?;
    }
    Ok(())
}

fn note(
    tx: &Tx<'_>,
    actor: Actor,
    action: &'static str,
    id: &str,
    (before, after): (Value, Value),
    now: UnixMillis,
) -> Result<(), TemplateError> {
    let entry = AuditEntry { actor, action, object: format!("template:{id}"), before, after };
    audit::service::record(tx, &entry, now)?;
    Ok(())
}

fn found(is_there: bool) -> Result<(), TemplateError> {
    if is_there { Ok(()) } else { Err(TemplateError::NotFound) }
}
