//! An ACME authority (RFC 8555): an account there, and orders of certificates.
//!
//! Guarantees: what the authority says is repeated, with what to do about it ([`AcmeError`]); every wait
//! ends; keys leave this module as [`Secret`] only. Protocol and signatures are instant-acme's; the
//! calls go over our own bounded HTTP client.

mod advice;
mod transport;

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::http::{HttpClient, HttpSettings};
use crate::base::secret::Secret;
use transport::Transport;

pub use advice::AcmeError;

/// A chain of certificates is about 5 KB.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Checks of domains take seconds; an authority under load says when to ask again.
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// Which authority, and how it is spoken with.
#[derive(Clone, Debug)]
pub struct AcmeSettings {
    /// Address of its directory.
    pub directory: String,
    /// Where it may write to.
    pub email: Option<String>,
    /// Roots that its own certificate is checked against, as DER; none are the usual ones.
    pub roots: Vec<Vec<u8>>,
    /// For one call.
    pub timeout: Duration,
}

/// How a domain is shown to lead here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeKind {
    /// A text under `/.well-known/acme-challenge/` on port 80.
    Http01,
    /// A certificate with a mark, on port 443.
    TlsAlpn01,
}

/// What must be shown until the authority has looked.
#[derive(Clone, Debug)]
pub struct Proof {
    pub domain: String,
    /// Name of the text of HTTP-01.
    pub token: String,
    /// The text itself.
    pub key_authorization: String,
    /// Its SHA-256, the mark of TLS-ALPN-01.
    pub digest: Vec<u8>,
}

/// A new certificate.
#[derive(Debug)]
pub struct Issued {
    /// The chain, the server's own certificate first.
    pub chain_pem: String,
    pub key_pem: Secret<String>,
}

/// The client of one authority.
pub struct AcmeClient {
    http: HttpClient,
    settings: AcmeSettings,
}

/// An account at the authority.
pub struct AcmeAccount {
    account: Account,
    /// Remembers how long the authority asked to be left alone.
    transport: Transport,
}

impl AcmeClient {
    /// Prepares the client; nothing is sent yet.
    pub fn new(settings: AcmeSettings) -> Self {
        let http = HttpSettings {
            name: "acme",
            timeout: settings.timeout,
            concurrency: 2,
            queue: 4,
            max_answer_bytes: MAX_ANSWER_BYTES,
        };
        Self { http: HttpClient::with_roots(http, &settings.roots), settings }
    }

    /// The account that `stored` is about.
    ///
    /// # Errors
    /// When it cannot be read, or the authority does not answer.
    pub async fn open_account(&self, stored: &Secret<Vec<u8>>) -> Result<AcmeAccount, AcmeError> {
        let credentials: AccountCredentials = serde_json::from_slice(stored.expose())
            .map_err(|err| AcmeError::ours(format!("the stored account cannot be read: {err}")))?;
        let transport = Transport::new(&self.http);
        let opened = Account::builder_with_http(Box::new(transport.clone()));
        let opened = opened.from_credentials(credentials).await;
        match opened {
            Ok(account) => Ok(AcmeAccount { account, transport }),
            Err(err) => Err(AcmeError::of(err, transport.retry_after())),
        }
    }

    /// Makes an account, agreeing to the authority's terms, and gives what to store of it.
    ///
    /// # Errors
    /// When the authority refuses or does not answer.
    pub async fn create_account(&self) -> Result<(AcmeAccount, Secret<Vec<u8>>), AcmeError> {
        let transport = Transport::new(&self.http);
        let contact = self.settings.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(transport.clone()));
        let (account, credentials) = builder
            .create(&new, self.settings.directory.clone(), None)
            .await
            .map_err(|err| AcmeError::of(err, transport.retry_after()))?;
        let stored = serde_json::to_vec(&credentials)
            .map_err(|err| AcmeError::ours(format!("the account cannot be stored: {err}")))?;
        Ok((AcmeAccount { account, transport }, Secret::new(stored)))
    }

    /// Orders one certificate for all `domains`. `show` is told what must be shown, each before the
    /// authority is asked to look.
    ///
    /// # Errors
    /// What the authority said, and what to do.
    pub async fn order(
        &self,
        account: &AcmeAccount,
        domains: &[String],
        kind: ChallengeKind,
        show: impl Fn(Proof) -> Result<(), AcmeError> + Send + Sync,
    ) -> Result<Issued, AcmeError> {
        issue(&account.account, domains, kind, show).await.map_err(|mut err| {
            err.retry_after = account.transport.retry_after();
            err
        })
    }
}

async fn issue(
    account: &Account,
    domains: &[String],
    kind: ChallengeKind,
    show: impl Fn(Proof) -> Result<(), AcmeError> + Send + Sync,
) -> Result<Issued, AcmeError> {
    let identifiers: Vec<Identifier> = domains.iter().cloned().map(Identifier::Dns).collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    prove(&mut order, kind, &show).await?;
    let polled = order.poll_ready(&POLLING).await;
    if !matches!(polled, Ok(OrderStatus::Ready)) {
        // What became of a single domain says more than what became of the order.
        if let Some(problem) = failed_check(&mut order).await {
            return Err(AcmeError::of_check(problem, kind));
        }
        polled?;
        return Err(AcmeError::ours("the authority called the order invalid".to_owned()));
    }
    let (key, csr) = request(domains)?;
    order.finalize_csr(&csr).await?;
    let chain_pem = order.poll_certificate(&POLLING).await?;
    Ok(Issued { chain_pem, key_pem: Secret::new(key.serialize_pem()) })
}

/// Shows what each domain needs and asks the authority to look.
async fn prove(
    order: &mut Order,
    kind: ChallengeKind,
    show: &(impl Fn(Proof) -> Result<(), AcmeError> + Send + Sync),
) -> Result<(), AcmeError> {
    let wanted = match kind {
        ChallengeKind::Http01 => ChallengeType::Http01,
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            // Checked lately: the authority remembers.
            AuthorizationStatus::Valid => continue,
            status => {
                let domain = authorization.identifier().to_string();
                return Err(AcmeError::ours(format!("{domain} is {status:?} at the authority")));
            }
        }
        let Some(mut challenge) = authorization.challenge(wanted.clone()) else {
            return Err(AcmeError::ours(format!("the authority does not offer {kind:?}")));
        };
        let key_authorization = challenge.key_authorization();
        show(Proof {
            domain: challenge.identifier().to_string(),
            token: challenge.token.clone(),
            key_authorization: key_authorization.as_str().to_owned(),
            digest: key_authorization.digest().as_ref().to_vec(),
        })?;
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The first check of a domain that failed, with its name.
async fn failed_check(order: &mut Order) -> Option<(String, Problem)> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let failed = authorization.challenges.iter().find_map(|challenge| challenge.error.clone());
        if let Some(problem) = failed {
            return Some((authorization.identifier().to_string(), problem));
        }
    }
    None
}

/// A new key, and the request to certify it for `domains`.
fn request(domains: &[String]) -> Result<(KeyPair, Vec<u8>), AcmeError> {
    let failed = |err: rcgen::Error| AcmeError::ours(format!("a key cannot be made: {err}"));
    let mut params = CertificateParams::new(domains.to_vec()).map_err(failed)?;
    // The alternative names are all that counts.
    params.distinguished_name = DistinguishedName::new();
    // ECDSA P-256: accepted everywhere, and quick to sign with.
    let key = KeyPair::generate().map_err(failed)?;
    let csr = params.serialize_request(&key).map_err(failed)?.der().to_vec();
    Ok((key, csr))
}
