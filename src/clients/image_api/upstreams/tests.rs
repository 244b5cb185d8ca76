//! Who gets the next job: by weight, never the full ones, never the broken ones.

use std::collections::HashMap;

use super::*;
use crate::base::clock::TestClock;

const MINUTE: Duration = Duration::from_secs(60);

fn config(name: &str, weight: u32, concurrency: u32) -> UpstreamConfig {
    UpstreamConfig {
        name: name.to_owned(),
        base: "http://127.0.0.1:9".to_owned(),
        key: None,
        dialect: Dialect::ImageSaas,
        model: None,
        weight,
        concurrency,
        timeout: Duration::from_secs(1),
        max_answer_bytes: 1024,
    }
}

fn upstreams(configs: Vec<UpstreamConfig>) -> (Upstreams, TestClock) {
    let clock = TestClock::at(UnixMillis(1_769_688_000_000));
    let upstreams = Upstreams::new(configs, Clock::test(clock.clone()), Rng::seeded(7)).unwrap();
    (upstreams, clock)
}

fn state(upstreams: &Upstreams, name: &str) -> UpstreamState {
    upstreams.states().into_iter().find(|state| state.name == name).unwrap()
}

fn break_it(upstreams: &Upstreams, name: &str) {
    for _ in 0..super::super::breaker::FAILURES_TO_OPEN {
        upstreams.lease_named(name).unwrap().failed();
    }
}

#[test]
fn jobs_are_spread_by_weight() {
    let (upstreams, _) = upstreams(vec![config("a", 1, 9), config("b", 3, 9), config("c", 6, 9)]);
    let mut counts: HashMap<String, u32> = HashMap::new();
    for _ in 0..10_000 {
        *counts.entry(upstreams.lease(None).unwrap().name().to_owned()).or_default() += 1;
    }
    // Four standard deviations of 10 000 draws are below 200.
    for (name, expected) in [("a", 1000_u32), ("b", 3000), ("c", 6000)] {
        assert!(counts[name].abs_diff(expected) < 200, "{counts:?}");
    }
}

#[test]
fn full_ones_are_skipped_and_a_dropped_lease_is_a_free_place() {
    let (upstreams, _) = upstreams(vec![config("a", 1000, 2), config("b", 1, 1)]);
    let mut held: Vec<_> = (0..3).map(|_| upstreams.lease(None).unwrap()).collect();
    assert!(upstreams.lease(None).is_none());
    assert_eq!((state(&upstreams, "a").in_flight, state(&upstreams, "b").in_flight), (2, 1));
    let freed = held.swap_remove(0).name().to_owned();
    assert_eq!(upstreams.lease(None).unwrap().name(), freed);
    held.clear();
    assert!(upstreams.states().iter().all(|state| state.in_flight == 0));
}

#[test]
fn the_one_to_avoid_comes_last_but_it_comes() {
    let (upstreams, _) = upstreams(vec![config("a", 1000, 9), config("b", 1, 1)]);
    let other = upstreams.lease(Some("a")).unwrap();
    assert_eq!(other.name(), "b");
    assert_eq!(upstreams.lease(Some("a")).unwrap().name(), "a");
}

#[test]
fn a_named_place_is_given_beyond_all_bounds() {
    let (upstreams, _) = upstreams(vec![config("a", 1, 1)]);
    break_it(&upstreams, "a");
    let held: Vec<_> = (0..3).map(|_| upstreams.lease_named("a").unwrap()).collect();
    assert_eq!(state(&upstreams, "a").in_flight, 3);
    assert!(upstreams.lease_named("gone").is_none());
    drop(held);
    assert_eq!(state(&upstreams, "a").in_flight, 0);
}

#[test]
fn a_broken_one_gets_nothing_until_one_job_has_found_out() {
    let (upstreams, clock) = upstreams(vec![config("a", 1, 9), config("b", 1, 9)]);
    break_it(&upstreams, "a");
    for _ in 0..50 {
        assert_eq!(upstreams.lease(None).unwrap().name(), "b");
    }
    assert_eq!(state(&upstreams, "a").breaker, BreakerState::Open);

    clock.advance(MINUTE);
    let trial = upstreams.lease(Some("b")).unwrap();
    assert_eq!(trial.name(), "a");
    assert_eq!(state(&upstreams, "a").breaker, BreakerState::HalfOpen);
    assert_eq!(upstreams.lease(Some("b")).unwrap().name(), "b", "only one finds out");
    trial.succeeded(Duration::from_secs(2));
    assert_eq!(state(&upstreams, "a").breaker, BreakerState::Closed);
    assert_eq!(state(&upstreams, "a").recent_ms, Some(2000));
    assert_eq!(upstreams.lease(Some("b")).unwrap().name(), "a");
}

#[test]
fn a_trial_that_fails_or_tells_nothing_does_not_close_the_breaker() {
    let (upstreams, clock) = upstreams(vec![config("a", 1, 9)]);
    break_it(&upstreams, "a");
    clock.advance(MINUTE);
    drop(upstreams.lease(None).unwrap());
    let trial = upstreams.lease(None).unwrap();
    trial.failed();
    // The report is spent: what else is said through this lease counts as an ordinary call.
    trial.succeeded(Duration::ZERO);
    drop(trial);
    assert!(upstreams.lease(None).is_none());
    assert_eq!(state(&upstreams, "a").breaker, BreakerState::Open);
}

#[tokio::test]
async fn who_waits_is_woken_by_a_free_place_and_by_a_pause_that_ends() {
    let (upstreams, clock) = upstreams(vec![config("a", 1, 1)]);
    let held = upstreams.lease(None).unwrap();
    let waiting = tokio::spawn({
        let upstreams = upstreams.clone();
        async move {
            loop {
                if let Some(lease) = upstreams.lease(None) {
                    return lease.name().to_owned();
                }
                upstreams.freed().await;
            }
        }
    });
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(waiting.await.unwrap(), "a");

    break_it(&upstreams, "a");
    let waiting = tokio::spawn({
        let upstreams = upstreams.clone();
        async move {
            while upstreams.lease(None).is_none() {
                upstreams.freed().await;
            }
        }
    });
    clock.advance(MINUTE);
    waiting.await.unwrap();
}
