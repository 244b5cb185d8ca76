//! What a list found when it may look at only so much.
//!
//! A filter that fits few rows is answered from an index, but that index grows with the table. A request
//! looks at [`MOST_LOOKED_AT`] entries of it at most; the client goes on behind where it stopped.

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

impl<R, K: Ord + Copy> Found<R, K> {
    /// What `find` finds, at most `fetch` rows, down to the keys that it is given: `bottom`, or the row of
    /// the keys `reach` when that comes first.
    ///
    /// # Errors
    /// What `find` fails with.
    pub fn down_to<E>(
        bottom: K,
        reach: Option<K>,
        fetch: i64,
        find: impl FnOnce(K) -> Result<Vec<R>, E>,
    ) -> Result<Self, E> {
        let reach = reach.filter(|reach| *reach > bottom);
        Ok(Self::within(find(reach.unwrap_or(bottom))?, fetch, reach))
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

    /// The numbers from `after` on down that can be divided by ten, looking at 50 at most.
    fn tens(after: i64, bottom: i64, fetch: i64) -> Found<i64, i64> {
        let reach = (after > 50).then(|| after - 50);
        let find = |until: i64| {
            let fits = (until..after).rev().filter(|n| n % 10 == 0);
            Ok::<_, ()>(fits.take(usize::try_from(fetch).unwrap()).collect())
        };
        Found::down_to(bottom, reach, fetch, find).unwrap()
    }

    #[test]
    fn a_search_stops_where_it_may_look_no_further_or_has_enough() {
        let all = tens(200, 0, 3);
        assert_eq!((all.rows, all.stopped), (vec![190, 180, 170], None));
        let some = tens(200, 0, 9);
        assert_eq!((some.rows, some.stopped), (vec![190, 180, 170, 160, 150], Some(150)));
        let rest = tens(50, 0, 9);
        assert_eq!((rest.rows, rest.stopped), (vec![40, 30, 20, 10, 0], None));
        // The end of what is asked for comes first.
        let near = tens(200, 175, 9);
        assert_eq!((near.rows, near.stopped), (vec![190, 180], None));
    }

    #[test]
    fn whoever_goes_on_behind_it_sees_everything_once() {
        let (mut seen, mut after) = (Vec::new(), 1000);
        loop {
            let found = tens(after, 0, 7);
            let last = found.rows.last().copied();
            let is_full = found.rows.len() == 7;
            seen.extend(found.rows);
            match found.stopped.or(last.filter(|_| is_full)) {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, (0..100).rev().map(|n| n * 10).collect::<Vec<i64>>());
    }
}
