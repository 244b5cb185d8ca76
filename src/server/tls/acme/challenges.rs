//! What an authority that checks a domain is shown: over plain HTTP by token, over TLS by name.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::clients::acme::{AcmeError, ChallengeKind, Proof};

/// Length of the mark, a SHA-256.
const DIGEST_BYTES: usize = 32;

/// Shown now; clones share it. As many as there are domains in an order, until it has ended.
#[derive(Clone, Debug, Default)]
pub struct Challenges {
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug, Default)]
struct Shown {
    texts: HashMap<String, String>,
    certificates: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// The text of this token, if it is asked for just now.
    pub fn text(&self, token: &str) -> Option<String> {
        self.shown.lock().texts.get(token).cloned()
    }

    /// Shows `proof` from now on.
    pub(super) fn show(&self, proof: Proof, kind: ChallengeKind) -> Result<(), AcmeError> {
        match kind {
            ChallengeKind::Http01 => {
                self.shown.lock().texts.insert(proof.token, proof.key_authorization);
            }
            ChallengeKind::TlsAlpn01 => {
                let certificate = marked(&proof).map_err(|err| {
                    AcmeError::ours(format!("the certificate of the check cannot be made: {err}"))
                })?;
                self.shown.lock().certificates.insert(proof.domain, Arc::new(certificate));
            }
        }
        Ok(())
    }

    /// Shows nothing any more.
    pub(super) fn clear(&self) {
        *self.shown.lock() = Shown::default();
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.shown.lock().certificates.get(&name).cloned()
    }
}

/// A self-signed certificate with the mark of RFC 8737.
fn marked(proof: &Proof) -> Result<CertifiedKey, Box<dyn std::error::Error>> {
    if proof.digest.len() != DIGEST_BYTES {
        return Err("the mark is no SHA-256".into());
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![proof.domain.clone()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&proof.digest)];
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // Not `from_der`: it looks whether the two fit, and stumbles over the mark, which is critical and
    // unknown to it.
    let key = default_provider().key_provider.load_private_key(key)?;
    Ok(CertifiedKey::new(chain, key))
}
