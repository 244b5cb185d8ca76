//! Paging of lists, the same everywhere: `?limit=`, then `?cursor=` or `?page=`.
//!
//! A cursor holds the sort keys of the last row that was sent, so a list stays stable while new rows
//! arrive: nothing is shown twice, nothing is skipped. Page numbers are for tables that jump; they
//! cost more the further one goes, and say how many rows there are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::Object;
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::error::ApiError;

mod found;

pub use found::{Found, MOST_LOOKED_AT, Span};

/// How many items a page has unless the client says.
const DEFAULT_LIMIT: i64 = 20;

/// How many items a page may have.
const MAX_LIMIT: i64 = 100;

/// The form of our cursors; part of what the check sum covers.
const CURSOR_VERSION: u8 = 1;

/// Bytes of the check sum: it tells a damaged cursor from ours and keeps no secret.
const CHECK_LEN: usize = 4;

/// Which part of a list is asked for. The list is sorted by `N` integers, usually `(created_at, id)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageQuery<const N: usize = 2> {
    limit: i64,
    from: Start<N>,
}

/// Where the part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Start<const N: usize> {
    Top,
    /// Behind the row with these keys.
    After([i64; N]),
    /// At a page, counted from 1.
    Page(i64),
}

impl<const N: usize> PageQuery<N> {
    /// Reads the three parameters of a list.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the parameter: a limit outside 1–100, a page below 1, a cursor that is
    /// not ours, or both cursor and page.
    pub fn new(
        limit: Option<i64>,
        cursor: Option<&str>,
        page: Option<i64>,
    ) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::invalid_field("limit"));
        }
        let from = match (cursor, page) {
            (None, None) => Start::Top,
            (Some(cursor), None) => {
                Start::After(decode(cursor).ok_or_else(|| ApiError::invalid_field("cursor"))?)
            }
            (None, Some(page)) if page >= 1 => Start::Page(page),
            (_, Some(_)) => return Err(ApiError::invalid_field("page")),
        };
        Ok(Self { limit, from })
    }

    /// How many rows to ask the database for: one more than are shown, which tells whether there are
    /// more.
    pub fn fetch(&self) -> i64 {
        self.limit.saturating_add(1)
    }

    /// The keys of the row behind which the part begins, if it begins behind one.
    pub fn after(&self) -> Option<[i64; N]> {
        match self.from {
            Start::After(keys) => Some(keys),
            Start::Top | Start::Page(_) => None,
        }
    }

    /// How many rows to skip; 0 unless a page was asked for.
    pub fn offset(&self) -> i64 {
        match self.from {
            Start::Page(page) => page.saturating_sub(1).saturating_mul(self.limit),
            Start::Top | Start::After(_) => 0,
        }
    }

    /// Whether the answer says how many rows there are in all.
    pub fn wants_total(&self) -> bool {
        matches!(self.from, Start::Page(_))
    }

    /// The answer, from at most [`PageQuery::fetch`] rows. `total` is sent only when a page was asked
    /// for.
    pub fn answer<R, T>(
        &self,
        mut rows: Vec<R>,
        total: Option<i64>,
        keys: impl Fn(&R) -> [i64; N],
        item: impl FnMut(R) -> T,
    ) -> Page<T>
    where
        T: Type + ParseFromJSON + ToJSON,
    {
        let shown = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > shown;
        rows.truncate(shown);
        let next_cursor = if has_more { rows.last().map(|row| encode(&keys(row))) } else { None };
        let (page, limit) = match self.from {
            Start::Page(page) => (Some(page), Some(self.limit)),
            Start::Top | Start::After(_) => (None, None),
        };
        let total = total.filter(|_| page.is_some());
        let items = rows.into_iter().map(item).collect();
        Page { items, has_more, next_cursor, page, limit, total }
    }

    /// The same of a search that may have stopped early: then there are fewer items than asked for, maybe
    /// none, and more all the same.
    pub fn answer_found<R, T>(
        &self,
        found: Found<R, [i64; N]>,
        keys: impl Fn(&R) -> [i64; N],
        item: impl FnMut(R) -> T,
    ) -> Page<T>
    where
        T: Type + ParseFromJSON + ToJSON,
    {
        let page = self.answer(found.rows, None, keys, item);
        match found.stopped {
            Some(at) => Page { has_more: true, next_cursor: Some(encode(&at)), ..page },
            None => page,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Object, Serialize)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct Page<T: Type + ParseFromJSON + ToJSON> {
    pub items: Vec<T>,
    /// Whether there are more behind these.
    pub has_more: bool,
    /// For `?cursor=`: what is behind these; null at the end.
    pub next_cursor: Option<String>,
    /// The page, when one was asked for.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<i64>,
    /// Items a page, when a page was asked for.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// Items in all, when a page was asked for.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

fn encode<const N: usize>(keys: &[i64; N]) -> String {
    let mut bytes = vec![CURSOR_VERSION];
    bytes.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
    let check = check_sum(&bytes);
    bytes.extend(check);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode<const N: usize>(text: &str) -> Option<[i64; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, check) = bytes.split_last_chunk::<CHECK_LEN>()?;
    let (version, keys) = body.split_first()?;
    let (keys, rest) = keys.as_chunks::<8>();
    if *version != CURSOR_VERSION || !rest.is_empty() || check_sum(body) != *check {
        return None;
    }
    let keys: Vec<i64> = keys.iter().map(|key| i64::from_be_bytes(*key)).collect();
    keys.try_into().ok()
}

fn check_sum(bytes: &[u8]) -> [u8; CHECK_LEN] {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ErrorCode;

    fn query(limit: Option<i64>, cursor: Option<&str>, page: Option<i64>) -> PageQuery {
        PageQuery::new(limit, cursor, page).unwrap()
    }

    fn blamed(limit: Option<i64>, cursor: Option<&str>, page: Option<i64>) -> String {
        let err = PageQuery::<2>::new(limit, cursor, page).unwrap_err();
        assert_eq!(err.code(), ErrorCode::InvalidRequest);
        err.details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn the_parameters_are_checked() {
        assert_eq!(query(None, None, None).fetch(), 21);
        assert_eq!(query(Some(100), None, None).fetch(), 101);
        for limit in [0, -1, 101, i64::MIN, i64::MAX] {
            assert_eq!(blamed(Some(limit), None, None), "limit");
        }
        for page in [0, -1, i64::MIN] {
            assert_eq!(blamed(None, None, Some(page)), "page");
        }
        let cursor = encode(&[1, 2]);
        assert_eq!(blamed(None, Some(&cursor), Some(1)), "page");
        assert_eq!(query(Some(100), None, Some(i64::MAX)).offset(), i64::MAX);
    }

    #[test]
    fn only_our_cursors_are_taken() {
        for keys in [[0, 0], [1_769_688_000_000, 7], [i64::MIN, i64::MAX]] {
            let cursor = encode(&keys);
            assert_eq!(query(None, Some(&cursor), None).after(), Some(keys));
        }
        let ours = encode(&[1_769_688_000_000, 7]);
        let mangled = ours.replacen(ours.chars().nth(9).unwrap(), "_", 1);
        let longer = encode(&[1, 2, 3]);
        for bad in ["", "x", "AAAA", "梦", &ours[1..], &mangled, &longer, &format!("{ours}=")] {
            assert_eq!(blamed(None, Some(bad), None), "cursor", "{bad}");
        }
    }

    #[test]
    fn a_walk_by_cursor_shows_every_row_once() {
        // Newest first, two of one time.
        let rows = [(30, 4), (20, 3), (20, 2), (10, 1)];
        let (mut seen, mut cursor) = (Vec::<i64>::new(), None::<String>);
        loop {
            let query = query(Some(3), cursor.as_deref(), None);
            let after = query.after().unwrap_or([i64::MAX, i64::MAX]);
            let behind = rows.iter().copied().filter(|row| [row.0, row.1] < after);
            let fetched = behind.take(usize::try_from(query.fetch()).unwrap()).collect();
            let page = query.answer(fetched, Some(4), |row| [row.0, row.1], |row| row.1);
            seen.extend(&page.items);
            assert_eq!(page.has_more, page.next_cursor.is_some());
            assert_eq!((page.page, page.total), (None, None));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [4, 3, 2, 1]);
    }

    #[test]
    fn the_sent_bytes_match_the_documented_type() {
        for page in [None, Some(2)] {
            let page =
                query(Some(1), None, page).answer(vec![5, 6], Some(9), |row| [*row, 0], |row| row);
            assert_eq!(Some(serde_json::to_value(&page).unwrap()), page.to_json());
            assert_eq!(page.total, page.page.map(|_| 9));
        }
    }
}
