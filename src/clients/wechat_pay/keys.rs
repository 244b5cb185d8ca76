//! The keys that WeChat Pay signs with: its public key, its certificates, or both at once.
//!
//! While a merchant changes from the one to the other, callbacks are signed by either (official
//! answer in WeChat's developer community), so the name in the header decides, always.

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};

use super::certificates::{Certificates, serial_id};
use super::signature::PlatformKey;
use super::{KeyProblem, PublicKey};
use crate::base::time::UnixMillis;

/// Names of public keys begin so; certificates have hexadecimal ones.
const PUBLIC_KEY_PREFIX: &str = "PUB_KEY_ID_";

/// Certificates are asked for anew this long after they last were. WeChat Pay says 12 hours or less.
const REFRESH_MS: u64 = 6 * 3600 * 1000;

/// An unknown serial makes us ask, but not more often than this: anybody can send one.
const UNKNOWN_SERIAL_MS: u64 = 60 * 1000;

/// The same after a try that failed.
const FAILED_MS: u64 = 5 * 1000;

/// See the module.
pub(super) struct KeyStore {
    public: Option<(String, Arc<PlatformKey>)>,
    certificates: RwLock<Certificates>,
    /// Held while certificates are being asked for, so that many in need of them ask once.
    asked: Mutex<Asked>,
}

/// When certificates were asked for.
#[derive(Default)]
pub(super) struct Asked {
    last: Option<UnixMillis>,
    last_success: Option<UnixMillis>,
}

impl Asked {
    /// Whether an unknown serial is reason enough to ask now.
    pub(super) fn may_ask(&self, now: UnixMillis) -> bool {
        let pause = if self.last == self.last_success { UNKNOWN_SERIAL_MS } else { FAILED_MS };
        self.last.is_none_or(|last| now.0.abs_diff(last.0) >= pause)
    }

    /// Whether it is time to ask without a reason.
    pub(super) fn is_due(&self, now: UnixMillis) -> bool {
        self.last_success.is_none_or(|last| now.0.abs_diff(last.0) >= REFRESH_MS)
    }

    /// Notes how it went.
    pub(super) fn note(&mut self, now: UnixMillis, is_success: bool) {
        self.last = Some(now);
        if is_success {
            self.last_success = Some(now);
        }
    }
}

impl KeyStore {
    pub(super) fn new(public: Option<&PublicKey>) -> Result<Self, KeyProblem> {
        let parsed = |key: &PublicKey| {
            let parsed = PlatformKey::from_spki(&key.spki)
                .ok_or(KeyProblem("the public key of WeChat Pay"))?;
            Ok((key.id.clone(), Arc::new(parsed)))
        };
        Ok(Self {
            public: public.map(parsed).transpose()?,
            certificates: RwLock::default(),
            asked: Mutex::default(),
        })
    }

    /// Id of the public key, which calls announce.
    pub(super) fn public_id(&self) -> Option<&str> {
        self.public.as_ref().map(|(id, _)| id.as_str())
    }

    /// The key of this name, if it is known and not over.
    pub(super) fn get(&self, serial: &str, now: UnixMillis) -> Option<Arc<PlatformKey>> {
        if let Some((_, key)) = self.public.as_ref().filter(|(id, _)| id == serial) {
            return Some(Arc::clone(key));
        }
        let certificates = self.certificates.read();
        let found = certificates.get(&serial_id(serial))?;
        (found.not_after >= now).then(|| Arc::clone(&found.key))
    }

    /// The end of the certificate that holds longest, of those that are known.
    pub(super) fn certificates_end(&self) -> Option<UnixMillis> {
        self.certificates.read().values().map(|found| found.not_after).max()
    }

    /// Whether asking for certificates can bring a key of this name.
    pub(super) fn can_be_certificate(serial: &str) -> bool {
        !serial.starts_with(PUBLIC_KEY_PREFIX)
            && serial.len() <= 64
            && serial.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The right to ask for certificates, of one at a time.
    pub(super) async fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().await
    }

    /// Trusts these certificates, and those before no more. None at all is no list: the merchant has
    /// a public key by now, and what was good stays good to its end.
    pub(super) fn replace(&self, certificates: Certificates) {
        if !certificates.is_empty() {
            *self.certificates.write() = certificates;
        }
    }
}
