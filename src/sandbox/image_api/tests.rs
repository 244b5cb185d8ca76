//! The life of a job over real HTTP, refusals, limits, the webhook, and every knob.

use std::time::Duration;

use base64::Engine as _;
use poem::http::StatusCode;
use serde_json::{Value, json};

use super::{ImageApiSim, Outcome, Status, Webhook};
use crate::base::clock::{Clock, Stopwatch};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::sandbox::testing::{Answer, Wire};
use crate::sandbox::{Fault, Sandbox, SandboxSettings};

const BEARER: &str = "Bearer sk-sandbox-image-api-key";

struct World {
    sandbox: Sandbox,
    wire: Wire,
}

impl World {
    /// Pictures take no time and nothing is limited.
    async fn start() -> Self {
        Self::start_with(SandboxSettings {
            image_latency: Duration::ZERO,
            image_rate_per_minute: 0,
            image_concurrency: 0,
            ..SandboxSettings::default()
        })
        .await
    }

    async fn start_with(settings: SandboxSettings) -> Self {
        let sandbox = Sandbox::start(settings, Clock::system(), Rng::seeded(1)).await.unwrap();
        Self { sandbox, wire: Wire::default() }
    }

    fn api(&self) -> &ImageApiSim {
        self.sandbox.image_api()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api().base())
    }

    async fn try_submit(
        &self,
        bearer: &str,
        key: &str,
        body: &Value,
    ) -> Result<Answer, ureq::Error> {
        let mut headers = vec![("Authorization", bearer)];
        if !key.is_empty() {
            headers.push(("Idempotency-Key", key));
        }
        let url = self.url("/v1/images/generate");
        self.wire.post(&url, &headers, body.to_string().as_bytes()).await
    }

    async fn submit(&self, body: &Value) -> Answer {
        self.try_submit(BEARER, "", body).await.unwrap()
    }

    /// Submits and gives the job's id.
    async fn job(&self, prompt: &str) -> String {
        let answer = self.submit(&json!({ "prompt": prompt })).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.json()["status"], "QUEUED");
        answer.json()["jobId"].as_str().unwrap().to_owned()
    }

    async fn on_job(&self, method: &str, bearer: &str, path: &str) -> Answer {
        let url = self.url(&format!("/v1/jobs{path}"));
        self.wire.call(method, &url, &[("Authorization", bearer)], b"").await.unwrap()
    }

    async fn read(&self, id: &str) -> Value {
        self.on_job("GET", BEARER, &format!("/{id}")).await.json()
    }
}

fn size_of(png: &[u8]) -> (u32, u32) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height)
}

#[tokio::test]
async fn a_job_without_latency_is_done_and_its_pictures_open() {
    let world = World::start().await;
    let body = json!({ "prompt": " a cat ", "aspectRatio": "21:9", "sampleCount": 2 });
    let answer = world.submit(&body).await;
    let job = world.read(answer.json()["jobId"].as_str().unwrap()).await;
    assert_eq!((&job["status"], &job["error"]), (&json!("SUCCEEDED"), &Value::Null));
    assert_eq!(job["prompt"], "a cat");
    let mut pictures = Vec::new();
    for url in job["resultUrls"].as_array().unwrap() {
        let picture = world.wire.get(url.as_str().unwrap(), &[]).await.unwrap();
        assert_eq!(picture.header("content-type"), "image/png");
        assert_eq!(size_of(&picture.body), (1024, 438));
        pictures.push(picture.body);
    }
    assert_eq!(pictures.len(), 2);
    assert_ne!(pictures[0], pictures[1]);
}

#[tokio::test]
async fn a_job_waits_runs_and_ends_in_real_time() {
    let world = World::start().await;
    world.api().set_latency(Duration::from_millis(400));
    let watch = Stopwatch::start();
    let id = world.job("a").await;
    assert_eq!(world.read(&id).await["status"], "QUEUED");
    let ended = world.api().jobs.ended(&id).await.unwrap();
    assert!(watch.elapsed() >= Duration::from_millis(400));
    assert_eq!(ended.status, Status::Succeeded);
    assert!(ended.updated_at > ended.created_at);
}

