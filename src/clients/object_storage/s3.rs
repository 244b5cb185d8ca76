//! S3-compatible storage: Tencent COS, MinIO, AWS and others.
//!
//! Requests are signed in the query (AWS signature version 4), so that the body need not be hashed
//! twice; a signature lives for minutes. Everything here may be repeated safely, and is.

pub(super) mod archive;

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::actions::{DeleteObject, GetObject, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use ureq::http::header::{CACHE_CONTROL as CACHE_CONTROL_HEADER, CONTENT_TYPE};
use ureq::http::{Method, Request};
use url::Url;

use super::{CACHE_CONTROL, ObjectKey, ObjectStorage, Opened, Pending, StorageError};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::clients::call_stats::CallState;
use crate::clients::http::{Answer, CallError, HttpClient, HttpSettings};

/// How long a signature of ours for ourselves holds: the call and clocks that differ.
const OWN_SIGNATURE: Duration = Duration::from_secs(300);

/// How long an address given to a reader holds.
const READER_SIGNATURE: Duration = Duration::from_secs(600);

/// Pauses before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1000)];

/// Where the bucket is and what calls may cost.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Without the bucket: `https://cos.ap-shanghai.myqcloud.com`.
    pub endpoint: Url,
    pub region: String,
    pub bucket: String,
    pub access_key_id: String,
    pub secret_access_key: Secret<String>,
    /// `endpoint/bucket/key` (MinIO) instead of `bucket.endpoint/key` (COS, AWS).
    pub path_style: bool,
    /// Longest time for one try.
    pub timeout: Duration,
    pub concurrency: u32,
    pub queue: u32,
    /// Largest object that is read back, in bytes.
    pub max_bytes: u64,
}

/// A bucket.
pub struct S3Storage {
    http: HttpClient,
    bucket: Bucket,
    credentials: Credentials,
    clock: Clock,
}

impl S3Storage {
    /// # Errors
    /// When the endpoint cannot be used.
    pub fn new(settings: S3Settings, clock: Clock) -> io::Result<Self> {
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(settings.endpoint, style, settings.bucket, settings.region)
            .map_err(io::Error::other)?;
        let secret = settings.secret_access_key.expose().as_str();
        let http = HttpClient::new(HttpSettings {
            name: "object-storage",
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: settings.max_bytes,
        });
        let credentials = Credentials::new(settings.access_key_id, secret);
        Ok(Self { http, bucket, credentials, clock })
    }

    fn sign<'a>(&self, action: &impl S3Action<'a>, life: Duration) -> Url {
        let now = Timestamp::from_millisecond(self.clock.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
        action.sign_with_time(life, &now)
    }

    async fn store(&self, key: &ObjectKey, bytes: Vec<u8>) -> Result<(), StorageError> {
        let content_type = key.kind().content_type();
        let mut action = PutObject::new(&self.bucket, Some(&self.credentials), key.as_str());
        // Signed, so that nobody in between can change what the bucket will tell readers.
        action.headers_mut().insert("content-type", content_type);
        action.headers_mut().insert("cache-control", CACHE_CONTROL);
        let url = self.sign(&action, OWN_SIGNATURE);
        let answer = self
            .repeat(|| {
                Request::put(url.as_str())
                    .header(CONTENT_TYPE, content_type)
                    .header(CACHE_CONTROL_HEADER, CACHE_CONTROL)
                    .body(bytes.clone())
            })
            .await?;
        if answer.status.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    async fn load(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, StorageError> {
        let action = GetObject::new(&self.bucket, Some(&self.credentials), key.as_str());
        let answer = self.simple(Method::GET, &self.sign(&action, OWN_SIGNATURE)).await?;
        match answer.status.as_u16() {
            404 => Ok(None),
            200..=299 => Ok(Some(answer.body)),
            _ => Err(refused(&answer)),
        }
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), StorageError> {
        let action = DeleteObject::new(&self.bucket, Some(&self.credentials), key.as_str());
        let answer = self.simple(Method::DELETE, &self.sign(&action, OWN_SIGNATURE)).await?;
        match answer.status.as_u16() {
            200..=299 | 404 => Ok(()),
            _ => Err(refused(&answer)),
        }
    }

    async fn simple(&self, method: Method, url: &Url) -> Result<Answer, StorageError> {
        self.repeat(|| Request::builder().method(method.clone()).uri(url.as_str()).body(Vec::new()))
            .await
    }

    /// Sends what `request` makes, and again after a failure that may pass.
    async fn repeat(
        &self,
        request: impl Fn() -> ureq::http::Result<Request<Vec<u8>>>,
    ) -> Result<Answer, StorageError> {
        let mut pauses = PAUSES.iter();
        loop {
            let request = request()
                .map_err(|err| StorageError::Call(CallError::Connect(ureq::Error::Http(err))))?;
            let outcome = self.http.call(request).await;
            let may_pass = match &outcome {
                Ok(answer) => answer.status.is_server_error() || answer.status.as_u16() == 429,
                Err(err) => !matches!(err, CallError::Overloaded | CallError::TooLarge),
            };
            match pauses.next() {
                Some(pause) if may_pass => tokio::time::sleep(*pause).await,
                _ => return outcome.map_err(StorageError::Call),
            }
        }
    }
}

impl ObjectStorage for S3Storage {
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: Vec<u8>) -> Pending<'a, ()> {
        Box::pin(self.store(key, bytes))
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Vec<u8>>> {
        Box::pin(self.load(key))
    }

    fn open<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, Option<Opened>> {
        let action = GetObject::new(&self.bucket, Some(&self.credentials), key.as_str());
        let url = self.sign(&action, READER_SIGNATURE);
        Box::pin(async move { Ok(Some(Opened::Elsewhere(url.into()))) })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey) -> Pending<'a, ()> {
        Box::pin(self.remove(key))
    }

    fn calls(&self) -> Option<CallState> {
        Some(self.http.calls())
    }
}

/// The other side's `<Code>`, which says more than the status.
fn refused(answer: &Answer) -> StorageError {
    let body = String::from_utf8_lossy(&answer.body);
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map_or("", |(code, _)| code).chars().take(64).collect();
    StorageError::Refused { status: answer.status.as_u16(), code }
}
