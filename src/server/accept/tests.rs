//! What only sockets show: waits, limits and the end. Timeouts here are real but short.

use std::time::Instant;

use poem::endpoint::make;
use poem::{Body, Route};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::super::paths::PathTable;
use super::super::stack::{Stack, StackSettings};
use super::*;
use crate::app::limits::{LimitSettings, Limits};
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::http::TrustedProxies;

const SHORT: Duration = Duration::from_millis(300);
/// Nothing here should take so long.
const LONG: Duration = Duration::from_secs(10);

struct Server {
    addr: SocketAddr,
    shutdown: CancellationToken,
    done: JoinHandle<usize>,
}

fn settings() -> AcceptSettings {
    AcceptSettings {
        max_connections: 100,
        head_timeout: LONG,
        idle_timeout: LONG,
        write_timeout: LONG,
        max_head_bytes: 8 * 1024,
        drain_timeout: LONG,
        traffic: Arc::default(),
    }
}

fn start(settings: AcceptSettings) -> Server {
    let slow = make(|_| async {
        tokio::time::sleep(SHORT).await;
        "slow"
    });
    let never = make(|_| std::future::pending::<&'static str>());
    let huge = make(|_| async {
        let chunk = || Ok::<_, io::Error>(vec![0; 64 * 1024]);
        Body::from_bytes_stream(futures_util::stream::repeat_with(chunk))
    });
    let size = make(|mut request: Request| async move {
        request.take_body().into_bytes().await.map(|body| body.len().to_string())
    });
    let routes = Route::new()
        .at("/ok", make(|_| async { "ok" }))
        .at("/slow", slow)
        .at("/never", never)
        .at("/huge", huge)
        .at("/size", size);
    let limits = LimitSettings {
        per_ip: 0,
        per_user: 0,
        login_per_ip: 0,
        generate_per_user: 0,
        export_per_user: 0,
        max_keys: 1,
    };
    let stack = Stack::new(
        routes,
        PathTable::new(),
        Arc::new(Limits::new(limits)),
        Clock::system(),
        Rng::system(),
        StackSettings {
            trusted_proxies: TrustedProxies::default(),
            body_limit: 1024,
            body_limits: Vec::new(),
            body_timeout: SHORT,
            hsts: None,
        },
    );
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let done = tokio::spawn(serve(listener, stack, settings, shutdown.clone()));
    Server { addr, shutdown, done }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut socket = self.connect().await;
        socket.write_all(text.as_bytes()).await.unwrap();
        socket
    }

    async fn is_serving(&self) -> bool {
        let mut socket = self.send(&get("/ok")).await;
        answer(&mut socket).await.starts_with("HTTP/1.1 200")
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// What comes first, up to the end of the short answers used here.
async fn answer(socket: &mut TcpStream) -> String {
    let mut bytes = vec![0; 16 * 1024];
    let n = tokio::time::timeout(LONG, socket.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

/// Waits until the server closes, and says how long that took.
async fn closed(socket: &mut TcpStream) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the test is about time that passes")]
    let start = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(LONG, socket.read_to_end(&mut rest)).await.unwrap();
    start.elapsed()
}

#[tokio::test]
async fn half_a_head_then_silence_is_cut_while_others_are_served() {
    let server = start(AcceptSettings { head_timeout: SHORT, ..settings() });
    let mut silent = server.connect().await;
    let mut half = server.send("GET /ok HTTP/1.1\r\nHost:").await;
    // Also on a connection that has served before, whose idle time is long.
    let mut later = server.send(&get("/ok")).await;
    answer(&mut later).await;
    later.write_all(b"GET /ok HTTP/1.1\r\nX: ").await.unwrap();
    assert!(server.is_serving().await);
    for socket in [&mut silent, &mut half, &mut later] {
        assert!(closed(socket).await < LONG / 2);
    }
}

#[tokio::test]
async fn dripping_a_head_does_not_buy_time() {
    let server = start(AcceptSettings { head_timeout: SHORT, ..settings() });
    let mut later = server.send(&get("/ok")).await;
    answer(&mut later).await;
    let (mut read, mut write) = later.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(b"G").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(LONG / 2, read.read_to_end(&mut rest)).await.expect("cut in time");
    drip.abort();
}

#[tokio::test]
async fn an_idle_connection_rests_longer_than_a_head_may_take_and_is_then_closed() {
    let times = AcceptSettings { head_timeout: SHORT / 2, idle_timeout: SHORT * 3, ..settings() };
    let server = start(times);
    let mut socket = server.send(&get("/ok")).await;
    answer(&mut socket).await;
    tokio::time::sleep(SHORT).await;
    socket.write_all(get("/ok").as_bytes()).await.unwrap();
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"), "still open");
    let rested = closed(&mut socket).await;
    assert!(rested > SHORT && rested < LONG / 2, "{rested:?}");
}

#[tokio::test]
async fn a_slow_handler_is_not_mistaken_for_a_slow_client() {
    let times = AcceptSettings { head_timeout: SHORT / 2, idle_timeout: SHORT / 2, ..settings() };
    let server = start(times);
    let mut socket = server.send(&get("/slow")).await;
    assert!(answer(&mut socket).await.ends_with("slow"));
}

#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let server = start(settings());
    for expect in ["", "Expect: 100-continue\r\n"] {
        let head =
            format!("POST /size HTTP/1.1\r\nHost: x\r\n{expect}Content-Length: 1025\r\n\r\n");
        let mut socket = server.send(&head).await;
        let answer = answer(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE") && answer.contains("x-request-id"));
    }
}

#[tokio::test]
async fn a_client_that_sends_the_whole_large_body_still_sees_the_answer() {
    let server = start(settings());
    let size = 4 * 1024 * 1024;
    let fixed = format!("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
    let mut socket = server.send(&fixed).await;
    socket.write_all(&vec![b'x'; size]).await.expect("not reset while sending");
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 413"));

    let head = "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut socket = server.send(head).await;
    for _ in 0..64 {
        socket.write_all(b"10000\r\n").await.unwrap();
        socket.write_all(&vec![b'x'; 0x10000]).await.unwrap();
        socket.write_all(b"\r\n").await.unwrap();
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn expecting_100_continue_works_for_a_good_body() {
    let server = start(settings());
    let head =
        "POST /size HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut socket = server.send(head).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 100"));
    socket.write_all(b"abc").await.unwrap();
    assert!(answer(&mut socket).await.ends_with('3'));
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let server = start(settings());
    let head = "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc";
    let mut socket = server.send(head).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 400"));
    assert!(closed(&mut socket).await < LONG / 2);
}

#[tokio::test]
async fn an_oversized_head_is_431_and_too_many_headers_too() {
    let server = start(settings());
    let long = format!("GET /ok HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9 * 1024));
    let many = format!("GET /ok HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(101));
    for head in [long, many] {
        let mut socket = server.send(&head).await;
        assert!(answer(&mut socket).await.starts_with("HTTP/1.1 431"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = start(AcceptSettings { write_timeout: SHORT, ..settings() });
    let socket = server.send(&get("/huge")).await;
    // Only its end frees the one task; the drain would otherwise wait for ever.
    tokio::time::sleep(SHORT / 2).await;
    server.shutdown.cancel();
    assert_eq!(tokio::time::timeout(LONG / 2, server.done).await.unwrap().unwrap(), 0);
    drop(socket);
}

#[tokio::test]
async fn at_the_connection_limit_newcomers_wait_for_a_place() {
    let server = start(AcceptSettings { max_connections: 2, ..settings() });
    let mut first = server.send(&get("/ok")).await;
    let mut second = server.send(&get("/ok")).await;
    answer(&mut first).await;
    answer(&mut second).await;
    let mut third = server.send(&get("/ok")).await;
    let mut byte = [0];
    let early = tokio::time::timeout(SHORT, third.read(&mut byte)).await;
    assert!(early.is_err(), "waits, and is not turned away");
    drop(first);
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn shutdown_lets_a_slow_handler_finish_and_closes_the_idle() {
    let server = start(settings());
    let mut idle = server.send(&get("/ok")).await;
    answer(&mut idle).await;
    let mut untouched = server.connect().await;
    let mut slow = server.send(&get("/slow")).await;
    tokio::time::sleep(SHORT / 4).await;
    server.shutdown.cancel();
    let cut = tokio::time::timeout(LONG / 2, server.done);
    let (text, cut) = tokio::join!(answer(&mut slow), cut);
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("slow"), "{text}");
    assert_eq!(cut.unwrap().unwrap(), 0);
    closed(&mut idle).await;
    closed(&mut untouched).await;
    assert!(TcpStream::connect(server.addr).await.is_err(), "no longer listening");
}

#[tokio::test]
async fn after_shutdown_a_connection_that_rests_is_answered_once_more() {
    let server = start(settings());
    let mut kept = server.send(&get("/ok")).await;
    answer(&mut kept).await;
    server.shutdown.cancel();
    tokio::time::sleep(SHORT / 4).await;
    kept.write_all(get("/ok").as_bytes()).await.unwrap();
    let text = answer(&mut kept).await.to_lowercase();
    assert!(text.starts_with("http/1.1 200") && text.contains("connection: close"), "{text}");
    assert!(closed(&mut kept).await < LAST_CALL, "that was the last");
}

#[tokio::test]
async fn shutdown_cuts_what_does_not_finish() {
    let server = start(AcceptSettings { drain_timeout: SHORT, ..settings() });
    let mut never = server.send(&get("/never")).await;
    let mut half = server.send("GET /ok HTTP/1.1\r\nHost:").await;
    tokio::time::sleep(SHORT / 4).await;
    server.shutdown.cancel();
    assert_eq!(tokio::time::timeout(LONG / 2, server.done).await.unwrap().unwrap(), 2);
    closed(&mut never).await;
    closed(&mut half).await;
}
