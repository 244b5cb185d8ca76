//! When a backup is due, and which of the old ones may go.

use crate::base::time::UnixMillis;

const HOUR_MS: i64 = 3_600_000;

/// After a failure the next try comes this much later.
const RETRY_MS: i64 = HOUR_MS;

/// Shanghai is so much before UTC, all year.
const SHANGHAI_MS: i64 = 8 * HOUR_MS;

/// The times at which backups are due.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::backups) struct Times {
    /// Hours between two; 0: never.
    pub(in crate::features::backups) hours: u32,
    /// One of them, in minutes since midnight in Shanghai.
    pub(in crate::features::backups) at_minute: u32,
    /// Drawn once: each begins so much later, in milliseconds.
    pub(in crate::features::backups) jitter_ms: i64,
}

impl Times {
    /// The last time at or before `now`; `None` when there are none.
    fn last(&self, now: UnixMillis) -> Option<UnixMillis> {
        let every = i64::from(self.hours).checked_mul(HOUR_MS).filter(|every| *every > 0)?;
        let first = i64::from(self.at_minute) * 60_000 - SHANGHAI_MS + self.jitter_ms;
        let since = now.0.checked_sub(first)?;
        Some(UnixMillis(first + since.div_euclid(every) * every))
    }
}

/// Whether a backup is due: one of the times has come since the newest one was taken, and no try was made
/// in the last hour.
pub(in crate::features::backups) fn is_due(
    times: &Times,
    newest: Option<UnixMillis>,
    last_try: Option<UnixMillis>,
    now: UnixMillis,
) -> bool {
    let Some(time) = times.last(now) else { return false };
    newest.is_none_or(|newest| newest < time)
        && last_try.is_none_or(|last| now < last || now.0 - last.0 >= RETRY_MS)
}

/// When the next backup is due, from `now` on; `None` when never.
pub(in crate::features::backups) fn next_due(
    times: &Times,
    newest: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let time = times.last(now)?;
    match newest {
        Some(newest) if newest >= time => Some(time.plus_millis(i64::from(times.hours) * HOUR_MS)),
        _ => Some(now),
    }
}

/// Whether the newest good backup is older than two of the times, and so something is wrong.
pub(in crate::features::backups) fn is_late(
    hours: u32,
    newest_good: Option<UnixMillis>,
    now: UnixMillis,
) -> bool {
    hours > 0 && newest_good.is_none_or(|newest| now.0 - newest.0 > 2 * i64::from(hours) * HOUR_MS)
}

/// Which of the backups may go, given newest first as when they were taken and whether they are good: those
/// behind the `keep` newest and those older than `days`, but never the newest good one.
pub(in crate::features::backups) fn expired(
    backups: &[(UnixMillis, bool)],
    keep: u32,
    days: u32,
    now: UnixMillis,
) -> Vec<usize> {
    let newest_good = backups.iter().position(|(_, is_good)| *is_good);
    let oldest = now.0.saturating_sub(i64::from(days) * 24 * HOUR_MS);
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    backups
        .iter()
        .enumerate()
        .filter(|(place, (taken_at, _))| {
            Some(*place) != newest_good && (*place >= keep || taken_at.0 < oldest)
        })
        .map(|(place, _)| place)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-01-29T04:10 in Shanghai.
    const TEN_PAST_FOUR: UnixMillis = UnixMillis(1_769_631_000_000);

    fn times(hours: u32) -> Times {
        Times { hours, at_minute: 250, jitter_ms: 0 }
    }

    #[test]
    fn a_backup_is_due_once_when_its_time_has_come() {
        let before = TEN_PAST_FOUR.plus_millis(-1);
        let old = Some(TEN_PAST_FOUR.plus_millis(-20 * HOUR_MS));
        assert!(!is_due(&times(24), old, None, before));
        assert!(is_due(&times(24), old, None, TEN_PAST_FOUR));
        let made = Some(TEN_PAST_FOUR.plus_millis(60_000));
        assert!(!is_due(&times(24), made, None, TEN_PAST_FOUR.plus_millis(23 * HOUR_MS)));
        assert!(is_due(&times(24), made, None, TEN_PAST_FOUR.plus_millis(24 * HOUR_MS)));
        // Every six hours: 04:10, 10:10 and so on.
        assert!(!is_due(&times(6), made, None, TEN_PAST_FOUR.plus_millis(6 * HOUR_MS - 1)));
        assert!(is_due(&times(6), made, None, TEN_PAST_FOUR.plus_millis(6 * HOUR_MS)));
        assert!(!is_due(&times(0), None, None, TEN_PAST_FOUR));
        assert!(is_due(&times(24), None, None, before), "the first one waits for nothing");
        let late = Times { jitter_ms: 60_000, ..times(24) };
        assert!(!is_due(&late, old, None, TEN_PAST_FOUR));
        assert!(is_due(&late, old, None, TEN_PAST_FOUR.plus_millis(60_000)));
    }

    #[test]
    fn after_a_failure_it_is_tried_again_in_an_hour() {
        let tried = Some(TEN_PAST_FOUR);
        assert!(!is_due(&times(24), None, tried, TEN_PAST_FOUR.plus_millis(HOUR_MS - 1)));
        assert!(is_due(&times(24), None, tried, TEN_PAST_FOUR.plus_millis(HOUR_MS)));
        assert!(is_due(&times(24), None, tried, TEN_PAST_FOUR.plus_millis(-1)), "a clock set back");
    }

    #[test]
    fn the_next_time_is_told() {
        let made = Some(TEN_PAST_FOUR);
        let next = next_due(&times(24), made, TEN_PAST_FOUR.plus_millis(5));
        assert_eq!(next, Some(TEN_PAST_FOUR.plus_millis(24 * HOUR_MS)));
        assert_eq!(next_due(&times(24), None, TEN_PAST_FOUR), Some(TEN_PAST_FOUR));
        assert_eq!(next_due(&times(0), None, TEN_PAST_FOUR), None);
        assert!(is_late(24, None, TEN_PAST_FOUR) && !is_late(0, None, TEN_PAST_FOUR));
        assert!(!is_late(24, made, TEN_PAST_FOUR.plus_millis(48 * HOUR_MS)));
        assert!(is_late(24, made, TEN_PAST_FOUR.plus_millis(48 * HOUR_MS + 1)));
    }

    proptest! {
        #[test]
        fn the_newest_good_one_stays_and_so_do_the_young_among_the_first(
            mut ages in prop::collection::vec((0_i64..100, any::<bool>()), 0..40),
            keep in 1_u32..20,
            days in 1_u32..60,
        ) {
            ages.sort_by_key(|(age, _)| *age);
            let now = TEN_PAST_FOUR;
            let backups: Vec<_> = ages
                .iter()
                .map(|(age, is_good)| (now.plus_millis(-age * 24 * HOUR_MS), *is_good))
                .collect();
            let gone = expired(&backups, keep, days, now);
            let good = backups.iter().position(|(_, is_good)| *is_good);
            for (place, (age, _)) in ages.iter().enumerate() {
                let may_go = place >= keep as usize || *age > i64::from(days);
                prop_assert_eq!(gone.contains(&place), may_go && Some(place) != good);
            }
        }
    }
}
