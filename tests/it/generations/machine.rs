//! Random histories: whatever happens in whatever order, every job ends, is paid for exactly when it
//! was delivered, and the books balance.

use dream_bff::base::rng::Rng;

use super::*;

/// Steps of one history.
const STEPS: usize = 40;

async fn history(seed: u64) {
    let t = start_with(&[("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET)]).await;
    set(
        &t,
        Section::Jobs,
        json!({ "retry": { "firstDelayMs": 10, "maxDelayMs": 50, "maxAttempts": 3 } }),
    )
    .await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": 3 } })).await;
    let rng = Rng::seeded(seed);
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let mut jobs: Vec<String> = Vec::new();
    for _ in 0..STEPS {
        let pick = |count: usize| usize::try_from(rng.below(count as u64)).unwrap();
        let open: Vec<String> = api.jobs(100).into_iter().map(|job| job.id).collect();
        let (code, message) = ("PROVIDER_ERROR".to_owned(), "no".to_owned());
        match rng.below(10) {
            0..=2 => {
                let answer = submit(&alice, &draft()).await;
                assert!([202, 402].contains(&answer.status), "{}", answer.text());
                jobs.extend(answer.json()["jobId"].as_str().map(str::to_owned));
            }
            3 | 4 if !open.is_empty() => {
                api.end_job(&open[pick(open.len())], &Outcome::Succeed);
            }
            5 if !open.is_empty() => {
                api.end_job(&open[pick(open.len())], &Outcome::Fail { code, message });
            }
            6 if !jobs.is_empty() => {
                let path = format!("/v1/jobs/{}", jobs[pick(jobs.len())]);
                let status = alice.delete(&path).await.status;
                assert!([200, 409].contains(&status));
            }
            7 if !open.is_empty() => {
                let body = json!({ "jobId": open[pick(open.len())] }).to_string();
                let call = t.post("/v1/webhooks/image-api").bytes(body.clone());
                call.header("X-Signature", signature(&body)).await.ok();
            }
            8 => t.restart(),
            9 => {
                let faults = [Fault::Drop, Fault::Cut, Fault::Error { code: 503 }, Fault::Garbage];
                api.submit_faults().next(faults[pick(faults.len())].clone(), 1);
            }
            _ => {
                t.clock.advance(Duration::from_secs(rng.below(400)));
                t.run_periodic_tasks().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.below(30))).await;
    }
    // Whatever is left runs into its deadline, and nothing comes after the grace.
    for _ in 0..3 {
        t.clock.advance(Duration::from_secs(700));
        t.run_periodic_tasks().await;
    }
    let mut free = 0;
    let mut paid = 0;
    for id in &jobs {
        let job = ended(&alice, id).await;
        let net = job["pointsCharged"].as_i64().unwrap() - job["pointsRefunded"].as_i64().unwrap();
        let is_delivered = job["status"] == "SUCCEEDED";
        let pictures = job["resultUrls"].as_array().unwrap().len();
        assert_eq!(pictures, usize::from(is_delivered), "seed {seed}: {job}");
        assert!(is_delivered || net == 0, "seed {seed}: {job}");
        paid += net;
        free += t.count(&format!("SELECT quota_used FROM generations WHERE job_id = '{id}'"));
    }
    assert_eq!(balance(&alice).await, 10 - paid, "seed {seed}");
    assert_eq!(t.count("SELECT COALESCE(SUM(free), 0) FROM quota_usage"), free, "seed {seed}");
    let delivered = "SELECT COUNT(*) FROM generations WHERE status = 'SUCCEEDED'";
    let counted = "SELECT COALESCE(SUM(free + paid), 0) FROM quota_usage";
    assert_eq!(t.count(delivered), t.count(counted), "seed {seed}");
    assert_books_balance(&t).await;
}

/// `HISTORIES` says how many.
#[tokio::test]
async fn every_history_ends_with_every_job_ended_and_the_books_in_balance() {
    let histories = std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    for seed in 0..histories {
        history(seed).await;
    }
}