#[tokio::test]
async fn one_idempotency_key_is_one_job_per_tenant() {
    let world = World::start().await;
    world.api().set_accept_any_key(true);
    let body = json!({ "prompt": "a" });
    let mut ids = Vec::new();
    for (bearer, key) in [("Bearer x", "k"), ("Bearer x", "k"), ("Bearer y", "k"), ("Bearer x", "")]
    {
        let answer = world.try_submit(bearer, key, &body).await.unwrap();
        assert_eq!(answer.status, 202);
        ids.push(answer.json()["jobId"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[3]);
    assert_eq!(world.api().jobs(100).len(), 3);
}

#[tokio::test]
async fn strangers_are_refused_and_see_no_jobs_of_others() {
    let world = World::start().await;
    for bearer in ["", "Bearer", "Bearer wrong", "Basic sk-sandbox-image-api-key"] {
        let answer = world.try_submit(bearer, "", &json!({ "prompt": "a" })).await.unwrap();
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("INVALID_API_KEY")));
    }
    let id = world.job("a").await;
    world.api().set_accept_any_key(true);
    for method in ["GET", "DELETE"] {
        let answer = world.on_job(method, "Bearer other", &format!("/{id}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("JOB_NOT_FOUND")));
    }
    let list = world.on_job("GET", "Bearer other", "").await.json();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn bad_requests_are_named() {
    let world = World::start().await;
    for body in [json!({}), json!([1]), json!({ "prompt": "a", "resolution": "9K" })] {
        let answer = world.submit(&body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("INVALID_REQUEST")));
        assert!(answer.json()["message"].is_string());
    }
    assert!(world.api().jobs(10).is_empty());
    assert_eq!(world.on_job("PUT", BEARER, "/x").await.status, 405);
    assert_eq!(world.wire.get(&world.url("/health"), &[]).await.unwrap().status, 200);
}

#[tokio::test]
async fn only_a_waiting_job_can_be_canceled() {
    let world = World::start().await;
    world.api().set_latency(Duration::from_secs(60));
    let waiting = world.job("a").await;
    let answer = world.on_job("DELETE", BEARER, &format!("/{waiting}")).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("CANCELED")));
    assert!(!world.api().end_job(&waiting, &Outcome::Succeed));

    let done = world.job("b").await;
    assert!(world.api().end_job(&done, &Outcome::Succeed));
    for id in [waiting, done] {
        let answer = world.on_job("DELETE", BEARER, &format!("/{id}")).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("INVALID_STATE")));
    }
}

