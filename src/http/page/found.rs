//! What a list found when it may look at only so much.
//!
//! A filter that fits few rows is answered from an index, but that index grows with the table. A request
//! looks at [`MOST_LOOKED_AT`] entries of it at most; the client goes on behind where it stopped.

use crate::base::time::UnixMillis;

/// Index entries that one request looks at, some tens of milliseconds' worth.
pub const MOST_LOOKED_AT: i64 = 50_000;

/// Rows that were found, and where the search stopped.
#[derive(Clone, Debug)]
pub struct Found<R, K = [i64; 2]> {
    pub rows: Vec<R>,
    /// The keys behind which what is asked for goes on, when the search stopped before its end and before
    /// it had found enough.
    pub stopped: Option<K>,
}

impl<R, K> Found<R, K> {
    /// What a search for `fetch` rows found that looked no further than the row of the keys `reach`;
    /// `None` when it looked to the end.
    pub fn within(rows: Vec<R>, fetch: i64, reach: Option<K>) -> Self {
        let is_enough = i64::try_from(rows.len()).is_ok_and(|len| len >= fetch);
        Self { rows, stopped: reach.filter(|_| !is_enough) }
    }
}

/// From which time on and before which one rows were made that a list shows; `None` does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<UnixMillis>,
    pub to: Option<UnixMillis>,
}

impl<R> Found<R> {
    /// The newest rows of a list that is sorted by time and number, at most `fetch`, within a span and
    /// behind the row of the keys `after`.
    ///
    /// `reach` tells the keys of the row up to which may be looked when one begins behind the keys that it
    /// is given, `None` for to the end. `find` finds rows behind the first keys and no further than the
    /// second.
    ///
    /// # Errors
    /// What the two fail with.
    pub fn newest<E>(
        span: Span,
        after: Option<[i64; 2]>,
        fetch: i64,
        reach: impl FnOnce([i64; 2]) -> Result<Option<[i64; 2]>, E>,
        find: impl FnOnce([i64; 2], [i64; 2]) -> Result<Vec<R>, E>,
    ) -> Result<Self, E> {
        let top = span.to.map_or([i64::MAX; 2], |to| [to.0, i64::MIN]);
        let after = after.map_or(top, |after| after.min(top));
        let bottom = span.from.map_or([i64::MIN; 2], |from| [from.0, i64::MIN]);
        let reach = reach(after)?.filter(|reach| *reach > bottom);
        Ok(Self::within(find(after, reach.unwrap_or(bottom))?, fetch, reach))
    }
}

impl<R, K> From<Vec<R>> for Found<R, K> {
    fn from(rows: Vec<R>) -> Self {
        Self { rows, stopped: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times before `after` that can be divided by ten, looking at 50 at most.
    fn tens(after: i64, from: i64, fetch: i64) -> Found<i64> {
        let span = Span { from: Some(UnixMillis(from)), to: Some(UnixMillis(1000)) };
        let reach = |[after, _]: [i64; 2]| Ok::<_, ()>((after > 50).then(|| [after - 50, 0]));
        let find = |[after, _]: [i64; 2], [until, _]: [i64; 2]| {
            let fits = (until..after).rev().filter(|time| time % 10 == 0);
            Ok(fits.take(usize::try_from(fetch).unwrap()).collect())
        };
        Found::newest(span, Some([after, 0]), fetch, reach, find).unwrap()
    }

    #[test]
    fn a_search_stops_where_it_may_look_no_further_or_has_enough() {
        let all = tens(200, 0, 3);
        assert_eq!((all.rows, all.stopped), (vec![190, 180, 170], None));
        let some = tens(200, 0, 9);
        assert_eq!((some.rows, some.stopped), (vec![190, 180, 170, 160, 150], Some([150, 0])));
        let rest = tens(50, 0, 9);
        assert_eq!((rest.rows, rest.stopped), (vec![40, 30, 20, 10, 0], None));
        // The end of what is asked for comes first.
        let near = tens(200, 175, 9);
        assert_eq!((near.rows, near.stopped), (vec![190, 180], None));
        let above = tens(i64::MAX, 960, 9);
        assert_eq!(above.rows, [990, 980, 970, 960], "what is not before the span's end");
    }

    #[test]
    fn whoever_goes_on_behind_it_sees_everything_once() {
        let (mut seen, mut after) = (Vec::new(), 1000_i64);
        loop {
            let found = tens(after, 0, 7);
            let last = found.rows.last().copied();
            let is_full = found.rows.len() == 7;
            seen.extend(found.rows);
            match found.stopped.map(|[time, _]| time).or(last.filter(|_| is_full)) {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, (0..100).rev().map(|n| n * 10).collect::<Vec<i64>>());
    }
}
