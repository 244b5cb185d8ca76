//! The page's API turns the knobs and tells no secrets.

use std::time::Duration;

use poem::Route;
use poem::test::TestClient;
use serde_json::{Value, json};

use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::sandbox::testing::Wire;
use crate::sandbox::{Fault, Sandbox, SandboxSettings};

struct World {
    sandbox: Sandbox,
    page: TestClient<Route>,
}

impl World {
    async fn start() -> Self {
        let settings =
            SandboxSettings { image_latency: Duration::ZERO, ..SandboxSettings::default() };
        let sandbox = Sandbox::start(settings, Clock::system(), Rng::seeded(1)).await.unwrap();
        let routes = Route::new().nest(Sandbox::CONTROL_PATH, sandbox.control_routes());
        Self { sandbox, page: TestClient::new(routes) }
    }

    async fn command(&self, name: &str, body: Value) -> (u16, Value) {
        let path = format!("{}/api/{name}", Sandbox::CONTROL_PATH);
        let answer = self
            .page
            .post(path)
            .content_type("application/json")
            .body(body.to_string())
            .send()
            .await
            .0;
        let status = answer.status().as_u16();
        (status, answer.into_body().into_json().await.unwrap())
    }

    async fn state(&self) -> Value {
        self.page.get("/_sandbox/api/state").send().await.0.into_body().into_json().await.unwrap()
    }
}