#[tokio::test]
async fn the_list_is_newest_first_in_pages_by_status() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(0, world.job(&n.to_string()).await);
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=2&status=SUCCEEDED".to_owned());
    loop {
        let page = world.on_job("GET", BEARER, &query).await.json();
        for item in page["items"].as_array().unwrap() {
            seen.push(item["jobId"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!(page["hasMore"], false);
            break;
        };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ids);
    assert_eq!(world.on_job("GET", BEARER, "?status=FAILED").await.json()["items"], json!([]));
    for bad in ["?limit=0", "?cursor=x", "?status=DONE"] {
        assert_eq!(world.on_job("GET", BEARER, bad).await.status, 400);
    }
}

#[tokio::test]
async fn rate_and_concurrency_are_limited_and_say_when_to_come_back() {
    let world = World::start().await;
    world.api().set_latency(Duration::from_secs(60));
    world.api().set_concurrency(1);
    let id = world.job("a").await;
    let full = world.submit(&json!({ "prompt": "b" })).await;
    assert_eq!((full.status, &full.json()["error"]), (503, &json!("SERVICE_OVERLOAD")));
    assert_eq!(full.header("retry-after"), "1");
    world.api().end_job(&id, &Outcome::Succeed);

    world.api().set_rate_per_minute(1);
    world.job("b").await;
    let often = world.submit(&json!({ "prompt": "c" })).await;
    assert_eq!((often.status, &often.json()["error"]), (429, &json!("RATE_LIMIT_EXCEEDED")));
    assert!((1..=60).contains(&often.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(world.on_job("GET", BEARER, &format!("/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_job_fails_or_never_ends_when_told_to() {
    let world = World::start().await;
    let fail = Outcome::Fail { code: "PROVIDER_ERROR".into(), message: "no paint".into() };
    world.api().outcomes().next(fail, 1);
    world.api().outcomes().next(Outcome::Never, 1);
    let failed = world.job("a").await;
    let job = world.read(&failed).await;
    assert_eq!(job["status"], "FAILED");
    assert_eq!(job["error"], json!({ "code": "PROVIDER_ERROR", "message": "no paint" }));
    assert_eq!(job["resultUrls"], json!([]));
    let stuck = world.job("a").await;
    assert_eq!(world.read(&stuck).await["status"], "RUNNING");
    assert!(world.api().end_job(&stuck, &Outcome::Succeed));
    let fine = world.job("a").await;
    assert_eq!(world.read(&fine).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn every_knob_of_submitting_reading_and_fetching() {
    let world = World::start().await;
    let body = json!({ "prompt": "a" });
    for (status, error) in [
        (400, "INVALID_REQUEST"),
        (401, "INVALID_API_KEY"),
        (429, "RATE_LIMIT_EXCEEDED"),
        (500, "PROVIDER_ERROR"),
        (503, "SERVICE_OVERLOAD"),
    ] {
        world.api().submit_faults().next(Fault::Error { code: status.into() }, 1);
        let answer = world.submit(&body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(error)));
    }
    world.api().submit_faults().next(Fault::Drop, 1);
    assert!(world.try_submit(BEARER, "k", &body).await.is_err());
    assert!(world.api().jobs(9).is_empty(), "no job comes of a call that did not get through");

    // The answer is lost, the job is there: asking again with the key finds it.
    world.api().submit_faults().next(Fault::Cut, 1);
    assert!(world.try_submit(BEARER, "k", &body).await.is_err());
    world.api().submit_faults().next(Fault::Garbage, 1);
    let garbage = world.try_submit(BEARER, "k", &body).await.unwrap();
    assert_eq!((garbage.status, garbage.json()), (200, Value::Null));
    let id = world.try_submit(BEARER, "k", &body).await.unwrap().json()["jobId"].clone();
    assert_eq!(world.api().jobs(9).len(), 1);
    let id = id.as_str().unwrap();

    world.api().poll_faults().next(Fault::Huge { megabytes: 3 }, 1);
    let huge = world.on_job("GET", BEARER, &format!("/{id}")).await;
    assert!(huge.body.len() > 3 * 1024 * 1024 && huge.header("content-length").is_empty());
    let watch = Stopwatch::start();
    world.api().poll_faults().next(Fault::Hang { ms: 120 }, 1);
    assert_eq!(world.read(id).await["status"], "SUCCEEDED");
    assert!(watch.elapsed() >= Duration::from_millis(120));

    let link = &world.api().job(id).unwrap().result_urls[0];
    world.api().file_faults().always(Fault::Error { code: 404 });
    assert_eq!(world.wire.get(link, &[]).await.unwrap().status, 404);
    world.api().file_faults().always(Fault::Garbage);
    let corrupt = world.wire.get(link, &[]).await.unwrap();
    assert_eq!((corrupt.status, corrupt.header("content-type").as_str()), (200, "image/png"));
    assert!(!corrupt.body.starts_with(b"\x89PNG"));
    world.api().file_faults().always(Fault::Cut);
    assert!(world.wire.get(link, &[]).await.is_err());
    world.api().file_faults().clear();
    assert_eq!(size_of(&world.wire.get(link, &[]).await.unwrap().body), (1024, 1024));
}

#[tokio::test]
async fn an_ended_job_is_announced_with_a_signature() {
    // The WeChat simulator's journal serves as the receiver: it writes down whatever comes.
    let world = World::start().await;
    let url = format!("{}/hook", world.sandbox.wechat().base());
    let secret = Secret::new("webhook-key".to_owned());
    world.api().set_webhook(Some(Webhook { url, secret }));
    let id = world.job("a").await;
    let arrival = async {
        loop {
            if let Some(call) = world.sandbox.wechat().journal().requests_to("/hook").pop() {
                return call;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let call = tokio::time::timeout(Duration::from_secs(10), arrival).await.unwrap();
    let event = call.json();
    assert_eq!((&event["jobId"], &event["status"]), (&json!(id), &json!("SUCCEEDED")));
    assert_eq!(event["resultUrls"].as_array().unwrap().len(), 1);
    assert!(event["eventId"].is_string() && event["tenantId"].is_string());
    assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
    let expected = independent_hmac(b"webhook-key", &call.body);
    assert_eq!(call.header("x-signature"), Some(format!("sha256={expected}").as_str()));
}

/// HMAC-SHA256 by another library.
fn independent_hmac(key: &[u8], data: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let tag = aws_lc_rs::hmac::sign(&key, data);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_synchronous_dialect_answers_links_or_pictures() {
    let world = World::start().await;
    let url = world.url("/v1/images/generations");
    let ask = async |body: Value| {
        let headers = [("Authorization", BEARER)];
        world.wire.post(&url, &headers, body.to_string().as_bytes()).await.unwrap()
    };
    let links = ask(json!({ "model": "m", "prompt": "a", "n": 2, "size": "128x64" })).await.json();
    assert!(links["created"].is_i64());
    assert_eq!(links["data"].as_array().unwrap().len(), 2);
    let link = links["data"][0]["url"].as_str().unwrap();
    assert_eq!(size_of(&world.wire.get(link, &[]).await.unwrap().body), (128, 64));

    let inline = json!({ "prompt": "a", "size": "64x64", "response_format": "b64_json" });
    let inline = ask(inline).await.json();
    let png = base64::engine::general_purpose::STANDARD
        .decode(inline["data"][0]["b64_json"].as_str().unwrap())
        .unwrap();
    assert_eq!(size_of(&png), (64, 64));

    let refused = ask(json!({ "prompt": "" })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST.as_u16());
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("prompt"));
    world
        .api()
        .outcomes()
        .next(Outcome::Fail { code: "PROVIDER_ERROR".into(), message: "no paint".into() }, 1);
    let failed = ask(json!({ "prompt": "a" })).await;
    assert_eq!((failed.status, &failed.json()["error"]["message"]), (500, &json!("no paint")));
}
