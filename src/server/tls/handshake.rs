//! Handshakes: the certificate of the moment, a place for each, a time limit over all.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::acme::Challenges;
use super::certificate::Certificate;
use crate::config::Config;

/// The protocol of an authority's check (RFC 8737).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// How connections become TLS.
pub(super) struct Handshakes {
    current: Arc<Current>,
    challenges: Challenges,
    /// For clients.
    serving: Arc<ServerConfig>,
    /// For an authority that checks a domain.
    challenging: Arc<ServerConfig>,
    places: Semaphore,
    time_limit: Duration,
}

/// The certificate that is served.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    // Whatever name is asked for: there is one certificate, and its names say what it is good for.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl Handshakes {
    /// Serves `certificate` until it is exchanged.
    ///
    /// # Errors
    /// When rustls cannot be set up, which a test would have shown.
    pub(super) fn new(
        config: &Config,
        challenges: Challenges,
        certificate: &Certificate,
    ) -> Result<Self, rustls::Error> {
        let current = Arc::new(Current(RwLock::new(Arc::clone(certificate.key()))));
        let mut serving =
            builder()?.with_no_client_auth().with_cert_resolver(Arc::clone(&current) as Arc<_>);
        // HTTP/2 is not spoken here; a client that offers only that is told so in the handshake.
        serving.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Sessions are resumed by tickets, whose keys change by themselves: no memory per client.
        serving.ticketer = Ticketer::new()?;
        let resolver = Arc::new(challenges.clone());
        let mut challenging = builder()?.with_no_client_auth().with_cert_resolver(resolver);
        challenging.alpn_protocols = vec![ACME_TLS.to_vec()];
        Ok(Self {
            current,
            challenges,
            serving: Arc::new(serving),
            challenging: Arc::new(challenging),
            places: Semaphore::new(config.tls.tls_max_handshakes as usize),
            time_limit: Duration::from_secs(config.tls.tls_handshake_timeout),
        })
    }

    pub(super) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Serves `certificate` from now on. Sessions and connections that are there go on.
    pub(super) fn exchange(&self, certificate: &Certificate) {
        *self.current.0.write() = Arc::clone(certificate.key());
    }

    /// The handshake on `io`; `None` when it was an authority's check.
    ///
    /// # Errors
    /// `TimedOut`, or what the handshake failed with.
    pub(super) async fn accept<T>(&self, io: T) -> io::Result<Option<TlsStream<T>>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        timeout(self.time_limit, self.shake(io)).await?
    }

    async fn shake<T>(&self, io: T) -> io::Result<Option<TlsStream<T>>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        // Cheap, and as slow as the client likes: no place is taken for it.
        let start = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        let hello = start.client_hello();
        let is_challenge =
            hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_TLS));
        if !is_challenge {
            return start.into_stream(Arc::clone(&self.serving)).await.map(Some);
        }
        let mut stream = start.into_stream(Arc::clone(&self.challenging)).await?;
        // The certificate was the whole answer.
        stream.shutdown().await?;
        Ok(None)
    }
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    // All suites of this provider have forward secrecy and authenticated encryption.
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
}
