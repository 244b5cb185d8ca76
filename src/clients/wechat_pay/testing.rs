//! What the tests of this client share: vectors, WeChat Pay's pen, and a server that answers what a
//! test wants.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use x509_parser::pem::Pem;

use super::transport::Transport;
use super::{PublicKey, WechatPay, WechatPaySettings};
use crate::base::clock::{Clock, TestClock};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;

/// The time of the vectors.
pub(super) const NOW: UnixMillis = UnixMillis(1_760_000_000_000);

pub(super) const CERTIFICATES: &str = "/v3/certificates";

/// Serial of the platform certificate that the vectors trust.
pub(super) const PLATFORM_A: &str = "3F28C2AA45A4EE6CBC1DC57615914B906B71E2E7";

pub(super) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000091912025100900000000000001";

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/wechat_pay");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A file of vectors.
pub(super) fn vectors(name: &str) -> Value {
    serde_json::from_str(&file(name)).unwrap()
}

/// The list `name` of a file of vectors; it must have `count` entries, so that none is left out.
#[track_caller]
pub(super) fn list(vectors: &Value, name: &str, count: usize) -> Vec<Value> {
    let list = vectors[name].as_array().unwrap().clone();
    assert_eq!(list.len(), count, "{name}");
    list
}

/// A text in a vector.
#[track_caller]
pub(super) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"))
}

/// The content of a PEM text.
pub(super) fn der(pem: &str) -> Vec<u8> {
    Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap().contents
}

/// The content of a key file of the vectors.
pub(super) fn key(name: &str) -> Vec<u8> {
    der(&file(&format!("keys/{name}.pem")))
}

/// The headers of a vector.
pub(super) fn headers(of: &Value) -> HeaderMap {
    let pair = |(name, value): (&String, &Value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    of.as_object().unwrap().iter().map(pair).collect()
}

/// WeChat Pay's pen: a key and the name it goes by.
pub(super) struct Pen {
    key: KeyPair,
    serial: &'static str,
}

impl Pen {
    pub(super) fn platform_a() -> Self {
        let key = KeyPair::from_pkcs8(&key("platform_a_private_key")).unwrap();
        Self { key, serial: PLATFORM_A }
    }

    pub(super) fn public_key() -> Self {
        let key = KeyPair::from_pkcs8(&key("wechatpay_private_key")).unwrap();
        Self { key, serial: PUBLIC_KEY_ID }
    }

    /// The same key under another name.
    pub(super) fn called(self, serial: &'static str) -> Self {
        Self { serial, ..self }
    }

    /// Headers that sign `body` at the time of the vectors.
    pub(super) fn sign(&self, body: &[u8]) -> Vec<(String, String)> {
        let (time, nonce) = (NOW.seconds().to_string(), "0123456789ABCDEF");
        let message = [format!("{time}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature).unwrap();
        [
            ("Wechatpay-Timestamp", time.as_str()),
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", self.serial),
            ("Wechatpay-Signature", &STANDARD.encode(signature)),
            ("Request-ID", "REQ-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Closes the connection.
    Drop,
    /// Says nothing.
    Hang,
}

impl Reply {
    /// A success or an error that WeChat Pay signed with its public key.
    pub(super) fn signed(status: u16, body: &str) -> Self {
        Self::signed_by(&Pen::public_key(), status, body)
    }

    pub(super) fn signed_by(pen: &Pen, status: u16, body: &str) -> Self {
        Self::Answer { status, headers: pen.sign(body.as_bytes()), body: body.into() }
    }

    pub(super) fn unsigned(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// An answer of the vectors.
    pub(super) fn vector(case: &Value) -> Self {
        let pair =
            |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
        Self::Answer {
            status: u16::try_from(case["status"].as_u64().unwrap()).unwrap(),
            headers: case["headers"].as_object().unwrap().iter().map(pair).collect(),
            body: text(case, "body").into(),
        }
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
struct Script {
    seen: Vec<Seen>,
    replies: VecDeque<Reply>,
    /// To every request for certificates.
    certificates: Option<Reply>,
}

/// A server that answers from a script, and 503 without JSON when that is over. It ends when this
/// is dropped.
pub(super) struct Server {
    pub(super) base: String,
    script: Arc<Mutex<Script>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Its certificates are those of the vectors.
    pub(super) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script {
            replies: replies.into_iter().collect(),
            certificates: Some(Reply::vector(&vectors("certificates.json"))),
            ..Script::default()
        }));
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let script = Arc::clone(&script);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let answered = serve(stream, Arc::clone(&script));
                    connections.spawn(async move {
                        answered.await;
                    });
                }
            }
        });
        Self { base, script, _tasks: tasks }
    }

    pub(super) fn reply(&self, reply: Reply) {
        self.script.lock().replies.push_back(reply);
    }

    pub(super) fn certificates(&self, reply: Reply) {
        self.script.lock().certificates = Some(reply);
    }

    /// The requests but for certificates.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let seen = self.script.lock().seen.clone();
        seen.into_iter().filter(|seen| seen.target != CERTIFICATES).collect()
    }

    /// How often certificates were asked for.
    pub(super) fn certificates_asked(&self) -> usize {
        self.script.lock().seen.iter().filter(|seen| seen.target == CERTIFICATES).count()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>) -> Option<()> {
    let request = read_request(&mut stream).await?;
    let reply = {
        let mut script = script.lock();
        let reply = match request.target == CERTIFICATES {
            true => script.certificates.clone(),
            false => script.replies.pop_front(),
        };
        script.seen.push(request);
        reply.unwrap_or_else(|| Reply::unsigned(503, "over"))
    };
    let bytes = match reply {
        Reply::Drop => return None,
        Reply::Hang => return std::future::pending().await,
        Reply::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
            if status != 204 {
                head += &format!("content-length: {}\r\n", body.len());
            }
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            [(head + "\r\n").as_bytes(), &body].concat()
        }
    };
    // Whoever asked may be gone, which is his affair.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
    Some(())
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        })
        .collect();
    let length = headers.get("content-length").map_or(0, |n| n.to_str().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, target, headers, body })
}

