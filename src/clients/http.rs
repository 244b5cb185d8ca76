//! Outside calls: a ureq agent on threads of its own.
//!
//! Guarantees: at most `concurrency` calls run and at most `queue` wait; each ends within its
//! timeout; an answer is never larger than allowed. A caller that goes away frees its place in the
//! queue at once; a call that runs already keeps its slot until it ends, so slots are never leaked
//! and never over-used.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ureq::http::{HeaderMap, Request, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Timeout};

use super::call_stats::{CallState, CallStats};
use super::resolver::RememberingResolver;
use super::threads::Threads;
use crate::base::clock::Stopwatch;

/// ureq's default of 128 KiB each way costs 2 MB a call in flight (measured); answers here are small.
const BUFFER_BYTES: usize = 8 * 1024;

/// Below the 5 s after which Node servers close an idle connection, so that we rarely meet a dead one.
const CONNECTION_IDLE: Duration = Duration::from_secs(4);

/// Pools of connections of one client.
const AGENTS: usize = 8;

/// Longest time to find and reach the other side.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The bounds of one client.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Names the threads.
    pub name: &'static str,
    /// Longest time for a whole call, waiting for a free place not included.
    pub timeout: Duration,
    /// Calls in flight at once.
    pub concurrency: u32,
    /// Calls that may wait for a free place.
    pub queue: u32,
    /// Largest answer body, in bytes (after decompression).
    pub max_answer_bytes: u64,
}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why no answer came back.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// All places and the queue are taken. Nothing was sent.
    #[error("too many calls are waiting")]
    Overloaded,
    /// No connection came about. Nothing was sent, so a repeat is safe.
    #[error("no connection")]
    Connect(#[source] ureq::Error),
    /// The answer did not come in time. The other side may have acted.
    #[error("no answer in time")]
    Timeout(#[source] ureq::Error),
    /// The connection broke, or what came is not HTTP. The other side may have acted.
    #[error("the connection was lost")]
    Lost(#[source] ureq::Error),
    /// The answer is larger than allowed. The other side has acted.
    #[error("the answer is too large")]
    TooLarge,
}

/// An agent with threads, a bound and a queue of its own; clones share them.
#[derive(Clone)]
pub struct HttpClient {
    shared: Arc<Shared>,
}

struct Shared {
    /// ureq's pool of connections is a list behind one lock, looked through at each call: several
    /// short ones instead of one long one.
    agents: Vec<Agent>,
    calls: AtomicUsize,
    threads: Threads,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    stats: Arc<CallStats>,
    settings: HttpSettings,
}

impl HttpClient {
    /// Prepares the agent; threads start with the first call.
    pub fn new(settings: HttpSettings) -> Self {
        Self::with_resolver(settings, RememberingResolver::default())
    }

    /// The same for a service whose certificate is checked against `roots` (DER) and no others; against
    /// the usual ones when there are none.
    pub(super) fn with_roots(settings: HttpSettings, roots: &[Vec<u8>]) -> Self {
        let own = roots.iter().map(|der| Certificate::from_der(der).to_owned());
        let roots = match roots.is_empty() {
            true => RootCerts::WebPki,
            false => RootCerts::Specific(Arc::new(own.collect())),
        };
        Self::build(settings, RememberingResolver::default(), roots)
    }

    /// The same with an own way from names to addresses, which may refuse with
    /// [`ureq::Error::Other`]. The connection goes to the very address that it gave.
    pub(super) fn with_resolver(settings: HttpSettings, resolver: impl Resolver + Clone) -> Self {
        Self::build(settings, resolver, RootCerts::WebPki)
    }

    fn build(settings: HttpSettings, resolver: impl Resolver + Clone, roots: RootCerts) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .build();
        let idle = settings.concurrency as usize;
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("dream-bff/", env!("CARGO_PKG_VERSION")))
            .input_buffer_size(BUFFER_BYTES)
            .output_buffer_size(BUFFER_BYTES)
            .max_idle_connections(idle)
            .max_idle_connections_per_host(idle)
            .max_idle_age(CONNECTION_IDLE)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(settings.timeout))
            .build();
        let agents = (0..AGENTS)
            .map(|_| {
                Agent::with_parts(config.clone(), DefaultConnector::default(), resolver.clone())
            })
            .collect();
        Self {
            shared: Arc::new(Shared {
                agents,
                calls: AtomicUsize::new(0),
                threads: Threads::new(settings.name, idle),
                slots: Arc::new(Semaphore::new(idle)),
                waiting: AtomicUsize::new(0),
                stats: Arc::default(),
                settings,
            }),
        }
    }

    /// Sends `request` and reads the whole answer. Never follows a redirect.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub async fn call(&self, request: Request<Vec<u8>>) -> Result<Answer, CallError> {
        let place = self.place().await?;
        self.call_in(place, request).await
    }

    /// Waits for a free place. Nothing is sent yet, and a caller that goes away leaves the queue.
    ///
    /// # Errors
    /// `Overloaded`.
    pub async fn place(&self) -> Result<CallPlace, CallError> {
        // Counted only while waiting, and uncounted when the caller goes away.
        let _waiting = Waiting::enter(&self.shared)?;
        let slots = Arc::clone(&self.shared.slots);
        slots.acquire_owned().await.map(CallPlace).map_err(|_| CallError::Overloaded)
    }

    /// [`HttpClient::call`] in a place that was waited for. The place is free again when the call has
    /// ended, whether or not anybody still waits for its answer.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub async fn call_in(
        &self,
        CallPlace(slot): CallPlace,
        request: Request<Vec<u8>>,
    ) -> Result<Answer, CallError> {
        let turn = self.shared.calls.fetch_add(1, Ordering::Relaxed) % AGENTS;
        let Some(agent) = self.shared.agents.get(turn).cloned() else {
            return Err(CallError::Overloaded);
        };
        let limit = self.shared.settings.max_answer_bytes;
        let stats = Arc::clone(&self.shared.stats);
        let done = self.shared.threads.run(move || {
            let since = Stopwatch::start();
            let answer = run(&agent, request, limit);
            // Counted here: the caller may have gone away.
            stats.ended(&answer, since.elapsed());
            drop(slot);
            answer
        });
        // There is none when no thread could be had, or when the process is going down.
        done.await.unwrap_or(Err(CallError::Overloaded))
    }

    /// Whether a call would be refused now.
    pub fn is_full(&self) -> bool {
        self.shared.slots.available_permits() == 0
            && self.waiting() >= self.shared.settings.queue as usize
    }

    /// Calls that wait for a place.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// What became of the calls so far, and how many there are now.
    pub fn calls(&self) -> CallState {
        self.shared.stats.read(self.shared.settings.name, self.in_flight(), self.waiting())
    }

    /// Calls that run now.
    pub fn in_flight(&self) -> usize {
        (self.shared.settings.concurrency as usize)
            .saturating_sub(self.shared.slots.available_permits())
    }
}

