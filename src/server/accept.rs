//! The accept loop: HTTP/1.1 over plain sockets or TLS, with every wait and every count bounded.
//!
//! - A head must come within `head_timeout`; between requests a connection may rest for
//!   `idle_timeout`; a client that does not read its answer is cut after `write_timeout`.
//!   (Request bodies are bounded in `body_limit`.)
//! - At `max_connections` the loop stops accepting: newcomers wait in the kernel's backlog and are
//!   served as soon as others leave. Turning them away would cost a connection each and help nobody.
//! - When accepting fails for want of descriptors or memory, the loop pauses instead of spinning.
//! - On shutdown it stops accepting, lets running requests finish, and cuts what is left at
//!   `drain_timeout`. A connection that rests gets [`LAST_CALL`] for one more request, whose answer says
//!   that it was the last: closing it at once would fail the request that is just on its way.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client_io::ClientIo;
use super::transport::{self, Transport};
use crate::app::traffic::Traffic;

/// Bounds of the accept loop.
#[derive(Clone, Debug)]
pub struct AcceptSettings {
    /// Connections open at the same time.
    pub max_connections: usize,
    /// From the first byte (or the connection) to the end of a request's head.
    pub head_timeout: Duration,
    /// From an answer to the next request on the same connection.
    pub idle_timeout: Duration,
    /// Without progress while an answer is written.
    pub write_timeout: Duration,
    /// Request line and headers, in bytes; beyond it 431. Of headers there may be 100.
    pub max_head_bytes: usize,
    /// For running requests after shutdown was asked for.
    pub drain_timeout: Duration,
    /// Where connections are counted.
    pub traffic: Arc<Traffic>,
}

/// Connections the kernel keeps for us until they are accepted (it caps this at `somaxconn`).
const BACKLOG: u32 = 4096;

/// Most that hyper buffers of one connection; its least is 8 KB. Bodies pass through it in parts.
const CONNECTION_BUFFER_BYTES: usize = 64 * 1024;

/// How long connections that rest are kept open after shutdown was asked for. Clients that come again
/// and again do so within it, and the wait is hardly noticed by whoever restarts the server.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Pause after an accept error, doubled up to the second while errors go on.
const ACCEPT_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Listens on `addr`.
///
/// # Errors
/// When the address is in use or not ours.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the last process's closed connections (TIME_WAIT).
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Serves `endpoint` on `listener`, without TLS, until `shutdown` is cancelled and the connections are
/// done. Answers how many had to be cut.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    settings: AcceptSettings,
    shutdown: CancellationToken,
) -> usize
where
    E: Endpoint<Output = Response> + 'static,
{
    serve_over(Transport::default(), listener, endpoint, settings, shutdown).await
}

/// The same for connections that begin with what `transport` says.
pub async fn serve_over<E>(
    transport: Transport,
    listener: TcpListener,
    endpoint: E,
    settings: AcceptSettings,
    shutdown: CancellationToken,
) -> usize
where
    E: Endpoint<Output = Response> + 'static,
{
    let slots = Arc::new(Semaphore::new(settings.max_connections));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let (drain_timeout, traffic) = (settings.drain_timeout, Arc::clone(&settings.traffic));
    let server =
        Arc::new(Connections { endpoint, transport, settings, shutdown: shutdown.clone() });

    while let Some((socket, peer, slot)) = next(&listener, &slots, &shutdown, &traffic).await {
        let server = Arc::clone(&server);
        let cut = cut.child_token();
        connections.spawn(async move {
            // Held until the connection is gone.
            let _slot = slot;
            let _present = server.settings.traffic.connections.enter();
            tokio::select! {
                biased;
                () = server.serve_one(socket, peer) => {}
                () = cut.cancelled() => {}
            }
        });
    }

    drop(listener);
    connections.close();
    if tokio::time::timeout(drain_timeout, connections.wait()).await.is_ok() {
        return 0;
    }
    let left = connections.len();
    tracing::warn!(connections = left, "requests did not end in time; cutting them");
    cut.cancel();
    connections.wait().await;
    left
}

/// The next connection with its slot, or `None` at shutdown.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    shutdown: &CancellationToken,
    traffic: &Traffic,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepted = async {
        let slot = match Arc::clone(slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                traffic.connections.full.add();
                tracing::warn!("connection limit reached; new connections wait");
                // Fails only when the semaphore is closed, which nobody does.
                Arc::clone(slots).acquire_owned().await.ok()?
            }
        };
        let mut pause = ACCEPT_PAUSES.0;
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => return Some((socket, peer, slot)),
                // The client changed its mind: nothing to do with us.
                Err(err) if is_about_one_connection(&err) => {}
                Err(err) => {
                    tracing::error!(error = %err, "cannot accept connections; pausing");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSES.1);
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        accepted = accepted => accepted,
    }
}

fn is_about_one_connection(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// What all connections share.
struct Connections<E> {
    endpoint: E,
    transport: Transport,
    settings: AcceptSettings,
    shutdown: CancellationToken,
}

impl<E: Endpoint<Output = Response>> Connections<E> {
    async fn serve_one(&self, socket: TcpStream, peer: SocketAddr) {
        // Answers are written in one go: waiting for more (Nagle) only delays them. A socket that
        // refuses the option is about to fail anyway.
        let _ = socket.set_nodelay(true);
        let local = LocalAddr(socket.local_addr().map(Addr::SocketAddr).unwrap_or_default());
        let begun = self.transport.begin(socket, peer, self.settings.head_timeout).await;
        let (connection, client) = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => return,
            Err(err) => {
                tracing::debug!(%peer, error = %err, "connection ended before its first request");
                return;
            }
        };
        let remote = RemoteAddr(Addr::SocketAddr(client));
        let ended = match connection {
            transport::Connection::Plain(io) => self.speak(io, Scheme::HTTP, local, remote).await,
            transport::Connection::Tls(io) => self.speak(io, Scheme::HTTPS, local, remote).await,
        };
        if let Err(err) = ended {
            // The client's doing: gone in the middle, too slow, or not HTTP.
            tracing::debug!(%peer, error = %err, "connection ended early");
        }
    }

    /// Answers requests until the connection ends.
    async fn speak<T>(
        &self,
        io: T,
        scheme: Scheme,
        local: LocalAddr,
        remote: RemoteAddr,
    ) -> hyper::Result<()>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let settings = &self.settings;
        let io = ClientIo::new(io, settings.write_timeout);
        let mut http = http1::Builder::new();
        http.timer(io.head_timer(settings.head_timeout))
            .header_read_timeout(settings.idle_timeout)
            .max_header_size(settings.max_head_bytes)
            .max_buf_size(CONNECTION_BUFFER_BYTES.max(settings.max_head_bytes));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let request = Request::from((request, local.clone(), remote.clone(), scheme.clone()));
            async {
                let mut response = self.endpoint.get_response(request).await;
                if self.shutdown.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        });
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(io), service));

        // A child, so that connections do not meet at one lock whenever they are polled.
        let shutdown = self.shutdown.child_token();
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = shutdown.cancelled() => {}
        }
        if let Ok(ended) = tokio::time::timeout(LAST_CALL, connection.as_mut()).await {
            return ended;
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}

#[cfg(test)]
mod tests;
