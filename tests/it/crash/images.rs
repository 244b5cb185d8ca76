//! Users who earn points and have pictures made, with an image API that fails in every way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::app::App;
use dream_bff::base::clock::Clock;
use dream_bff::base::rng::Rng;
use dream_bff::base::secret::Secret;
use dream_bff::features::points::Batch;
use dream_bff::features::points::service::redeem::create_batch;
use dream_bff::features::settings::{Section, service::change};
use dream_bff::sandbox::{Fault, Faults, Outcome, Sandbox, Webhook};
use rusqlite::Connection;
use serde_json::json;

use super::driver::{Actor, CutOff, Plan, Workload};
use super::guest::{Guest, Shared};
use super::{audit, storage};

const WEBHOOK_SECRET: &str = "webhook-secret-of-the-crash-test";

/// Who stays all the time.
const REGULARS: u64 = 5;

/// Who are somebody else every few moments: log-ins, first check-ins, rewards of inviters.
const NEWCOMERS: u64 = 3;

/// What newcomers do before they leave.
const VISIT: u32 = 25;

/// Short enough that some jobs meet it, on a busy machine more.
const DEADLINE_S: u64 = 30;

/// With less time left a job is not expected to be gone on with.
const TIME_ENOUGH_S: i64 = 10;

/// Redeem codes there are; two users try the same one.
const CODES: u32 = 4000;

pub(super) fn workload(plan: Plan, _: &Arc<Sandbox>) -> Workload {
    let shared = Arc::<Shared>::default();
    let mut actors: Vec<Box<dyn Actor>> = Vec::new();
    for number in 0..REGULARS + NEWCOMERS {
        let visit = (number >= REGULARS).then_some(VISIT);
        let rng = Rng::seeded(plan.seed.wrapping_add(number + 1));
        actors.push(Box::new(Guest::new(number, visit, Arc::clone(&shared), rng)));
    }
    Workload {
        settings: vec![
            ("RATE_LIMIT_PER_USER", "0"),
            ("RATE_LIMIT_GENERATE_PER_USER", "0"),
            ("IMAGE_API_WEBHOOK_SECRET", WEBHOOK_SECRET),
            // Every call of these hangs for as long as an answer is awaited.
            ("IMAGE_API_TIMEOUT", "1"),
            ("MIN_FREE_DISK_MIB", "0"),
            ("RUST_LOG", "info,access=off"),
        ],
        prepare: Box::new(|app| Box::pin(prepare(app, shared))),
        actors,
        weather,
        between: None,
        announce,
        calm,
        cut_off,
        open,
        audits: vec![
            audit::file_is_whole,
            audit::ledger_adds_up,
            audit::ways_to_points_match,
            audit::jobs_cost_once,
            audit::quota_matches,
            audit::figures,
            storage::nothing_is_left_over,
        ],
    }
}

async fn prepare(app: Arc<App>, shared: Arc<Shared>) {
    // Some pictures are free, some cost points; what hangs ends soon.
    let jobs = json!({
        "deadlineS": DEADLINE_S, "lateGraceS": 4,
        "retry": { "maxAttempts": 8, "firstDelayMs": 100, "maxDelayMs": 1000 },
    });
    // Drawing on pictures is slow in a debug build.
    let label = json!({ "visible": false });
    let entitlements = json!({ "NORMAL": { "freePerDay": 3, "concurrency": 4 } });
    let economy = json!({ "invite": { "cap": 1_000_000 } });
    for (section, json) in [
        (Section::Label, label),
        (Section::Jobs, jobs),
        (Section::Entitlements, entitlements),
        (Section::Economy, economy),
    ] {
        change(&app, section, json, "test").await.unwrap();
    }
    let batch = Batch {
        name: "crash".to_owned(),
        points: 20,
        count: CODES,
        expires_at: None,
        created_by: "test".to_owned(),
    };
    let (_, codes) = create_batch(&app, batch).await.unwrap();
    shared.codes.set(codes).unwrap();
}

