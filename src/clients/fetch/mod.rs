//! Fetching what an address from outside leads to, without being led inside.
//!
//! Guarantees: only https to public addresses, or the very origins that the configuration names;
//! judged on what the name resolved to, and the connection goes to just that address, so an answer
//! of the DNS that changes in between changes nothing; judged anew after every redirect. Bounded in
//! size, time, redirects and number.

mod address;

use std::fmt;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use ureq::http::{Request, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::Url;

use super::call_stats::CallState;
use super::http::{Answer, CallError, HttpClient, HttpSettings};

/// Redirects followed by hand.
const MAX_REDIRECTS: usize = 3;

/// The bounds of fetching.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Longest time for one hop.
    pub timeout: Duration,
    /// Fetches at once, of each kind.
    pub concurrency: u32,
    /// Fetches of each kind that may wait for their turn.
    pub queue: u32,
    /// Largest answer, in bytes.
    pub max_bytes: u64,
    /// Origins (`https://host:port`) of our own configuration, which results may come from
    /// wherever they lie.
    pub trusted: Vec<Url>,
}

/// Who gave the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    /// The image API, in an answer: the origin of its own configuration is allowed besides.
    Upstream,
    /// A user: the public internet only.
    User,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not https, with a user name, or no address at all.
    #[error("the address is not one that may be fetched")]
    Address,
    /// The name leads to an address that is not public.
    #[error("the address leads to a network that is not public")]
    NotPublic,
    #[error("more than {MAX_REDIRECTS} redirects")]
    Redirects,
    #[error("answered with status {0}")]
    Status(u16),
    /// A page, or anything else that does not even claim to be a picture.
    #[error("the answer is no picture but {0:?}")]
    ContentType(String),
    #[error(transparent)]
    Call(CallError),
}

impl FetchError {
    /// Whether the same address may work later. A file that is not there may be late.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Address | Self::NotPublic | Self::Redirects => false,
            Self::Status(_) | Self::ContentType(_) => true,
            Self::Call(err) => !matches!(err, CallError::TooLarge),
        }
    }
}

/// Fetches pictures from addresses that came from outside.
#[derive(Clone)]
pub struct Fetcher {
    for_upstream: HttpClient,
    for_users: HttpClient,
    trusted: Vec<String>,
}

impl Fetcher {
    /// Prepares the clients; threads start with the first fetch.
    pub fn new(settings: &FetchSettings) -> Self {
        let http = |name| HttpSettings {
            name,
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: settings.max_bytes,
        };
        let trusted: Vec<String> = settings.trusted.iter().filter_map(origin).collect();
        let guard = |trusted: &[String]| Guard { trusted: trusted.to_vec() };
        Self {
            for_upstream: HttpClient::with_resolver(http("fetch-results"), guard(&trusted)),
            for_users: HttpClient::with_resolver(http("fetch-inputs"), guard(&[])),
            trusted,
        }
    }

    /// What became of the fetches so far: of results and of inputs.
    pub fn calls(&self) -> [CallState; 2] {
        [self.for_upstream.calls(), self.for_users.calls()]
    }

    /// Gets the picture at `address`. What comes claims to be one; whether it is shows in decoding.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(&self, address: &str, given_by: GivenBy) -> Result<Vec<u8>, FetchError> {
        let mut url = Url::parse(address).map_err(|_| FetchError::Address)?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url, given_by)?;
            let answer = self.get(&url, given_by).await?;
            let status = answer.status;
            if status.is_success() {
                return picture(answer);
            }
            let next = answer.headers.get(LOCATION).filter(|_| status.is_redirection());
            let Some(next) = next else { return Err(FetchError::Status(status.as_u16())) };
            let next = next.to_str().map_err(|_| FetchError::Address)?;
            url = url.join(next).map_err(|_| FetchError::Address)?;
        }
        Err(FetchError::Redirects)
    }

    /// Whether `url` may be asked at all, before its name is looked up.
    fn check(&self, url: &Url, given_by: GivenBy) -> Result<(), FetchError> {
        let is_trusted = given_by == GivenBy::Upstream
            && origin(url).is_some_and(|origin| self.trusted.contains(&origin));
        if is_trusted && url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        check_public(url)
    }

    async fn get(&self, url: &Url, given_by: GivenBy) -> Result<Answer, FetchError> {
        let client = match given_by {
            GivenBy::Upstream => &self.for_upstream,
            GivenBy::User => &self.for_users,
        };
        let request = Request::get(url.as_str())
            .header(ACCEPT, "image/*")
            .body(Vec::new())
            .map_err(|_| FetchError::Address)?;
        client.call(request).await.map_err(|err| match err {
            CallError::Connect(ureq::Error::Other(cause)) if cause.is::<NotPublic>() => {
                FetchError::NotPublic
            }
            err => FetchError::Call(err),
        })
    }
}

/// Whether a user may name `address`: https, and not an address that is plainly inside. What its
/// name resolves to is judged when it is fetched.
///
/// # Errors
/// `Address`, `NotPublic`.
pub fn check_user_address(address: &str) -> Result<(), FetchError> {
    check_public(&Url::parse(address).map_err(|_| FetchError::Address)?)
}

fn check_public(url: &Url) -> Result<(), FetchError> {
    let is_clean = url.username().is_empty() && url.password().is_none();
    if url.scheme() != "https" || !is_clean {
        return Err(FetchError::Address);
    }
    let ip = match url.host() {
        None => return Err(FetchError::Address),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let is_local = ["localhost", "local", "internal"]
                .iter()
                .any(|end| name == *end || name.ends_with(&format!(".{end}")));
            return if is_local { Err(FetchError::NotPublic) } else { Ok(()) };
        }
        Some(url::Host::Ipv4(ip)) => ip.into(),
        Some(url::Host::Ipv6(ip)) => ip.into(),
    };
    if address::is_public(ip) { Ok(()) } else { Err(FetchError::NotPublic) }
}

fn picture(answer: Answer) -> Result<Vec<u8>, FetchError> {
    // Object storage often says octet-stream, or nothing.
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or("image/*").split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    if essence.starts_with("image/") || essence.ends_with("/octet-stream") {
        return Ok(answer.body);
    }
    Err(FetchError::ContentType(essence.chars().take(64).collect()))
}

/// Scheme, host and port as one text.
fn origin(url: &Url) -> Option<String> {
    let port = url.port_or_known_default()?;
    Some(format!("{}://{}:{port}", url.scheme(), url.host_str()?))
}

/// Looks names up, each time anew, and lets only public addresses through, except for the origins
/// it trusts.
#[derive(Clone)]
struct Guard {
    trusted: Vec<String>,
}

/// The name leads inside.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
struct NotPublic;

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({} trusted)", self.trusted.len())
    }
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        // Read back from what is about to be connected to, not from what was checked before.
        let asked = Url::parse(&uri.to_string()).ok().and_then(|url| origin(&url));
        if asked.is_some_and(|asked| self.trusted.contains(&asked)) {
            return Ok(found);
        }
        // One address inside among public ones is an attempt, not an accident.
        if found.iter().all(|address| address::is_public(address.ip())) {
            return Ok(found);
        }
        Err(ureq::Error::Other(Box::new(NotPublic)))
    }
}

#[cfg(test)]
mod tests;
