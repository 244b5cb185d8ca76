//! When the points of a month of membership are due.
//!
//! The first are due when a membership begins, the next a calendar month (Asia/Shanghai) later each
//! time, as long as somebody is a member at that moment. When he is not, the count begins anew with
//! his next membership. So between two gifts there is always a month, whatever was bought, refunded
//! and bought again; and since a due time is looked at with the grants as they stand, it does not
//! matter how late that is done.

use super::{LiveGrant, fold};
use crate::base::time::UnixMillis;
use crate::features::users::VipLevel;

/// Where a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::vip) struct Schedule {
    /// When the count began.
    pub(in crate::features::vip) anchor_at: UnixMillis,
    /// How many months after that the next points are due.
    pub(in crate::features::vip) months: i64,
    /// That moment; `None` when the membership ended before it.
    pub(in crate::features::vip) next_at: Option<UnixMillis>,
}

/// Points to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::vip) struct Due {
    pub(in crate::features::vip) at: UnixMillis,
    /// What the user was then.
    pub(in crate::features::vip) level: VipLevel,
}

/// The first `most` that are due at `now`, and where the user stands behind them. `grants` are in
/// order of time.
pub(in crate::features::vip) fn due(
    grants: &[LiveGrant],
    mut schedule: Schedule,
    now: UnixMillis,
    most: usize,
) -> (Vec<Due>, Schedule) {
    let mut dues = Vec::new();
    while let Some(at) = schedule.next_at.filter(|at| *at <= now && dues.len() < most) {
        let until = grants.partition_point(|grant| grant.granted_at <= at);
        let (past, later) = grants.split_at(until);
        let level = fold(past, at).membership().level;
        if level == VipLevel::Normal {
            schedule = match later.first() {
                Some(grant) => Schedule {
                    anchor_at: grant.granted_at,
                    months: 0,
                    next_at: Some(grant.granted_at),
                },
                None => Schedule { next_at: None, ..schedule },
            };
        } else {
            dues.push(Due { at, level });
            schedule.months = schedule.months.saturating_add(1);
            // From the anchor each time: a month begun on the 31st comes back to the 31st.
            schedule.next_at = Some(schedule.anchor_at.plus_shanghai_months(schedule.months));
        }
    }
    (dues, schedule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::vip::model::{DAY_MS, Rate};

    const START: UnixMillis = UnixMillis(1_769_788_800_000);

    fn day(n: i64) -> UnixMillis {
        START.plus_millis(n * DAY_MS)
    }

    fn vip(from: i64, days: i64) -> LiveGrant {
        LiveGrant {
            level: VipLevel::Vip,
            granted_at: day(from),
            live_ms: days * DAY_MS,
            rate: Rate::new(1999, 30 * DAY_MS).unwrap(),
        }
    }

    fn begun(at: UnixMillis) -> Schedule {
        Schedule { anchor_at: at, months: 0, next_at: Some(at) }
    }

    fn days(dues: &[Due]) -> Vec<String> {
        dues.iter().map(|due| due.at.shanghai_date().to_string()).collect()
    }

    #[test]
    fn each_month_from_the_beginning_counted_from_the_same_day() {
        let (dues, after) = due(&[vip(0, 100)], begun(START), day(120), 100);
        // The 31st of January; a month without one gives on its last day.
        assert_eq!(days(&dues), ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]);
        assert_eq!(after.next_at, None);
    }

    #[test]
    fn early_and_late_looks_come_to_the_same() {
        let grants = [vip(0, 30), vip(40, 30), vip(45, 60)];
        let (at_once, end) = due(&grants, begun(START), day(200), 100);
        let (mut step_by_step, mut schedule) = (Vec::new(), begun(START));
        for n in 0..=200 {
            let known = grants.iter().filter(|grant| grant.granted_at <= day(n));
            let known: Vec<LiveGrant> = known.copied().collect();
            if schedule.next_at.is_none() && known.last().is_some_and(|g| g.granted_at == day(n)) {
                schedule = begun(day(n));
            }
            let (dues, next) = due(&known, schedule, day(n), 1);
            step_by_step.extend(dues);
            schedule = next;
        }
        assert_eq!((at_once, end), (step_by_step, schedule));
    }

    #[test]
    fn whoever_returns_the_plan_and_buys_again_has_no_month_twice() {
        let (first, schedule) = due(&[vip(0, 30)], begun(START), day(0), 100);
        assert_eq!(first.len(), 1);
        // Refunded on the second day, bought again on the third.
        let (again, schedule) = due(&[vip(3, 30)], schedule, day(3), 100);
        assert_eq!(again, []);
        let (next, _) = due(&[vip(3, 30)], schedule, day(30), 100);
        assert_eq!(days(&next), ["2026-02-28"]);
    }
}
