//! The real binary: starting, stopping, dying, and what it says when it cannot start.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::sandbox::{Fault, Sandbox};
use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Process, Reaction, Upstream, Wire, command, request, signal, until};

const GENERATE: &str = "/v1/proxy/images/generate";

/// Enough for `serve` to start, were nothing wrong.
const COMPLETE: [(&str, &str); 4] = [
    ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ("WECHAT_APPID", "wx0123456789abcdef"),
    ("WECHAT_SECRET", "0123456789abcdef0123456789abcdef"),
    ("LISTEN", "127.0.0.1:0"),
];

fn run(folder: &Path, args: &[&str], settings: &[(&str, &str)]) -> Output {
    command(folder).args(args).envs(settings.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The one line that a start ends with when a setting is wrong.
#[track_caller]
fn refusal(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    text
}

/// What `serve` says to complete settings with these changes; an empty value is left out.
#[track_caller]
fn refused(changes: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    let mut settings: Vec<_> = COMPLETE.to_vec();
    settings.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    settings.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let line = refusal(&run(folder.path(), &["serve"], &settings));
    assert!(!folder.path().join("data").exists(), "nothing is made before the settings are good");
    line
}

/// The PNG in `folder`, decoded: width and height.
fn picture(path: &Path) -> (u32, u32) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    (frame.width, frame.height)
}

#[tokio::test]
async fn what_the_sandbox_prints_works_when_pasted() {
    let folder = TempDir::new().unwrap();
    let mut start = command(folder.path());
    start.args(["serve", "--sandbox"]);
    let server = Process::listening(start).await;
    until("the banner is out", || server.stdout().contains("sync=true")).await;
    let banner = server.stdout();
    let lines: Vec<&str> = banner
        .lines()
        .map(str::trim)
        .filter(|line| {
            let starts = ["TOKEN=", "JOB=", "until ", "ORDER=", "curl "];
            starts.iter().any(|start| line.starts_with(start))
        })
        .collect();
    assert_eq!(lines.len(), 6, "{banner}");

    let shell = std::process::Command::new("sh")
        .args(["-c", &lines.join("\n")])
        .current_dir(folder.path())
        .env_remove("http_proxy")
        .output();
    let said = shell.unwrap();
    let said = format!("{}{}", stdout(&said), String::from_utf8_lossy(&said.stderr));
    assert!(said.contains("picture: dream.png"), "{said}");
    assert!(said.contains("token: ey"), "{said}");
    assert!(said.contains("\"status\":\"PAID\""), "{said}");
    assert_eq!(picture(&folder.path().join("dream.png")), (1024, 1024));

    for path in ["/api/docs", "/_sandbox"] {
        assert!(banner.contains(&format!("http://{}{path}", server.address)), "{banner}");
    }
    let page = Wire::ask(server.address, "GET", "/_sandbox", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(folder.path().join("data/sandbox.db").exists());
    assert!(!folder.path().join("data/dream.db").exists());
}

#[test]
fn a_sandbox_refuses_to_run_with_production_credentials() {
    for (name, value) in [
        ("WECHAT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("WECHAT_PAY_MCHID", "1900000001"),
        ("WECHAT_VIRTUAL_PAY_OFFER_ID", "1450012345"),
        ("WECHAT_PUSH_TOKEN", "abcdefgh"),
        ("S3_BUCKET", "pictures"),
    ] {
        let folder = TempDir::new().unwrap();
        let settings = [(name, value), ("LISTEN", "127.0.0.1:0")];
        let line = refusal(&run(folder.path(), &["serve", "--sandbox"], &settings));
        assert!(line.contains(name) && line.contains("production credentials"), "{line}");
        assert!(!line.contains(value), "{line}");

        let dotenv = TempDir::new().unwrap();
        std::fs::write(dotenv.path().join(".env"), format!("{name}={value}\n")).unwrap();
        let line = refusal(&run(dotenv.path(), &["serve", "--sandbox"], &settings[1..]));
        assert!(line.contains(name), "{line}");
    }
    let folder = TempDir::new().unwrap();
    let flag = ["serve", "--sandbox", "--wechat-secret", "0123456789abcdef"];
    refusal(&run(folder.path(), &flag, &[]));
}

#[test]
fn a_missing_setting_stops_the_start_with_one_line() {
    for name in ["JWT_SECRET", "WECHAT_APPID", "WECHAT_SECRET"] {
        let line = refused(&[(name, "")]);
        assert!(line.contains(&format!("{name} is not set; example: {name}=")), "{line}");
    }
}

#[test]
fn a_bad_setting_stops_the_start_with_variable_problem_and_example() {
    for (name, value, problem) in [
        ("JWT_SECRET", "0123456789abcdef0123456789abcde", "32 bytes"),
        ("JWT_SECRET_PREVIOUS", "hunter2", "32 bytes"),
        ("PORT", "abc", "abc"),
        ("PORT", "0", "1..=65535"),
        ("LISTEN", "3000", "socket address"),
        ("TRUSTED_PROXIES", "nginx", "no address and no network"),
        ("WECHAT_API_BASE", "http://api.weixin.qq.com", "plain http"),
        ("IMAGE_API_BASE", "localhost:3001", "https://"),
        ("IMAGE_API_TIMEOUT", "601", "1..=600"),
        ("PROXY_CONCURRENCY", "-1", "-1"),
        ("DATABASE_URL", "postgres://localhost/dream", "sqlite://"),
        ("DB_READERS", "1", "2..=64"),
        ("PUBLIC_URL", "api.example.com", "https://"),
        ("LOG_FORMAT", "xml", "pretty, json"),
        ("RUST_LOG", "info,=", "cannot be understood"),
    ] {
        let line = refused(&[(name, value)]);
        assert!(line.contains(problem), "{line}");
        let says = format!("dream-bff: {name} ");
        assert!(line.starts_with(&says) && line.contains("; example: "), "{line}");
        assert!(!name.contains("SECRET") || !line.contains(value), "a secret is not repeated");
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let folder = TempDir::new().unwrap();
    let mut settings = COMPLETE.to_vec();
    settings[0] = ("JWT_SECRET", "");
    let line = refusal(&run(folder.path(), &["serve"], &settings));
    assert!(line.contains("JWT_SECRET is not set"), "{line}");

    settings[0] = ("PORT", "");
    settings.push(("JWT_SECRET", "short"));
    let line = refusal(&run(folder.path(), &["serve"], &settings));
    assert!(line.contains("JWT_SECRET is shorter"), "PORT is no problem: {line}");
}

#[test]
fn settings_come_from_dotenv_and_the_environment_wins() {
    let folder = TempDir::new().unwrap();
    let dotenv = folder.path().join(".env");
    let run = |settings: &[(&str, &str)]| refusal(&run(folder.path(), &["serve"], settings));

    std::fs::write(&dotenv, "# comment\nJWT_SECRET=too-short\nPORT=abc\n").unwrap();
    assert!(run(&[]).contains("PORT has a bad value: \"abc\""));
    assert!(run(&[("PORT", "3000")]).contains("JWT_SECRET is shorter"));
    assert!(run(&[("PORT", "3000"), COMPLETE[0]]).contains("WECHAT_APPID is not set"));

    std::fs::write(&dotenv, "JWT_SECRET='never closed-hunter2\n").unwrap();
    let line = run(&COMPLETE);
    assert!(line.contains(".env") && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_flag_wins_over_the_environment() {
    let folder = TempDir::new().unwrap();
    let line = refusal(&run(folder.path(), &["serve", "--port", "x"], &[("PORT", "3000")]));
    assert!(line.contains("PORT has a bad value: \"x\""), "{line}");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let server = Process::serve(folder.path(), &sandbox, &[]).await;
    let other = TempDir::new().unwrap();
    let mut settings = COMPLETE.to_vec();
    let address = server.address.to_string();
    settings[3] = ("LISTEN", &address);
    let output = run(other.path(), &["serve"], &settings);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&address), "says which address: {said}");
}

#[tokio::test]
async fn secrets_and_openids_are_not_logged() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let everything = [("RUST_LOG", "trace")];
    let server = Process::serve(folder.path(), &sandbox, &everything).await;
    let login = server.log_in("openid-of-alice").await;
    let token = login["token"].as_str().unwrap();
    let prompt = json!({ "prompt": "prompt-of-alice" });
    server.ask("POST", GENERATE, Some(token), &prompt).await;
    sandbox.wechat().login_faults().next(Fault::Garbage, 1);
    let code = json!({ "code": "code-of-alice" });
    server.ask("POST", "/v1/auth/wechat-login", None, &code).await;
    until("the failure is logged", || server.log().contains("WECHAT_UNAVAILABLE")).await;

    let log = server.log();
    assert!(log.contains("/v1/auth/wechat-login"), "there is a log to search: {log}");
    let key = sandbox.wechat().session_key("openid-of-alice").unwrap();
    for secret in [
        token,
        login["refreshToken"].as_str().unwrap(),
        &key,
        "openid-of-alice",
        "prompt-of-alice",
        "code-of-alice",
        crate::support::JWT_SECRET,
        sandbox.image_api().api_key(),
        dream_bff::sandbox::WechatSim::SECRET,
    ] {
        let shown = log.lines().find(|line| line.contains(secret));
        assert_eq!(shown, None, "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_login_outlives_a_kill() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let mut server = Process::serve(folder.path(), &sandbox, &[]).await;
    let acknowledged: Arc<Mutex<Vec<Value>>> = Arc::default();
    for round in 0..3 {
        let before = acknowledged.lock().len();
        let (address, writers) = (server.address, 6);
        let bursts: Vec<_> = (0..writers)
            .map(|writer| {
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(async move {
                    for number in 0.. {
                        let code = json!({ "code": format!("dev-u{round}-{writer}-{number}") });
                        let text = request("POST", "/v1/auth/wechat-login", &[], &code.to_string());
                        let Some(answer) = Wire::try_ask(address, &text).await else { return };
                        acknowledged.lock().push(answer.ok());
                    }
                })
            })
            .collect();
        until("a burst of logins is under way", || acknowledged.lock().len() >= before + 40).await;
        server.kill();
        for burst in bursts {
            burst.await.unwrap();
        }
        server = Process::serve(folder.path(), &sandbox, &[]).await;
    }

    let all = acknowledged.lock().clone();
    assert!(all.len() >= 120);
    for login in &all {
        let token = login["token"].as_str();
        let me = server.ask("GET", "/v1/users/me", token, &Value::Null).await.ok();
        assert_eq!(me, login["user"]);
    }
    let refresh = json!({ "refreshToken": all[0]["refreshToken"] });
    server.ask("POST", "/v1/auth/refresh-token", None, &refresh).await.ok();
    let database = Connection::open(folder.path().join("data/dream.db")).unwrap();
    let verdict: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// A server with one call to the image API under way, and the client that waits for it.
async fn with_a_slow_call(
    folder: &Path,
    sandbox: &Sandbox,
    upstream: &Upstream,
    changes: &[(&str, &str)],
) -> (Process, Wire) {
    let base = upstream.base();
    let mut all = vec![("IMAGE_API_BASE", base.as_str())];
    all.extend(changes);
    let server = Process::serve(folder, sandbox, &all).await;
    let login = server.log_in("alice").await;
    let bearer = format!("Bearer {}", login["token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let mut client = Wire::connect(server.address).await;
    client.send(request("POST", GENERATE, &headers, r#"{"prompt":"a"}"#).as_bytes()).await;
    until("the call is under way", || upstream.seen().len() == 1).await;
    (server, client)
}

async fn no_longer_accepts(server: &Process) {
    until("nobody new is accepted", || std::net::TcpStream::connect(server.address).is_err()).await;
}

#[tokio::test]
async fn sigterm_lets_running_requests_finish_and_exits_with_0() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let upstream = Upstream::start(Reaction::Hold).await;
    let (mut server, mut client) = with_a_slow_call(folder.path(), &sandbox, &upstream, &[]).await;
    signal(&server, "TERM");
    no_longer_accepts(&server).await;
    assert!(!server.has_ended());

    upstream.let_go();
    client.answer().await.expect("the request is answered").ok();
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
    assert!(!folder.path().join("data/dream.db-wal").exists(), "the file is complete by itself");
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_at_the_limit() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let upstream = Upstream::start(Reaction::Hold).await;
    let limit = [("SHUTDOWN_TIMEOUT", "1")];
    let (mut server, mut client) =
        with_a_slow_call(folder.path(), &sandbox, &upstream, &limit).await;
    let waiting = Stopwatch::start();
    signal(&server, "TERM");
    assert!(client.answer().await.is_none());
    assert!(waiting.elapsed() >= Duration::from_millis(900), "{:?}", waiting.elapsed());
    assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn a_second_signal_exits_at_once() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let upstream = Upstream::start(Reaction::Hold).await;
    let (mut server, mut client) = with_a_slow_call(folder.path(), &sandbox, &upstream, &[]).await;
    signal(&server, "TERM");
    no_longer_accepts(&server).await;
    signal(&server, "INT");
    assert_eq!(server.ended().await.code(), Some(130), "{}", server.log());
    assert!(client.answer().await.is_none());
}

#[tokio::test]
async fn an_idle_server_stops_at_once_on_either_signal() {
    let sandbox = Process::sandbox().await;
    for name in ["TERM", "INT"] {
        let folder = TempDir::new().unwrap();
        let mut server = Process::serve(folder.path(), &sandbox, &[]).await;
        // A client that keeps its connection must not hold the stop up.
        let mut idle = Wire::connect(server.address).await;
        idle.send(request("GET", "/healthz", &[], "").as_bytes()).await;
        idle.answer().await.unwrap().ok();
        let waiting = Stopwatch::start();
        signal(&server, name);
        assert_eq!(server.ended().await.code(), Some(0), "{}", server.log());
        assert!(waiting.elapsed() < Duration::from_secs(10), "{:?}", waiting.elapsed());
    }
}

#[tokio::test]
async fn half_a_head_and_then_silence_is_cut_while_others_are_served() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let limits = [("HTTP_HEADER_TIMEOUT", "1"), ("HTTP_IDLE_TIMEOUT", "600")];
    let server = Process::serve(folder.path(), &sandbox, &limits).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut wire = Wire::connect(server.address).await;
        wire.send(b"GET /healthz HTTP/1.1\r\nhost: te").await;
        slow.push(wire);
    }
    let login = server.log_in("alice").await;
    server.ask("GET", "/v1/users/me", login["token"].as_str(), &Value::Null).await.ok();

    let waiting = Stopwatch::start();
    for wire in &mut slow {
        wire.until_closed().await;
    }
    assert!(waiting.elapsed() < Duration::from_secs(10), "{:?}", waiting.elapsed());
    server.log_in("alice").await;
}

#[tokio::test]
async fn a_body_too_large_is_refused_before_it_is_sent() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let server = Process::serve(folder.path(), &sandbox, &[]).await;
    let mut wire = Wire::connect(server.address).await;
    let head = "POST /v1/auth/wechat-login HTTP/1.1\r\nhost: t\r\n\
                content-type: application/json\r\ncontent-length: 999999999\r\n\r\n";
    wire.send(head.as_bytes()).await;
    wire.answer().await.unwrap().fails(413, "PAYLOAD_TOO_LARGE");
}

#[test]
fn the_api_document_is_printed() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["openapi"], &[]);
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["paths"]["/auth/wechat-login"]["post"].is_object());
}

#[test]
fn the_version_is_printed() {
    let folder = TempDir::new().unwrap();
    for args in [["version"], ["--version"]] {
        let text = stdout(&run(folder.path(), &args, &[]));
        assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
    assert!(stdout(&run(folder.path(), &["version"], &[])).contains("SQLite 3."));
}

#[test]
fn help_is_no_error_and_names_every_variable() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["serve", "--help"], &[("JWT_SECRET", "hunter2")]);
    assert!(output.status.success());
    let text = stdout(&output);
    for name in ["LISTEN", "DATA_DIR", "JWT_SECRET", "WECHAT_SECRET", "IMAGE_API_BASE"] {
        assert!(text.contains(&format!("[env: {name}")), "{name}");
    }
    assert!(!text.contains("hunter2"));
}

#[test]
fn migrate_says_what_it_would_do_does_it_and_is_done() {
    let folder = TempDir::new().unwrap();
    let migrate = |args: &[&str]| {
        let output = run(folder.path(), &[&["migrate"], args].concat(), &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        stdout(&output)
    };
    assert!(migrate(&["--dry-run"]).contains("would apply 0001_create_core"));
    assert!(!folder.path().join("data/dream.db").exists(), "a dry run makes nothing");
    assert!(migrate(&[]).contains("schema 0 -> "));
    assert!(migrate(&[]).contains("nothing to do"));
    assert!(!migrate(&["--dry-run"]).contains("would apply"));
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    assert!(run(folder.path(), &["migrate"], &[]).status.success());
    let path = folder.path().join("data/dream.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9999).unwrap();
    let before = std::fs::read(&path).unwrap();
    for args in [&["serve"][..], &["migrate"], &["migrate", "--dry-run"]] {
        let output = run(folder.path(), args, &COMPLETE);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("9999") && said.contains("newer"), "{args:?}: {said}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
