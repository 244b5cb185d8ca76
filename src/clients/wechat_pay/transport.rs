//! One call of WeChat Pay's API: signed, sent, its answer verified.
//!
//! Each attempt is signed anew and tried at a second address when the first cannot be reached; no
//! success is believed without a signature.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderMap, Method, Request};

use super::attempts::Attempts;
use super::error::{PayError, PayErrorKind, SignatureProblem};
use super::keys::{Asked, KeyStore};
use super::sealed::Apiv3Key;
use super::signature::{Claim, PlatformKey};
use super::signer::{Signer, nonce};
use super::{KeyProblem, WechatPaySettings, certificates};
use crate::base::clock::Clock;
use crate::base::error_chain::error_chain;
use crate::base::measure::Tally;
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::clients::call_stats::CallState;
use crate::clients::http::{Answer, CallError, HttpClient, HttpSettings};

/// Answers have a few KB, also those with certificates.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// A bill has some 400 bytes a row; this is a hundred thousand rows and more, compressed or not.
pub(super) const MAX_BILL_BYTES: u64 = 64 * 1024 * 1024;

/// A bill may take its time. Nobody waits for it.
const BILL_TIMEOUT: Duration = Duration::from_secs(120);

/// After the first address could not be reached, the other one is asked first for so long.
const AVOID_MS: i64 = 60 * 1000;

const CERTIFICATES: &str = "/v3/certificates";

/// How calls reach WeChat Pay, and how its answers come to be believed.
pub(super) struct Transport {
    http: HttpClient,
    bills: HttpClient,
    base: String,
    fallback: Option<String>,
    /// Until when the first address is asked last.
    avoid_base_until: AtomicI64,
    pub(super) signer: Signer,
    keys: KeyStore,
    pub(super) apiv3_key: Apiv3Key,
    timeout: Duration,
    errors: Tally,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    #[serde(default)]
    message: String,
}

impl Transport {
    pub(super) fn new(
        settings: &WechatPaySettings,
        clock: Clock,
        rng: Rng,
    ) -> Result<Self, KeyProblem> {
        let http = HttpSettings {
            name: "wechat-pay",
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            queue: settings.queue,
            max_answer_bytes: MAX_ANSWER_BYTES,
        };
        let bills = HttpSettings {
            name: "wechat-pay-bill",
            timeout: BILL_TIMEOUT,
            concurrency: 1,
            queue: 4,
            max_answer_bytes: MAX_BILL_BYTES,
        };
        Ok(Self {
            http: HttpClient::new(http),
            bills: HttpClient::new(bills),
            base: settings.base.clone(),
            fallback: settings.fallback_base.clone(),
            avoid_base_until: AtomicI64::new(0),
            signer: Signer::new(
                &settings.merchant_key,
                &settings.mchid,
                &settings.merchant_serial,
                &settings.appid,
            )?,
            keys: KeyStore::new(settings.public_key.as_ref())?,
            apiv3_key: Apiv3Key::new(&settings.apiv3_key)?,
            timeout: settings.timeout,
            errors: Tally::of(&PayError::KINDS),
            clock,
            rng,
        })
    }

