//! A client's socket with the two clocks hyper lacks: one that tells waiting for a request from
//! waiting for the rest of its head, and one for clients that do not read their answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Timer;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How often bytes have come from the client; shared by the socket and its [`HeadTimer`].
type Reads = Arc<AtomicUsize>;

/// A socket that counts reads and gives up on writes that make no progress.
pub(super) struct ClientIo<T> {
    socket: T,
    reads: Reads,
    write_timeout: Duration,
    /// Runs while a write waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> ClientIo<T> {
    /// Wraps `socket`; a write without progress for `write_timeout` fails.
    pub(super) fn new(socket: T, write_timeout: Duration) -> Self {
        Self { socket, reads: Reads::default(), write_timeout, stalled: None }
    }

    /// The timer to give to hyper together with an idle timeout as its `header_read_timeout`.
    pub(super) fn head_timer(&self, head_timeout: Duration) -> HeadTimer {
        HeadTimer { reads: Arc::clone(&self.reads), head_timeout }
    }

    fn watch<R>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.reads.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ClientIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.watch(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.socket).poll_flush(cx);
        this.watch(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.socket).poll_shutdown(cx);
        this.watch(cx, shut)
    }
}

/// hyper's timer for one connection. hyper (1.12, `proto/h1/conn.rs`) starts one and the same timer
/// when it begins to wait for a request, and polls it after every read that leaves the head
/// incomplete. So: nothing read yet on a kept-alive connection is idleness, for which hyper's own
/// deadline (the idle timeout) holds; from the first byte on, and on a new connection, the shorter
/// head timeout does.
pub(super) struct HeadTimer {
    reads: Reads,
    head_timeout: Duration,
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, idle_deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let reads_before = self.reads.load(Ordering::Relaxed);
        let is_new = reads_before == 0;
        let sleep = if is_new {
            tokio::time::sleep(self.head_timeout)
        } else {
            tokio::time::sleep_until(idle_deadline.into())
        };
        Box::pin(HeadSleep {
            reads: Arc::clone(&self.reads),
            reads_before,
            head_timeout: self.head_timeout,
            in_head: is_new,
            sleep: Box::pin(sleep),
        })
    }
}

struct HeadSleep {
    reads: Reads,
    reads_before: usize,
    head_timeout: Duration,
    /// Whether the head timeout is the one that runs.
    in_head: bool,
    sleep: Pin<Box<Sleep>>,
}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.in_head && this.reads.load(Ordering::Relaxed) != this.reads_before {
            this.in_head = true;
            this.sleep.set(tokio::time::sleep(this.head_timeout));
        }
        this.sleep.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for HeadSleep {}
