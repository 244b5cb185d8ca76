//! Finding users, for administrators.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::users::model::{Search, UserFilter, UserRecord};
use crate::features::users::store::browse::{self, Part};

/// A part of the users that a filter shows, at most `fetch`: the newest first, or in the order of names
/// when it looks for a name. `after` are the keys of the last one that was seen, [`keys`] of him.
///
/// # Errors
/// What the database fails with.
pub async fn browse(
    app: &App,
    filter: UserFilter,
    after: Option<[i64; 2]>,
    fetch: i64,
) -> Result<Vec<UserRecord>, DbError> {
    let now = app.clock.now();
    app.db
        .read("users.browse", move |tx| {
            let ids = match filter.search.as_deref().and_then(Search::of) {
                None => {
                    let top = filter.to.map_or([i64::MAX; 2], |to| [to.0, i64::MIN]);
                    let after = after.map_or(top, |after| after.min(top));
                    browse::newest(tx, &filter, Part { after, fetch, now })?
                }
                Some(Search::Id(id)) if after.is_none() => vec![id.0],
                Some(Search::Id(_)) => Vec::new(),
                Some(Search::NickName(from, to)) => match browse::by_openid(tx, &from)? {
                    Some(id) if after.is_none() => vec![id],
                    _ => named(tx, &filter, (&from, &to), after, fetch, now)?,
                },
            };
            browse::records(tx, &ids, now)
        })
        .await
}

/// What a list goes on behind.
pub fn keys(user: &UserRecord) -> [i64; 2] {
    [user.created_at.0, user.id.0]
}

/// A user as an administrator sees him, gone or not.
///
/// # Errors
/// What the database fails with.
pub fn record(app: &App, id: UserId) -> Result<Option<UserRecord>, DbError> {
    let now = app.clock.now();
    Ok(app.db.read_inline("users.record", |tx| browse::records(tx, &[id.0], now))?.pop())
}

/// The same of several, in their order; those that never were are left out.
///
/// # Errors
/// What the database fails with.
pub fn records(app: &App, tx: &Tx<'_>, ids: &[UserId]) -> Result<Vec<UserRecord>, DbError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    browse::records(tx, &ids, app.clock.now())
}

/// Users by how their names begin, behind the one whose keys `after` are.
fn named(
    tx: &Tx<'_>,
    filter: &UserFilter,
    range: (&str, &str),
    after: Option<[i64; 2]>,
    fetch: i64,
    now: UnixMillis,
) -> Result<Vec<i64>, DbError> {
    let last = match after {
        Some([_, id]) => browse::records(tx, &[id], now)?.pop(),
        None => None,
    };
    let name = last.as_ref().and_then(|user| user.nick_name.as_deref()).unwrap_or_default();
    let behind = (name, last.as_ref().map_or(i64::MIN, |user| user.id.0));
    browse::named(tx, filter, range, behind, Part { after: [0, 0], fetch, now })
}
