//! The address rule against a real server on loopback.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers every request with what `answer` makes of its path.
async fn server(answer: fn(&str) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap();
            stream.write_all(answer(path).as_bytes()).await.unwrap();
        }
    });
    address
}

fn respond(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn fetcher(trusted: &[SocketAddr]) -> Fetcher {
    Fetcher::new(&FetchSettings {
        timeout: Duration::from_secs(10),
        concurrency: 4,
        queue: 4,
        max_bytes: 64,
        trusted: trusted.iter().map(|at| format!("http://{at}").parse().unwrap()).collect(),
    })
    .unwrap()
}

#[tokio::test]
async fn the_upstreams_own_origin_is_allowed_and_nothing_beside_it() {
    let ours = server(|_| respond("200 OK", "content-type: image/png\r\n", "picture")).await;
    let other = server(|_| respond("200 OK", "content-type: image/png\r\n", "secret")).await;
    let fetcher = fetcher(&[ours]);
    let url = format!("http://{ours}/a.png");
    assert_eq!(fetcher.fetch(&url, GivenBy::Upstream).await.unwrap(), b"picture");
    for (url, given_by) in [
        (url.clone(), GivenBy::User),
        (format!("http://{other}/a.png"), GivenBy::Upstream),
        (format!("https://{ours}/a.png"), GivenBy::Upstream),
        (format!("http://user@{ours}/a.png"), GivenBy::Upstream),
        ("file:///etc/passwd".to_owned(), GivenBy::Upstream),
        ("https://[::ffff:127.0.0.1]/".to_owned(), GivenBy::User),
        ("https://2130706433/".to_owned(), GivenBy::User),
        ("https://0x7f.1/".to_owned(), GivenBy::User),
        ("https://169.254.169.254/latest".to_owned(), GivenBy::Upstream),
        ("https://metadata.google.internal/".to_owned(), GivenBy::User),
        ("nonsense".to_owned(), GivenBy::User),
    ] {
        let refused = fetcher.fetch(&url, given_by).await.unwrap_err();
        assert!(
            matches!(refused, FetchError::Address | FetchError::NotPublic),
            "{url}: {refused:?}"
        );
        assert!(!refused.is_retryable());
    }
}

/// The check by name cannot know what a name resolves to; the resolver does.
#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let guard = Guard { trusted: Vec::new() };
    let client = HttpClient::with_resolver(
        HttpSettings {
            name: "test",
            timeout: Duration::from_secs(10),
            concurrency: 1,
            queue: 1,
            max_answer_bytes: 64,
        },
        guard,
    )
    .unwrap();
    let address = server(|_| respond("200 OK", "", "secret")).await;
    let url = format!("http://localhost:{}/", address.port());
    let refused = client.call(Request::get(url).body(Vec::new()).unwrap()).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Connect(ureq::Error::Other(cause)) if cause.is::<NotPublic>()),
        "{refused:?}"
    );
}

#[tokio::test]
async fn redirects_are_judged_one_by_one_and_counted() {
    let ours = server(|path| match path {
        "/inside" => respond("302 Found", "location: http://127.0.0.1:9/secret\r\n", ""),
        "/metadata" => respond("302 Found", "location: //169.254.169.254/\r\n", ""),
        "/loop" => respond("302 Found", "location: /loop\r\n", ""),
        "/once" => respond("301 Moved", "location: a.png\r\n", ""),
        "/nowhere" => respond("302 Found", "", ""),
        _ => respond("200 OK", "", "picture"),
    })
    .await;
    let fetcher = fetcher(&[ours]);
    let fetch =
        async |path: &str| fetcher.fetch(&format!("http://{ours}{path}"), GivenBy::Upstream).await;
    assert_eq!(fetch("/once").await.unwrap(), b"picture");
    assert!(matches!(fetch("/inside").await, Err(FetchError::Address)));
    assert!(matches!(fetch("/metadata").await, Err(FetchError::Address)));
    assert!(matches!(fetch("/loop").await, Err(FetchError::Redirects)));
    assert!(matches!(fetch("/nowhere").await, Err(FetchError::Status(302))));
}

#[tokio::test]
async fn pages_failures_and_floods_are_no_pictures() {
    let ours = server(|path| match path {
        "/page" => respond("200 OK", "content-type: text/html; charset=utf-8\r\n", "<html>"),
        "/gone" => respond("404 Not Found", "content-type: image/png\r\n", ""),
        "/flood" => respond("200 OK", "content-type: image/png\r\n", &"x".repeat(65)),
        _ => respond("200 OK", "content-type: binary/octet-stream\r\n", "picture"),
    })
    .await;
    let fetcher = fetcher(&[ours]);
    let fetch =
        async |path: &str| fetcher.fetch(&format!("http://{ours}{path}"), GivenBy::Upstream).await;
    assert_eq!(fetch("/object").await.unwrap(), b"picture");
    assert!(matches!(fetch("/page").await, Err(FetchError::ContentType(_))));
    let gone = fetch("/gone").await.unwrap_err();
    assert!(matches!(gone, FetchError::Status(404)) && gone.is_retryable());
    let flood = fetch("/flood").await.unwrap_err();
    assert!(matches!(flood, FetchError::Call(CallError::TooLarge)) && !flood.is_retryable());
}

#[test]
fn users_may_name_public_https_addresses_only() {
    for good in ["https://example.com/a.png", "https://1.1.1.1/a", "https://[2606:4700::1111]/"] {
        assert!(check_user_address(good).is_ok(), "{good}");
    }
    for bad in [
        "http://example.com/a.png",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.internal/",
        "https://user:pw@example.com/",
        "ftp://example.com/",
        "data:image/png;base64,AAAA",
        "https://",
    ] {
        assert!(check_user_address(bad).is_err(), "{bad}");
    }
}
