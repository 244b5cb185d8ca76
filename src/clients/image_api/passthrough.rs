//! The pass-through: the caller's own calls to the image API, handed on as they are.

use std::io;
use std::time::Duration;

use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue, Method, Request};

use super::super::call_stats::CallState;
use super::super::http::{Answer, CallError, CallPlace, HttpClient, HttpSettings};
use crate::base::secret::Secret;

/// Where the image API is and what it may cost.
#[derive(Clone, Debug)]
pub struct ImageApiSettings {
    /// Without a slash at the end.
    pub base: String,
    /// Our key; without one the caller's own token is forwarded.
    pub key: Option<Secret<String>>,
    pub timeout: Duration,
    pub concurrency: u32,
    pub queue: u32,
    pub max_answer_bytes: u64,
}

/// One call to be passed through.
#[derive(Debug)]
pub struct Forward {
    pub method: Method,
    /// Path and query below the base, as sent.
    pub path: String,
    pub content_type: Option<HeaderValue>,
    /// The caller's `Idempotency-Key`, `Accept-Language` and the like: end-to-end headers only.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the caller sent as `Authorization`; used when we have no key of our own.
    pub caller: HeaderValue,
    pub body: Vec<u8>,
}

/// The client of the image API.
#[derive(Clone)]
pub struct ImageApiClient {
    http: HttpClient,
    base: String,
    authorization: Option<Secret<HeaderValue>>,
}

impl ImageApiClient {
    /// # Errors
    /// When the key cannot stand in a header.
    pub fn new(settings: ImageApiSettings) -> io::Result<Self> {
        let authorization = match &settings.key {
            None => None,
            Some(key) => {
                let mut value =
                    HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| {
                        io::Error::other("IMAGE_API_KEY holds characters that no header can carry")
                    })?;
                value.set_sensitive(true);
                Some(Secret::new(value))
            }
        };
        let http = HttpClient::new(HttpSettings {
            name: "image-api",
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: settings.max_answer_bytes,
        });
        Ok(Self { http, base: settings.base, authorization })
    }

    /// What became of the calls so far.
    pub fn calls(&self) -> CallState {
        self.http.calls()
    }

    /// Passes one call through and gives the answer as it came, whatever its status. Never repeated:
    /// the caller decides, since a generation may have begun.
    ///
    /// # Errors
    /// [`CallError`] when there is no answer.
    pub async fn forward(&self, call: Forward) -> Result<Answer, CallError> {
        let place = self.place().await?;
        self.forward_in(place, call).await
    }

    /// Waits for a place; whoever goes away leaves the queue, and nothing was sent.
    ///
    /// # Errors
    /// `Overloaded`.
    pub async fn place(&self) -> Result<CallPlace, CallError> {
        self.http.place().await
    }

    /// [`ImageApiClient::forward`] in a place that was waited for.
    ///
    /// # Errors
    /// [`CallError`] when there is no answer.
    pub async fn forward_in(&self, place: CallPlace, call: Forward) -> Result<Answer, CallError> {
        let mut request =
            Request::builder().method(call.method).uri(format!("{}{}", self.base, call.path));
        let authorization = self.authorization.as_ref().map_or(&call.caller, Secret::expose);
        request = request.header(AUTHORIZATION, authorization);
        if let Some(content_type) = call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request =
            request.body(call.body).map_err(|err| CallError::Connect(ureq::Error::Http(err)))?;
        self.http.call_in(place, request).await
    }

    /// Whether a call would be refused now.
    pub fn is_full(&self) -> bool {
        self.http.is_full()
    }

    /// Calls that wait for a place.
    pub fn waiting(&self) -> usize {
        self.http.waiting()
    }

    /// Calls that run now.
    pub fn in_flight(&self) -> usize {
        self.http.in_flight()
    }
}
