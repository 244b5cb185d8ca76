//! A small API that fails in every way there is, and the stack over it.

use std::sync::Arc;
use std::time::Duration;

use poem::error::InternalServerError;
use poem::http::{Method, StatusCode};
use poem::test::{TestClient, TestResponse};
use poem::web::Data;
use poem::{Body, Route};
use poem_openapi::auth::Bearer;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{EventStream, Json, PlainText};
use poem_openapi::{Object, OpenApi, OpenApiService, SecurityScheme};
use serde_json::Value;

use super::super::{Stack, StackSettings};
use crate::app::limits::{LimitSettings, Limits};
use crate::base::clock::{Clock, TestClock};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::http::{ApiError, Ctx, ErrorCode, JsonBody, JsonBytes, TrustedProxies};
use crate::server::paths::PathTable;

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct NewThing {
    #[oai(validator(min_length = 1))]
    nick_name: String,
}

#[derive(SecurityScheme)]
#[oai(ty = "bearer")]
struct Token(Bearer);

pub(super) struct Api;

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

/// The stack over it, with so many requests a minute from one address.
pub(super) fn stack(per_ip: u32) -> Stack<Route> {
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

/// A client of one without limits.
pub(super) fn client() -> TestClient<Stack<Route>> {
    TestClient::new(stack(0))
}

pub(super) fn header_of(response: &TestResponse, name: &str) -> Option<String> {
    response.0.header(name).map(str::to_owned)
}

/// Asserts the one shape of errors and returns the body.
pub(super) async fn failure(response: TestResponse, code: ErrorCode, path: &str) -> Value {
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
