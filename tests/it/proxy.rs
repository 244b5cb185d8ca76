//! `/v1/proxy/…`: what passes through unchanged, what never does, and what happens when it fails.

mod charges;

use std::sync::Arc;
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::sandbox::{Fault, ImageApiSim, Recorded};
use serde_json::{Value, json};

use crate::support::{
    Reaction, TestApp, Upstream, User, Wire, address_that_refuses, request, until,
};

const GENERATE: &str = "/v1/proxy/images/generate";

fn prompt() -> Value {
    json!({ "prompt": "月光下的山水" })
}

/// What the image API was asked so far.
fn asked(t: &TestApp) -> Vec<Recorded> {
    t.sandbox.image_api().journal().requests()
}

/// A server whose image API answers the very bytes the test gives.
async fn behind(upstream: &Upstream, changes: &[(&str, &str)]) -> TestApp {
    let base = upstream.base();
    let mut all = vec![("IMAGE_API_BASE", base.as_str())];
    all.extend(changes);
    TestApp::with(&all).await
}

async fn submit(user: &User) -> String {
    let answer = user.generate(&prompt()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["jobId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_generates_looks_and_gets_a_picture() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let job_id = submit(&alice).await;
    let job = alice.get(&format!("/v1/proxy/jobs/{job_id}")).await.ok();
    assert_eq!(job["status"], "SUCCEEDED");
    let name = job["resultUrls"][0].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let picture = t.sandbox.image_api().picture(&name).await.unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn the_caller_needs_a_token_and_the_image_api_gets_our_key() {
    let t = TestApp::start().await;
    t.post(GENERATE).json(&prompt()).await.fails(401, "UNAUTHORIZED");
    assert!(asked(&t).is_empty());

    let alice = t.log_in("alice").await;
    let job_id = submit(&alice).await;
    alice.get(&format!("/v1/proxy/jobs/{job_id}")).await.ok();
    let ours = format!("Bearer {}", ImageApiSim::API_KEY);
    assert_eq!(asked(&t).len(), 2);
    for request in asked(&t) {
        assert_eq!(request.header("authorization"), Some(&*ours));
        assert!(
            request
                .headers
                .values()
                .all(|value| !value.as_bytes().ends_with(alice.token.as_bytes()))
        );
    }
}

#[tokio::test]
async fn without_a_key_the_callers_own_token_goes_through() {
    let t = TestApp::with(&[("IMAGE_API_KEY", "")]).await;
    t.sandbox.image_api().set_accept_any_key(true);
    let alice = t.log_in("alice").await;
    submit(&alice).await;
    assert_eq!(asked(&t)[0].header("authorization"), Some(&*format!("Bearer {}", alice.token)));
}

#[tokio::test]
async fn the_body_reaches_the_image_api_byte_for_byte() {
    let upstream = Upstream::start(Reaction::answer("202 Accepted", &[], b"{}")).await;
    let t = behind(&upstream, &[]).await;
    let alice = t.log_in("alice").await;
    let body = "{ \"prompt\" :\t\"\\u6708 光\",\r\n \"z\":1.50e+2, \"a\":[ ], \"z\":null }";
    let answer = alice
        .post(GENERATE)
        .bytes(body)
        .header("idempotency-key", "order-1")
        .header("accept-language", "en")
        .header("x-request-id", "client-chosen-1")
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (202, "{}"));

    let seen = String::from_utf8(upstream.seen()[0].clone()).unwrap();
    let (head, sent) = seen.split_once("\r\n\r\n").unwrap();
    assert_eq!(sent, body);
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/images/generate http/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/json",
        "idempotency-key: order-1",
        "accept-language: en",
        "x-request-id: client-chosen-1",
    ] {
        assert!(head.lines().any(|header| header == line), "{line} is missing: {head}");
    }
}

#[tokio::test]
async fn headers_between_client_and_us_stay_here() {
    let upstream = Upstream::start(Reaction::answer("200 OK", &[], b"{}")).await;
    let t = behind(&upstream, &[]).await;
    let alice = t.log_in("alice").await;
    let answer = alice
        .generate(&prompt())
        .header("cookie", "session=secret")
        .header("connection", "x-per-hop")
        .header("x-per-hop", "1")
        .header("te", "trailers")
        .header("proxy-authorization", "Basic c2VjcmV0")
        .header("x-forwarded-for", "198.51.100.1")
        .header("host", "evil.example")
        .await;
    answer.ok();
    let seen = String::from_utf8(upstream.seen()[0].clone()).unwrap().to_ascii_lowercase();
    for part in ["cookie", "x-per-hop", "\r\nte:", "proxy-auth", "198.51.100.1", "evil"] {
        assert!(!seen.contains(part), "{part}: {seen}");
    }
    assert!(!seen.contains(&alice.token.to_ascii_lowercase()));
}

#[tokio::test]
async fn an_answer_of_any_status_passes_byte_for_byte() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let t = behind(&upstream, &[]).await;
    let alice = t.log_in("alice").await;
    for status in [
        "200 OK",
        "202 Accepted",
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "409 Conflict",
        "422 Unprocessable Entity",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ] {
        let body = "{ \"error\" : \"X\",\n\t\"message\":\"\\u6708 光\", \"n\":1.0e2,\"n\":2 }";
        let headers = [
            ("content-type", "application/json"),
            ("retry-after", "17"),
            ("x-ratelimit-remaining", "3"),
            ("connection", "close, x-per-hop"),
            ("x-per-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("set-cookie", "upstream=1"),
            ("server", "upstream/1.0"),
            ("x-request-id", "upstream-id"),
            ("proxy-authenticate", "Basic"),
        ];
        upstream.react(Reaction::answer(status, &headers, body.as_bytes()));
        let answer = alice.generate(&prompt()).header("x-request-id", "our-id-1").await;
        assert_eq!(format!("{} ", answer.status), status[..4]);
        assert_eq!(answer.text(), body, "{status}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{status}");
        assert_eq!(answer.header("retry-after"), Some("17"), "{status}");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("3"), "{status}");
        assert_eq!(answer.header("x-request-id"), Some("our-id-1"), "{status}");
        for gone in
            ["connection", "x-per-hop", "keep-alive", "set-cookie", "server", "proxy-authenticate"]
        {
            assert_eq!(answer.header(gone), None, "{status}: {gone}");
        }
    }
}

