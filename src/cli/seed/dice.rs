//! Repeatable choices: the same seed, topic and number always fall the same way.
//!
//! Every row has dice of its own, so that its content does not depend on how many rows there are
//! or in which order they are made. SplitMix64 is written out here because the sequence is part of
//! what `seed` promises: a generator from a crate may change with the crate's version. Not for
//! anything secret.

use crate::base::time::UnixMillis;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// The dice of row `number` of `topic`.
    pub(super) fn new(seed: u64, topic: u64, number: u32) -> Self {
        Self { state: mix(mix(mix(seed) ^ topic) ^ u64::from(number)) }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 to below `bound`; 0 when `bound` is not positive.
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        // 63 bits always fit; the bias of the remainder does not matter here.
        i64::try_from(self.next() >> 1).unwrap_or_default().checked_rem(bound).unwrap_or_default()
    }

    /// An index into something of `len` items; 0 when it is empty.
    pub(super) fn index(&mut self, len: usize) -> usize {
        // 31 bits fit on every platform, and nothing here is longer.
        usize::try_from(self.next() >> 33).unwrap_or_default().checked_rem(len).unwrap_or_default()
    }

    /// One of `items`.
    pub(super) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        items[self.index(N)]
    }

    /// `count` different indices below `len`, or all of them when there are fewer.
    pub(super) fn distinct(&mut self, count: usize, len: usize) -> Vec<usize> {
        let count = count.min(len);
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let index = self.index(len);
            if !drawn.contains(&index) {
                drawn.push(index);
            }
        }
        drawn
    }
}

/// Spreads every bit of `z` over all bits.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stretch of time over which rows are spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: UnixMillis,
    pub(super) days: i64,
}

impl Window {
    /// The time of row `number` of `of`: irregular, but always later than that of the row before.
    /// Holds as long as there are fewer rows than milliseconds.
    pub(super) fn time(self, number: u32, of: u32, dice: &mut Dice) -> UnixMillis {
        let step = self.days * 86_400_000 / i64::from(of.max(1));
        self.start.plus_millis(i64::from(number) * step + dice.below(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_never_changes() {
        // Databases seeded by different releases must be equal: these numbers are a promise.
        let mut dice = Dice::new(42, 1, 0);
        let drawn: Vec<i64> = (0..4).map(|_| dice.below(1_000_000)).collect();
        assert_eq!(drawn, [915_952, 193_936, 119_273, 153_989]);
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let first = |seed, topic, number| Dice::new(seed, topic, number).next();
        let all = [first(1, 1, 1), first(1, 1, 2), first(1, 2, 1), first(2, 1, 1), first(0, 0, 0)];
        for (n, one) in all.iter().enumerate() {
            assert!(all[n + 1..].iter().all(|other| (one ^ other).count_ones() > 10), "{all:?}");
        }
    }

    #[test]
    fn nothing_to_choose_from_is_no_panic() {
        let mut dice = Dice::new(1, 1, 1);
        assert_eq!((dice.below(0), dice.below(-5), dice.index(0)), (0, 0, 0));
        assert!(dice.distinct(3, 0).is_empty());
        let mut all = dice.distinct(9, 3);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }

    #[test]
    fn times_rise_and_stay_in_their_window() {
        let window = Window { start: UnixMillis(1_000), days: 1 };
        let times: Vec<UnixMillis> =
            (0..5_000).map(|n| window.time(n, 5_000, &mut Dice::new(7, 1, n))).collect();
        assert!(times.is_sorted_by(|a, b| a < b));
        assert!(times[0] >= window.start && times[4_999] < window.start.plus_seconds(86_400));
    }
}
