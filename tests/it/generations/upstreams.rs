//! Whole jobs against what image APIs are like: both dialects, several of them, slow and broken ones.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dream_bff::base::clock::Clock;
use dream_bff::base::rng::Rng;
use dream_bff::clients::image_api::BreakerState;
use dream_bff::sandbox::{Sandbox, SandboxSettings};
use image::{ImageFormat, RgbImage};

use super::*;
use crate::support::{Reaction, Upstream, until};

/// Repeats come soon.
async fn hurry(t: &TestApp) {
    set(t, Section::Jobs, json!({ "retry": { "firstDelayMs": 20, "maxDelayMs": 20 } })).await;
}

#[tokio::test]
async fn the_dialect_with_links_delivers_all_pictures() {
    let t = start_with(&[("IMAGE_API_DIALECT", "openai-images")]).await;
    let alice = t.log_in("alice").await;
    let id = submitted(&alice, &json!({ "prompt": "x", "mode": "draft", "sampleCount": 2 })).await;
    let done = ended(&alice, &id).await;
    assert_eq!(done["status"], "SUCCEEDED", "{done}");
    assert_eq!(done["resultUrls"].as_array().unwrap().len(), 2);
    let asked = t.sandbox.image_api().journal().requests();
    assert!(asked.iter().any(|call| call.path() == "/v1/images/generations"));
    // A refused prompt is final and given back.
    t.sandbox.image_api().submit_faults().next(Fault::Error { code: 400 }, 1);
    let refused = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &refused).await["error"]["code"], "INVALID_REQUEST");
    assert_eq!(used_today(&alice).await, 2);
}

#[tokio::test]
async fn the_dialect_with_base64_delivers_too() {
    let mut png = Cursor::new(Vec::new());
    RgbImage::new(96, 64).write_to(&mut png, ImageFormat::Png).unwrap();
    let data = json!({ "created": 1, "data": [{ "b64_json": STANDARD.encode(png.into_inner()) }] });
    let headers = [("content-type", "application/json")];
    let answer = Reaction::answer("200 OK", &headers, data.to_string().as_bytes());
    let upstream = Upstream::start(answer).await;
    let base = upstream.base();
    let t = start_with(&[("IMAGE_API_DIALECT", "openai-images"), ("IMAGE_API_BASE", &base)]).await;
    let alice = t.log_in("alice").await;
    let id = submitted(&alice, &draft()).await;
    let done = ended(&alice, &id).await;
    assert_eq!(done["status"], "SUCCEEDED", "{done}");
    let url = done["resultUrls"][0].as_str().unwrap();
    let picture = t.get(&url[url.find("/media/").unwrap()..]).await;
    assert_eq!(image::load_from_memory(&picture.body).unwrap().width(), 96);
}

#[tokio::test]
async fn a_dead_image_api_is_left_for_another_and_found_again() {
    let t = start().await;
    let at_once = SandboxSettings {
        image_latency: Duration::ZERO,
        image_rate_per_minute: 0,
        image_concurrency: 0,
        ..SandboxSettings::default()
    };
    let clock = Clock::test(t.clock.clone());
    let other = Sandbox::start(at_once, clock, Rng::seeded(9)).await.unwrap();
    let (first, second) = (t.sandbox.image_api(), other.image_api());
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("upstreams.json");
    let entries = json!([
        { "name": "first", "base": first.base(), "key": first.api_key(), "weight": 1000 },
        { "name": "second", "base": second.base(), "key": second.api_key(), "concurrency": 1 },
    ]);
    std::fs::write(&file, entries.to_string()).unwrap();
    t.restart_with(&[("IMAGE_UPSTREAMS_PATH", file.to_str().unwrap())]);
    hurry(&t).await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": null } })).await;
    let breaker = || t.app().upstreams.states()[0].breaker;
    let alice = t.log_in("alice").await;

    // No connection lives: jobs are made by the other one, and after five failures nothing is sent.
    first.submit_faults().always(Fault::Drop);
    let mut jobs = 0;
    while breaker() != BreakerState::Open {
        jobs += 1;
        assert!(jobs <= 20, "the breaker never opened");
        let id = submitted(&alice, &draft()).await;
        assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
    }
    let (tried, made) = (first.journal().requests().len(), second.jobs(100).len());
    let id = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
    assert_eq!(first.journal().requests().len(), tried);
    assert_eq!((second.jobs(100).len(), first.jobs(100).len()), (made + 1, 0));

    // Its pause is over while the other has all it can: the next job finds out.
    second.set_latency(FOREVER);
    let held = submitted(&alice, &draft()).await;
    until("the other one is busy", || second.jobs(100).len() == made + 2).await;
    first.submit_faults().clear();
    t.clock.advance(Duration::from_secs(2));
    assert_eq!(breaker(), BreakerState::HalfOpen);
    let trial = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &trial).await["status"], "SUCCEEDED");
    assert_eq!((first.jobs(100).len(), breaker()), (1, BreakerState::Closed));
    assert_eq!(job(&alice, &held).await["status"], "RUNNING");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn an_image_api_that_hangs_has_the_job_all_the_same() {
    let t = start_with(&[("IMAGE_API_TIMEOUT", "1")]).await;
    hurry(&t).await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.submit_faults().next(Fault::Hang { ms: 60_000 }, 1);
    let id = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
    // The same key found the job that the first call had made.
    assert_eq!((api.jobs(100).len(), used_today(&alice).await), (1, 1));
}

#[tokio::test]
async fn results_that_come_badly_are_fetched_again() {
    let t = start().await;
    hurry(&t).await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": null } })).await;
    let alice = t.log_in("alice").await;
    let files = t.sandbox.image_api().file_faults();
    for fault in [
        Fault::Error { code: 404 },
        Fault::Html { status: 200 },
        Fault::Garbage,
        Fault::Cut,
        Fault::Drop,
        Fault::Hang { ms: 300 },
    ] {
        files.next(fault.clone(), 1);
        let id = submitted(&alice, &draft()).await;
        assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED", "{fault:?}");
    }
    assert_eq!(t.sandbox.image_api().jobs(100).len(), 6, "nothing was made twice");
}

#[tokio::test]
async fn a_result_that_leads_inside_fails_and_what_was_stored_is_let_go() {
    let t = start().await;
    without_quota(&t).await;
    let alice = t.log_in("alice").await;
    let files = t.sandbox.image_api().file_faults();
    let pair = json!({ "prompt": "x", "mode": "draft", "sampleCount": 2 });
    for location in ["http://169.254.169.254/latest/", "https://127.0.0.1/a.png"] {
        // The first of the two pictures is fine.
        files.next(Fault::Hang { ms: 0 }, 1);
        files.next(Fault::Redirect { location: location.to_owned() }, 1);
        let id = submitted(&alice, &pair).await;
        let failed = ended(&alice, &id).await;
        assert_eq!(failed["error"]["code"], "PROVIDER_ERROR", "{failed}");
        assert_eq!(failed["pointsRefunded"], 2);
    }
    assert_eq!(balance(&alice).await, 10);
    let stored = t.count("SELECT COUNT(*) FROM media_objects");
    assert!(stored > 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM media_holds"), 0);
    let unused = "SELECT COUNT(*) FROM media_objects WHERE unused_since IS NOT NULL";
    assert_eq!(t.count(unused), stored);
    assert_books_balance(&t).await;
}
