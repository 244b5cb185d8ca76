//! What is kept of the attempts of a job: how far each came, where, and what went wrong.

use super::*;
use crate::support::{Reaction, Upstream, until};

/// The attempts of a job as the admin page shows them.
async fn attempts(t: &TestApp, id: &str) -> Vec<Value> {
    let job = t.admin("viewer").get(&format!("/admin/api/jobs/{id}")).await.ok();
    job["endedAttempts"].as_array().unwrap().clone()
}

fn kept(t: &TestApp) -> i64 {
    t.count("SELECT COUNT(*) FROM generation_attempts")
}

#[tokio::test]
async fn each_attempt_tells_how_far_it_came_and_what_went_wrong() {
    let t = start().await;
    set(&t, Section::Jobs, json!({ "retry": { "firstDelayMs": 20, "maxDelayMs": 20 } })).await;
    let alice = t.log_in("alice").await;
    let api = t.sandbox.image_api();
    api.submit_faults().next(Fault::Html { status: 502 }, 1);
    api.file_faults().next(Fault::Error { code: 404 }, 1);
    let id = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");

    let all = attempts(&t, &id).await;
    let part = |name: &str| all.iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert_eq!(part("number"), [1, 2, 3]);
    assert_eq!(part("phase"), ["submit", "fetch", "fetch"]);
    let failed = json!("PROVIDER_ERROR");
    assert_eq!(part("errorCode"), [failed.clone(), failed, Value::Null]);
    assert_eq!(part("httpStatus"), [json!(502), Value::Null, Value::Null]);
    assert!(all[0]["message"].as_str().unwrap().contains("502"), "{}", all[0]);
    assert!(all[1]["message"].as_str().unwrap().contains("404"), "{}", all[1]);
    assert_eq!(all[2]["message"], Value::Null, "it worked");
    let theirs = t.admin("viewer").get(&format!("/admin/api/jobs/{id}")).await.ok();
    assert_eq!(
        part("upstreamJobId")[1..],
        [theirs["upstreamJobId"].clone(), theirs["upstreamJobId"].clone()]
    );
    assert_eq!((&theirs["attempts"], &part("upstreamJobId")[0]), (&json!(3), &Value::Null));
    assert!(part("upstream").iter().all(|name| *name == theirs["upstream"]));

    // The same in the job's timeline, the newest first, between its begin and its end.
    let path = format!("/admin/api/timeline?job={id}&limit=100");
    let line = t.admin("viewer").get(&path).await.ok();
    let told: Vec<_> = line["items"].as_array().unwrap().iter().collect();
    let numbers = told.iter().filter(|entry| entry["kind"] == "attempt");
    let numbers: Vec<_> = numbers.map(|entry| entry["data"]["number"].clone()).collect();
    assert_eq!(numbers, [3, 2, 1], "{line}");

    // Filters go by where the job is and what became of it, not by what was on the way.
    let list = async |query: &str| {
        let page = t.admin("viewer").get(&format!("/admin/api/jobs?{query}")).await.ok();
        page["items"].as_array().unwrap().len()
    };
    let upstream = theirs["upstream"].as_str().unwrap();
    assert_eq!(list(&format!("upstream={upstream}")).await, 1);
    assert_eq!((list("upstream=other").await, list("error=PROVIDER_ERROR").await), (0, 0));
}

#[tokio::test]
async fn what_an_image_api_says_is_kept_without_the_prompt() {
    let prompt = "雪山下的一只狐狸望着远方的灯火";
    let said = json!({ "message": format!("out of memory while drawing: {prompt}") }).to_string();
    let headers = [("content-type", "application/json"), ("x-request-id", "req-7")];
    let broken = Reaction::answer("500 Internal Server Error", &headers, said.as_bytes());
    let upstream = Upstream::start(broken).await;
    let t = start_with(&[("IMAGE_API_BASE", &upstream.base())]).await;
    let alice = t.log_in("alice").await;
    let wish = json!({ "prompt": prompt, "mode": "draft" });
    let id = submitted(&alice, &wish).await;
    assert_eq!(ended(&alice, &id).await["status"], "FAILED");
    let one = &attempts(&t, &id).await[0];
    let message = one["message"].as_str().unwrap();
    assert!(message.ends_with("out of memory while drawing: …"), "{message}");
    assert_eq!((&one["httpStatus"], &one["upstreamRequestId"]), (&json!(500), &json!("req-7")));

    // What is said of the request itself is its owner's, with the job.
    let said = json!({ "message": "no such style" }).to_string();
    upstream.react(Reaction::answer("400 Bad Request", &headers, said.as_bytes()));
    let id = submitted(&alice, &wish).await;
    assert_eq!(ended(&alice, &id).await["error"]["message"], "no such style");
    let one = &attempts(&t, &id).await[0];
    assert_eq!((&one["errorCode"], &one["message"]), (&json!("INVALID_REQUEST"), &Value::Null));
    assert_eq!(one["httpStatus"], 400);
}

#[tokio::test]
async fn an_attempt_that_the_deadline_ends_is_noted_and_gone_with_its_job() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let (id, there) = overdue(&t, &alice).await;
    until("the attempt is noted", || kept(&t) == 1).await;
    let one = &attempts(&t, &id).await[0];
    assert_eq!((&one["phase"], &one["errorCode"]), (&json!("poll"), &json!("PROVIDER_TIMEOUT")));
    assert_eq!(one["upstreamJobId"], json!(there));

    t.clock.advance(Duration::from_secs(31 * 24 * 3600));
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 0);
    assert_eq!(kept(&t), 0);
}
