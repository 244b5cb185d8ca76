//! Certificates that the server orders itself: when, and what happens until it has one.
//!
//! - Until the first is there, a self-signed placeholder is served: the listener must be up for the
//!   authority's check, and a client is better refused by the certificate than served in the clear.
//! - Renewal begins when a third of the life is left, a little earlier or later by chance.
//! - After a failure the next try waits 10 minutes, then three times as long each time, up to a day
//!   (one minute, doubling, when the authority could not be reached at all), and never less than the
//!   authority asked for. The count is kept in a file, so that restarting in a loop hammers nobody.
//! - What is stored (`DATA_DIR/acme/<authority>/`) is readable by the server's user only and exchanged
//!   as a whole.

mod challenges;
mod schedule;
mod store;

use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificate::{BadCertificate, Certificate};
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::clients::acme::{
    AcmeAccount, AcmeClient, AcmeError, AcmeSettings, ChallengeKind, Issued,
};
use crate::config::Config;
use crate::config::acme::AcmeChallenge;
use schedule::{Plan, next_try, renew_at};
use store::{AcmeStore, Attempts, StoreError};

pub use challenges::Challenges;

/// The orders of one server.
pub(super) struct AcmeOrders {
    client: Arc<AcmeClient>,
    store: AcmeStore,
    challenges: Challenges,
    domains: Vec<String>,
    ways: Ways,
    plan: Mutex<Plan>,
}

/// Which checks there are to choose from.
#[derive(Clone, Copy, Debug)]
struct Ways {
    first: ChallengeKind,
    /// After a failure of the other one.
    second: Option<ChallengeKind>,
}

