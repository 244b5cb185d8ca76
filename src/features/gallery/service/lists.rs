//! Lists: which pictures they show, and how many there are.

use crate::app::App;
use crate::base::ids::UserId;
use crate::db::{DbError, Tx};
use crate::features::gallery::model::{Filter, GalleryError, Image, SearchQuery, Sort};
use crate::features::gallery::store::{self, lists::Part, lists::Place};
use crate::http::PageQuery;

/// With words or two filters at once, "hot" ranks so many of the newest matches: the score follows the
/// time so closely that older ones would hardly come before them.
const HOT_CANDIDATES: i64 = 1_000;

/// Totals of searches are counted up to here.
const COUNT_MOST: i64 = 10_000;

/// A part of a public list.
#[derive(Clone, Debug)]
pub(in crate::features::gallery) struct Listed {
    /// At most [`PageQuery::fetch`].
    pub(in crate::features::gallery) images: Vec<Image>,
    /// When it is wanted.
    pub(in crate::features::gallery) total: Option<i64>,
}

/// A part of the public pictures; its keys are score and place.
///
/// # Errors
/// What the database fails with.
pub(in crate::features::gallery) async fn list(
    app: &App,
    filter: Filter,
    query: PageQuery,
) -> Result<Listed, GalleryError> {
    // A page by number may skip many rows and a search may look at many words; from a cursor a read is
    // as short as its limit.
    let is_short = query.offset() == 0 && filter.search().is_none();
    let read = move |tx: &Tx<'_>| -> Result<Listed, GalleryError> {
        let places = places(tx, &filter, &query)?;
        let ids: Vec<i64> = places.iter().map(|place| place.id).collect();
        let images = store::images(tx, &ids)?;
        let total = query.wants_total().then(|| total(tx, &filter)).transpose()?;
        Ok(Listed { images, total })
    };
    if is_short {
        app.db.read_inline("gallery.list", read)
    } else {
        app.db.read("gallery.list_page", read).await
    }
}

/// A user's own pictures whatever their status, the last first; its key is the id.
///
/// # Errors
/// What the database fails with.
pub(in crate::features::gallery) async fn own(
    app: &App,
    user: UserId,
    query: PageQuery<1>,
) -> Result<Listed, GalleryError> {
    let read = move |tx: &Tx<'_>| -> Result<Listed, GalleryError> {
        let before = query.after().map_or(i64::MAX, |[id]| id);
        let ids = store::lists::own(tx, user, before, query.offset(), query.fetch())?;
        let total = query.wants_total().then(|| store::lists::count_own(tx, user)).transpose()?;
        Ok(Listed { images: store::images(tx, &ids)?, total })
    };
    if query.wants_total() {
        app.db.read("gallery.own_page", read).await
    } else {
        app.db.read_inline("gallery.own", read)
    }
}

fn places(tx: &Tx<'_>, filter: &Filter, query: &PageQuery) -> Result<Vec<Place>, DbError> {
    let [hot, seq] = query.after().unwrap_or([i64::MAX, i64::MAX]);
    let part = Part { hot, seq, skip: query.offset(), fetch: query.fetch() };
    if let Some(search) = filter.search() {
        return match search {
            SearchQuery::Nothing => Ok(Vec::new()),
            SearchQuery::Match(question) => found(tx, &question, filter.sort, part),
        };
    }
    use store::lists as of;
    match (filter.sort, filter.category.as_deref(), filter.author) {
        (Sort::New, Some(category), _) => of::newest_of_category(tx, category, part),
        (Sort::New, None, Some(author)) => of::newest_of_author(tx, author, part),
        (Sort::New, None, None) => of::newest(tx, part),
        (Sort::Hot, Some(category), _) => of::hottest_of_category(tx, category, part),
        (Sort::Hot, None, Some(author)) => of::hottest_of_author(tx, author, part),
        (Sort::Hot, None, None) => of::hottest(tx, part),
    }
}

/// What the search index knows.
fn found(tx: &Tx<'_>, question: &str, sort: Sort, part: Part) -> Result<Vec<Place>, DbError> {
    match sort {
        Sort::New => {
            let seqs = store::search::matches(tx, question, part.seq, part.skip, part.fetch)?;
            let mut places = store::lists::at_places(tx, &seqs)?;
            places.sort_unstable_by_key(|place| std::cmp::Reverse(place.seq));
            Ok(places)
        }
        Sort::Hot => {
            let seqs = store::search::matches(tx, question, i64::MAX, 0, HOT_CANDIDATES)?;
            let mut places = store::lists::at_places(tx, &seqs)?;
            places.retain(|place| (place.hot, place.seq) < (part.hot, part.seq));
            places.sort_unstable_by_key(|place| std::cmp::Reverse((place.hot, place.seq)));
            let skip = usize::try_from(part.skip).unwrap_or(usize::MAX);
            let fetch = usize::try_from(part.fetch).unwrap_or(usize::MAX);
            Ok(places.into_iter().skip(skip).take(fetch).collect())
        }
    }
}

fn total(tx: &Tx<'_>, filter: &Filter) -> Result<i64, DbError> {
    match filter.search() {
        Some(SearchQuery::Nothing) => Ok(0),
        Some(SearchQuery::Match(question)) if filter.is_counted() => {
            store::search::count(tx, &question, COUNT_MOST)
        }
        _ => store::lists::count(tx, filter.author, filter.category.as_deref()),
    }
}
