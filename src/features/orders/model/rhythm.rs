//! When WeChat is asked about an order next.

use crate::base::time::UnixMillis;

/// A failed question is repeated after so many seconds, then after twice as many, …
const FIRST_RETRY_S: i64 = 5;

/// … up to so many.
const LAST_RETRY_S: i64 = 300;

/// Virtual payment cannot be closed: after the end of an order it is still asked, so many seconds
/// after that end. A delivery push would be earlier; this is for pushes that were lost.
const AFTERCARE_S: [i64; 4] = [600, 3600, 6 * 3600, 24 * 3600];

/// The longest pause of the shipping report, in seconds.
const LAST_SHIP_S: i64 = 3600;

/// So many reports of one order are tried (about two days) before somebody must look at it.
const SHIP_TRIES: i64 = 60;

/// The next question about a pending order: the first step of the rhythm that is still ahead, or the
/// order's end; after a failed question the retry, if it is earlier.
pub(in crate::features::orders) fn next_ask(
    started_at: UnixMillis,
    steps: &[u32],
    expires_at: UnixMillis,
    failed: i64,
    now: UnixMillis,
) -> UnixMillis {
    let step = steps
        .iter()
        .map(|step| started_at.plus_seconds(i64::from(*step)))
        .find(|at| *at > now)
        .unwrap_or(expires_at);
    let planned = step.min(expires_at);
    if failed > 0 || planned <= now {
        now.plus_seconds(retry_s(failed)).min(later(planned, now))
    } else {
        planned
    }
}

/// A time that is over does not bring a retry forward.
fn later(planned: UnixMillis, now: UnixMillis) -> UnixMillis {
    if planned > now { planned } else { UnixMillis(i64::MAX) }
}

/// The next question about an order that has ended without a payment; `None` when it is left alone.
pub(in crate::features::orders) fn next_aftercare(
    ended_at: UnixMillis,
    now: UnixMillis,
) -> Option<UnixMillis> {
    AFTERCARE_S.iter().map(|after| ended_at.plus_seconds(*after)).find(|at| *at > now)
}

/// Seconds until a failed question is repeated.
fn retry_s(failed: i64) -> i64 {
    doubled(FIRST_RETRY_S, failed, LAST_RETRY_S)
}

/// The next report of a delivery after `tries` that were not accepted; `None` to give up.
pub(in crate::features::orders) fn next_ship(tries: i64, now: UnixMillis) -> Option<UnixMillis> {
    // WeChat wants about 10 s between a payment and its report.
    (tries < SHIP_TRIES).then(|| now.plus_seconds(doubled(10, tries, LAST_SHIP_S)))
}

/// `first` for the first failure, twice as much for each more, at most `last`.
fn doubled(first: i64, failures: i64, last: i64) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 30)).unwrap_or(30);
    first.saturating_mul(1_i64 << doublings).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [u32; 6] = [5, 15, 60, 120, 300, 600];
    const END: UnixMillis = UnixMillis(900_000);

    fn at(second: i64, failed: i64) -> i64 {
        let now = UnixMillis(second * 1000);
        next_ask(UnixMillis(0), &STEPS, END, failed, now).0 / 1000
    }

    #[test]
    fn questions_follow_the_rhythm_and_end_with_the_order() {
        let mut now = 0;
        let mut asked = Vec::new();
        while now < 900 {
            now = at(now, 0);
            asked.push(now);
        }
        assert_eq!(asked, [5, 15, 60, 120, 300, 600, 900]);
        // After a long stop only what is still ahead.
        assert_eq!(at(299, 0), 300);
        assert_eq!(at(700, 0), 900);
    }

    #[test]
    fn a_failed_question_is_repeated_with_growing_pauses() {
        assert_eq!(at(300, 1), 305);
        assert_eq!(at(300, 3), 320);
        assert_eq!(at(300, 20), 600, "never later than planned");
        // After the end there is no plan, only retries.
        assert_eq!(at(1000, 1), 1005);
        assert_eq!(at(1000, 20), 1300);
        assert_eq!(at(1000, i64::MAX), 1300);
    }

    #[test]
    fn care_after_the_end_ends_itself() {
        let end = UnixMillis(0);
        assert_eq!(next_aftercare(end, end), Some(UnixMillis(600_000)));
        assert_eq!(next_aftercare(end, UnixMillis(600_000)), Some(UnixMillis(3_600_000)));
        assert_eq!(next_aftercare(end, UnixMillis(86_400_000)), None);
    }

    #[test]
    fn a_report_is_tried_for_two_days() {
        let (mut now, mut tries) = (UnixMillis(0), 0);
        while let Some(next) = next_ship(tries, now) {
            assert!(next > now);
            (now, tries) = (next, tries + 1);
        }
        assert!((86_400..4 * 86_400).contains(&now.seconds()), "{now}");
    }
}