/// Why the ordering of certificates cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum AcmeStartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no placeholder certificate can be made")]
    Placeholder(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl AcmeOrders {
    /// Prepares orders and gives the certificate to begin with: the stored one, else a placeholder.
    pub(super) fn start(app: &App, config: &Config) -> Result<(Self, Certificate), AcmeStartError> {
        let acme = &config.acme;
        let domains: Vec<String> =
            acme.acme_domains.iter().map(|name| name.as_str().to_owned()).collect();
        let directory = acme.acme_directory.as_str();
        let store = AcmeStore::open(&config.storage.data_dir, directory, &domains)?;
        let stored = store.certificate()?;
        let plan = Plan::new(stored.as_ref(), store.attempts());
        let certificate = match stored {
            Some(stored) => stored,
            None => placeholder(&domains, app.clock.now())?,
        };
        let client = AcmeClient::new(AcmeSettings {
            directory: directory.to_owned(),
            email: acme.acme_email.clone(),
            roots: acme.acme_ca_path.as_ref().map_or_else(Vec::new, |roots| roots.ders().to_vec()),
            timeout: std::time::Duration::from_secs(acme.acme_timeout),
        });
        app.tls.update(|status| {
            status.last_error = plan.attempts.last_error.clone();
            status.last_error_at = plan.attempts.last_error_at.map(UnixMillis);
            status.next_try_at = Some(plan.next_at);
        });
        let ways = Ways::of(acme.acme_challenge, config.tls.http_listen.is_some());
        let orders = Self {
            client: Arc::new(client),
            store,
            challenges: Challenges::default(),
            domains,
            ways,
            plan: Mutex::new(plan),
        };
        Ok((orders, certificate))
    }

    pub(super) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Orders a certificate if it is time; gives it if one came.
    pub(super) async fn step(&self, app: &App) -> Option<Certificate> {
        let (is_due, failures) = {
            let plan = self.plan.lock();
            (app.clock.now() >= plan.next_at, plan.attempts.failures)
        };
        if !is_due {
            return None;
        }
        let kind = self.ways.after(failures);
        tracing::info!(domains = self.domains.join(","), ?kind, "ordering a certificate");
        let ordered = self.order(kind, app).await;
        self.challenges.clear();
        let now = app.clock.now();
        let mut plan = self.plan.lock();
        let served = match ordered {
            Ok(certificate) => {
                tracing::info!(not_after = %certificate.not_after(), "a certificate was issued");
                plan.attempts = Attempts::default();
                plan.next_at = renew_at(&certificate);
                Some(certificate)
            }
            Err(err) => {
                plan.attempts.failures = failures.saturating_add(1);
                plan.next_at = next_try(now, plan.attempts.failures, &err, &app.rng);
                plan.attempts.next_at = Some(plan.next_at.0);
                plan.attempts.last_error = Some(err.to_string());
                plan.attempts.last_error_at = Some(now.0);
                tracing::error!(problem = %err, next_try = %plan.next_at, "no certificate was issued");
                None
            }
        };
        if let Err(err) = self.store.keep_attempts(&plan.attempts) {
            tracing::error!(error = %err, "the state of the orders cannot be stored");
        }
        app.tls.update(|status| {
            status.last_error = plan.attempts.last_error.clone();
            status.last_error_at = plan.attempts.last_error_at.map(UnixMillis);
            status.next_try_at = Some(plan.next_at);
        });
        served
    }

    /// Brings a try that waits after a failure forward to now, though not within a minute of the last.
    pub(super) fn try_soon(&self, app: &App) {
        let mut plan = self.plan.lock();
        if let Some(failed_at) = plan.attempts.last_error_at {
            plan.next_at = app.clock.now().max(UnixMillis(failed_at).plus_seconds(60));
            app.tls.update(|status| status.next_try_at = Some(plan.next_at));
        }
    }

    async fn order(&self, kind: ChallengeKind, app: &App) -> Result<Certificate, AcmeError> {
        let account = self.account().await?;
        let show = |proof| self.challenges.show(proof, kind);
        let issued = self.client.order(&account, &self.domains, kind, show).await;
        if issued.as_ref().is_err_and(|err| err.is_account_unknown) {
            self.store.forget_account().map_err(store_failed)?;
        }
        self.take(&issued?, app.clock.now())
    }

    /// The stored account, or a new one.
    async fn account(&self) -> Result<AcmeAccount, AcmeError> {
        if let Some(stored) = self.store.account().map_err(store_failed)? {
            return self.client.open_account(&stored).await;
        }
        let (account, to_store) = self.client.create_account().await?;
        self.store.keep_account(&to_store).map_err(store_failed)?;
        Ok(account)
    }

    /// Looks at what the authority gave before anything is replaced by it.
    fn take(&self, issued: &Issued, now: UnixMillis) -> Result<Certificate, AcmeError> {
        let bad = |err: BadCertificate| {
            AcmeError::ours(format!("the authority gave a certificate that {err}"))
        };
        let key = issued.key_pem.expose().as_bytes();
        let certificate = Certificate::from_pem(issued.chain_pem.as_bytes(), key).map_err(bad)?;
        for domain in &self.domains {
            certificate.check(now, Some(domain)).map_err(bad)?;
        }
        self.store.keep_certificate(issued).map_err(store_failed)?;
        Ok(certificate)
    }
}

impl Ways {
    fn of(only: Option<AcmeChallenge>, has_plain_listener: bool) -> Self {
        let (first, second) = match (only, has_plain_listener) {
            (Some(AcmeChallenge::Http01), _) => (ChallengeKind::Http01, None),
            (Some(AcmeChallenge::TlsAlpn01), _) | (None, false) => (ChallengeKind::TlsAlpn01, None),
            (None, true) => (ChallengeKind::Http01, Some(ChallengeKind::TlsAlpn01)),
        };
        Self { first, second }
    }

    /// They take turns.
    fn after(self, failures: u32) -> ChallengeKind {
        match self.second {
            Some(second) if failures % 2 == 1 => second,
            _ => self.first,
        }
    }
}

fn store_failed(err: StoreError) -> AcmeError {
    AcmeError::ours(crate::base::error_chain::error_chain(&err))
}

/// A certificate by nobody, for a year.
fn placeholder(domains: &[String], now: UnixMillis) -> Result<Certificate, AcmeStartError> {
    let make = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(domains.to_vec())?;
        let year = i32::try_from(now.seconds().div_euclid(31_556_952))?.saturating_add(1970);
        params.not_before = rcgen::date_time_ymd(year.saturating_sub(1), 1, 1);
        params.not_after = rcgen::date_time_ymd(year.saturating_add(2), 1, 1);
        let chain: Vec<CertificateDer<'static>> = vec![params.self_signed(&key)?.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Certificate::new(chain, key)?.into_placeholder())
    };
    make().map_err(AcmeStartError::Placeholder)
}
