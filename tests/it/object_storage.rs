//! Pictures in object storage: a real S3 server on loopback, which checks every signature.

use std::time::Duration;

use dream_bff::base::clock::Clock;
use dream_bff::base::secret::Secret;
use dream_bff::clients::object_storage::{
    ObjectKey, ObjectKind, ObjectStorage as _, Opened, S3Settings, S3Storage, StorageError,
};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::host::SingleDomain;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const BUCKET: &str = "dream";
pub(crate) const KEY_ID: &str = "AKIDTEST";
pub(crate) const SECRET: &str = "the-right-secret";

/// The S3 server. It ends when this is dropped.
pub(crate) struct S3Server {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    _tasks: JoinSet<()>,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        service.set_host(SingleDomain::new(&format!("localhost:{port}")).unwrap());
        let service = service.build().into_shared();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                connections.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    // A client that goes away is no matter of the server's.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { port, folder, _tasks: tasks }
    }

    fn client(&self, secret: &str, path_style: bool) -> S3Storage {
        let settings = S3Settings {
            endpoint: format!("http://localhost:{}", self.port).parse().unwrap(),
            region: "us-east-1".to_owned(),
            bucket: BUCKET.to_owned(),
            access_key_id: KEY_ID.to_owned(),
            secret_access_key: Secret::new(secret.to_owned()),
            path_style,
            timeout: Duration::from_secs(10),
            concurrency: 4,
            queue: 4,
            max_bytes: 1 << 20,
        };
        // The server judges signatures by the machine's clock.
        S3Storage::new(settings, Clock::system()).unwrap()
    }
}

#[tokio::test]
async fn what_was_put_is_there_until_it_is_deleted() {
    let server = S3Server::start().await;
    // `dream.localhost` resolves to loopback where the resolver knows RFC 6761; path style always.
    let storage = server.client(SECRET, true);
    let key = ObjectKey::of(b"picture", ObjectKind::Png);
    assert!(storage.get(&key).await.unwrap().is_none());
    for _ in 0..2 {
        storage.put(&key, b"picture".to_vec()).await.unwrap();
    }
    let file = server.folder.path().join(BUCKET).join(key.as_str());
    assert_eq!(std::fs::read(file).unwrap(), b"picture");
    assert_eq!(storage.get(&key).await.unwrap().unwrap(), b"picture");
    for _ in 0..2 {
        storage.delete(&key).await.unwrap();
    }
    assert!(storage.get(&key).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_for_readers_works_for_whoever_knows_it() {
    let server = S3Server::start().await;
    let storage = server.client(SECRET, true);
    let key = ObjectKey::of(b"picture", ObjectKind::Webp);
    storage.put(&key, b"picture".to_vec()).await.unwrap();
    let Some(Opened::Elsewhere(url)) = storage.open(&key).await.unwrap() else { panic!() };
    assert!(!url.contains(SECRET));
    let path = url.strip_prefix(&format!("http://localhost:{}", server.port)).unwrap();
    let host = format!("localhost:{}", server.port);
    let answer = ask(server.port, &host, path).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("picture"), "{answer}");
    let longer = path.replace("X-Amz-Expires=600", "X-Amz-Expires=900");
    assert_ne!(longer, path);
    let forged = ask(server.port, &host, &longer).await;
    assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
}

#[tokio::test]
async fn a_wrong_secret_gets_nowhere() {
    let server = S3Server::start().await;
    let key = ObjectKey::of(b"picture", ObjectKind::Png);
    server.client(SECRET, true).put(&key, b"picture".to_vec()).await.unwrap();
    let storage = server.client("the-wrong-secret", true);
    let is_refused = |err: StorageError| {
        let StorageError::Refused { status: 403, code } = err else { panic!("{err:?}") };
        assert_eq!(code, "SignatureDoesNotMatch");
    };
    is_refused(storage.put(&key, b"forgery".to_vec()).await.unwrap_err());
    is_refused(storage.get(&key).await.unwrap_err());
    is_refused(storage.delete(&key).await.unwrap_err());
    let file = server.folder.path().join(BUCKET).join(key.as_str());
    assert_eq!(std::fs::read(file).unwrap(), b"picture");
}

#[tokio::test]
async fn the_bucket_may_stand_in_the_host_name() {
    let server = S3Server::start().await;
    let storage = server.client(SECRET, false);
    let key = ObjectKey::of(b"picture", ObjectKind::Jpeg);
    server.client(SECRET, true).put(&key, b"picture".to_vec()).await.unwrap();
    let Some(Opened::Elsewhere(url)) = storage.open(&key).await.unwrap() else { panic!() };
    let host = format!("{BUCKET}.localhost:{}", server.port);
    let path = url.strip_prefix(&format!("http://{host}")).unwrap();
    let answer = ask(server.port, &host, path).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("picture"), "{answer}");
}

async fn ask(port: u16, host: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
