//! A certificate with its chain and key, checked before it is served.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::app::tls::TlsStatus;
use crate::base::time::UnixMillis;

/// What can be served.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    not_before: UnixMillis,
    not_after: UnixMillis,
    is_placeholder: bool,
    warnings: Vec<String>,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCertificate {
    #[error("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    #[error("cannot be understood: {0}")]
    Unreadable(String),
    #[error(
        "holds no private key in PEM that can be used; one with a password must be decrypted first"
    )]
    NoKey,
    #[error("is not the key of the certificate")]
    OtherKey,
    #[error("expired on {0}")]
    Expired(UnixMillis),
    #[error("is not valid before {0}; is the clock of this machine right?")]
    NotYet(UnixMillis),
    #[error("is for {names}, and not for {wanted}, the host of PUBLIC_URL")]
    OtherName { names: String, wanted: String },
}

impl BadCertificate {
    /// Whether the file of the key is to blame, and not that of the certificate.
    pub(super) fn is_about_the_key(&self) -> bool {
        matches!(self, Self::NoKey | Self::OtherKey)
    }
}

impl Certificate {
    /// Reads chain and key. Says nothing about time or names: see [`Certificate::check`].
    ///
    /// # Errors
    /// When something cannot be read, or the key belongs to another certificate.
    pub(super) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, BadCertificate> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|err| BadCertificate::Unreadable(err.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| BadCertificate::NoKey)?;
        Self::new(chain, key)
    }

    /// The same from DER.
    ///
    /// # Errors
    /// As above.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, BadCertificate> {
        let first = chain.first().ok_or(BadCertificate::NoCertificate)?;
        let (_, parsed) = X509Certificate::from_der(first)
            .map_err(|err| BadCertificate::Unreadable(err.to_string()))?;
        let names = names(&parsed);
        let seconds =
            |time: x509_parser::time::ASN1Time| UnixMillis(0).plus_seconds(time.timestamp());
        let not_before = seconds(parsed.validity().not_before);
        let not_after = seconds(parsed.validity().not_after);
        let mut warnings = Vec::new();
        let is_self_signed = parsed.subject() == parsed.issuer();
        if is_self_signed {
            warnings.push("the certificate is self-signed: WeChat and phones refuse it".to_owned());
        } else if chain.len() == 1 {
            let warning = "the file holds only the server's own certificate: phones refuse a chain \
                           with a hole; use fullchain.pem";
            warnings.push(warning.to_owned());
        }
        let key =
            CertifiedKey::from_der(chain, key, &default_provider()).map_err(|err| match err {
                rustls::Error::InconsistentKeys(_) => BadCertificate::OtherKey,
                _ => BadCertificate::NoKey,
            })?;
        Ok(Self {
            key: Arc::new(key),
            names,
            not_before,
            not_after,
            is_placeholder: false,
            warnings,
        })
    }

    /// Whether it can be served at `now` to who asks for `host`.
    ///
    /// # Errors
    /// What stands against it.
    pub(super) fn check(&self, now: UnixMillis, host: Option<&str>) -> Result<(), BadCertificate> {
        if now >= self.not_after {
            return Err(BadCertificate::Expired(self.not_after));
        }
        if now < self.not_before {
            return Err(BadCertificate::NotYet(self.not_before));
        }
        match host {
            Some(host) if !self.names.iter().any(|name| covers(name, host)) => {
                let names = match self.names.is_empty() {
                    true => "no name at all".to_owned(),
                    false => self.names.join(", "),
                };
                Err(BadCertificate::OtherName { names, wanted: host.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Marks it as one that stands in until there is a real one.
    pub(super) fn into_placeholder(self) -> Self {
        let warning = "clients refuse it: the authority has given no certificate yet".to_owned();
        Self { is_placeholder: true, warnings: vec![warning], ..self }
    }

    /// With something else to warn of.
    pub(super) fn warn(mut self, warning: String) -> Self {
        self.warnings.push(warning);
        self
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn not_before(&self) -> UnixMillis {
        self.not_before
    }

    pub(super) fn not_after(&self) -> UnixMillis {
        self.not_after
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Puts into `status` what is known of it; what went wrong before is over.
    pub(super) fn describe(&self, status: &mut TlsStatus) {
        status.names = self.names.clone();
        status.not_before = Some(self.not_before);
        status.not_after = Some(self.not_after);
        status.is_placeholder = self.is_placeholder;
        status.warnings = self.warnings.clone();
        if !self.is_placeholder {
            (status.last_error, status.last_error_at) = (None, None);
        }
    }
}

/// The alternative names; the subject's common name counts for no client any more.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => bytes.first_chunk::<4>().map(|ip| std::net::IpAddr::from(*ip).to_string()),
            16 => bytes.first_chunk::<16>().map(|ip| std::net::IpAddr::from(*ip).to_string()),
            _ => None,
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}

/// Whether a certificate's `name` is good for `host`: the same, or `*.` before all but its first label.
fn covers(name: &str, host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

#[cfg(test)]
mod tests;
