//! Finding users, for administrators.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::{DbError, Tx};
use crate::features::users::model::{Search, UserFilter, UserRecord};
use crate::features::users::store::browse::{self, Part};
use crate::http::{Found, MOST_LOOKED_AT, Span};

/// A part of the users that a filter shows, at most `fetch`: the newest first, or in the order of names
/// when it looks for a name. `after` are the keys of the last one that was seen, [`keys`] of him, or those
/// where the last search stopped.
///
/// # Errors
/// What the database fails with.
pub async fn browse(
    app: &App,
    filter: UserFilter,
    after: Option<[i64; 2]>,
    fetch: i64,
) -> Result<Found<UserRecord>, DbError> {
    let now = app.clock.now();
    app.db
        .read("users.browse", move |tx| {
            let ids: Found<i64> = match filter.search.as_deref().and_then(Search::of) {
                None => newest(tx, &filter, after, fetch, now)?,
                Some(Search::Id(id)) if after.is_none() => vec![id.0].into(),
                Some(Search::Id(_)) => Vec::new().into(),
                Some(Search::NickName(from, to)) => match browse::by_openid(tx, &from)? {
                    Some(id) if after.is_none() => vec![id].into(),
                    _ => named(tx, &filter, (&from, &to), after, fetch, now)?,
                },
            };
            Ok(Found { rows: browse::records(tx, &ids.rows, now)?, stopped: ids.stopped })
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

/// Users, the newest first, behind the one whose keys `after` are.
fn newest(
    tx: &Tx<'_>,
    filter: &UserFilter,
    after: Option<[i64; 2]>,
    fetch: i64,
    now: UnixMillis,
) -> Result<Found<i64>, DbError> {
    Found::newest(
        Span { from: filter.from, to: filter.to },
        after,
        fetch,
        // What shows every user need not know how far to look.
        |after| match filter.level.is_some() || filter.state.is_some() {
            true => browse::reach(tx, filter, after, MOST_LOOKED_AT),
            false => Ok(None),
        },
        |after, until| browse::newest(tx, filter, Part { after, until, fetch, now }),
    )
}

/// Users by how their names begin, behind the one whose keys `after` are.
fn named(
    tx: &Tx<'_>,
    filter: &UserFilter,
    (from, to): (&str, &str),
    after: Option<[i64; 2]>,
    fetch: i64,
    now: UnixMillis,
) -> Result<Found<i64>, DbError> {
    let last = match after {
        Some([_, id]) => browse::records(tx, &[id], now)?.pop(),
        None => None,
    };
    let name = last.as_ref().and_then(|user| user.nick_name.as_deref());
    // A name that was changed in the meantime must not lead out of what is looked for.
    let behind = match (name.filter(|name| *name >= from), &last) {
        (Some(name), Some(user)) => (name, user.id.0),
        _ => (from, i64::MIN),
    };
    let reach = browse::reach_named(tx, behind, to, MOST_LOOKED_AT)?;
    let until = reach.as_ref().map_or((to, i64::MIN), |(name, id)| (name.as_str(), *id));
    let ids = browse::named(tx, filter, (behind, until), fetch, now)?;
    // Of the keys only the id counts here.
    Ok(Found::within(ids, fetch, reach.as_ref().map(|(_, id)| [0, *id])))
}
