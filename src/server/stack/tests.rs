//! The whole stack in process: failures have one shape, and what goes with every answer.

mod bodies;
mod fixture;
mod peers;

use poem_openapi::OpenApiService;
use serde_json::Value;

use self::fixture::{Api, client, failure, header_of};
use crate::http::ErrorCode;

#[tokio::test]
async fn every_failure_has_the_same_shape() {
    let cli = client();
    let get = [
        ("/nowhere", ErrorCode::NotFound, None),
        ("/v1/nowhere?q=secret", ErrorCode::NotFound, None),
        ("/v1/plain", ErrorCode::MethodNotAllowed, None),
        ("/v1/things?isHot=1x", ErrorCode::InvalidRequest, Some("isHot")),
        ("/v1/things", ErrorCode::InvalidRequest, Some("isHot")),
        ("/v1/things?isHot=true&pageSize=0", ErrorCode::InvalidRequest, Some("pageSize")),
        ("/v1/things?isHot=true&pageSize=x", ErrorCode::InvalidRequest, Some("pageSize")),
        ("/v1/things/x/1", ErrorCode::InvalidRequest, Some("userId")),
        ("/v1/things/1/x", ErrorCode::InvalidRequest, Some("thingId")),
        ("/v1/private", ErrorCode::Unauthorized, None),
        ("/v1/forgotten", ErrorCode::InternalError, None),
        ("/v1/panic", ErrorCode::InternalError, None),
        ("/v1/overload", ErrorCode::ServiceOverload, None),
        ("/v1/expired", ErrorCode::TokenExpired, None),
        ("/v1/raw?status=418", ErrorCode::InvalidRequest, None),
        ("/v1/raw?status=413", ErrorCode::PayloadTooLarge, None),
        ("/v1/raw?status=500", ErrorCode::InternalError, None),
        ("/v1/raw?status=503", ErrorCode::ServiceOverload, None),
        ("/v1/raw?status=505", ErrorCode::InternalError, None),
    ];
    for (uri, code, field) in get {
        let path = uri.split('?').next().unwrap();
        let body = failure(cli.get(uri).send().await, code, path).await;
        assert_eq!(body["details"]["field"].as_str(), field, "{uri}");
        if let Some(field) = field {
            assert!(body["message"].as_str().unwrap().contains(field), "{body}");
        }
    }
}

#[tokio::test]
async fn every_bad_body_has_the_same_shape() {
    let cli = client();
    let json = "application/json";
    let long = "x".repeat(5000);
    let post = [
        ("/v1/things", Some(json), "", ErrorCode::InvalidRequest, None),
        ("/v1/things", Some(json), "{", ErrorCode::InvalidRequest, None),
        ("/v1/things", Some(json), "[1]", ErrorCode::InvalidRequest, None),
        ("/v1/things", Some(json), "{}", ErrorCode::InvalidRequest, Some("nickName")),
        (
            "/v1/things",
            Some(json),
            r#"{"nickName":7}"#,
            ErrorCode::InvalidRequest,
            Some("nickName"),
        ),
        (
            "/v1/things",
            Some(json),
            r#"{"nickName":""}"#,
            ErrorCode::InvalidRequest,
            Some("nickName"),
        ),
        ("/v1/things", Some("text/plain"), "{}", ErrorCode::UnsupportedMediaType, None),
        ("/v1/things", Some(""), "{}", ErrorCode::UnsupportedMediaType, None),
        ("/v1/things", None, "{}", ErrorCode::UnsupportedMediaType, None),
        ("/v1/things", Some(json), &long, ErrorCode::PayloadTooLarge, None),
        ("/v1/plain", Some(json), "{}", ErrorCode::InvalidRequest, None),
        ("/v1/plain", Some(json), "secret", ErrorCode::InvalidRequest, None),
    ];
    for (path, content_type, body, code, field) in post {
        let mut request = cli.post(path).body(body.to_owned());
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        let body = failure(request.send().await, code, path).await;
        assert_eq!(body["details"]["field"].as_str(), field);
    }
    let good = cli.post("/v1/things").content_type("application/json; charset=utf-8");
    good.body(r#"{"nickName":"小明"}"#).send().await.assert_text("小明").await;
}

#[tokio::test]
async fn headers_go_with_the_codes() {
    let cli = client();
    let header = async |uri: &str, name: &str| header_of(&cli.get(uri).send().await, name);
    assert_eq!(header("/v1/plain", "allow").await.as_deref(), Some("POST"));
    let wrong = cli.delete("/v1/things").send().await;
    assert_eq!(header_of(&wrong, "allow").as_deref(), Some("GET, HEAD, POST"));
    let wrong = cli.post("/healthz").send().await;
    assert_eq!(header_of(&wrong, "allow").as_deref(), Some("GET, HEAD"));
    assert_eq!(header("/v1/private", "www-authenticate").await.as_deref(), Some("Bearer"));
    let expired = header("/v1/expired", "www-authenticate").await;
    assert_eq!(expired.as_deref(), Some("Bearer error=\"invalid_token\""));
    assert_eq!(header("/v1/overload", "retry-after").await.as_deref(), Some("7"));
    assert_eq!(header("/v1/overload", "cache-control").await.as_deref(), Some("no-store"));
}

#[tokio::test]
async fn messages_are_chinese_unless_english_is_preferred() {
    let cli = client();
    let message = async |language: &str| {
        let response = cli.get("/v1/nowhere").header("accept-language", language).send().await;
        failure(response, ErrorCode::NotFound, "/v1/nowhere").await["message"].clone()
    };
    assert_eq!(message("zh-CN,zh;q=0.9,en;q=0.8").await, ErrorCode::NotFound.zh());
    assert_eq!(message("en-US,en;q=0.9,zh;q=0.8").await, ErrorCode::NotFound.en());
    assert_eq!(message("").await, ErrorCode::NotFound.zh());
}

#[tokio::test]
async fn a_good_request_id_comes_back_on_every_answer() {
    let cli = client();
    for uri in ["/healthz", "/v1/nowhere", "/v1/panic", "/v1/list?size=1"] {
        let response = cli.get(uri).header("x-request-id", "mine-12345").send().await;
        response.assert_header("x-request-id", "mine-12345");
        let response = cli.get(uri).header("x-request-id", "bad id!").send().await;
        assert_eq!(header_of(&response, "x-request-id").unwrap().len(), 22);
    }
    cli.get("/v1/who")
        .header("x-request-id", "mine-12345")
        .send()
        .await
        .assert_text("None Zh mine-12345")
        .await;
}

#[test]
fn the_document_lists_the_error_ranges() {
    let spec: Value = serde_json::from_str(&OpenApiService::new(Api, "t", "1").spec()).unwrap();
    let responses = &spec["paths"]["/things"]["post"]["responses"];
    for range in ["4XX", "5XX"] {
        let schema = &responses[range]["content"]["application/json; charset=utf-8"]["schema"];
        assert_eq!(schema["$ref"], "#/components/schemas/ErrorBody");
    }
    let codes = spec["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    assert_eq!(codes.len(), ErrorCode::all().count());
}
