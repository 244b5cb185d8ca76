//! Keeping things, letting them go, showing them.

use super::model::{Favorite, FavoriteError, Kind, Resource, Shown};
use super::store::{self, Part};
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::gallery;
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::templates;
use crate::http::PageQuery;

/// How many favorites a user has.
///
/// # Errors
/// What the database fails with.
pub fn count(tx: &Tx<'_>, user: UserId) -> Result<i64, DbError> {
    store::count(tx, user, None)
}

/// Lets everything of a user go, with his account; says how many.
///
/// # Errors
/// What the database fails with.
pub fn delete_all_of(tx: &Tx<'_>, user: UserId) -> Result<usize, DbError> {
    store::delete_all(tx, user)
}

/// Keeps a thing, or finds that it is kept. `answer` renders the favorite and whether it is new, to be
/// stored with it.
///
/// # Errors
/// `ImageNotFound`, `TemplateNotFound`; what the database fails with.
pub(super) async fn add(
    app: &App,
    user: UserId,
    kind: Kind,
    id: String,
    ticket: Ticket,
    answer: fn(&Favorite, bool) -> Answer,
) -> Result<Answer, FavoriteError> {
    let now = app.clock.now();
    let unknown = move || match kind {
        Kind::Image => FavoriteError::ImageNotFound,
        Kind::Prompt => FavoriteError::TemplateNotFound,
    };
    let resource = Resource::named(kind, id).ok_or_else(unknown)?;
    app.db
        .write("favorites.add", move |tx| {
            let (favorite, is_new) = match store::find(tx, user, &resource)? {
                // Kept while it was there: that it is gone now changes nothing.
                Some(favorite) => (favorite, false),
                None if !exists(tx, &resource)? => return Err(unknown()),
                None => {
                    let id = store::insert(tx, user, &resource, now)?.ok_or(DbError::NoRow)?;
                    (Favorite { id, resource, created_at: now }, true)
                }
            };
            let answer = answer(&favorite, is_new);
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            Ok(answer)
        })
        .await
}

/// Lets a thing go.
///
/// # Errors
/// `NotFound`, and what the database fails with.
pub(super) async fn remove(app: &App, user: UserId, id: i64) -> Result<(), FavoriteError> {
    let write = move |tx: &Tx<'_>| store::delete(tx, user, id);
    let found: bool = app.db.write("favorites.remove", write).await?;
    if found { Ok(()) } else { Err(FavoriteError::NotFound) }
}

/// The favorite of this thing, if it is kept.
///
/// # Errors
/// What the database fails with.
pub(super) fn check(
    app: &App,
    user: UserId,
    kind: Kind,
    id: String,
) -> Result<Option<i64>, FavoriteError> {
    let Some(resource) = Resource::named(kind, id) else { return Ok(None) };
    let found = app.db.read_inline("favorites.check", |tx| store::find(tx, user, &resource))?;
    Ok(found.map(|favorite: Favorite| favorite.id))
}

/// A part of a user's favorites, newest first, and how many there are in all when that is wanted.
///
/// # Errors
/// What the database fails with.
pub(super) async fn list(
    app: &App,
    user: UserId,
    kind: Option<Kind>,
    query: PageQuery,
) -> Result<(Vec<Shown>, Option<i64>), FavoriteError> {
    let read = move |tx: &Tx<'_>| -> Result<_, FavoriteError> {
        let after = query.after().unwrap_or([i64::MAX, i64::MAX]);
        let part = Part { after, skip: query.offset(), fetch: query.fetch() };
        let favorites = match kind {
            None => store::list(tx, user, part)?,
            Some(kind) => store::list_of_kind(tx, user, kind, part)?,
        };
        let total = query.wants_total().then(|| store::count(tx, user, kind)).transpose()?;
        Ok((shown(tx, user, favorites)?, total))
    };
    if query.offset() > 0 {
        app.db.read("favorites.list_page", read).await
    } else {
        app.db.read_inline("favorites.list", read)
    }
}

fn exists(tx: &Tx<'_>, resource: &Resource) -> Result<bool, DbError> {
    match resource.image() {
        Some(image) => gallery::service::is_public(tx, image),
        None => templates::service::exists(tx, &resource.id),
    }
}

/// The favorites with their things, in a fixed number of queries.
fn shown(tx: &Tx<'_>, user: UserId, favorites: Vec<Favorite>) -> Result<Vec<Shown>, DbError> {
    let resources = || favorites.iter().map(|favorite| &favorite.resource);
    let ids: Vec<i64> = resources().filter_map(Resource::image).collect();
    let mut images = gallery::service::find_many(tx, user, &ids)?;
    let prompts = resources().filter(|resource| resource.kind == Kind::Prompt);
    let ids: Vec<String> = prompts.map(|resource| resource.id.clone()).collect();
    let mut templates = templates::service::find_many(tx, &ids)?;
    let shown = favorites.into_iter().map(|favorite| {
        let image = favorite.resource.image().and_then(|id| {
            let at = images.iter().position(|image| image.id() == id)?;
            Some(images.swap_remove(at))
        });
        let template = (favorite.resource.kind == Kind::Prompt)
            .then(|| templates.iter().position(|found| found.id() == favorite.resource.id))
            .flatten()
            .map(|at| templates.swap_remove(at));
        Shown { favorite, image, template }
    });
    Ok(shown.collect())
}
