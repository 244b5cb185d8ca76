//! Public lists as bytes: kept ready to send for everybody, and for a caller with a token put together
//! from the same bytes and one query.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;

use super::wire::{Categories, GalleryCategory, GalleryImage};
use crate::app::App;
use crate::app::cache::LoadCache;
use crate::app::lists::{ListCache, Weighed};
use crate::base::ids::UserId;
use crate::features::gallery::model::{Filter, Image, Marks};
use crate::features::gallery::service;
use crate::http::{ApiError, ErrorCode, JsonBytes, Page, PageQuery};

/// How long the categories are kept: only a migration or an admin changes them.
const CATEGORIES_LIFE: Duration = Duration::from_secs(60);

/// What keeping a list costs besides its texts, in bytes.
const OVERHEAD: usize = 512;

/// A part of the public pictures, as this caller sees it.
pub(super) async fn public(
    app: &Arc<App>,
    caller: Option<UserId>,
    filter: Filter,
    query: PageQuery,
) -> Result<JsonBytes<Page<GalleryImage>>, ApiError> {
    let kept = app.states.get::<KeptLists>();
    let generation = app.gallery.at(app.clock.now());
    let key = (filter.clone(), query);
    let page = kept
        .of(app)
        .get(generation, key, || async {
            let found = service::list(app, filter, query).await?;
            let keys = |image: &Image| [image.hot, image.seq.unwrap_or(0)];
            let item = |image| GalleryImage::unmarked(app, &image);
            let page = query.answer(found.images, found.total, keys, item);
            Ok::<_, ApiError>(Arc::new(KeptPage::new(&page)?))
        })
        .await?;
    let Some(caller) = caller else { return Ok(page.bytes.clone()) };
    let marks = service::marks(app, caller, &page.ids)?;
    Ok(page.marked(&marks))
}

/// The lists that were asked for lately.
#[derive(Default)]
struct KeptLists(OnceLock<Lists>);

type Lists = ListCache<(Filter, PageQuery), Arc<KeptPage>>;

impl KeptLists {
    fn of(&self, app: &App) -> &Lists {
        self.0.get_or_init(|| ListCache::new(&app.lists))
    }
}

/// A page as it is sent to nobody in particular, and where the pictures stand in it.
struct KeptPage {
    bytes: JsonBytes<Page<GalleryImage>>,
    ids: Vec<i64>,
    /// For each picture where the caller's own part of it stands: from its `likes` to its end.
    marks: Vec<(usize, usize)>,
}

impl KeptPage {
    fn new(page: &Page<GalleryImage>) -> Result<Self, ApiError> {
        let json = to_json(page)?;
        // Each picture is serialised alone, and found behind the one before it.
        let (mut at, mut marks) = (b"{\"items\":[".len(), Vec::with_capacity(page.items.len()));
        for item in &page.items {
            let end = at + to_json(item)?.len() - 1;
            let length = own_part(item.likes, item.is_liked, item.is_favorited).len();
            marks.push((end - length, end));
            at = end + "},".len();
        }
        let ids = page.items.iter().map(GalleryImage::id).collect();
        Ok(Self { bytes: JsonBytes::new(json).with_etag(), ids, marks })
    }

    /// The same with what one user has to do with the pictures. One that is gone stays as it was.
    fn marked(&self, found: &[Marks]) -> JsonBytes<Page<GalleryImage>> {
        let json: &[u8] = self.bytes.bytes();
        let mut sent = Vec::with_capacity(json.len() + 8 * self.ids.len());
        let mut at = 0;
        for (id, (from, to)) in self.ids.iter().zip(&self.marks) {
            if let Some(marks) = found.iter().find(|marks| marks.id == *id) {
                sent.extend_from_slice(&json[at..*from]);
                let own = own_part(marks.likes, marks.is_liked, marks.is_favorited);
                sent.extend_from_slice(own.as_bytes());
                at = *to;
            }
        }
        sent.extend_from_slice(&json[at..]);
        JsonBytes::new(sent).with_etag()
    }
}

/// Plain data always serialises; if it did not, it would be a bug of ours.
fn to_json(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(|err| ApiError::new(ErrorCode::InternalError).caused_by(err))
}

/// The end of a picture as JSON, without its brace.
fn own_part(likes: i64, is_liked: bool, is_favorited: bool) -> String {
    format!("\"likes\":{likes},\"isLiked\":{is_liked},\"isFavorited\":{is_favorited}")
}

impl Weighed for Arc<KeptPage> {
    fn weight(&self) -> u32 {
        let bytes = self.bytes.bytes().len() + 24 * self.ids.len() + OVERHEAD;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// The categories, ready to send.
pub(super) struct KeptCategories(LoadCache<(), JsonBytes<Categories>>);

impl Default for KeptCategories {
    fn default() -> Self {
        Self(LoadCache::new(1, CATEGORIES_LIFE))
    }
}

impl KeptCategories {
    pub(super) fn get(&self, app: &App) -> Result<JsonBytes<Categories>, ApiError> {
        if let Some(kept) = self.0.get(()) {
            return Ok(kept);
        }
        self.0.load((), || {
            let found = service::categories(app)?;
            let categories = found.into_iter().map(GalleryCategory::from).collect();
            Ok(JsonBytes::of(&Categories { categories }).with_etag())
        })
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::ToJSON as _;
    use serde_json::Value;

    use super::*;

    fn page(likes: &[i64]) -> Page<GalleryImage> {
        let items = (1..).zip(likes).map(|(id, likes)| GalleryImage::example(id, *likes)).collect();
        Page {
            items,
            has_more: true,
            next_cursor: Some("c".to_owned()),
            page: None,
            limit: None,
            total: None,
        }
    }

    fn json(bytes: &JsonBytes<Page<GalleryImage>>) -> Value {
        serde_json::from_slice(bytes.bytes()).unwrap()
    }

    #[test]
    fn the_sent_bytes_match_the_documented_type() {
        for likes in [&[][..], &[0], &[7, 1_000_000, 12]] {
            let page = page(likes);
            let kept = KeptPage::new(&page).unwrap();
            assert_eq!(Some(json(&kept.bytes)), page.to_json());
            assert_eq!(kept.marked(&[]).bytes(), kept.bytes.bytes());
        }
    }

    #[test]
    fn marks_change_their_own_picture_and_nothing_else() {
        let kept = KeptPage::new(&page(&[9, 10, 99])).unwrap();
        let mark = |id, likes, is_liked, is_favorited| Marks { id, likes, is_liked, is_favorited };
        let sent = json(&kept.marked(&[mark(3, 100, true, false), mark(1, 8, false, true)]));
        let mut expected = page(&[8, 10, 100]);
        expected.items[0].is_favorited = true;
        expected.items[2].is_liked = true;
        assert_eq!(Some(sent), expected.to_json());
    }
}
