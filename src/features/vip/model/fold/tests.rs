//! The examples of `docs/membership.md`, and what holds for all grants.

use proptest::prelude::*;

use super::*;

const VIP: VipLevel = VipLevel::Vip;
const SVIP: VipLevel = VipLevel::Svip;

fn day(n: i64) -> UnixMillis {
    UnixMillis(n * DAY_MS)
}

/// `days` of `level` for `fen`, bought on day `at`.
fn bought(at: i64, level: VipLevel, days: i64, fen: i64) -> LiveGrant {
    let rate = Rate::new(fen, days * DAY_MS).unwrap();
    LiveGrant { level, granted_at: day(at), live_ms: days * DAY_MS, rate }
}

fn is(level: VipLevel, end: UnixMillis) -> Membership {
    Membership { level, expires_at: Some(end) }
}

fn at(grants: &[LiveGrant], n: i64) -> Membership {
    fold(grants, day(n)).membership()
}

#[test]
fn a_membership_begins_with_its_grant_and_ends_to_the_millisecond() {
    let month = [bought(0, VIP, 30, 1999)];
    assert_eq!(at(&month, 0), is(VIP, day(30)));
    assert_eq!(fold(&month, day(30).plus_millis(-1)).membership(), is(VIP, day(30)));
    assert_eq!(at(&month, 30), Membership::NONE);
    assert_eq!(at(&[], 0), Membership::NONE);
}

#[test]
fn a_renewal_comes_behind_what_is_left() {
    let month = |n| bought(n, VIP, 30, 1999);
    assert_eq!(at(&[month(0), month(10)], 10), is(VIP, day(60)));
    // After a gap nothing is made up.
    assert_eq!(at(&[month(0), month(40)], 40), is(VIP, day(70)));
    // At the very end it is a renewal in effect, whatever it is called.
    assert_eq!(at(&[month(0), month(30)], 30), is(VIP, day(60)));
}

#[test]
fn an_upgrade_converts_what_is_left_by_price_per_day() {
    // 20 of 30 days are left at 100 fen a day; the new plan is at 400 fen a day.
    let grants = [bought(0, VIP, 30, 3000), bought(10, SVIP, 30, 12_000)];
    assert_eq!(at(&grants, 10), is(SVIP, day(10 + 30 + 5)));
    let mut running = fold(&grants[..1], day(10));
    let converted = Change::Upgrades { from: VIP, left_ms: 20 * DAY_MS, converted_ms: 5 * DAY_MS };
    assert_eq!(running.add(&grants[1]), converted);
    // When it ends nothing of the lower level is left.
    assert_eq!(at(&grants, 45), Membership::NONE);
}

#[test]
fn pieces_of_other_prices_are_converted_each_by_its_own() {
    let grants = [
        bought(0, VIP, 30, 3000),
        // Half price; on day 10 there are 20 days at 100 and 30 at 50 fen.
        bought(5, VIP, 30, 1500),
        bought(10, SVIP, 10, 1000),
    ];
    assert_eq!(at(&grants, 10), is(SVIP, day(10 + 10 + 20 + 15)));
}

#[test]
fn a_conversion_is_rounded_down_to_the_millisecond() {
    let third = Rate::new(1, 3).unwrap();
    let one = Rate::new(1, 1).unwrap();
    assert_eq!([0, 1, 2, 3, 4].map(|ms| third.convert(ms, one)), [0, 0, 0, 1, 1]);
    assert_eq!(one.convert(5, third), 15);
}

#[test]
fn a_lower_level_that_arrives_all_the_same_extends_the_higher_one() {
    let grants = [bought(0, SVIP, 30, 12_000), bought(10, VIP, 30, 3000)];
    // 30 days at 100 fen are 7.5 days at 400.
    assert_eq!(at(&grants, 10), is(SVIP, UnixMillis(day(30).0 + 15 * DAY_MS / 2)));
    // When the higher one has ended it is what it is.
    let late = [grants[0], bought(30, VIP, 30, 3000)];
    assert_eq!(at(&late, 30), is(VIP, day(60)));
}

