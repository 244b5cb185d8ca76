//! What systemd sees of the real program: readiness, reload, watchdog, stop, sockets that it holds,
//! secrets that it hands over.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::sandbox::Sandbox;
use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Process, Wire, command, request, signal, until};

/// The socket on which systemd listens for what services tell.
struct Manager {
    socket: UnixDatagram,
    path: String,
    heard: Mutex<Vec<String>>,
    _folder: TempDir,
}

impl Manager {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify").to_str().unwrap().to_owned();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, heard: Mutex::default(), _folder: folder }
    }

    /// Everything told so far, a line each.
    fn heard(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let mut heard = self.heard.lock();
        while let Ok(len) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
            heard.extend(text.lines().map(str::to_owned));
        }
        heard.clone()
    }

    fn has_heard(&self, start: &str) -> bool {
        self.count(start) > 0
    }

    fn count(&self, start: &str) -> usize {
        self.heard().iter().filter(|line| line.starts_with(start)).count()
    }
}

#[tokio::test]
async fn it_says_when_it_is_ready_when_it_reloads_and_when_it_stops() {
    let (folder, sandbox, manager) =
        (TempDir::new().unwrap(), Process::sandbox().await, Manager::start());
    let settings = [("NOTIFY_SOCKET", manager.path.as_str())];
    let mut server = Process::serve(folder.path(), &sandbox, &settings).await;
    until("it is ready", || manager.has_heard("READY=1")).await;
    let heard = manager.heard();
    let opening = heard.iter().position(|line| line.starts_with("EXTEND_TIMEOUT_USEC="));
    let ready = heard.iter().position(|line| line == "READY=1");
    assert!(opening < ready, "{heard:?}");
    assert!(manager.has_heard("STATUS=serving on 127.0.0.1:"), "{heard:?}");
    assert!(!manager.has_heard("WATCHDOG"), "nobody watches");

    signal(&server, "HUP");
    until("the reload is over", || manager.count("READY=1") == 2).await;
    let heard = manager.heard();
    let at = heard.iter().position(|line| line == "RELOADING=1").unwrap();
    assert!(heard[at + 1].starts_with("MONOTONIC_USEC="), "{heard:?}");
    server.ask("GET", "/healthz", None, &json!(null)).await.ok();

    signal(&server, "TERM");
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(manager.has_heard("STOPPING=1"));
}

#[tokio::test]
async fn the_watchdog_is_fed_while_the_writer_answers_and_starves_when_it_does_not() {
    let (folder, sandbox, manager) =
        (TempDir::new().unwrap(), Process::sandbox().await, Manager::start());
    let settings = [("NOTIFY_SOCKET", manager.path.as_str()), ("WATCHDOG_USEC", "600000")];
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    until("it is fed", || manager.count("WATCHDOG=1") >= 3).await;

    // The writer waits for this lock, as it would for a disk that hangs.
    let blocker = Connection::open(folder.path().join("data/dream.db")).unwrap();
    blocker.busy_timeout(Duration::from_secs(10)).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    until("it is missed", || server.log().contains("the database writer does not answer")).await;
    let fed = manager.count("WATCHDOG=1");
    let reading = server.ask("GET", "/healthz", None, &json!(null)).await;
    assert_eq!(reading.status, 200, "the runtime itself is well");
    assert_eq!(manager.count("WATCHDOG=1"), fed);
    blocker.execute_batch("ROLLBACK").unwrap();
    until("it is fed again", || manager.count("WATCHDOG=1") > fed).await;
}

/// `serve` with `listener` as systemd hands it over, under `name`.
fn inheriting(
    listener: &TcpListener,
    name: &str,
    folder: &Path,
    sandbox: &Sandbox,
    changes: &[(&str, &str)],
) -> Command {
    let program = command(folder).get_program().to_owned();
    let mut shell = Command::new("sh");
    // The socket comes as standard input, the one descriptor that is inherited without further ado,
    // and is moved to where systemd puts it. The shell becomes the program, under the same pid.
    let script =
        "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=$1 exec \"$0\" serve";
    shell.arg("-c").arg(script).arg(program).arg(name);
    shell.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    shell.envs(Process::environment(folder, sandbox, changes)).current_dir(folder);
    shell.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    shell
}

