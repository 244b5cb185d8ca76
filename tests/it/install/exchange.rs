//! The program is exchanged by `install.sh --upgrade` under a real systemd, while users ask and pay: nobody
//! is refused, no request fails, and what was paid is credited.
//!
//! Ignored, because it installs on the machine it runs on. `tests/install/run.sh --load` runs it in a
//! machine of its own, with the unpacked releases `first` and `second` in INSTALL_TEST_RELEASES.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::sandbox::Sandbox;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Process, request};

const ADDRESS: &str = "127.0.0.1:3000";

/// Clients that open a connection for each request, and as many that keep theirs.
const CLIENTS: usize = 4;
const BUYERS: usize = 3;

/// Load before and behind the exchange.
const AROUND: Duration = Duration::from_secs(4);

/// What the clients met.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// Kept connections that the server had closed before the request came: opened anew, as every
    /// HTTP client does.
    renewed: AtomicU64,
    wrong: Mutex<BTreeSet<u16>>,
    slowest_ms: AtomicU64,
}

struct Client {
    address: SocketAddr,
    kept: Option<TcpStream>,
    keeps: bool,
    tally: Arc<Tally>,
}

impl Client {
    fn new(keeps: bool, tally: &Arc<Tally>) -> Self {
        Self { address: ADDRESS.parse().unwrap(), kept: None, keeps, tally: Arc::clone(tally) }
    }