#[test]
fn without_the_upgrade_the_lower_membership_is_as_it_was() {
    let lower = bought(0, VIP, 365, 19_990);
    let upgraded = [lower, bought(100, SVIP, 36_500, 199_900)];
    assert_eq!(at(&upgraded, 100).level, SVIP);
    assert_eq!(at(&upgraded[..1], 110), is(VIP, day(365)));
}

#[test]
fn the_largest_numbers_neither_overflow_nor_go_beyond_the_calendar() {
    let dear =
        LiveGrant { rate: Rate::new(PRICE_MAX, 1).unwrap(), ..bought(0, VIP, DAYS_MAX, PRICE_MAX) };
    let cheap = bought(0, SVIP, DAYS_MAX, 1);
    let mut running = fold(&[dear; 200], day(0));
    let change = running.add(&cheap);
    assert!(matches!(change, Change::Upgrades { converted_ms, .. } if converted_ms > 0));
    assert!(running.is_beyond_writing());
    assert_eq!(running.membership().expires_at, Some(LAST));
    assert_eq!(LAST.rfc3339(), "9999-12-01T00:00:00.000Z");
}

fn any_grants() -> impl Strategy<Value = Vec<LiveGrant>> {
    let grant = (0..2000_i64, any::<bool>(), 1..=400_i64, 1..=PRICE_MAX).prop_map(
        |(hours, is_svip, days, fen)| LiveGrant {
            granted_at: UnixMillis(hours * 3_600_000),
            ..bought(0, if is_svip { SVIP } else { VIP }, days, fen)
        },
    );
    prop::collection::vec(grant, 0..12).prop_map(|mut grants| {
        grants.sort_by_key(|grant| grant.granted_at);
        grants
    })
}

/// What is left at `now`, in fen: the same whatever level it stands in.
fn worth(running: &Running) -> f64 {
    running.left.iter().map(|p| p.ms as f64 * p.rate.fen as f64 / p.rate.ms as f64).sum()
}

proptest! {
    #[test]
    fn grants_of_one_level_add_up_to_the_millisecond(
        mut grants in any_grants(), gap in 0..5_000_i64,
    ) {
        for grant in &mut grants {
            grant.level = VIP;
        }
        // Granted at once, so that nothing is used up or lost in gaps.
        grants.iter_mut().for_each(|grant| grant.granted_at = day(0));
        let total: i64 = grants.iter().map(|grant| grant.live_ms).sum();
        let now = UnixMillis(gap * 3_600_000);
        let end = UnixMillis(total);
        let expected = if end > now { is(VIP, end) } else { Membership::NONE };
        prop_assert_eq!(fold(&grants, now).membership(), expected);
    }

    #[test]
    fn a_conversion_neither_makes_nor_loses_money(grants in any_grants()) {
        let now = grants.last().map_or(day(0), |grant| grant.granted_at);
        let Some((last, before)) = grants.split_last() else { return Ok(()) };
        let mut running = fold(before, now);
        let pieces = running.left.len();
        let was = worth(&running);
        let added = last.live_ms as f64 * last.rate.fen as f64 / last.rate.ms as f64;
        running.add(last);
        let is = worth(&running);
        let total = was + added;
        // Rounding down takes less than a millisecond a piece, at the rate it was converted to.
        let dearest = grants.iter().map(|g| g.rate.fen as f64 / g.rate.ms as f64).fold(0., f64::max);
        let capped = running.left.iter().any(|piece| piece.ms >= LEFT_MAX_MS);
        prop_assert!(is <= total * (1. + 1e-9), "{is} of {total}");
        prop_assert!(
            capped || is >= total * (1. - 1e-9) - dearest * (pieces + 1) as f64,
            "{is} of {total}"
        );
    }

    #[test]
    fn looking_in_between_changes_nothing(grants in any_grants(), hours in 0..4000_i64) {
        let now = UnixMillis(hours * 3_600_000);
        let known: Vec<LiveGrant> =
            grants.iter().filter(|grant| grant.granted_at <= now).copied().collect();
        let mut step_by_step = fold(&[], day(0));
        for grant in &known {
            step_by_step.pass(grant.granted_at.plus_millis(-1));
            step_by_step.add(grant);
            step_by_step.pass(step_by_step.at);
        }
        step_by_step.pass(now);
        prop_assert_eq!(step_by_step.membership(), fold(&known, now).membership());
    }
}