#[tokio::test]
async fn errors_of_the_image_api_pass_as_they_are() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let job_id = submit(&alice).await;
    let faults = t.sandbox.image_api();
    for (code, error) in [
        (400, "INVALID_REQUEST"),
        (401, "INVALID_API_KEY"),
        (429, "RATE_LIMIT_EXCEEDED"),
        (500, "PROVIDER_ERROR"),
        (503, "SERVICE_OVERLOAD"),
    ] {
        faults.submit_faults().next(Fault::Error { code }, 1);
        faults.poll_faults().next(Fault::Error { code }, 1);
        for answer in
            [alice.generate(&prompt()).await, alice.get(&format!("/v1/proxy/jobs/{job_id}")).await]
        {
            assert_eq!(i64::from(answer.status), code);
            let expected = json!({ "error": error, "message": "the sandbox was told to fail" });
            assert_eq!(answer.json(), expected);
            let may_wait = matches!(code, 429 | 503).then_some("1");
            assert_eq!(answer.header("retry-after"), may_wait);
        }
    }
}

#[tokio::test]
async fn what_comes_back_broken_is_a_provider_error() {
    let t = TestApp::with(&[("PROXY_MAX_ANSWER_KIB", "64")]).await;
    let alice = t.log_in("alice").await;
    let job_id = submit(&alice).await;
    let api = t.sandbox.image_api();
    for fault in [
        Fault::Garbage,
        Fault::Huge { megabytes: 1 },
        Fault::Drop,
        Fault::Cut,
        Fault::Html { status: 502 },
        Fault::Html { status: 200 },
    ] {
        let before = asked(&t).len();
        api.submit_faults().next(fault.clone(), 1);
        api.poll_faults().next(fault.clone(), 1);
        let body = alice.generate(&prompt()).await.fails(502, "PROVIDER_ERROR");
        assert!(!body.to_string().contains("127.0.0.1"), "our side's addresses stay here: {body}");
        alice.get(&format!("/v1/proxy/jobs/{job_id}")).await.fails(502, "PROVIDER_ERROR");
        assert_eq!(asked(&t).len() - before, 2, "{fault:?}: nothing is repeated");
    }
    submit(&alice).await;
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_provider_error() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let t = behind(&upstream, &[]).await;
    let alice = t.log_in("alice").await;
    for bytes in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{}{}",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        upstream.react(Reaction::Send(bytes.to_vec()));
        let answer = alice.generate(&prompt()).await;
        assert_eq!(answer.status, 502, "{:?}: {}", String::from_utf8_lossy(bytes), answer.text());
        answer.fails(502, "PROVIDER_ERROR");
    }
}