    /// Calls `target` (path and query, encoded) and gives the body of a verified success.
    ///
    /// # Errors
    /// [`PayError`]. An attempt that came to nothing is repeated as long as the time of one lasts.
    pub(super) async fn call(
        &self,
        method: Method,
        target: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, PayError> {
        let mut attempts = Attempts::new(self.timeout, &self.rng);
        loop {
            match self.call_once(&method, target, body).await {
                Ok(answer) => return Ok(answer),
                Err(err) => {
                    self.errors.add(err.word());
                    attempts.next(err).await?;
                }
            }
        }
    }

    /// What became of the calls so far: those of the API and those for bills.
    pub(super) fn calls(&self) -> [CallState; 2] {
        [self.http.calls(), self.bills.calls()]
    }

    /// The end of the certificate that holds longest, of those that are known.
    pub(super) fn certificates_end(&self) -> Option<UnixMillis> {
        self.keys.certificates_end()
    }

    /// What went wrong so far, by kind.
    pub(super) fn errors(&self) -> Vec<(&'static str, u64)> {
        self.errors.all()
    }

    /// Fetches a file, whose answer is not signed: whoever calls compares its hash.
    ///
    /// # Errors
    /// [`PayError`].
    pub(super) async fn download(&self, target: &str) -> Result<Vec<u8>, PayError> {
        let mut attempts = Attempts::new(self.timeout, &self.rng);
        loop {
            let problem = match self.exchange(&self.bills, &Method::GET, target, &[]).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer.body),
                Ok(answer) => refusal(&answer),
                Err(err) => err,
            };
            attempts.next(problem).await?;
        }
    }

    async fn call_once(
        &self,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, PayError> {
        let answer = self.exchange(&self.http, method, target, body).await?;
        self.check(&answer).await?;
        match answer.status.is_success() {
            true => Ok(answer.body),
            false => Err(refusal(&answer)),
        }
    }

    /// Demands a good signature of a success, and of an error that has one. Errors need not: those
    /// about our own signature have none.
    async fn check(&self, answer: &Answer) -> Result<(), PayError> {
        if !answer.status.is_success() && !Claim::is_made(&answer.headers) {
            return Ok(());
        }
        let untrusted = |why| PayError::Untrusted { why, request_id: request_id(&answer.headers) };
        let claim = Claim::read(&answer.headers, self.clock.now()).map_err(untrusted)?;
        let key = self.key(&claim.serial).await.ok().flatten();
        let key = key.ok_or_else(|| untrusted(SignatureProblem::UnknownKey))?;
        claim.verify(&key, &answer.body).map_err(untrusted)
    }

    /// One attempt, at the second address too when the first cannot be reached.
    async fn exchange(
        &self,
        http: &HttpClient,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<Answer, PayError> {
        let now = self.clock.now();
        let is_avoided = self.avoid_base_until.load(Ordering::Relaxed) > now.0;
        let (first, second) = match &self.fallback {
            Some(fallback) if is_avoided => (fallback, Some(&self.base)),
            fallback => (&self.base, fallback.as_ref()),
        };
        match (self.send(http, first, method, target, body).await, second) {
            (Err(PayError::NotSent(CallError::Connect(err))), Some(second)) => {
                tracing::warn!(base = %first, problem = error_chain(&err), "WeChat Pay cannot be reached");
                let until = if is_avoided { 0 } else { now.plus_millis(AVOID_MS).0 };
                self.avoid_base_until.store(until, Ordering::Relaxed);
                self.send(http, second, method, target, body).await
            }
            (done, _) => done,
        }
    }

    async fn send(
        &self,
        http: &HttpClient,
        base: &str,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<Answer, PayError> {
        let authorization = self.signer.authorization(
            method.as_str(),
            target,
            body,
            self.clock.now(),
            &nonce(&self.rng),
        )?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{base}{target}"))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        // It decides with which key the answer is signed.
        if let Some(id) = self.keys.public_id() {
            request = request.header("Wechatpay-Serial", id);
        }
        let request = request
            .body(body.to_vec())
            .map_err(|_| PayError::Unsendable("its address is malformed"))?;
        let answer = http.call(request).await.map_err(PayError::from)?;
        let path = target.split('?').next().unwrap_or_default();
        tracing::debug!(
            %method,
            path,
            status = answer.status.as_u16(),
            wechat.request_id = request_id(&answer.headers),
            "WeChat Pay answered"
        );
        Ok(answer)
    }

    /// The key of this name. An unknown one is reason to ask for certificates, once in a while.
    ///
    /// # Errors
    /// When it is unknown and the certificates cannot be had.
    pub(super) async fn key(&self, serial: &str) -> Result<Option<Arc<PlatformKey>>, PayError> {
        let known = self.keys.get(serial, self.clock.now());
        if known.is_some() || !KeyStore::can_be_certificate(serial) {
            return Ok(known);
        }
        let mut asked = self.keys.asked().await;
        let now = self.clock.now();
        // Another one may have asked meanwhile.
        let known = self.keys.get(serial, now);
        if known.is_some() || !asked.may_ask(now) {
            return Ok(known);
        }
        self.refresh(&mut asked).await?;
        Ok(self.keys.get(serial, now))
    }

    /// Asks for the certificates if it is time to.
    ///
    /// # Errors
    /// [`PayError`].
    pub(super) async fn refresh_if_due(&self) -> Result<(), PayError> {
        let mut asked = self.keys.asked().await;
        match asked.is_due(self.clock.now()) {
            true => self.refresh(&mut asked).await,
            false => Ok(()),
        }
    }

    async fn refresh(&self, asked: &mut Asked) -> Result<(), PayError> {
        let done = self.certificates().await;
        asked.note(self.clock.now(), done.is_ok());
        done
    }

    async fn certificates(&self) -> Result<(), PayError> {
        let answer = self.exchange(&self.http, &Method::GET, CERTIFICATES, &[]).await?;
        if !answer.status.is_success() {
            let err = refusal(&answer);
            // Merchants of these days have the public key alone.
            let has_none = err.kind() == PayErrorKind::OrderNotExist;
            return if has_none && self.keys.public_id().is_some() { Ok(()) } else { Err(err) };
        }
        let now = self.clock.now();
        let known = |serial: &str| self.keys.get(serial, now);
        let found = certificates::read(&answer.headers, &answer.body, &self.apiv3_key, known, now)
            .map_err(|why| {
                tracing::error!(problem = %why, "the certificates of WeChat Pay are not good");
                PayError::Garbled("the certificates are not good")
            })?;
        tracing::info!(certificates = found.len(), "WeChat Pay told its certificates");
        self.keys.replace(found);
        Ok(())
    }
}

impl From<CallError> for PayError {
    fn from(err: CallError) -> Self {
        match err {
            CallError::Overloaded | CallError::Connect(_) => Self::NotSent(err),
            CallError::Timeout(_) | CallError::Lost(_) | CallError::TooLarge => Self::NoAnswer(err),
        }
    }
}

/// What an answer that is no success says.
fn refusal(answer: &Answer) -> PayError {
    let (status, request_id) = (answer.status.as_u16(), request_id(&answer.headers));
    match serde_json::from_slice::<Failure>(&answer.body) {
        Ok(Failure { code, message }) if !code.is_empty() => PayError::Refused {
            status,
            code: code.chars().take(64).collect(),
            message: message.chars().take(200).collect(),
            request_id,
        },
        _ => PayError::Broken { status, request_id },
    }
}

fn request_id(headers: &HeaderMap) -> String {
    let value = headers.get("Request-ID").and_then(|value| value.to_str().ok());
    value.unwrap_or("-").chars().take(64).collect()
}
