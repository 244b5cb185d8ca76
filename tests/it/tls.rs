//! TLS on the server's own listener, the plain listener beside it, and the PROXY protocol: the real
//! program, real sockets, certificates of an authority of the test's own.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustls::{HandshakeKind, ProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Authority, Process, Wire, command, request, signal, until};

const NAME: &str = "api.example.com";
const GOOD: (i32, i32) = (2020, 2099);

/// The files of a certificate, and what starts a server with them.
struct Files {
    folder: TempDir,
    chain: String,
    key: String,
}

impl Files {
    fn of(pair: &(String, String)) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let files = Self { chain: at("chain.pem"), key: at("key.pem"), folder };
        files.replace(pair);
        files
    }

    /// As a renewing program does it: written beside, then renamed.
    fn replace(&self, (chain, key): &(String, String)) {
        for (path, text) in [(&self.chain, chain), (&self.key, key)] {
            let new = self.folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
            fs::rename(&new, path).unwrap();
        }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("TLS_CERT_PATH", &self.chain),
            ("TLS_KEY_PATH", &self.key),
            ("PUBLIC_URL", "https://api.example.com"),
        ]
    }
}

fn get(path: &str) -> String {
    request("GET", path, &[], "")
}

#[tokio::test]
async fn a_client_speaks_tls_with_the_server_itself() {
    let authority = Authority::new();
    let files = Files::of(&authority.pair(NAME, GOOD));
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let server = Process::serve(folder.path(), &sandbox, &files.settings()).await;

    for (client, version) in [
        (authority.client(), ProtocolVersion::TLSv1_3),
        (authority.client_of_tls12(), ProtocolVersion::TLSv1_2),
    ] {
        let client = client.offering(&[b"h2", b"http/1.1"]);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = client.handshake(server.address, NAME).await.unwrap();
            let (_, tls) = stream.get_ref();
            assert_eq!(tls.protocol_version(), Some(version));
            assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
            assert_eq!(tls.handshake_kind(), Some(kind));
            let mut wire = Wire::over(stream);
            for _ in 0..2 {
                let answer = wire.exchange(&get("/readyz")).await.unwrap();
                assert_eq!(answer.status, 200);
                let hsts = answer.header("strict-transport-security");
                assert_eq!(hsts, Some("max-age=15552000"));
            }
        }
    }
    let only_h2 = authority.client().offering(&[b"h2"]);
    assert!(only_h2.handshake(server.address, NAME).await.is_err());
    // Whoever speaks plain HTTP here gets no HTTP back.
    let mut plain = Wire::connect(server.address).await;
    plain.send(get("/healthz").as_bytes()).await;
    assert!(!plain.until_closed().await.starts_with(b"HTTP"));
}

#[tokio::test]
async fn old_tls_is_refused() {
    let authority = Authority::new();
    let files = Files::of(&authority.pair(NAME, GOOD));
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let server = Process::serve(folder.path(), &sandbox, &files.settings()).await;
    let speaks = |version: &'static str| {
        let address = server.address.to_string();
        async move {
            let done = tokio::task::spawn_blocking(move || {
                std::process::Command::new("openssl")
                    .args(["s_client", "-connect", &address, version])
                    // The library itself must be willing.
                    .args(["-cipher", "ALL:@SECLEVEL=0"])
                    .stdin(Stdio::null())
                    .output()
            });
            let output = done.await.unwrap().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            Some(output.status.success() && !said.contains("Cipher is (NONE)"))
        }
    };
    let Some(modern) = speaks("-tls1_2").await else {
        println!("skipped: there is no openssl here");
        return;
    };
    assert!(modern);
    for old in ["-tls1_1", "-tls1"] {
        assert_eq!(speaks(old).await, Some(false), "{old}");
    }
}

#[tokio::test]
async fn beside_tls_plain_http_answers_health_and_leads_to_https() {
    let authority = Authority::new();
    let files = Files::of(&authority.pair(NAME, GOOD));
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let mut settings = files.settings();
    settings.push(("HTTP_LISTEN", "127.0.0.1:0"));
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let plain = server.listens_elsewhere("listening for plain HTTP").unwrap();
    let ask = |method: &'static str, path: &'static str, host: &'static str| async move {
        let text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n");
        Wire::connect(plain).await.exchange(&text).await.unwrap()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask("GET", path, "10.0.0.7").await.status, 200);
    }
    for method in ["GET", "POST"] {
        let answer = ask(method, "/v1/users/me?a=1", NAME).await;
        assert_eq!(answer.status, 308);
        let to = answer.header("location");
        assert_eq!(to, Some("https://api.example.com/v1/users/me?a=1"));
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    ask("GET", "/v1/users/me", "evil.example").await.fails(404, "NOT_FOUND");
    ask("GET", "/.well-known/acme-challenge/unknown", NAME).await.fails(404, "NOT_FOUND");
}

