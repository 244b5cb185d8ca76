//! An image API that answers the very bytes a test gives, for what the simulator is too well
//! behaved to send.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What it does to a request, once it has read it.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes and then nothing more, with the connection open.
    Stall(Vec<u8>),
    /// Says nothing until [`Upstream::let_go`], then answers `200 {}`.
    Hold,
}

impl Reaction {
    /// An answer with a correct length.
    pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            bytes += &format!("{name}: {value}\r\n");
        }
        Self::Send([(bytes + "\r\n").as_bytes(), body].concat())
    }
}

/// The running server. It ends when this is dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    reaction: Arc<Mutex<Reaction>>,
    held: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Upstream {
    pub(crate) async fn start(reaction: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reaction = Arc::new(Mutex::new(reaction));
        let held = watch::Sender::new(true);
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (seen, reaction, held) = (Arc::clone(&seen), Arc::clone(&reaction), held.clone());
            async move {
                let mut connections = JoinSet::new();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (seen, reaction) = (Arc::clone(&seen), Arc::clone(&reaction));
                    connections.spawn(serve(stream, seen, reaction, held.subscribe()));
                }
            }
        });
        Self { address, seen, reaction, held, _tasks: tasks }
    }

    /// For `IMAGE_API_BASE`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that arrived whole, as bytes.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().clone()
    }

    /// What it does from now on.
    pub(crate) fn react(&self, reaction: Reaction) {
        self.held.send_replace(true);
        *self.reaction.lock() = reaction;
    }

    /// Answers all that are held, and holds nobody until the next [`Upstream::react`].
    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    reaction: Arc<Mutex<Reaction>>,
    mut held: watch::Receiver<bool>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    let reaction = reaction.lock().clone();
    seen.lock().push(request);
    let bytes = match reaction {
        Reaction::Send(bytes) => bytes,
        Reaction::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            return std::future::pending().await;
        }
        Reaction::Hold => {
            if held.wait_for(|held| !held).await.is_err() {
                return;
            }
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_vec()
        }
    };
    // Whoever asked may be gone, which is his affair.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |text| text.trim().parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    bytes.extend(body);
    Some(bytes)
}
