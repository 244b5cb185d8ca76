//! A request to the server in this process, through everything but the socket.

use std::pin::Pin;
use std::sync::Arc;

use parking_lot::RwLock;
use poem::endpoint::BoxEndpoint;
use poem::http::{Method, header};
use poem::{Endpoint as _, Request, Response};
use serde_json::Value;

use super::{Answer, PATIENCE};

/// The endpoint that answers now; another one after a restart.
pub(super) type Server = Arc<RwLock<Arc<BoxEndpoint<'static, Response>>>>;

/// A request; send it with `.await`.
#[must_use]
pub(crate) struct Call {
    server: Server,
    method: Method,
    uri: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Call {
    pub(super) fn new(server: &Server, method: Method, uri: &str) -> Self {
        let server = Arc::clone(server);
        Self { server, method, uri: uri.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header; the value need not be text.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// `Authorization: Bearer …`.
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends these bytes as `application/json`.
    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE.as_str(), "application/json")
    }

    /// Sends these bytes as what `content_type` says.
    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE.as_str(), content_type)
    }

    /// Sends it and does not read what comes: for streams, which end when the answer is dropped.
    pub(crate) async fn open(self) -> Response {
        let endpoint = Arc::clone(&self.server.read());
        let mut request = Request::builder().method(self.method).uri_str(&self.uri);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(self.body);
        let answering = tokio::time::timeout(PATIENCE, endpoint.get_response(request));
        answering.await.expect("no answer")
    }

    /// Sends this JSON.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (head, body) = self.open().await.into_parts();
            let body = body.into_vec().await.unwrap();
            Answer { status: head.status.as_u16(), headers: head.headers, body }
        })
    }
}
