//! What is known about the server's own certificate, for those who show it: doctor, the admin page,
//! metrics. Written by the TLS listener alone.

use parking_lot::RwLock;

use crate::base::time::UnixMillis;

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsSource {
    /// Clients do not speak TLS with this process.
    #[default]
    Off,
    /// `TLS_CERT_PATH` and `TLS_KEY_PATH`.
    Files,
    /// An ACME authority.
    Acme,
}

/// The certificate that is served, and how its next one comes along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsStatus {
    pub source: TlsSource,
    /// Names it is good for.
    pub names: Vec<String>,
    pub not_before: Option<UnixMillis>,
    pub not_after: Option<UnixMillis>,
    /// A self-signed one that no client accepts, served until the authority gives the first.
    pub is_placeholder: bool,
    /// Why the newest files, or the newest order, could not be used: one line with what to do. `None`
    /// when the last attempt went well.
    pub last_error: Option<String>,
    pub last_error_at: Option<UnixMillis>,
    /// When the authority is asked next.
    pub next_try_at: Option<UnixMillis>,
    /// What works and should be mended all the same.
    pub warnings: Vec<String>,
}

/// The one place where it stands.
#[derive(Debug, Default)]
pub struct TlsBoard(RwLock<TlsStatus>);

impl TlsBoard {
    /// How it is now.
    pub fn status(&self) -> TlsStatus {
        self.0.read().clone()
    }

    /// Changes what is known.
    pub fn update(&self, change: impl FnOnce(&mut TlsStatus)) {
        change(&mut self.0.write());
    }
}