/// One knob is turned, at most one fault of a kind being due at a time.
fn weather(sandbox: &Sandbox, rng: &Rng) {
    let api = sandbox.image_api();
    match rng.below(10) {
        0 | 1 => due(api.submit_faults(), rng),
        2 => due(api.poll_faults(), rng),
        3 => due(api.file_faults(), rng),
        4 => due(sandbox.wechat().login_faults(), rng),
        5 => {
            let failed = Outcome::Fail { code: "PROVIDER_ERROR".into(), message: "down".into() };
            plan(sandbox, failed);
        }
        6 if rng.below(8) == 0 => plan(sandbox, Outcome::Never),
        7 => api.set_latency(Duration::from_millis(rng.below(600))),
        8 | 9 => {
            // The webhook once more, or too early.
            let jobs = api.jobs(20);
            let count = u64::try_from(jobs.len()).unwrap();
            if let Some(job) = jobs.get(usize::try_from(rng.below(count.max(1))).unwrap()) {
                api.announce(&job.id);
            }
        }
        _ => {}
    }
}

fn plan(sandbox: &Sandbox, outcome: Outcome) {
    let outcomes = sandbox.image_api().outcomes();
    if outcomes.view().next.is_empty() {
        outcomes.next(outcome, 1);
    }
}

fn due(faults: &Faults, rng: &Rng) {
    let fault = match rng.below(8) {
        0 => Fault::Error { code: 500 },
        1 => Fault::Error { code: 503 },
        2 => Fault::Error { code: 429 },
        3 => Fault::Html { status: 502 },
        4 => Fault::Drop,
        5 => Fault::Garbage,
        6 => Fault::Cut,
        // Beyond IMAGE_API_TIMEOUT every other time.
        _ => Fault::Hang { ms: 600 + rng.below(1000) },
    };
    if faults.view().next.is_empty() {
        faults.next(fault, 1);
    }
}

fn announce(sandbox: &Sandbox, address: SocketAddr) {
    sandbox.image_api().set_webhook(Some(Webhook {
        url: format!("http://{address}/v1/webhooks/image-api"),
        secret: Secret::new(WEBHOOK_SECRET.to_owned()),
    }));
}

fn calm(sandbox: &Sandbox) {
    let api = sandbox.image_api();
    for faults in [api.submit_faults(), api.poll_faults(), api.file_faults()] {
        faults.clear();
    }
    sandbox.wechat().login_faults().clear();
    api.outcomes().clear();
    api.set_latency(Duration::ZERO);
    // Whatever was never to end there, so that nobody waits for a deadline.
    for job in api.jobs(usize::MAX) {
        api.end_job(&job.id, &Outcome::Succeed);
    }
}

/// Jobs that a worker had. The next one asks about those that the image API has, and submits the
/// others under the same key.
fn cut_off(database: &Connection, sandbox: &Sandbox) -> CutOff {
    let ends_after = Clock::system().now().plus_seconds(TIME_ENOUGH_S);
    let mut jobs = database
        .prepare(
            "SELECT job_id, upstream_job_id FROM generations
              WHERE status IN ('RUNNING', 'RETRYING') AND deadline_at > ?1",
        )
        .unwrap();
    let jobs = jobs.query_map([ends_after.0], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let jobs: Vec<(String, Option<String>)> = jobs.map(Result::unwrap).collect();
    sandbox.image_api().journal().clear();
    let count = jobs.len().try_into().unwrap();
    let is_forgotten = move |sandbox: &Sandbox| {
        let seen = sandbox.image_api().journal().requests();
        jobs.iter().any(|(id, there)| {
            !seen.iter().any(|request| match there {
                Some(there) => request.path() == format!("/v1/jobs/{there}"),
                None => request.header("idempotency-key") == Some(id),
            })
        })
    };
    CutOff { count, is_forgotten: Box::new(is_forgotten) }
}

/// Jobs that may still change.
fn open(database: &Connection, _: &Sandbox) -> Vec<String> {
    let query = "SELECT 'job ' || job_id || ': ' || status FROM generations
                  WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING') OR late_until IS NOT NULL";
    let mut open = database.prepare(query).unwrap();
    let open = open.query_map([], |row| row.get(0)).unwrap();
    open.map(Result::unwrap).collect()
}