#[tokio::test]
async fn a_redirect_is_passed_on_and_never_followed() {
    let elsewhere = Upstream::start(Reaction::answer("200 OK", &[], b"{}")).await;
    let there = format!("{}/steal", elsewhere.base());
    let redirect = Reaction::answer("307 Temporary Redirect", &[("location", &there)], b"");
    let upstream = Upstream::start(redirect).await;
    let t = behind(&upstream, &[]).await;
    let answer = t.log_in("alice").await.generate(&prompt()).await;
    assert_eq!(answer.status, 307);
    assert_eq!(elsewhere.seen().len(), 0, "our key would have gone there");
}

#[tokio::test]
async fn an_image_api_that_says_nothing_is_a_timeout() {
    let t = TestApp::with(&[("IMAGE_API_TIMEOUT", "1")]).await;
    let alice = t.log_in("alice").await;
    t.sandbox.image_api().submit_faults().next(Fault::Hang { ms: 60_000 }, 1);
    let waiting = Stopwatch::start();
    let answer = alice.generate(&prompt()).await;
    answer.fails(504, "PROVIDER_TIMEOUT");
    assert!(waiting.elapsed() >= Duration::from_millis(900), "{:?}", waiting.elapsed());
    assert_eq!(asked(&t).len(), 1, "a generation that may have begun is not repeated");
    submit(&alice).await;
}

#[tokio::test]
async fn an_image_api_that_trickles_is_a_timeout_too() {
    let t = TestApp::with(&[("IMAGE_API_TIMEOUT", "1")]).await;
    let alice = t.log_in("alice").await;
    let upstream = Upstream::start(Reaction::Stall(
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
    ))
    .await;
    t.restart_with(&[("IMAGE_API_BASE", &upstream.base())]);
    alice.generate(&prompt()).await.fails(504, "PROVIDER_TIMEOUT");
}

#[tokio::test]
async fn an_image_api_out_of_reach_is_502() {
    let (_kept, base) = address_that_refuses();
    let t = TestApp::with(&[("IMAGE_API_BASE", &base)]).await;
    t.log_in("alice").await.generate(&prompt()).await.fails(502, "PROVIDER_ERROR");
}

#[tokio::test]
async fn a_job_is_its_creators_alone() {
    let t = TestApp::start().await;
    t.sandbox.image_api().set_latency(Duration::from_secs(600));
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = format!("/v1/proxy/jobs/{}", submit(&alice).await);
    let before = asked(&t).len();
    for restarted in [false, true] {
        if restarted {
            t.restart();
        }
        bob.get(&job).await.fails(404, "JOB_NOT_FOUND");
        bob.delete(&job).await.fails(404, "JOB_NOT_FOUND");
    }
    assert_eq!(asked(&t).len(), before, "the image API is not asked");

    assert_eq!(alice.get(&job).await.ok()["status"], "QUEUED");
    assert_eq!(alice.delete(&job).await.ok()["status"], "CANCELED");
    assert_eq!(alice.get(&job).await.ok()["status"], "CANCELED");
    // What the image API refuses now passes as its own answer.
    assert_eq!(alice.delete(&job).await.json()["error"], "INVALID_STATE");
}

