//! What becomes of bodies: compressed, tagged, left out, limited, given up.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use poem::Body;
use poem::http::StatusCode;
use poem::test::TestClient;

use super::fixture::{client, failure, header_of, stack};
use crate::http::ErrorCode;

#[tokio::test]
async fn a_large_text_is_compressed_for_those_who_accept_it() {
    let cli = client();
    let plain = cli.get("/v1/list?size=5000").send().await;
    assert_eq!(header_of(&plain, "content-encoding"), None);
    plain.assert_header("vary", "Accept-Encoding");

    let packed = cli.get("/v1/list?size=5000").header("accept-encoding", "br, gzip").send().await;
    packed.assert_header("content-encoding", "gzip");
    packed.assert_header("vary", "Accept-Encoding");
    let bytes = packed.0.into_body().into_bytes().await.unwrap();
    assert!(bytes.len() < 500);
    let mut text = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("\"{}\"", "x".repeat(5000)));

    for (uri, accepted) in
        [("/v1/list?size=900", "gzip"), ("/v1/list?size=5000", "gzip;q=0"), ("/v1/stream", "gzip")]
    {
        let response = cli.get(uri).header("accept-encoding", accepted).send().await;
        assert_eq!(header_of(&response, "content-encoding"), None, "{uri} {accepted}");
    }
    // Beyond what is compressed on the runtime's worker.
    let packed = cli.get("/v1/list?size=300000").header("accept-encoding", "gzip").send().await;
    packed.assert_header("content-encoding", "gzip");
}

#[tokio::test]
async fn an_etag_belongs_to_one_encoding_and_either_is_recognised() {
    let cli = client();
    let uri = "/v1/list?size=5000";
    let plain = header_of(&cli.get(uri).send().await, "etag").unwrap();
    let packed = cli.get(uri).header("accept-encoding", "gzip").send().await;
    let packed = header_of(&packed, "etag").unwrap();
    assert_ne!(plain, packed);
    assert!(plain.starts_with('"') && packed.ends_with("-gzip\""), "both are strong");

    for known in [&plain, &packed, "*", &format!("\"other\", W/{plain}")] {
        for accepted in ["gzip", "identity"] {
            let response =
                cli.get(uri).header("if-none-match", known).header("accept-encoding", accepted);
            let response = response.send().await;
            response.assert_status(StatusCode::NOT_MODIFIED);
            let tag = if accepted == "gzip" { &packed } else { &plain };
            response.assert_header("etag", tag);
            response.assert_header("vary", "Accept-Encoding");
            assert!(header_of(&response, "x-request-id").is_some());
            assert_eq!(header_of(&response, "content-type"), None);
            assert!(response.0.into_body().is_empty());
        }
    }
    let response = cli.get(uri).header("if-none-match", "\"other\"").send().await;
    response.assert_status(StatusCode::OK);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let cli = client();
    let response = cli.head("/v1/list?size=5000").send().await;
    response.assert_status(StatusCode::OK);
    response.assert_header("content-length", "5002");
    assert!(response.0.into_body().is_empty());
    let response = cli.head("/v1/nowhere").send().await;
    response.assert_status(StatusCode::NOT_FOUND);
    assert!(response.0.into_body().is_empty());
    cli.head("/v1/plain").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_longest_prefix_sets_the_body_limit() {
    let cli = client();
    cli.post("/v1/size").body("x".repeat(100)).send().await.assert_text("100").await;
    let response = cli.post("/v1/size").body("x".repeat(101)).send().await;
    let body = failure(response, ErrorCode::PayloadTooLarge, "/v1/size").await;
    assert_eq!(body["details"]["limitBytes"], 100);
    // Without a known length it is counted.
    let stream = futures_util::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(vec![0; 10])));
    let response = cli.post("/v1/size").body(Body::from_bytes_stream(stream)).send().await;
    failure(response, ErrorCode::PayloadTooLarge, "/v1/size").await;
}

#[tokio::test]
async fn a_body_that_stalls_or_breaks_is_given_up() {
    let mut stack = stack(0);
    stack.settings.body_timeout = Duration::from_millis(50);
    let cli = TestClient::new(stack);
    let stalled = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let response = cli.post("/v1/size").body(Body::from_bytes_stream(stalled)).send().await;
    failure(response, ErrorCode::InvalidRequest, "/v1/size").await;
    let broken = futures_util::stream::iter([Err::<Vec<u8>, _>(std::io::Error::other("secret"))]);
    let response = cli.post("/v1/size").body(Body::from_bytes_stream(broken)).send().await;
    failure(response, ErrorCode::InvalidRequest, "/v1/size").await;
}
