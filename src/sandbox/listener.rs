//! Serves one simulator on its own loopback port: reads calls, writes them into the journal,
//! applies the knobs, answers.
//!
//! hyper directly and not a framework's server, because some faults are made below HTTP: no answer
//! at all, half an answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use poem::http::uri::Scheme;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Request, Response};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::journal::Journal;
use super::plan::{Fault, Faults};
use super::tasks::Tasks;
use crate::base::clock::Clock;

/// Connections to one simulator at once; more wait in the system's backlog.
const MAX_CONNECTIONS: usize = 8192;
/// Longest request body: 12 MB of image as base64.
const MAX_BODY: usize = 17 * 1024 * 1024;
/// Where an answer carries its signature.
pub(super) const SIGNATURE: &str = "wechatpay-signature";
/// Pieces in which a huge answer is streamed.
static FILLING: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// One call, read completely.
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query as they were sent, which signatures cover.
    pub(super) target: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// The first value of a query parameter; the empty text when it is absent.
    pub(super) fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The first header of this name; the empty text when it is absent or not text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as a JSON object.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok().filter(Value::is_object)
    }
}

/// One answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// `body` as JSON.
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// No body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, content_type: "text/plain", headers: Vec::new(), body: Vec::new() }
    }

    /// The same with one more header.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What a listener serves.
pub(super) trait Simulator: Send + Sync + 'static {
    /// Where calls are written down.
    fn journal(&self) -> &Journal;
    /// The knobs that apply to `call`, if any do.
    fn faults(&self, call: &Call) -> Option<&Faults>;
    /// The service's own form of an error, for [`Fault::Error`].
    fn error(&self, call: &Call, code: i64) -> Reply;
    /// What the service answers when nothing goes wrong on the way.
    fn answer(&self, call: &Call) -> impl Future<Output = Reply> + Send;
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

/// Accepts connections until the sandbox stops.
pub(super) fn serve<S: Simulator>(
    listener: TcpListener,
    simulator: Arc<S>,
    clock: Clock,
    tasks: &Tasks,
) {
    let connections = tasks.clone();
    tasks.spawn(async move {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (simulator, clock) = (Arc::clone(&simulator), clock.clone());
                    connections.spawn(async move {
                        serve_connection(stream, peer, simulator, clock).await;
                        drop(permit);
                    });
                }
                Err(err) => {
                    tracing::warn!(error = %err, "a simulator cannot accept connections");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
}

async fn serve_connection<S: Simulator>(
    stream: TcpStream,
    peer: SocketAddr,
    simulator: Arc<S>,
    clock: Clock,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (simulator, clock) = (Arc::clone(&simulator), clock.clone());
        let local = LocalAddr(Addr::from(peer));
        let request = Request::from((request, local, RemoteAddr(Addr::from(peer)), Scheme::HTTP));
        async move { handle(&*simulator, &clock, request).await.map(hyper::Response::from) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service);
    if let Err(err) = pin!(connection).await {
        tracing::trace!(error = %err, "a connection to a simulator ended early");
    }
}

async fn handle<S: Simulator>(
    simulator: &S,
    clock: &Clock,
    mut request: Request,
) -> Result<Response, Dropped> {
    let Ok(body) = request.take_body().into_bytes_limit(MAX_BODY).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into());
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let call = Call {
        method: request.method().clone(),
        target: target.clone(),
        path: request.uri().path().to_owned(),
        query: request.params().unwrap_or_default(),
        headers: request.headers().clone(),
        body: body.into(),
    };
    let journal = simulator.journal();
    let seq = journal.record(clock.now(), &call.method, target, &call.headers, &call.body);

    let (mut fault, mut latency) = (None, Duration::ZERO);
    if let Some(faults) = simulator.faults(&call) {
        (fault, latency) = (faults.take(), faults.latency());
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let response = match fault {
        Some(Fault::Drop) => return Err(Dropped),
        Some(Fault::Error { code }) => whole(simulator.error(&call, code)),
        Some(Fault::Html { status }) => whole(gateway_page(status)),
        Some(Fault::Silence) => {
            simulator.answer(&call).await;
            return Err(Dropped);
        }
        Some(Fault::Redirect { location }) => whole(redirect(&location)),
        after => spoil(simulator.answer(&call).await, after).await,
    };
    journal.answered(seq, response.status().as_u16());
    Ok(response)
}

async fn spoil(mut reply: Reply, fault: Option<Fault>) -> Response {
    match fault {
        Some(Fault::Hang { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            whole(reply)
        }
        Some(Fault::Garbage) => {
            reply.status = StatusCode::OK;
            reply.body = b"\xff<<< this is not what you expected >>>".to_vec();
            whole(reply)
        }
        Some(Fault::BadSignature) => {
            for (name, value) in &mut reply.headers {
                if name == SIGNATURE {
                    *value = HeaderValue::from_static("AAAA");
                }
            }
            whole(reply)
        }
        Some(Fault::Huge { megabytes }) => huge(reply, megabytes),
        Some(Fault::Cut) => cut(reply),
        _ => whole(reply),
    }
}

fn head(reply: &Reply) -> Response {
    let mut response = Response::builder().status(reply.status).finish();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.extend(reply.headers.iter().cloned());
    response
}

fn whole(reply: Reply) -> Response {
    let mut response = head(&reply);
    response.set_body(reply.body);
    response
}

/// The answer after so many megabytes of white space, which JSON allows in front.
fn huge(reply: Reply, megabytes: u32) -> Response {
    let mut response = head(&reply);
    let pieces = u64::from(megabytes) * 16;
    let body = stream::unfold((0, Some(reply.body)), move |(sent, rest)| async move {
        if sent < pieces {
            let piece = Ok::<_, io::Error>(FILLING.to_vec());
            return Some((piece, (sent + 1, rest)));
        }
        rest.map(|rest| (Ok(rest), (sent, None)))
    });
    response.set_body(Body::from_bytes_stream(body));
    response
}

/// Promises the whole length, sends half, closes.
fn cut(reply: Reply) -> Response {
    let mut response = head(&reply);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
    let half = reply.body[..reply.body.len() / 2].to_vec();
    let body = stream::unfold(Some(half), |half| async move {
        if half.is_none() {
            // Time for the first half to leave before the error closes the connection.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some((half.ok_or_else(|| io::Error::other(Dropped)), None))
    });
    response.set_body(Body::from_bytes_stream(body));
    response
}

/// A location that no header can carry is no redirect.
fn redirect(location: &str) -> Reply {
    let page = gateway_page(302);
    match HeaderValue::from_str(location) {
        Ok(location) => page.with_header(LOCATION, location),
        Err(_) => gateway_page(502),
    }
}

fn gateway_page(status: u16) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n\
         <body><center><h1>{status}</h1></center></body>\r\n</html>\r\n"
    );
    Reply { status, content_type: "text/html", headers: Vec::new(), body: page.into_bytes() }
}

/// Binds a free port of `ip`.
pub(super) async fn bind(ip: IpAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((ip, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