#[tokio::test]
async fn a_socket_that_systemd_holds_is_served() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    for name in ["http", "dream-bff.socket"] {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let server =
            Process::listening(inheriting(&held, name, folder.path(), &sandbox, &[])).await;
        assert_eq!(server.address, address);
        server.ask("GET", "/readyz", None, &json!(null)).await.ok();
    }
}

/// How often the program is exchanged under load; more by hand.
fn exchanges() -> usize {
    std::env::var("EXCHANGES").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[derive(Default)]
struct Load {
    stop: AtomicBool,
    answered: AtomicUsize,
    longest_ms: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Asks again and again; `is_kept` on one connection for as long as the server leaves it open.
    async fn ask(&self, address: std::net::SocketAddr, who: usize, is_kept: bool) {
        let mut kept = None;
        for number in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let code = json!({ "code": format!("dev-load-{who}-{number}") }).to_string();
            let text = match number % 5 {
                0 => request("POST", "/v1/auth/wechat-login", &[], &code),
                _ => request("GET", "/v1/vip/plans", &[], ""),
            };
            let since = Stopwatch::start();
            let mut wire = match kept.take() {
                Some(wire) => wire,
                None => match tokio::net::TcpStream::connect(address).await {
                    Ok(socket) => Wire::over(socket),
                    Err(err) => {
                        self.failures.lock().push(format!("connect: {err}"));
                        continue;
                    }
                },
            };
            match wire.exchange(&text).await {
                Some(answer) if answer.status == 200 => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                    let closes = answer.header("connection") == Some("close");
                    kept = (is_kept && !closes).then_some(wire);
                }
                Some(answer) => self.failures.lock().push(answer.text()),
                None => self.failures.lock().push(format!("no answer, kept: {is_kept}")),
            }
            let took = u64::try_from(since.elapsed().as_millis()).unwrap();
            self.longest_ms.fetch_max(took, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_of_the_program_refuses_and_fails_nothing() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let start = || Process::listening(inheriting(&held, "http", folder.path(), &sandbox, &[]));
    let mut server = start().await;

    let load: Arc<Load> = Arc::default();
    let clients: Vec<_> = (0..8)
        .map(|who| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.ask(address, who, who % 2 == 0).await })
        })
        .collect();
    let answered = || load.answered.load(Ordering::SeqCst);
    for _ in 0..exchanges() {
        let before = answered();
        until("there is load", || answered() > before + 50).await;
        signal(&server, "TERM");
        assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
        server = start().await;
    }
    let before = answered();
    until("the last one serves", || answered() > before + 50).await;
    load.stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let longest = load.longest_ms.load(Ordering::SeqCst);
    let failures = load.failures.lock().clone();
    println!(
        "{} exchanges: {} answered, {} failed, the longest wait {longest} ms",
        exchanges(),
        answered(),
        failures.len()
    );
    assert_eq!(failures, [""; 0]);
}

#[tokio::test]
async fn secrets_come_from_systemds_credentials() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let credentials = TempDir::new().unwrap();
    let secret = "a-secret-that-systemd-handed-over-0123456789\n";
    std::fs::write(credentials.path().join("JWT_SECRET"), secret).unwrap();
    let path = credentials.path().to_str().unwrap();
    // An empty variable is not set.
    let settings = [("CREDENTIALS_DIRECTORY", path), ("JWT_SECRET", "")];
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let login = server.log_in("alice").await;
    let token = login["token"].as_str();
    server.ask("GET", "/v1/users/me", token, &json!(null)).await.ok();
    // With another secret the token is nobody's: it was signed with the one of the file.
    drop(server);
    let other = "another-secret-0123456789-0123456789";
    let settings = [("CREDENTIALS_DIRECTORY", path), ("JWT_SECRET", other)];
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let answer = server.ask("GET", "/v1/users/me", token, &json!(null)).await;
    assert_eq!(answer.status, 401, "the environment wins");
}