    async fn ask(&mut self, method: &str, path: &str, token: &str, body: &Value) -> Option<Value> {
        let bearer = format!("Bearer {token}");
        let close = if self.keeps { "keep-alive" } else { "close" };
        let headers = [("authorization", bearer.as_str()), ("connection", close)];
        let bytes = request(method, path, &headers, &body.to_string());
        let watch = Stopwatch::start();
        if let Some(stream) = self.kept.take() {
            match self.on(stream, bytes.as_bytes()).await {
                Ok(answer) => return self.count(answer, &watch),
                Err(_) => self.tally.renewed.fetch_add(1, Ordering::Relaxed),
            };
        }
        let stream = match TcpStream::connect(self.address).await {
            Ok(stream) => stream,
            Err(_) => {
                self.tally.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        match self.on(stream, bytes.as_bytes()).await {
            Ok(answer) => self.count(answer, &watch),
            Err(_) => {
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn count(&self, (status, body): (u16, Vec<u8>), watch: &Stopwatch) -> Option<Value> {
        let took = u64::try_from(watch.elapsed().as_millis()).unwrap();
        self.tally.slowest_ms.fetch_max(took, Ordering::Relaxed);
        self.tally.answered.fetch_add(1, Ordering::Relaxed);
        if status != 200 {
            self.tally.wrong.lock().insert(status);
            return None;
        }
        serde_json::from_slice(&body).ok()
    }

    /// One request and its answer; keeps the connection if the server does.
    async fn on(&mut self, mut stream: TcpStream, bytes: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        stream.write_all(bytes).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).map_err(io::Error::other)?.to_ascii_lowercase();
        let field = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned())
        };
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        let length = field("content-length:").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if self.keeps && field("connection:").as_deref() != Some("close") {
            self.kept = Some(stream);
        }
        Ok((status, body))
    }
}

fn run(folder: &Path, args: &[String]) {
    let output = Command::new(folder.join("install.sh")).args(args).output().unwrap();
    let said =
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs on this machine; tests/install/run.sh --load"]
async fn an_upgrade_under_load_refuses_nobody_and_loses_no_payment() {
    let releases = PathBuf::from(std::env::var("INSTALL_TEST_RELEASES").unwrap());
    let sandbox = Process::sandbox().await;
    sandbox.deliver_to(Some(ADDRESS.parse().unwrap()));
    let keys = Path::new("/srv/keys");
    std::fs::create_dir_all(keys).unwrap();
    let changes = [("LISTEN", ADDRESS), ("RATE_LIMIT_PER_USER", "0")];
    let mut args = vec!["--watch".to_owned(), "1".to_owned()];
    for (name, value) in Process::environment(keys, &sandbox, &changes) {
        args.extend(["--set".to_owned(), format!("{name}={value}")]);
    }
    let first = releases.join("first");
    tokio::task::spawn_blocking(move || run(&first, &args)).await.unwrap();

    let tally = Arc::new(Tally::default());
    let stop = Arc::new(AtomicBool::new(false));
    let sandbox = Arc::new(sandbox);
    let bought = Arc::new(Mutex::new(BTreeSet::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CLIENTS * 2 {
        let client = Client::new(number % 2 == 0, &tally);
        tasks.spawn(look(client, number, Arc::clone(&stop)));
    }
    for number in 0..BUYERS {
        let client = Client::new(number % 2 == 0, &tally);
        let (sandbox, bought) = (Arc::clone(&sandbox), Arc::clone(&bought));
        tasks.spawn(buy(client, number, sandbox, bought, Arc::clone(&stop)));
    }
    tokio::time::sleep(AROUND).await;
    let before = (tally.answered.load(Ordering::Relaxed), bought.lock().len());
    let watch = Stopwatch::start();
    let second = releases.join("second");
    let args = ["--upgrade", "--watch", "3"].map(str::to_owned);
    tokio::task::spawn_blocking(move || run(&second, &args)).await.unwrap();
    let took = watch.elapsed();
    let during = tally.answered.load(Ordering::Relaxed) - before.0;
    tokio::time::sleep(AROUND).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }

    let (refused, failed) =
        (tally.refused.load(Ordering::Relaxed), tally.failed.load(Ordering::Relaxed));
    let bought = std::mem::take(&mut *bought.lock());
    println!(
        "upgrade in {} ms; requests answered: {} ({during} during it); refused {refused}, failed \
         {failed}, kept connections opened anew {}; slowest {} ms; orders paid {} ({} before it)",
        took.as_millis(),
        tally.answered.load(Ordering::Relaxed),
        tally.renewed.load(Ordering::Relaxed),
        tally.slowest_ms.load(Ordering::Relaxed),
        bought.len(),
        before.1,
    );
    assert!(during > 0 && bought.len() > before.1, "there was load during the exchange");
    assert_eq!((refused, failed), (0, 0));
    assert_eq!(*tally.wrong.lock(), BTreeSet::new(), "answers that were no success");
    let books = Command::new("/usr/local/bin/dream-bff").arg("books").output().unwrap();
    let books = String::from_utf8_lossy(&books.stdout).into_owned();
    println!("{books}");
    assert!(books.contains(&format!("the books of all {} paid orders balance", bought.len())));
}

/// Reads what a user reads, again and again.
async fn look(mut client: Client, number: usize, stop: Arc<AtomicBool>) {
    let token = log_in(&mut client, &format!("reader-{number}")).await;
    while !stop.load(Ordering::Relaxed) {
        client.ask("GET", "/v1/users/me", &token, &json!({})).await;
    }
}

/// Buys points, pays, and looks until they are there; each order is noted as it is paid.
async fn buy(
    mut client: Client,
    number: usize,
    sandbox: Arc<Sandbox>,
    bought: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
) {
    let token = log_in(&mut client, &format!("buyer-{number}")).await;
    let wanted = json!({ "packId": "points_100", "paymentMethod": "wechat" });
    while !stop.load(Ordering::Relaxed) {
        let placed = client.ask("POST", "/v1/orders", &token, &wanted).await;
        let Some(id) = placed.and_then(|order| Some(order["orderId"].as_str()?.to_owned())) else {
            continue;
        };
        sandbox.wechat_pay().pay_order(&id).unwrap();
        bought.lock().insert(id.clone());
        let watch = Stopwatch::start();
        let path = format!("/v1/orders/{id}");
        loop {
            assert!(watch.elapsed() < Duration::from_secs(60), "{id} is paid and not credited");
            let order = client.ask("GET", &path, &token, &json!({})).await;
            if order.is_some_and(|order| order["status"] == "PAID") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn log_in(client: &mut Client, name: &str) -> String {
    let code = json!({ "code": format!("dev-{name}") });
    let answer = client.ask("POST", "/v1/auth/wechat-login", "", &code).await.unwrap();
    answer["token"].as_str().unwrap().to_owned()
}