#[tokio::test]
async fn the_page_and_its_parts_are_there() {
    let world = World::start().await;
    for (path, kind) in [
        ("/_sandbox", "text/html; charset=utf-8"),
        ("/_sandbox/", "text/html; charset=utf-8"),
        ("/_sandbox/page.js", "text/javascript; charset=utf-8"),
        ("/_sandbox/pay", "text/html; charset=utf-8"),
        ("/_sandbox/pay.js", "text/javascript; charset=utf-8"),
        ("/_sandbox/page.css", "text/css; charset=utf-8"),
    ] {
        let answer = world.page.get(path).send().await;
        answer.assert_status_is_ok();
        answer.assert_header("content-type", kind);
        answer.assert_header_exist("content-security-policy");
    }
    let missing = world.page.get("/_sandbox/files/job_x-0.png").send().await;
    missing.assert_status(poem::http::StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_forms_turn_the_knobs() {
    let world = World::start().await;
    let fault =
        json!({ "target": "wechat.login", "fault": { "kind": "error", "code": -1 }, "times": 2 });
    assert_eq!(world.command("faults", fault).await.0, 200);
    let next = world.sandbox.wechat().login_faults().view().next;
    assert_eq!(next, [(Fault::Error { code: -1 }, 2)]);

    let always = json!({ "target": "image.file", "fault": { "kind": "cut" }, "times": 0 });
    assert_eq!(world.command("faults", always).await.0, 200);
    let latency = json!({ "target": "image.poll", "latencyMs": 70 });
    assert_eq!(world.command("latency", latency).await.0, 200);
    let limits = json!({ "jobMs": 5, "concurrency": 9 });
    assert_eq!(world.command("limits", limits).await.0, 200);
    let outcome = json!({ "outcome": { "kind": "never" }, "times": 1 });
    assert_eq!(world.command("outcomes", outcome).await.0, 200);

    let image = &world.state().await["image"];
    assert_eq!(image["file"]["plan"]["always"], json!({ "kind": "cut" }));
    assert_eq!(image["poll"]["latencyMs"], 70);
    assert_eq!((&image["jobMs"], &image["concurrency"]), (&json!(5), &json!(9)));
    assert_eq!(image["ratePerMinute"], 60);
    assert_eq!(image["outcomes"]["next"][0][0]["kind"], "never");

    world.command("clear", json!({})).await;
    let state = world.state().await;
    assert_eq!(state["image"]["file"]["plan"]["always"], Value::Null);
    assert_eq!(state["image"]["poll"]["latencyMs"], 0);
    assert_eq!(state["wechat"]["login"]["plan"]["next"], json!([]));

    let (_, code) = world.command("codes", json!({ "kind": "login", "subject": "amy" })).await;
    assert!(code["code"].as_str().unwrap().len() > 20);
}

#[tokio::test]
async fn commands_that_make_no_sense_are_refused() {
    let world = World::start().await;
    assert_eq!(world.command("nothing", json!({})).await.0, 400);
    assert_eq!(world.command("faults", json!({})).await.0, 400);
    let target = json!({ "target": "moon", "fault": { "kind": "cut" }, "times": 0 });
    assert_eq!(world.command("faults", target).await.0, 400);
    let form = world.page.post("/_sandbox/api/clear").content_type("text/plain").body("{}");
    assert_eq!(form.send().await.0.status().as_u16(), 415);
}

#[tokio::test]
async fn jobs_are_shown_with_pictures_and_requests_without_keys() {
    let world = World::start().await;
    let api = world.sandbox.image_api();
    let url = format!("{}/v1/images/generate", api.base());
    let bearer = format!("Bearer {}", api.api_key());
    let body = br#"{"prompt":"a cat"}"#;
    Wire::default().post(&url, &[("Authorization", &bearer)], body).await.unwrap();

    let state = world.state().await;
    let job = &state["image"]["jobs"][0];
    assert_eq!((&job["prompt"], &job["status"]), (&json!("a cat"), &json!("SUCCEEDED")));
    let picture = job["pictures"][0].as_str().unwrap();
    let answer = world.page.get(format!("/_sandbox/files/{picture}")).send().await;
    answer.assert_status_is_ok();
    answer.assert_header("content-type", "image/png");
    let requests = &state["image"]["requests"];
    assert_eq!(requests[0]["status"], 202);
    assert!(!requests.to_string().contains(api.api_key()));
}

#[tokio::test]
async fn the_page_of_payments_plans_pays_and_tells_why_not() {
    let world = World::start().await;
    let plans = json!({
        "times": 2,
        "paymentNotice": { "kind": "lost" },
        "refundOutcome": { "kind": "abnormal", "after_ms": 5 },
        "push": { "kind": "duplicated", "times": 3 },
        "pushFormat": "xml",
        "trust": "certificates",
        "speed": 10,
    });
    assert_eq!(world.command("pay-plans", plans).await.0, 200);
    let fault = json!({ "target": "pay.prepay", "fault": { "kind": "silence" }, "times": 1 });
    assert_eq!(world.command("faults", fault).await.0, 200);
    let state = world.page.get("/_sandbox/api/pay-state").send().await.0;
    let state: Value = state.into_body().into_json().await.unwrap();
    assert_eq!(state["planned"]["paymentNotices"]["next"], json!([[{ "kind": "lost" }, 2]]));
    assert_eq!(state["planned"]["trust"], "certificates");
    assert_eq!((&state["pushFormat"], &state["speed"]), (&json!("xml"), &json!(10)));
    let knobs = state["knobs"].as_array().unwrap();
    let knob = knobs.iter().find(|knob| knob["name"] == "pay.prepay").unwrap();
    assert_eq!(knob["faults"]["plan"]["next"][0][0]["kind"], "silence");

    for (command, body, problem) in [
        ("pay", json!({ "outTradeNo": "none" }), "no such order"),
        ("pay", json!({}), "params or outTradeNo"),
        ("pay", json!({ "params": { "appId": "x" } }), "appId is no parameter"),
        ("pay-virtual", json!({ "openid": "a", "params": {} }), "-15001"),
        ("refund-by-user", json!({ "outTradeNo": "none" }), "no such order"),
        ("complain", json!({ "outTradeNo": "none" }), "no such order"),
        ("notify-again", json!({ "outTradeNo": "none" }), "no such order"),
    ] {
        let (status, answer) = world.command(command, body).await;
        assert_eq!(status, 400, "{command}");
        assert!(answer["error"].as_str().unwrap().contains(problem), "{answer}");
    }
    world.command("clear", json!({})).await;
    assert!(world.sandbox.wechat_pay().payment_notices().view().next.is_empty());
}