/// The merchant of the vectors, who has the public key.
pub(super) fn settings(base: &str) -> WechatPaySettings {
    let keys = vectors("keys.json");
    WechatPaySettings {
        base: base.to_owned(),
        fallback_base: None,
        appid: text(&keys, "appid").to_owned(),
        mchid: text(&keys, "mchid").to_owned(),
        merchant_serial: text(&keys, "merchant_serial").to_owned(),
        merchant_key: Secret::new(key("merchant_private_key")),
        apiv3_key: Secret::new(text(&keys, "apiv3_key").to_owned()),
        public_key: Some(PublicKey {
            id: PUBLIC_KEY_ID.to_owned(),
            spki: key("wechatpay_public_key"),
        }),
        notify_url: "https://bff.example.com/v1/payments/wechat/notify".to_owned(),
        refund_notify_url: "https://bff.example.com/v1/payments/wechat/refund-notify".to_owned(),
        timeout: Duration::from_secs(10),
        concurrency: 16,
        queue: 16,
    }
}

/// The merchant before there were public keys.
pub(super) fn certificate_settings(base: &str) -> WechatPaySettings {
    WechatPaySettings { public_key: None, ..settings(base) }
}

/// A client at the time of the vectors, and its clock.
pub(super) fn client(settings: WechatPaySettings) -> (WechatPay, TestClock) {
    let clock = TestClock::at(NOW);
    let client = WechatPay::new(settings, Clock::test(clock.clone()), Rng::seeded(1)).unwrap();
    (client, clock)
}

/// What is below a client.
pub(super) fn transport(settings: &WechatPaySettings) -> Transport {
    Transport::new(settings, Clock::test(TestClock::at(NOW)), Rng::seeded(1)).unwrap()
}
