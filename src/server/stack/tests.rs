//! The whole stack in process, over a small API that fails in every way there is.

use std::io::Read as _;
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use poem::error::InternalServerError;
use poem::http::StatusCode;
use poem::test::{TestClient, TestResponse};
use poem::web::{Data, LocalAddr, RemoteAddr};
use poem::{Addr, Body, RequestParts, Route};
use poem_openapi::auth::Bearer;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{EventStream, Json, PlainText};
use poem_openapi::{Object, OpenApi, OpenApiService, SecurityScheme};
use serde_json::Value;

use super::*;
use crate::app::limits::LimitSettings;
use crate::base::clock::TestClock;
use crate::base::time::UnixMillis;
use crate::http::{Ctx, ErrorCode, JsonBody, JsonBytes};

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct NewThing {
    #[oai(validator(min_length = 1))]
    nick_name: String,
}

#[derive(SecurityScheme)]
#[oai(ty = "bearer")]
struct Token(Bearer);

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/things", method = "get")]
    async fn list(
        &self,
        #[oai(name = "pageSize", validator(minimum(value = "1"), maximum(value = "100")))]
        page_size: Query<Option<i64>>,
        #[oai(name = "isHot")] is_hot: Query<bool>,
    ) -> PlainText<String> {
        PlainText(format!("{:?} {}", page_size.0, is_hot.0))
    }

    #[oai(path = "/things", method = "post")]
    async fn create(&self, body: JsonBody<NewThing>) -> Result<PlainText<String>, ApiError> {
        Ok(PlainText(body.0.nick_name))
    }

    #[oai(path = "/things/:userId/:thingId", method = "get")]
    async fn get(&self, user: Path<i64>, thing: Path<i64>) -> PlainText<String> {
        PlainText(format!("{} {}", user.0, thing.0))
    }

    #[oai(path = "/plain", method = "post")]
    async fn plain(&self, body: Json<NewThing>) -> PlainText<String> {
        PlainText(body.0.nick_name)
    }

    #[oai(path = "/private", method = "get")]
    async fn private(&self, token: Token) -> PlainText<String> {
        PlainText(token.0.token)
    }

    #[oai(path = "/forgotten", method = "get")]
    async fn forgotten(&self, data: Data<&u8>) -> PlainText<String> {
        PlainText(data.0.to_string())
    }

    #[oai(path = "/panic", method = "get")]
    async fn panic(&self) -> PlainText<String> {
        panic!("secret of the panic")
    }

    #[oai(path = "/overload", method = "get")]
    async fn overload(&self) -> Result<PlainText<String>, ApiError> {
        let cause = std::io::Error::other("secret of the queue");
        Err(ApiError::new(ErrorCode::ServiceOverload).retry_after(7).caused_by(cause))
    }

    #[oai(path = "/expired", method = "get")]
    async fn expired(&self) -> Result<PlainText<String>, ApiError> {
        Err(ErrorCode::TokenExpired.into())
    }

    #[oai(path = "/raw", method = "get")]
    async fn raw(&self, status: Query<u16>) -> poem::Result<PlainText<String>> {
        let status = StatusCode::from_u16(status.0).map_err(InternalServerError)?;
        Err(poem::Error::from_string("secret of the framework", status))
    }

    #[oai(path = "/size", method = "post")]
    async fn size(&self, body: Body) -> poem::Result<PlainText<String>> {
        Ok(PlainText(body.into_bytes().await?.len().to_string()))
    }

    #[oai(path = "/list", method = "get")]
    async fn many(&self, size: Query<usize>) -> JsonBytes<String> {
        JsonBytes::of(&"x".repeat(size.0)).with_etag()
    }

    #[oai(path = "/stream", method = "get")]
    async fn stream(&self) -> EventStream<futures_util::stream::Once<std::future::Ready<String>>> {
        let event = std::future::ready("e".repeat(5000));
        EventStream::new(futures_util::stream::once(event))
    }

    #[oai(path = "/who", method = "get")]
    async fn who(&self, ctx: Ctx) -> PlainText<String> {
        PlainText(format!("{:?} {:?} {}", ctx.client_ip(), ctx.language(), ctx.request_id()))
    }
}

const NOW: &str = "2026-01-29T12:00:00.000Z";

fn stack(per_ip: u32) -> Stack<Route> {
    let service = OpenApiService::new(Api, "test", "1");
    let paths = PathTable::new()
        .with_openapi("/v1", &service.spec())
        .unwrap()
        .with("/healthz", &[Method::GET]);
    let routes = Route::new()
        .nest("/v1", service)
        .at("/healthz", poem::get(poem::endpoint::make_sync(|_| "ok")));
    let limits = Limits::new(LimitSettings {
        per_ip,
        per_user: 0,
        login_per_ip: 0,
        generate_per_user: 0,
        export_per_user: 0,
        max_keys: 100,
    });
    let settings = StackSettings {
        trusted_proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
        body_limit: 4096,
        body_limits: vec![("/v1/size".to_owned(), 100), ("/v1/si".to_owned(), 5)],
        body_timeout: Duration::from_secs(5),
        hsts: None,
    };
    let clock = Clock::test(TestClock::at(UnixMillis(1_769_688_000_000)));
    Stack::new(routes, paths, Arc::new(limits), clock, Rng::seeded(1), settings)
}

fn client() -> TestClient<Stack<Route>> {
    TestClient::new(stack(0))
}

fn header_of(response: &TestResponse, name: &str) -> Option<String> {
    response.0.header(name).map(str::to_owned)
}

/// Asserts the one shape of errors and returns the body.
async fn failure(response: TestResponse, code: ErrorCode, path: &str) -> Value {
    assert_eq!(response.0.status(), code.status(), "{path}");
    let request_id = header_of(&response, "x-request-id").expect("every answer has its id");
    assert_eq!(header_of(&response, "content-type").unwrap(), "application/json; charset=utf-8");
    assert_eq!(header_of(&response, "x-content-type-options").unwrap(), "nosniff");
    let retry_after = header_of(&response, "retry-after");
    assert_eq!(retry_after.is_some(), code.is_retryable());
    let text = response.0.into_body().into_string().await.unwrap();
    assert!(!text.contains("secret"), "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["error"], code.name());
    assert_eq!(body["path"], path);
    assert_eq!(body["timestamp"], NOW);
    assert_eq!(body["requestId"], *request_id);
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()));
    for name in body.as_object().unwrap().keys() {
        assert!(
            ["error", "message", "path", "timestamp", "requestId", "details"].contains(&&**name)
        );
    }
    body
}

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