#[tokio::test]
async fn a_job_answered_to_another_user_again_keeps_its_owner() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    // Both send the same Idempotency-Key under our one key upstream.
    let submit = |user: &User| user.generate(&prompt()).header("idempotency-key", "same");
    let job_id = submit(&alice).await.json()["jobId"].as_str().unwrap().to_owned();
    submit(&bob).await;
    let job = format!("/v1/proxy/jobs/{job_id}");
    alice.get(&job).await.ok();
    bob.get(&job).await.fails(404, "JOB_NOT_FOUND");
}

#[tokio::test]
async fn a_job_of_a_failed_submission_belongs_to_nobody() {
    let body = br#"{"error":"PROVIDER_ERROR","jobId":"job_1"}"#;
    let upstream = Upstream::start(Reaction::answer("500 Oops", &[], body)).await;
    let t = behind(&upstream, &[]).await;
    let alice = t.log_in("alice").await;
    assert_eq!(alice.generate(&prompt()).await.status, 500);
    alice.get("/v1/proxy/jobs/job_1").await.fails(404, "JOB_NOT_FOUND");
    // An answer without a job, or with one that no path can name, passes all the same.
    for body in
        [r#"{"data":[]}"#, r#"{"jobId":null}"#, r#"{"jobId":7}"#, r#"{"jobId":"../x"}"#, "[]"]
    {
        upstream.react(Reaction::answer("200 OK", &[], body.as_bytes()));
        let answer = alice.generate(&prompt()).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, body));
    }
    assert_eq!(t.count("SELECT count(*) FROM proxy_jobs"), 0);
}

#[tokio::test]
async fn an_odd_job_id_is_not_found_and_nothing_is_sent() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for id in [
        "..",
        ".",
        "%2e%2e",
        "%2e%2e%2f",
        "%2e%2e%2fimages%2fgenerate",
        "a%2fb",
        "a%3fb",
        "a%20b",
        "%00",
        "%0d%0aX:1",
        "a;b",
        "%E6%9C%88",
        &"a".repeat(129),
        "never-made",
    ] {
        for answer in [
            alice.get(&format!("/v1/proxy/jobs/{id}")).await,
            alice.delete(&format!("/v1/proxy/jobs/{id}")).await,
        ] {
            assert_eq!(answer.status, 404, "{id}: {}", answer.text());
            answer.fails(404, "JOB_NOT_FOUND");
        }
    }
    // No text at all is no value of a parameter.
    alice.get("/v1/proxy/jobs/%ff").await.fails(400, "INVALID_REQUEST");
    for path in ["/v1/proxy/jobs", "/v1/proxy/jobs/", "/v1/proxy/files/x", "/v1/proxy/health"] {
        alice.get(path).await.fails(404, "NOT_FOUND");
    }
    assert!(asked(&t).is_empty());
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_not_sent() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for body in [&b""[..], b"[]", b"{", b"\xff", br#"{"prompt":"a\u0000"}"#] {
        alice.post(GENERATE).bytes(body).await.fails(400, "INVALID_REQUEST");
    }
    let text = alice.post(GENERATE).header("content-type", "text/plain");
    text.await.fails(415, "UNSUPPORTED_MEDIA_TYPE");
    assert!(asked(&t).is_empty());
}