/// A place for one call; free again when it is dropped.
#[derive(Debug)]
pub struct CallPlace(OwnedSemaphorePermit);

/// One place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared) -> Result<Self, CallError> {
        let ahead = shared.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(&shared.waiting);
        let queue = shared.settings.queue as usize;
        if ahead >= queue && shared.slots.available_permits() == 0 {
            shared.stats.refused();
            return Err(CallError::Overloaded);
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn run(agent: &Agent, request: Request<Vec<u8>>, limit: u64) -> Result<Answer, CallError> {
    let mut response = match request.body().is_empty() {
        true => agent.run(request.map(|_| ())),
        false => agent.run(request),
    }
    .map_err(sort)?;
    let body = response.body_mut().with_config().limit(limit).read_to_vec().map_err(sort)?;
    let (parts, _) = response.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// ureq's many errors by what a caller may do about them.
fn sort(err: ureq::Error) -> CallError {
    use ureq::Error;
    match &err {
        Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) | Error::Rustls(_) => {
            CallError::Connect(err)
        }
        // Only a resolver of ours says this.
        Error::Other(_) => CallError::Connect(err),
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => CallError::Connect(err),
        Error::Timeout(_) => CallError::Timeout(err),
        Error::Io(io) => match io.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => CallError::Connect(err),
            io::ErrorKind::TimedOut => CallError::Timeout(err),
            _ => CallError::Lost(err),
        },
        Error::BodyExceedsLimit(_) => CallError::TooLarge,
        _ => CallError::Lost(err),
    }
}
