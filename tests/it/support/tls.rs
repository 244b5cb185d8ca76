//! The other side of TLS: an authority of the tests' own, and a client that believes only it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::base::clock::TestClock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion, WantsVerifier};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Answer, Wire};

/// Signs certificates that [`TlsClient`] believes.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pub(crate) root_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of the tests");
        let root = params.self_signed(&key).unwrap();
        let (der, root_pem) = (root.der().clone(), root.pem());
        Self { issuer: Issuer::new(params, key), root: der, root_pem }
    }

    /// Chain and key in PEM for `name`, valid in these years.
    pub(crate) fn pair(&self, name: &str, years: (i32, i32)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (format!("{}{}", certificate.pem(), self.root_pem), key.serialize_pem())
    }

    /// Signs what an ACME client asks for.
    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// A client that believes this authority only.
    pub(crate) fn client(&self) -> TlsClient {
        self.client_of(&[&TLS13, &TLS12])
    }

    /// The same by another clock.
    pub(crate) fn client_at(&self, clock: &TestClock) -> TlsClient {
        let builder = ClientConfig::builder_with_details(
            Arc::new(default_provider()),
            Arc::new(ByClock(clock.clone())),
        );
        self.finish(builder.with_protocol_versions(&[&TLS13]).unwrap())
    }

    /// The same for TLS 1.2 alone.
    pub(crate) fn client_of_tls12(&self) -> TlsClient {
        self.client_of(&[&TLS12])
    }

    fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> TlsClient {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        self.finish(builder.with_protocol_versions(versions).unwrap())
    }

    fn finish(&self, builder: ConfigBuilder<ClientConfig, WantsVerifier>) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        TlsClient { config: Arc::new(config) }
    }
}

#[derive(Debug)]
struct ByClock(TestClock);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().seconds()).unwrap();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Connects by a name, whatever the address; remembers sessions.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
}

/// Requests over TLS.
pub(crate) type TlsWire = Wire<TlsStream<TcpStream>>;

impl TlsClient {
    /// The same offering these protocols.
    pub(crate) fn offering(&self, protocols: &[&[u8]]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    pub(crate) async fn handshake(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(address).await?;
        self.handshake_over(socket, name).await
    }

    pub(crate) async fn handshake_over(
        &self,
        socket: TcpStream,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::clone(&self.config)).connect(name, socket).await
    }

    /// One request on a connection of its own; `None` when it was not answered.
    pub(crate) async fn ask(
        &self,
        address: SocketAddr,
        name: &str,
        request: &str,
    ) -> Option<Answer> {
        let mut wire: TlsWire = Wire::over(self.handshake(address, name).await.ok()?);
        wire.exchange(request).await
    }
}
