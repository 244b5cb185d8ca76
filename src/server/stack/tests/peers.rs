//! Who is asking: limits by address, trusted proxies, and what the access log says of it.

use std::net::SocketAddr;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::test::TestResponse;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Endpoint as _, Request, RequestParts, Route};
use serde_json::Value;

use super::super::Stack;
use super::fixture::{failure, stack};
use crate::http::ErrorCode;

/// A request as it comes from a socket of `peer`.
async fn from(stack: &Stack<Route>, peer: &str, forwarded: &str, path: &str) -> TestResponse {
    let (parts, ()) = poem::http::Request::builder()
        .uri(path)
        .header("x-forwarded-for", forwarded)
        .body(())
        .unwrap()
        .into_parts();
    let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
    let parts = RequestParts::from((
        parts,
        LocalAddr::default(),
        RemoteAddr(Addr::SocketAddr(peer)),
        poem::http::uri::Scheme::HTTP,
    ));
    TestResponse(stack.call(Request::from_parts(parts, Body::empty())).await.unwrap())
}

#[tokio::test]
async fn the_limit_by_address_answers_with_its_headers() {
    let stack = stack(2);
    for _ in 0..2 {
        from(&stack, "203.0.113.1", "", "/v1/who").await.assert_status_is_ok();
    }
    let refused = from(&stack, "203.0.113.1", "198.51.100.7", "/v1/who").await;
    refused.assert_header("ratelimit-policy", "\"ip\";q=2;w=60");
    refused.assert_header("ratelimit", "\"ip\";r=0;t=30");
    refused.assert_header("retry-after", "30");
    failure(refused, ErrorCode::RateLimitExceeded, "/v1/who").await;
    // Others, and probes, are not concerned.
    from(&stack, "203.0.113.2", "", "/v1/who").await.assert_status_is_ok();
    from(&stack, "203.0.113.1", "", "/healthz").await.assert_status_is_ok();
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts() {
    let stack = stack(1);
    let who = from(&stack, "10.0.0.1", "1.1.1.1, 198.51.100.7", "/v1/who").await;
    let text = who.0.into_body().into_string().await.unwrap();
    assert!(text.starts_with("Some(198.51.100.7) "), "{text}");
    let again = from(&stack, "10.0.0.2", "2.2.2.2, 198.51.100.7", "/v1/who").await;
    again.assert_status(StatusCode::TOO_MANY_REQUESTS);
    from(&stack, "10.0.0.1", "198.51.100.8", "/v1/who").await.assert_status_is_ok();
}

/// What a subscriber wrote, as JSON lines.
#[derive(Clone, Default)]
struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_access_log_says_what_happened_and_nothing_private() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    // With only one subscriber alive, tracing asks the thread that first meets a log line whether it
    // is wanted; that may be another test's. With two it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let stack = stack(0);
    from(&stack, "203.0.113.1", "", "/v1/things/7/8?token=private").await.assert_status_is_ok();
    from(&stack, "203.0.113.1", "", "/v1/private/path?x=private").await;
    from(&stack, "203.0.113.1", "", "/v1/overload").await;
    drop(guard);

    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert!(!text.contains("token") && !text.contains("x=private"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let access: Vec<_> = lines
        .iter()
        .filter(|line| line["target"] == "access")
        .map(|line| &line["fields"])
        .collect();
    assert_eq!(access.len(), 3);
    assert_eq!(access[0]["route"], "/v1/things/{userId}/{thingId}");
    assert_eq!(access[0]["status"], 200);
    assert_eq!(access[0]["bytes"], 3);
    assert_eq!(access[0]["client.ip"], "203.0.113.1");
    assert_eq!(access[1]["route"], "-");
    assert_eq!(access[1]["status"], 404);
    // A 5xx is logged once with its cause, under the same request id.
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1);
    let error = &errors[0]["fields"];
    assert_eq!(error["error"], "SERVICE_OVERLOAD: secret of the queue");
    assert_eq!(error["request.id"], access[2]["request.id"]);
}
