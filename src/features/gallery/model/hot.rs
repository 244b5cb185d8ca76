//! The score of the list "hot".
//!
//! `hot = publishedAt + DAY · log2(1 + likes)`: twice the likes are worth a day of youth. Decay needs
//! no clock: what is newer simply starts higher, so a score changes with the picture's likes alone and
//! can stand in an index. Whole milliseconds and integers only: the same score on every machine.

use crate::base::time::UnixMillis;

/// What doubling the likes is worth, in milliseconds.
const DOUBLING: i64 = 86_400_000;

/// Bits behind the point of the logarithm.
const FRACTION_BITS: u32 = 16;

/// The score of a picture that is public since then and has so many likes. Higher is hotter.
pub fn hot_score(published_at: UnixMillis, likes: i64) -> i64 {
    let likes = u64::try_from(likes).unwrap_or(0).min(1 << 40);
    let worth = log2(likes + 1).saturating_mul(DOUBLING) >> FRACTION_BITS;
    published_at.0.saturating_add(worth)
}

/// The binary logarithm with [`FRACTION_BITS`] bits behind the point, rounded down; `n` from 1 to
/// 2^40 + 1. Digit by digit: squaring doubles the logarithm.
fn log2(n: u64) -> i64 {
    let whole = n.max(1).ilog2();
    // Between 1 and 2, with 31 bits behind the point.
    let mut rest = if whole <= 31 { n << (31 - whole) } else { n >> (whole - 31) };
    let mut result = i64::from(whole);
    for _ in 0..FRACTION_BITS {
        rest = (rest * rest) >> 31;
        result <<= 1;
        if rest >= 1 << 32 {
            rest >>= 1;
            result |= 1;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubling_the_likes_is_worth_a_day() {
        let at = UnixMillis(1_769_688_000_000);
        let worth = |likes| hot_score(at, likes) - at.0;
        assert_eq!([0, 1, 3, 7, 1023].map(worth), [0, 1, 2, 3, 10].map(|n| n * DOUBLING));
        assert_eq!(worth(-5), 0);
        assert!(worth(2) > worth(1) && worth(i64::MAX) < 41 * DOUBLING);
        // Ten times the likes against three days and a half.
        let (newer, loved) = (hot_score(UnixMillis(at.0 + 4 * DOUBLING), 9), hot_score(at, 99));
        assert!(newer > loved);
        assert!(hot_score(UnixMillis(at.0 + 3 * DOUBLING), 9) < loved);
    }

    proptest! {
        #[test]
        fn the_logarithm_is_right_to_its_last_bit(n in 1_u64..1 << 40) {
            let exact = f64::from(u32::try_from(n >> 20).unwrap()) * f64::from(1 << 20)
                + f64::from(u32::try_from(n & 0xf_ffff).unwrap());
            let expected = exact.log2() * f64::from(1 << FRACTION_BITS);
            let found = f64::from(u32::try_from(log2(n)).unwrap());
            prop_assert!((found - expected).abs() <= 2.0, "{n}: {found} {expected}");
        }

        #[test]
        fn more_likes_never_count_less(likes in 0_i64..1_000_000, more in 0_i64..1_000_000) {
            let at = UnixMillis(0);
            prop_assert!(hot_score(at, likes + more) >= hot_score(at, likes));
        }
    }
}