/// What the certificate served at `address` is good for.
async fn served(authority: &Authority, address: SocketAddr, name: &str) -> bool {
    authority.client().handshake(address, name).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_taken_under_load_without_a_failed_request() {
    let authority = Arc::new(Authority::new());
    let other = Authority::new();
    let files = Files::of(&authority.pair(NAME, GOOD));
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let server = Process::serve(folder.path(), &sandbox, &files.settings()).await;

    let (stop, done, failed) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (stop, done, failed) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
            // Believes both authorities in turn: one of the two must be served. The first once more, as
            // the certificate may change between the two.
            let clients = [authority.client(), other.client(), authority.client()];
            let address = server.address;
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let mut answer = None;
                    for client in &clients {
                        if answer.is_none() {
                            answer = client.ask(address, NAME, &get("/healthz")).await;
                        }
                    }
                    let counter =
                        if answer.is_some_and(|a| a.status == 200) { &done } else { &failed };
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until("there is load", || done.load(Ordering::SeqCst) > 20).await;

    // By itself.
    assert!(!served(&other, server.address, NAME).await);
    files.replace(&other.pair(NAME, GOOD));
    until("the new files are taken", || server.log().contains("read anew")).await;
    assert!(served(&other, server.address, NAME).await);
    assert!(!served(&authority, server.address, NAME).await);

    // What cannot be served is not taken, and that is said.
    let (chain, _) = authority.pair(NAME, GOOD);
    let (_, key) = authority.pair(NAME, GOOD);
    files.replace(&(chain, key));
    signal(&server, "HUP");
    until("the bad pair is refused", || {
        server.log().contains("is not the key of the certificate; example: TLS_KEY_PATH=")
    })
    .await;
    assert!(served(&other, server.address, NAME).await);

    // At once.
    files.replace(&authority.pair(NAME, GOOD));
    signal(&server, "HUP");
    until("the good pair is taken", || server.log().matches("read anew").count() >= 2).await;
    assert!(served(&authority, server.address, NAME).await);

    stop.store(true, Ordering::SeqCst);
    for client in load {
        client.await.unwrap();
    }
    assert_eq!(failed.load(Ordering::SeqCst), 0, "of {done:?}");
}

/// What a start with these settings ends with.
fn refused(folder: &Path, changes: &[(&str, &str)]) -> String {
    let output = command(folder)
        .arg("serve")
        .envs([
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
            ("WECHAT_APPID", "wx0123456789abcdef"),
            ("WECHAT_SECRET", "0123456789abcdef0123456789abcdef"),
            ("LISTEN", "127.0.0.1:0"),
        ])
        .envs(changes.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!folder.join("data").exists(), "nothing is made before the settings are good");
    text
}

#[test]
fn a_pair_that_cannot_be_served_stops_the_start_with_one_line() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (chain, key) = authority.pair(NAME, GOOD);
    let (_, other_key) = authority.pair(NAME, GOOD);
    for (pair, problem) in [
        ((chain.clone(), other_key), "TLS_KEY_PATH (…) is not the key of the certificate"),
        ((key.clone(), key.clone()), "TLS_CERT_PATH (…) holds no certificate"),
        ((chain.clone(), chain), "TLS_KEY_PATH (…) holds no private key"),
        (authority.pair(NAME, (2020, 2021)), "TLS_CERT_PATH (…) expired on 2021-01-01"),
        (authority.pair(NAME, (2098, 2099)), "TLS_CERT_PATH (…) is not valid before 2098-01-01"),
        (
            authority.pair("www.example.com", GOOD),
            "TLS_CERT_PATH (…) is for www.example.com, and not for api.example.com",
        ),
    ] {
        let files = Files::of(&pair);
        let line = refused(folder.path(), &files.settings());
        let line = line.replace(&files.chain, "…").replace(&files.key, "…");
        assert!(line.starts_with(&format!("dream-bff: {problem}")), "{line}");
    }
    let files = Files::of(&authority.pair(NAME, GOOD));
    fs::remove_file(&files.key).unwrap();
    assert!(refused(folder.path(), &files.settings()).contains("cannot be read: No such file"));
}

