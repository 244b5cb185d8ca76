//! When the authority is asked: decisions without effects.

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::clients::acme::AcmeError;

use super::super::certificate::Certificate;
use super::store::Attempts;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// The first wait after the authority said no. Let's Encrypt allows five failed checks of a name in an
/// hour.
const AFTER_REFUSAL: i64 = 10 * MINUTE;

/// A renewal comes up to this part of the life earlier, so that servers that were set up together do
/// not renew together.
const JITTER_PART: i64 = 60;

/// What comes next.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) next_at: UnixMillis,
    pub(super) attempts: Attempts,
}

impl Plan {
    /// After a start: `certificate` is the stored one.
    pub(super) fn new(certificate: Option<&Certificate>, attempts: Attempts) -> Self {
        let wanted = certificate.map_or(UnixMillis(0), renew_at);
        let allowed = attempts.next_at.map_or(UnixMillis(0), UnixMillis);
        Self { next_at: wanted.max(allowed), attempts }
    }
}

/// When to renew `certificate`: a third before its end, less some jitter. The jitter comes from the
/// certificate itself, so that it stays the same over restarts.
pub(super) fn renew_at(certificate: &Certificate) -> UnixMillis {
    let der = certificate.key().cert.first().map_or(&[][..], |der| der.as_ref());
    // The signature at the end is as good as random.
    let last = der.last_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes));
    renewal(certificate.not_before(), certificate.not_after(), last)
}

/// `chance` runs over all of `u16`.
fn renewal(not_before: UnixMillis, not_after: UnixMillis, chance: u16) -> UnixMillis {
    let life = not_after.0.saturating_sub(not_before.0).max(0);
    let jitter = (life / JITTER_PART).saturating_mul(i64::from(chance)) / i64::from(u16::MAX);
    UnixMillis(not_after.0.saturating_sub(life / 3).saturating_sub(jitter))
}

/// When to try again after `failures` in a row, the last being `err`.
pub(super) fn next_try(now: UnixMillis, failures: u32, err: &AcmeError, rng: &Rng) -> UnixMillis {
    let (first, factor) = if err.is_unreachable { (MINUTE, 2_i64) } else { (AFTER_REFUSAL, 3) };
    let growth = factor.saturating_pow(failures.saturating_sub(1).min(20));
    let wait = first.saturating_mul(growth).min(DAY);
    // Up to a tenth more, for the same reason as above.
    let tenth = u64::try_from(wait / 10).unwrap_or(0);
    let wait = wait.saturating_add(i64::try_from(rng.below(tenth)).unwrap_or(0));
    let asked = err.retry_after.map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(DAY));
    // A week is the longest that any limit of an authority lasts.
    now.plus_seconds(wait.max(asked.min(7 * DAY)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::base::rng::Rng;

    const START: UnixMillis = UnixMillis(1_769_688_000_000);

    fn refusal() -> AcmeError {
        AcmeError::ours("no".to_owned())
    }

    #[test]
    fn a_third_before_the_end() {
        let end = START.plus_seconds(90 * DAY);
        assert_eq!(renewal(START, end, 0), START.plus_seconds(60 * DAY));
        let earliest = renewal(START, end, u16::MAX);
        assert_eq!(earliest, START.plus_seconds(60 * DAY - 90 * DAY / 60));
        // Certificates of six days are no special case.
        let short = renewal(START, START.plus_seconds(6 * DAY), 0);
        assert_eq!(short, START.plus_seconds(4 * DAY));
    }

    #[test]
    fn waits_grow_to_a_day() {
        let rng = Rng::seeded(1);
        let waits: Vec<i64> = (1..8)
            .map(|failures| (next_try(START, failures, &refusal(), &rng).0 - START.0) / 1000)
            .collect();
        let least = [600, 1800, 5400, 16_200, 48_600, DAY, DAY];
        for (wait, least) in waits.iter().zip(least) {
            assert!((least..=least + least / 10).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn the_authority_has_the_last_word() {
        let rng = Rng::seeded(1);
        let asked = |seconds| {
            let mut err = refusal();
            err.retry_after = Some(Duration::from_secs(seconds));
            err
        };
        assert_eq!(next_try(START, 1, &asked(7200), &rng), START.plus_seconds(7200));
        assert!(next_try(START, 1, &asked(1), &rng) >= START.plus_seconds(600));
        assert_eq!(next_try(START, 1, &asked(u64::MAX), &rng), START.plus_seconds(7 * DAY));
        let mut away = refusal();
        away.is_unreachable = true;
        assert!(next_try(START, 1, &away, &rng) <= START.plus_seconds(66));
        assert!(next_try(START, 30, &away, &rng) >= START.plus_seconds(DAY));
    }

    proptest! {
        #[test]
        fn never_sooner_than_a_minute_nor_later_than_a_week(
            failures in any::<u32>(), asked in proptest::option::of(any::<u64>()), is_unreachable in any::<bool>(),
        ) {
            let mut err = refusal();
            err.retry_after = asked.map(Duration::from_secs);
            err.is_unreachable = is_unreachable;
            let at = next_try(START, failures, &err, &Rng::seeded(u64::from(failures)));
            prop_assert!(at >= START.plus_seconds(MINUTE) && at <= START.plus_seconds(7 * DAY));
        }

        #[test]
        fn renewal_is_within_the_life(life in 0_i64..10_000_000_000, chance in any::<u16>()) {
            let at = renewal(START, START.plus_millis(life), chance);
            prop_assert!(at >= START && at <= START.plus_millis(life));
        }
    }
}
