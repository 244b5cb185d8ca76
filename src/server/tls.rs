//! TLS on our own listener: which certificate, which protocol, and how long a handshake may take.
//!
//! Guarantees: TLS 1.2 or newer with forward secrecy; a certificate is exchanged without a connection
//! noticing; one that is bad is never taken (what is served stays, and the status says why); handshakes
//! are bounded in number and time. A waiting client that has not said anything yet takes up none of
//! that number.

mod acme;
mod certificate;
mod files;
mod handshake;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::tls::TlsSource;
use crate::base::time::UnixMillis;
use crate::config::{Config, ConfigError};

pub use acme::AcmeStartError;
pub use acme::Challenges;

use acme::AcmeOrders;
use certificate::Certificate;
use files::CertificateFiles;
use handshake::Handshakes;

/// How often the files are looked at, and the clock for a renewal. Two `stat` calls cost nothing.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// TLS of the listener.
pub struct Tls {
    app: Arc<App>,
    handshakes: Handshakes,
    source: Source,
    /// Somebody asked to look now.
    look_now: Notify,
}

enum Source {
    Files(Box<CertificateFiles>),
    Acme(Box<AcmeOrders>),
}

/// Why TLS cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TlsStartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("TLS cannot be set up")]
    Rustls(#[from] rustls::Error),
    #[error(transparent)]
    Acme(#[from] AcmeStartError),
}

/// Looks whether the certificate files of `config` can be served at `now`. For the start, before
/// anything is made.
///
/// # Errors
/// Names the variable, what is wrong with its file, and an example.
pub fn check_files(config: &Config, now: UnixMillis) -> Result<(), ConfigError> {
    match CertificateFiles::of(config) {
        Some(files) => files.load(now).map(drop).map_err(|err| files.as_config_error(&err)),
        None => Ok(()),
    }
}

impl Tls {
    /// TLS as `config` wants it; `None` when it is off.
    ///
    /// # Errors
    /// [`TlsStartError`].
    pub fn start(app: &Arc<App>, config: &Config) -> Result<Option<Arc<Self>>, TlsStartError> {
        if !config.is_tls_on() {
            return Ok(None);
        }
        let now = app.clock.now();
        let (source, certificate, challenges) = match CertificateFiles::of(config) {
            Some(files) => {
                let loaded = files.load(now).map_err(|err| files.as_config_error(&err))?;
                (Source::Files(Box::new(files)), loaded, Challenges::default())
            }
            None => {
                let (orders, certificate) = AcmeOrders::start(app, config)?;
                let challenges = orders.challenges().clone();
                (Source::Acme(Box::new(orders)), certificate, challenges)
            }
        };
        let handshakes = Handshakes::new(config, challenges, &certificate)?;
        let tls = Self { app: Arc::clone(app), handshakes, source, look_now: Notify::new() };
        tls.serve(&certificate);
        app.tls.update(|status| status.source = tls.kind());
        Ok(Some(Arc::new(tls)))
    }

    /// What the authority asks for over plain HTTP.
    pub fn challenges(&self) -> &Challenges {
        self.handshakes.challenges()
    }

    /// Looks after the certificate until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let care = async {
            loop {
                self.step().await;
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = self.look_now.notified() => {}
                }
            }
        };
        stop.run_until_cancelled(care).await;
    }

    /// Does what is due now: takes files that changed, or orders the next certificate.
    pub async fn step(&self) {
        match &self.source {
            Source::Files(files) => {
                if files.have_settled_anew().await {
                    self.take_files(files).await;
                }
            }
            Source::Acme(orders) => {
                if let Some(certificate) = orders.step(&self.app).await {
                    self.serve(&certificate);
                }
            }
        }
    }

    /// What SIGHUP asks for: files are read anew at once; an order that waits for its next try is tried
    /// soon (not more often than the authority may be asked).
    pub async fn reload(&self) {
        match &self.source {
            Source::Files(files) => self.take_files(files).await,
            Source::Acme(orders) => {
                orders.try_soon(&self.app);
                self.look_now.notify_one();
            }
        }
    }

    async fn take_files(&self, files: &CertificateFiles) {
        let now = self.app.clock.now();
        match files.load_anew(now).await {
            Ok(certificate) => {
                tracing::info!(
                    names = certificate.names().join(","),
                    not_after = %certificate.not_after(),
                    "the certificate was read anew"
                );
                self.serve(&certificate);
            }
            Err(err) => {
                let problem = files.as_config_error(&err).to_string();
                tracing::error!(problem, "the new certificate is not taken; the old one stays");
                self.app.tls.update(|status| {
                    status.last_error = Some(problem);
                    status.last_error_at = Some(now);
                });
            }
        }
    }

    /// Serves `certificate` from the next handshake on.
    fn serve(&self, certificate: &Certificate) {
        for warning in certificate.warnings() {
            tracing::warn!(warning, "about the certificate");
        }
        self.handshakes.exchange(certificate);
        self.app.tls.update(|status| certificate.describe(status));
    }

    fn kind(&self) -> TlsSource {
        match self.source {
            Source::Files(_) => TlsSource::Files,
            Source::Acme(_) => TlsSource::Acme,
        }
    }

    /// The handshake of one connection; `None` when it was an authority's check.
    ///
    /// # Errors
    /// When the client is too slow, gone, or has nothing in common with us.
    pub(super) async fn accept<T>(&self, io: T) -> io::Result<Option<TlsStream<T>>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        self.handshakes.accept(io).await
    }
}