#[test]
fn settings_that_do_not_fit_together_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let files = Files::of(&Authority::new().pair(NAME, GOOD));
    let all = files.settings();
    let https = ("PUBLIC_URL", "https://api.example.com");
    let domains = ("ACME_DOMAINS", NAME);
    for (changes, starts) in [
        (vec![all[0], https], "TLS_KEY_PATH is not set"),
        (vec![all[1], https], "TLS_CERT_PATH is not set"),
        (vec![all[0], all[1]], "PUBLIC_URL must begin with https://"),
        (vec![all[0], all[1], https, domains], "ACME_DOMAINS and TLS_CERT_PATH are both set"),
        (vec![domains, https], "ACME_ACCEPT_TERMS is not set"),
        (
            vec![("ACME_DOMAINS", "a.example.com"), https, ("ACME_ACCEPT_TERMS", "true")],
            "ACME_DOMAINS does not name api.example.com",
        ),
        (
            vec![domains, https, ("ACME_ACCEPT_TERMS", "true"), ("ACME_CHALLENGE", "http-01")],
            "ACME_CHALLENGE is http-01",
        ),
        (vec![("HTTP_LISTEN", "127.0.0.1:0")], "HTTP_LISTEN is the plain listener beside TLS"),
        (vec![("PROXY_PROTOCOL", "true")], "PROXY_PROTOCOL is on"),
        (vec![("ACME_DOMAINS", "*.example.com")], "ACME_DOMAINS has a bad value"),
    ] {
        let line = refused(folder.path(), &changes);
        assert!(line.starts_with(&format!("dream-bff: {starts}")), "{line}");
        assert!(line.contains("; example: "), "{line}");
    }
}

#[tokio::test]
async fn the_address_of_a_trusted_proxys_header_counts() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let settings = [
        ("PROXY_PROTOCOL", "true"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
        ("RATE_LIMIT_PER_IP", "60"),
    ];
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let ask = |source: &'static str| {
        let address = server.address;
        async move {
            let mut wire = Wire::connect(address).await;
            let header = format!("PROXY TCP4 {source} 198.51.100.1 56324 443\r\n");
            wire.exchange(&format!("{header}{}", get("/v1/vip/plans"))).await.unwrap().status
        }
    };
    let mut last = 200;
    for _ in 0..200 {
        last = ask("203.0.113.7").await;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429, "one client has his limit");
    assert_eq!(ask("203.0.113.8").await, 200, "and another has his own");
    until("the log names him", || server.log().contains("203.0.113.8")).await;

    let mut silent = Wire::connect(server.address).await;
    silent.send(get("/healthz").as_bytes()).await;
    assert_eq!(silent.until_closed().await, b"", "a trusted proxy must say who it is");
}

#[tokio::test]
async fn a_header_from_anybody_else_is_a_broken_request() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let settings = [("PROXY_PROTOCOL", "true"), ("TRUSTED_PROXIES", "10.0.0.0/8")];
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let mut liar = TcpStream::connect(server.address).await.unwrap();
    let lie = format!("PROXY TCP4 10.1.2.3 198.51.100.1 56324 443\r\n{}", get("/v1/vip/plans"));
    liar.write_all(lie.as_bytes()).await.unwrap();
    let mut said = String::new();
    // A reset is an end too.
    let _ = liar.read_to_string(&mut said).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    // Without a header he is served, as himself.
    let answer = Wire::ask(server.address, "GET", "/v1/vip/plans", &[], "").await;
    assert_eq!(answer.status, 200);
    until("he is in the log", || server.log().contains("\"client.ip\":\"127.0.0.1\"")).await;
    assert!(!server.log().contains("10.1.2.3"));
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let authority = Authority::new();
    let files = Files::of(&authority.pair(NAME, GOOD));
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let mut settings = files.settings();
    settings.extend([("PROXY_PROTOCOL", "true"), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let server = Process::serve(folder.path(), &sandbox, &settings).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([203, 0, 113, 9, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]);
    socket.write_all(&header).await.unwrap();
    let stream = authority.client().handshake_over(socket, NAME).await.unwrap();
    let answer = Wire::over(stream).exchange(&get("/v1/vip/plans")).await.unwrap();
    assert_eq!(answer.status, 200);
    until("the log names the client", || server.log().contains("203.0.113.9")).await;
}