#[tokio::test]
async fn an_image_in_the_body_passes_and_a_larger_body_is_413() {
    let t = TestApp::with(&[("HTTP_MAX_IMAGE_BODY_KIB", "1024")]).await;
    let alice = t.log_in("alice").await;
    let image = |size: usize| json!({ "prompt": "a", "inputImage": "x".repeat(size) });
    assert_eq!(alice.generate(&image(1000 * 1024)).await.status, 202);
    assert_eq!(asked(&t)[0].body_len, image(1000 * 1024).to_string().len());
    alice.generate(&image(1024 * 1024)).await.fails(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(asked(&t).len(), 1);
    // Where no image can be, the limit is the small one.
    let name = json!({ "nickName": "x".repeat(300 * 1024) });
    alice.patch("/v1/users/me").json(&name).await.fails(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn beyond_the_places_and_the_queue_the_answer_is_503_at_once() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let t = behind(&upstream, &[("PROXY_CONCURRENCY", "2"), ("PROXY_QUEUE", "1")]).await;
    let alice = t.log_in("alice").await;
    let call = || tokio::spawn(alice.generate(&prompt()).into_future());
    let running = [call(), call()];
    until("two calls run", || upstream.seen().len() == 2).await;
    let app = t.app();
    let mut waiting = alice.generate(&prompt()).into_future();
    let queued = |count| {
        let app = Arc::clone(&app);
        move || app.image_api.waiting() == count
    };
    tokio::select! {
        answer = &mut waiting => panic!("{}", answer.text()),
        () = until("one waits", queued(1)) => {}
    }

    // The image API still holds everybody: this answer waited for nobody.
    let refused = alice.generate(&prompt()).await;
    refused.fails(503, "SERVICE_OVERLOAD");
    assert!(refused.header("retry-after").is_some());
    // A caller who gives up waiting makes room for another.
    drop(waiting);
    until("its place is free", queued(0)).await;
    let mut next = alice.generate(&prompt()).into_future();
    tokio::select! {
        answer = &mut next => panic!("{}", answer.text()),
        () = until("the next one waits", queued(1)) => {}
    }

    upstream.let_go();
    for answer in running {
        answer.await.unwrap().ok();
    }
    next.await.ok();
    assert_eq!(upstream.seen().len(), 3, "what was refused or given up was never sent");
}

#[tokio::test]
async fn everything_else_goes_on_while_the_image_api_hangs() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let t = behind(&upstream, &[("PROXY_CONCURRENCY", "1"), ("PROXY_QUEUE", "0")]).await;
    let alice = t.log_in("alice").await;
    let running = tokio::spawn(alice.generate(&prompt()).into_future());
    until("the call runs", || upstream.seen().len() == 1).await;
    alice.get("/v1/users/me").await.ok();
    t.log_in("bob").await.check().await.ok();
    t.get("/healthz").await.ok();
    upstream.let_go();
    running.await.unwrap().ok();
}

#[tokio::test]
async fn clients_that_hang_up_leak_no_place() {
    let upstream = Upstream::start(Reaction::Hold).await;
    let t = behind(&upstream, &[("PROXY_CONCURRENCY", "2"), ("PROXY_QUEUE", "2")]).await;
    let alice = t.log_in("alice").await;
    charges::set_quota(&t, None).await;
    let server = t.listen();
    let bearer = format!("Bearer {}", alice.token);
    let headers = [("authorization", bearer.as_str())];
    let text = request("POST", GENERATE, &headers, &prompt().to_string());
    let app = t.app();

    for round in 1..=3 {
        upstream.react(Reaction::Hold);
        let sent = upstream.seen().len();
        let mut clients = Vec::new();
        for _ in 0..4 {
            let mut client = Wire::connect(server.address).await;
            client.send(text.as_bytes()).await;
            clients.push(client);
        }
        until("two calls run", || upstream.seen().len() == sent + 2).await;
        drop(clients);
        // The two that ran cannot be called back; they hold their places until they are answered.
        assert_eq!(app.image_api.in_flight(), 2, "round {round}");
        upstream.let_go();
        until("all places are free", || app.image_api.in_flight() == 0).await;
    }

    upstream.react(Reaction::answer("200 OK", &[], b"{}"));
    for _ in 0..4 {
        let answer =
            Wire::ask(server.address, "POST", GENERATE, &headers, &prompt().to_string()).await;
        answer.ok();
    }
    assert_eq!(app.image_api.in_flight(), 0);
}

#[tokio::test]
async fn generations_of_one_user_are_limited_and_reading_is_not() {
    let t = TestApp::with(&[("RATE_LIMIT_GENERATE_PER_USER", "2")]).await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = format!("/v1/proxy/jobs/{}", submit(&alice).await);
    submit(&alice).await;
    let refused = alice.generate(&prompt()).await;
    refused.fails(429, "RATE_LIMIT_EXCEEDED");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("ratelimit-policy"), Some("\"generate\";q=2;w=60"));
    assert_eq!(asked(&t).len(), 2);
    for _ in 0..5 {
        alice.get(&job).await.ok();
    }
    submit(&bob).await;
}
