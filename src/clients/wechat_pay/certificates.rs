//! The answer of `GET /v3/certificates`: which keys it brings, and that it is true.
//!
//! Nothing is trusted beforehand but the APIv3 key: who can encrypt with it is WeChat Pay. The answer
//! itself is then checked with the certificate that its header names, which is among those it brings
//! (merchant documentation, "Downloading platform certificates").

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use ureq::http::HeaderMap;
use x509_parser::pem::Pem;

use super::error::SignatureProblem;
use super::sealed::{Apiv3Key, Sealed};
use super::signature::{Claim, PlatformKey};
use crate::base::time::UnixMillis;

/// WeChat Pay has one, and two while it changes it.
const MAX_CERTIFICATES: usize = 16;

/// A certificate's key, as long as it may be used.
#[derive(Clone)]
pub(super) struct Certified {
    pub(super) key: Arc<PlatformKey>,
    pub(super) not_after: UnixMillis,
}

/// Keys by the serials of their certificates, written as [`serial_id`] does.
pub(super) type Certificates = HashMap<String, Certified>;

/// Why an answer with certificates is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CertificatesProblem {
    #[error(transparent)]
    Signature(#[from] SignatureProblem),
    #[error("a certificate: {0}")]
    Bad(&'static str),
}

#[derive(Deserialize)]
struct Listed {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    serial_no: String,
    encrypt_certificate: Sealed,
}

/// Reads the answer. `known` finds a key that is trusted already, for an answer that is signed with
/// the public key.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    apiv3_key: &Apiv3Key,
    known: impl Fn(&str) -> Option<Arc<PlatformKey>>,
    now: UnixMillis,
) -> Result<Certificates, CertificatesProblem> {
    let claim = Claim::read(headers, now)?;
    let listed: Listed =
        serde_json::from_slice(body).map_err(|_| CertificatesProblem::Bad("is no such JSON"))?;
    if listed.data.len() > MAX_CERTIFICATES {
        return Err(CertificatesProblem::Bad("is one of too many"));
    }
    let mut found = Certificates::new();
    for entry in &listed.data {
        let pem = apiv3_key.open(&entry.encrypt_certificate).map_err(CertificatesProblem::Bad)?;
        let (serial, certified) = certificate(&pem)?;
        if serial != serial_id(&entry.serial_no) {
            return Err(CertificatesProblem::Bad("has another serial number than announced"));
        }
        found.insert(serial, certified);
    }
    let key = found
        .get(&serial_id(&claim.serial))
        .map(|certified| Arc::clone(&certified.key))
        .or_else(|| known(&claim.serial))
        .ok_or(SignatureProblem::UnknownKey)?;
    claim.verify(&key, body)?;
    // Only now, as the one that is about to end may have signed.
    found.retain(|_, certified| certified.not_after >= now);
    Ok(found)
}

fn certificate(pem: &str) -> Result<(String, Certified), CertificatesProblem> {
    let pem = match Pem::iter_from_buffer(pem.as_bytes()).next() {
        Some(Ok(pem)) if pem.label == "CERTIFICATE" => pem,
        _ => return Err(CertificatesProblem::Bad("is no PEM")),
    };
    let parsed = pem.parse_x509().map_err(|_| CertificatesProblem::Bad("is no X.509"))?;
    let key = PlatformKey::from_spki(parsed.public_key().raw)
        .ok_or(CertificatesProblem::Bad("has no RSA key"))?;
    let not_after = parsed.validity().not_after.timestamp().saturating_mul(1000);
    let serial = parsed.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    Ok((serial_id(&serial), Certified { key: Arc::new(key), not_after: UnixMillis(not_after) }))
}

/// One way of writing a serial number: upper case, without the zeros that encodings put in front.
pub(super) fn serial_id(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
